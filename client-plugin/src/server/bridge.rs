//! A bridge from rust_socketio to a connection that it cannot make itself.
//!
//! rust_socketio 0.6.0 takes no stream. So it connects to a socket of this process on the loopback interface, and
//! what it writes there goes over the right connection, with TLS if that is wanted.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, copy, split},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_native_tls::{TlsConnector, native_tls};

/// The longest time that rust_socketio takes to connect to this process.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns an address of this process at which one connection is accepted and carried over `stream`, with TLS for
/// a server of this name if there is one. The bridge ends with either of the two connections.
pub(crate) async fn over(stream: TcpStream, name: Option<String>) -> io::Result<SocketAddr> {
    stream.set_nodelay(true)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    match name {
        Some(name) => {
            let tls = native_tls::TlsConnector::new().map_err(io::Error::other)?;
            let stream = TlsConnector::from(tls).connect(&name, stream).await;
            spawn(listener, stream.map_err(io::Error::other)?);
        }
        None => spawn(listener, stream),
    }
    Ok(at)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it ends with the connection of rust_socketio, which has no owner either"
)]
fn spawn(listener: TcpListener, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
    tokio::spawn(async move {
        let Ok(Ok((near, _))) = timeout(ACCEPT_TIMEOUT, listener.accept()).await else { return };
        drop(listener);
        near.set_nodelay(true).ok();
        let (mut near_in, mut near_out) = split(near);
        let (mut far_in, mut far_out) = split(stream);
        tokio::select! {
            _ = copy(&mut near_in, &mut far_out) => {}
            _ = copy(&mut far_in, &mut near_out) => {}
        }
    });
}
