//! The plugin around an application's own connect handler.

use std::{
    fmt::{self, Display},
    pin::Pin,
    sync::{Arc, Weak},
};

use serde_json::Value as Json;
use socketio_p2p_protocol::{
    Code, ConnId, Dialect, Hello, ResumeToken,
    limits::JSON_DEPTH,
    wire::{self, ConnectAuth},
};
use socketioxide::{
    adapter::Adapter,
    handler::{ConnectHandler, ConnectMiddleware, Value},
    socket::Socket,
};

use super::{
    identity::{Handshake, Identity},
    newcomer,
};
use crate::{
    connection::Connection,
    inbound::{dispatch, throttle::Throttle},
    observe::{logged, peer_addr::peer_addr},
    outbound::{host_socket::stream_of, outflow::Outflow, streams},
    server::P2pServer,
    step::Shared,
};

type Admitted<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl P2pServer {
    /// Returns an application's connect handler with the plugin around it, for `io.ns`.
    ///
    /// The handler's middleware runs first and may refuse the connection. Then the plugin finds
    /// out which client it is, and may refuse it with a CONNECT_ERROR whose message is the code.
    /// A connection without a client id is left alone.
    ///
    /// socketioxide 0.18.9 tells the client that it is connected before it starts the future of the handler, as a
    /// task of its own: an event that the client emits at once is dropped if that task registers its handler too
    /// late. What the handler does before it returns its future is done before the next packet is read. So let it
    /// register its handlers there, as below, rather than in an `async` closure.
    ///
    /// # Examples
    ///
    /// ```
    /// # use socketioxide::{SocketIo, extract::SocketRef};
    /// # use socketio_p2p_server::P2pServer;
    /// let (layer, io) = SocketIo::new_layer();
    /// let p2p = P2pServer::builder().build();
    /// io.ns("/", p2p.wrap(|socket: SocketRef| {
    ///     socket.on("my-own-event", async || { /* … */ });
    ///     async {}
    /// }));
    /// # drop(layer);
    /// ```
    pub fn wrap<A, T, H>(&self, handler: H) -> impl ConnectHandler<A, T>
    where
        A: Adapter,
        T: Send + Sync + 'static,
        H: ConnectHandler<A, T>,
    {
        Wrapper { shared: self.shared.clone(), handler }
    }
}

/// A connect handler with the plugin around it.
#[derive(Clone)]
struct Wrapper<H> {
    shared: Arc<Shared>,
    handler: H,
}

impl<H> Wrapper<H> {
    async fn admit<A: Adapter>(
        &self,
        socket: &Arc<Socket<A>>,
        auth: Option<&Value>,
    ) -> Result<(), Code> {
        let auth = read_auth(auth.and_then(Value::as_str).map(|text| &**text))?;
        let handshake =
            Handshake { auth: &auth, request: socket.req_parts(), extensions: &socket.extensions };
        let Some(identity) = self.shared.hooks.identify(&handshake)? else {
            dispatch::listen_to_stranger(&self.shared, socket);
            return Ok(());
        };
        streams::settled(socket).await;
        let dialect = identity.auth.dialect();
        let admitted = admit(&self.shared, socket, identity).await;
        if admitted == Err(Code::ShuttingDown)
            && dialect == Dialect::V1
            && let Some(stream) = stream_of(socket)
        {
            // A stock client takes a refusal for final. It loses its transport before it reads it, and
            // tries again: soon there is another server.
            stream.cut();
        }
        admitted
    }
}

/// Gives a new connection its name.
///
/// # Errors
///
/// The reason of the broker's refusal.
async fn admit<A: Adapter>(
    shared: &Arc<Shared>,
    socket: &Arc<Socket<A>>,
    identity: Identity,
) -> Result<(), Code> {
    let Identity { client, auth } = identity;
    let ConnectAuth { protocol, binary, direct, resume } = auth;
    let dialect = auth.dialect();
    let hello = Hello::new(client.clone(), dialect, fresh_token()?);
    let hello = hello.protocol(protocol).direct(direct).resume(resume);
    let id = shared.next_conn();
    let outlet = Outflow::new(socket, dialect, shared.limits.queue, &shared.tasks);
    let throttle = Throttle::new(&shared.limits);
    let counted = shared.gauges.connections.count_in();
    let connection =
        Arc::new(Connection::new((id, client), dialect, binary, outlet, throttle, counted));
    newcomer::admit(shared, &connection, hello, || stream_of(socket).is_some()).await?;
    shared.start_clock();
    dispatch::listen(shared, socket, &connection);
    let guard = DisconnectGuard { shared: Arc::downgrade(shared), conn: id };
    socket.extensions.insert(Arc::new(guard));
    Ok(())
}

/// Draws an unguessable token.
fn fresh_token() -> Result<ResumeToken, Code> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        logged(|| tracing::error!(%error, "no random numbers available: clients are refused"));
        Code::ShuttingDown
    })?;
    Ok(ResumeToken::new(bytes))
}

/// Reads the auth of a CONNECT packet: null where there is none.
fn read_auth(text: Option<&str>) -> Result<Json, Code> {
    let Some(text) = text else {
        return Ok(Json::Null);
    };
    if wire::depth(text) > JSON_DEPTH {
        return Err(Code::TooLarge);
    }
    serde_json::from_str(text).map_err(|_| Code::BadArgs)
}

/// A guard in the extensions of a socket, which ends the client's connection with the socket.
///
/// It may be dropped anywhere, also where the broker is locked: so it only starts a task that ends
/// the connection.
struct DisconnectGuard {
    shared: Weak<Shared>,
    conn: ConnId,
}

impl Drop for DisconnectGuard {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.departed(self.conn);
        }
    }
}

impl fmt::Debug for DisconnectGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DisconnectGuard({})", self.conn)
    }
}

impl<A, T, H> ConnectHandler<A, T> for Wrapper<H>
where
    A: Adapter,
    T: Send + Sync + 'static,
    H: ConnectHandler<A, T>,
{
    fn call(&self, socket: Arc<Socket<A>>, auth: Option<Value>) {
        if let Some(guard) = socket.extensions.get::<Arc<DisconnectGuard>>()
            && !self.shared.connected(guard.conn)
        {
            // Removed, or the server was closed, before anything could be sent to it.
            match stream_of(&socket) {
                Some(stream) => stream.cut(),
                None => drop(socket.disconnect()),
            }
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
            self.admit(&socket, auth.as_ref()).await.map_err(|code| {
                let address = peer_addr(socket.req_parts()).map(tracing::field::display);
                logged(|| tracing::info!(%code, address, "connection refused"));
                Box::new(code) as Box<dyn Display + Send>
            })
        })
    }

    fn with<M, T1>(self, middleware: M) -> impl ConnectHandler<A, T>
    where
        M: ConnectMiddleware<A, T1> + Send + Sync + 'static,
        T1: Send + Sync + 'static,
    {
        Wrapper { shared: self.shared, handler: self.handler.with(middleware) }
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
