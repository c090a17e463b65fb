//! Connections that end: noticed, given up, and closed for good.

use std::{sync::Arc, time::Duration};

use socketio_p2p_protocol::{ConnId, broker::Input, relay::SendFailure};
use tokio::runtime::Handle;

use super::Shared;
use crate::{connection::Connection, outbound::meter::StreamHandle};

/// The longest time that the end of the plugin may take.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before a socket is closed again whose queue was too full for it.
const CLOSE_INTERVAL: Duration = Duration::from_millis(200);

/// The time in which a removed client can read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Shared {
    /// Forgets a connection. Nothing that its socket still says is relayed.
    pub(super) fn drop_connection(&self, conn: ConnId) -> Option<Arc<Connection>> {
        let connection = self.connections.remove(conn)?;
        connection.set_route(None);
        Some(connection)
    }

    /// Cuts off a client that does not read.
    pub(crate) fn give_up(self: &Arc<Self>, conn: ConnId) {
        self.step(Input::Disconnected(conn));
        if let Some(connection) = self.drop_connection(conn) {
            tracing::warn!(client = %connection.client, "client closed because it does not read");
            self.counters.unread();
            self.disconnect(connection);
        }
    }

    /// Ends the TCP connection of a client when the client has had time to read the last words.
    ///
    /// The host leaves the namespace only. The connection below could stay open forever with a client
    /// that forgot it, and with all that waits for a client that does not read.
    fn hang_up_later(&self, stream: Option<Arc<StreamHandle>>) {
        if let Some(stream) = stream {
            self.tasks.spawn(async move {
                tokio::time::sleep(LAST_WORDS).await;
                stream.cut();
            });
        }
    }

    pub(super) fn disconnect(self: &Arc<Self>, connection: Arc<Connection>) {
        self.hang_up_later(connection.outlet.stream());
        if connection.outlet.disconnect() != Err(SendFailure::Full) {
            return;
        }
        // It is gone for the plugin; the socket itself is closed as soon as its queue has room. The
        // end of the plugin waits for that, for a limited time.
        let stop = self.tasks.stop().clone();
        self.tasks.spawn_to_its_end(async move {
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

    /// Notes that a socket is gone. May be called from wherever the socket was dropped.
    pub(crate) fn departed(self: &Arc<Self>, conn: ConnId) {
        if self.connection(conn).is_some()
            && let Ok(runtime) = Handle::try_current()
        {
            let shared = self.clone();
            self.tasks.spawn_on(&runtime, async move { shared.forget(conn) });
        }
    }

    fn forget(self: &Arc<Self>, conn: ConnId) {
        self.step(Input::Disconnected(conn));
        self.drop_connection(conn);
    }

    /// Finds sockets that ended while the application held on to them, and clients that do not
    /// read.
    pub(super) fn sweep(self: &Arc<Self>) {
        for connection in self.connections.all() {
            if connection.was_connected() && !connection.outlet.is_connected() {
                self.forget(connection.id);
            } else if connection.outlet.is_overfull() {
                self.give_up(connection.id);
            }
        }
    }
}
