//! The addresses of clients, for the log.

use std::net::SocketAddr;

use http::request::Parts;

/// The address of the peer of a connection, which the plugin's log lines then name.
///
/// Serve the application with it: `axum::serve(listener, app.into_make_service_with_connect_info::<PeerAddr>())`, where
/// the listener is a [`QuickAckListener`](crate::QuickAckListener), or any other in a `MeteredListener`. The plugin also
/// finds a `ConnectInfo<SocketAddr>`.
///
/// Behind a proxy this is the address of the proxy. An application that trusts its proxy puts the client's address, as
/// a `PeerAddr`, into the extensions of the request, by a middleware outside of the layer of socketioxide. It takes
/// precedence. A header such as `X-Forwarded-For` is never read: any client can write it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerAddr(pub SocketAddr);

/// Returns the address of the peer that made a request, if it is known.
pub(crate) fn peer_addr(request: &Parts) -> Option<SocketAddr> {
    let extensions = &request.extensions;
    if let Some(PeerAddr(address)) = extensions.get() {
        return Some(*address);
    }
    #[cfg(feature = "axum")]
    {
        use axum::extract::ConnectInfo;
        if let Some(ConnectInfo(PeerAddr(address))) = extensions.get() {
            return Some(*address);
        }
        if let Some(ConnectInfo::<SocketAddr>(address)) = extensions.get() {
            return Some(*address);
        }
    }
    None
}

#[cfg(feature = "axum")]
mod connected {
    use axum::{
        extract::connect_info::Connected,
        serve::{IncomingStream, Listener},
    };

    use super::{PeerAddr, SocketAddr};
    use crate::{MeteredListener, QuickAckListener};

    impl Connected<IncomingStream<'_, QuickAckListener>> for PeerAddr {
        fn connect_info(stream: IncomingStream<'_, QuickAckListener>) -> Self {
            Self(*stream.remote_addr())
        }
    }

    impl<L: Listener<Addr = SocketAddr>> Connected<IncomingStream<'_, MeteredListener<L>>>
        for PeerAddr
    {
        fn connect_info(stream: IncomingStream<'_, MeteredListener<L>>) -> Self {
            Self(*stream.remote_addr())
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn an_address_that_the_application_knows_takes_precedence() {
        let (mut request, ()) = Request::new(()).into_parts();
        assert_eq!(peer_addr(&request), None);

        #[cfg(feature = "axum")]
        {
            use axum::extract::ConnectInfo;
            request.extensions.insert(ConnectInfo(address(1)));
            assert_eq!(peer_addr(&request), Some(address(1)));
            request.extensions.insert(ConnectInfo(PeerAddr(address(2))));
            assert_eq!(peer_addr(&request), Some(address(2)));
        }
        request.extensions.insert(PeerAddr(address(3)));

        assert_eq!(peer_addr(&request), Some(address(3)));
    }
}
