//! Connections that end: noticed, given up, and closed for good.

use std::{sync::Arc, time::Duration};

use socketio_p2p_protocol::{ConnId, broker::Input};

use super::{CLOSE_TIMEOUT, Shared};
use crate::{connection::Connection, meter::Line, socket::SendFailure};

/// How often a socket is closed again whose queue was too full for it.
const CLOSE_INTERVAL: Duration = Duration::from_millis(200);

/// How long a removed client has to read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Shared {
    /// A connection that is over: what its socket may still say is relayed to nobody.
    pub(super) fn drop_connection(&self, conn: ConnId) -> Option<Arc<Connection>> {
        let (_, connection) = self.connections.remove(&conn)?;
        connection.set_route(None);
        Some(connection)
    }

    /// Cuts off a client that does not read.
    pub(crate) fn give_up(self: &Arc<Self>, conn: ConnId) {
        self.step(Input::Disconnected(conn));
        if let Some(connection) = self.drop_connection(conn) {
            tracing::warn!(client = %connection.client, "closed: it does not read");
            self.counters.unread();
            self.disconnect(connection);
        }
    }

    /// The host leaves the namespace only: the connection below may stand for ever, with a client
    /// that forgot it, and all that waits for one that does not read. So it is ended as well, when
    /// the client has had time to read the last words.
    fn hang_up_later(&self, line: Option<Arc<Line>>) {
        if let Some(line) = line {
            self.spawn(async move {
                tokio::time::sleep(LAST_WORDS).await;
                line.cut();
            });
        }
    }

    pub(super) fn disconnect(self: &Arc<Self>, connection: Arc<Connection>) {
        self.hang_up_later(connection.outlet.line());
        if connection.outlet.disconnect() != Err(SendFailure::Full) {
            return;
        }
        // It is gone for us; the socket itself is closed as soon as its queue lets us. Also when
        // the plugin ends, which waits for it, though not for ever.
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let closing = async {
                while connection.outlet.disconnect() == Err(SendFailure::Full) {
                    tokio::time::sleep(CLOSE_INTERVAL).await;
                }
            };
            tokio::select! {
                () = closing => {}
                () = async { stop.cancelled().await; tokio::time::sleep(CLOSE_TIMEOUT).await } => {}
            }
        });
    }

    /// A socket is gone. Called from wherever it was dropped.
    pub(crate) fn departed(self: &Arc<Self>, conn: ConnId) {
        if self.connections.contains_key(&conn)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let shared = self.clone();
            self.tasks.spawn_on(async move { shared.forget(conn) }, &runtime);
        }
    }

    fn forget(self: &Arc<Self>, conn: ConnId) {
        self.step(Input::Disconnected(conn));
        self.drop_connection(conn);
    }

    /// Finds sockets that ended while the application held on to them, and clients that do not
    /// read.
    pub(crate) fn sweep(self: &Arc<Self>) {
        // Apart from the map: a socket that ends while it is looked at asks the map itself.
        let connections: Vec<_> =
            self.connections.iter().map(|entry| entry.value().clone()).collect();
        for connection in connections {
            if connection.was_connected() && !connection.outlet.is_connected() {
                self.forget(connection.id);
            } else if connection.outlet.is_overfull() {
                self.give_up(connection.id);
            }
        }
    }
}
