//! The extension of rust_socketio's builder.

use std::sync::Arc;

use rust_socketio::asynchronous::ClientBuilder;

use crate::{api::builder::P2pBuilder, server::connector::Recipe};

/// Adds [`p2p`](Self::p2p) to everything that connections can be made from: rust_socketio's builder, a
/// recipe for such builders, or the URL of a server.
///
/// All three resume their session when a connection is lost. They differ in how soon a *dead*
/// connection, on which nothing arrives any more, is replaced:
///
/// - With a recipe or a URL, when this client's heartbeat misses the server, after 10 s by default:
///   each connection is a new client of rust_socketio.
/// - A single builder can be used only once. So a connection is replaced when rust_socketio has missed
///   the server's own pings as well. The server determines that time: 45 s with the settings that the
///   server plugin advises, and with socketioxide's defaults. If rust_socketio has not noticed the loss
///   after 5 minutes, because its task has ended or hangs, the client is closed:
///   [`Event::Disconnected`](crate::Event::Disconnected).
///
/// # Examples
///
/// ```no_run
/// # use rust_socketio::asynchronous::ClientBuilder;
/// # use socketio_p2p_client::P2pBuilderExt;
/// # fn main() {
/// let by_recipe = (|| ClientBuilder::new("http://localhost:9000").namespace("/app")).p2p("A");
/// let by_url = "http://localhost:9000".p2p("A");
/// let by_builder = ClientBuilder::new("http://localhost:9000").p2p("A");
/// # }
/// ```
pub trait P2pBuilderExt: Sized {
    /// Makes this a client that can be paired, with this id: 1 to 128 bytes of UTF-8 without control
    /// characters.
    ///
    /// The rest of the builder stays as it was set, except for what pairing needs: the transport is
    /// websocket, rust_socketio's own reconnect and its handlers of `error` and `close` are replaced, and
    /// the auth is set with [`P2pBuilder::auth`].
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder;
}

impl P2pBuilderExt for ClientBuilder {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        P2pBuilder::new(Recipe::once(self), client_id.as_ref())
    }
}

impl P2pBuilderExt for String {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        P2pBuilder::new(Recipe::Url(self), client_id.as_ref())
    }
}

impl P2pBuilderExt for &str {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        self.to_owned().p2p(client_id)
    }
}

impl<F: Fn() -> ClientBuilder + Send + Sync + 'static> P2pBuilderExt for F {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        P2pBuilder::new(Recipe::Anew(Arc::new(self)), client_id.as_ref())
    }
}
