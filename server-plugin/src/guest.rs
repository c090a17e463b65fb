//! The plugin around an application's own connect handler.

use std::{fmt::Display, pin::Pin, sync::Arc};

use serde_json::Value as Json;
use socketio_p2p_protocol::{Code, limits::JSON_DEPTH, wire};
use socketioxide::{
    adapter::Adapter,
    handler::{ConnectHandler, ConnectMiddleware, Value},
    socket::Socket,
};

use crate::{admission::Handshake, server::Shared, socket::Departure};

type Admitted<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

/// What [`P2pServer::wrap`](crate::P2pServer::wrap) gives.
#[derive(Clone)]
pub(crate) struct Guest<H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) handler: H,
}

impl<H> Guest<H> {
    fn admit<A: Adapter>(&self, socket: &Arc<Socket<A>>, auth: Option<&Value>) -> Result<(), Code> {
        let auth = read_auth(auth.and_then(Value::as_str).map(|text| &**text))?;
        let handshake =
            Handshake { auth: &auth, request: socket.req_parts(), extensions: &socket.extensions };
        match self.shared.admission.identify(&handshake)? {
            Some(identity) => self.shared.admit(socket, identity),
            None => Ok(()),
        }
    }
}

/// The auth of a CONNECT packet; null where there is none.
fn read_auth(text: Option<&str>) -> Result<Json, Code> {
    let Some(text) = text else {
        return Ok(Json::Null);
    };
    if wire::depth(text) > JSON_DEPTH {
        return Err(Code::TooLarge);
    }
    serde_json::from_str(text).map_err(|_| Code::BadArgs)
}

impl<A, T, H> ConnectHandler<A, T> for Guest<H>
where
    A: Adapter,
    T: Send + Sync + 'static,
    H: ConnectHandler<A, T>,
{
    fn call(&self, socket: Arc<Socket<A>>, auth: Option<Value>) {
        if let Some(departure) = socket.extensions.get::<Arc<Departure>>()
            && !self.shared.connected(departure.conn)
        {
            // Kicked, or the server was closed, before it could be told anything.
            socket.disconnect().ok();
            return;
        }
        self.handler.call(socket, auth);
    }

    fn call_middleware<'a>(
        &'a self,
        socket: Arc<Socket<A>>,
        auth: &'a Option<Value>,
    ) -> Admitted<'a> {
        Box::pin(async move {
            self.handler.call_middleware(socket.clone(), auth).await?;
            self.admit(&socket, auth.as_ref()).map_err(|code| {
                tracing::debug!(%code, "connection refused");
                Box::new(code) as Box<dyn Display + Send>
            })
        })
    }

    fn with<M, T1>(self, middleware: M) -> impl ConnectHandler<A, T>
    where
        M: ConnectMiddleware<A, T1> + Send + Sync + 'static,
        T1: Send + Sync + 'static,
    {
        Guest { shared: self.shared, handler: self.handler.with(middleware) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_auth_is_json_of_a_depth_that_is_allowed() {
        assert_eq!(read_auth(None), Ok(Json::Null));
        assert_eq!(read_auth(Some(r#"{"clientId":"A"}"#)), Ok(json!({ "clientId": "A" })));
        assert_eq!(read_auth(Some("{")), Err(Code::BadArgs));
        let deep = "[".repeat(JSON_DEPTH + 1) + &"]".repeat(JSON_DEPTH + 1);
        assert_eq!(read_auth(Some(&deep)), Err(Code::TooLarge));
    }

    #[test]
    fn an_auth_whose_depth_cannot_be_counted_is_refused_unparsed() {
        let auth = r#"{"$serde_json::private::RawValue":"[]"}"#;

        assert_eq!(read_auth(Some(auth)), Err(Code::TooLarge));
    }
}
