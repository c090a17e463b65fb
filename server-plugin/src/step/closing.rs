//! Connections that end: noticed, given up, and closed for good.

use std::{sync::Arc, time::Duration};

use socketio_p2p_protocol::{ConnId, Dialect, broker::Input, relay::SendFailure};

use super::Shared;
use crate::{connection::Connection, outbound::socket::Outlet};

/// The longest time that the end of the plugin may take.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before a socket is closed again whose queue was too full for it.
const CLOSE_INTERVAL: Duration = Duration::from_millis(200);

/// The time in which a client whose connection ends can read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The longest wait for the next poll of a client, which takes a round trip.
const POLL_WAIT: Duration = Duration::from_secs(2);

/// The pause before it is looked again whether the last words are written.
const FLUSH_INTERVAL: Duration = Duration::from_millis(20);

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
            self.hang_up(connection);
        }
    }

    /// Ends the transport of a client once it has taken the last words, or had the time to.
    ///
    /// A stock client that is told to leave the namespace stays away for good. One that loses its
    /// transport comes back after its backoff.
    pub(super) fn hang_up(self: &Arc<Self>, connection: Arc<Connection>) {
        let (stream, polls) = (connection.outlet.stream(), connection.outlet.polls());
        if stream.is_none() && !polls {
            // The transport cannot be ended from here. A v2 client comes back all the same; a v1
            // client is left to the end of the host.
            if connection.dialect == Dialect::V2 {
                self.disconnect(connection);
            }
            return;
        }
        self.tasks.spawn_to_its_end(async move {
            let flushing = async {
                while !connection.outlet.is_flushed() {
                    tokio::time::sleep(FLUSH_INTERVAL).await;
                }
                // The transport may hold the last frame for a moment.
                tokio::time::sleep(FLUSH_INTERVAL).await;
            };
            tokio::time::timeout(LAST_WORDS, flushing).await.ok();
            match stream {
                Some(stream) => stream.cut(),
                None => cut_next_poll(&*connection.outlet).await,
            }
        });
    }

    /// Leaves the namespace of a client, which is thereby told to stay away, and ends its transport
    /// when it has had the time to read why.
    ///
    /// The host leaves the namespace only. The connection below could stay open forever with a client
    /// that forgot it, and with all that waits for a client that does not read.
    pub(super) fn disconnect(self: &Arc<Self>, connection: Arc<Connection>) {
        if let Some(stream) = connection.outlet.stream() {
            self.tasks.spawn(async move {
                tokio::time::sleep(LAST_WORDS).await;
                stream.cut();
            });
        }
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
        if self.connection(conn).is_some() {
            let shared = self.clone();
            self.tasks.spawn_to_its_end(async move { shared.forget(conn) });
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

/// Ends the poll that waits, or the next one. Between two polls there is nothing to end.
async fn cut_next_poll(outlet: &dyn Outlet) {
    let polling = async {
        loop {
            if let Some(stream) = outlet.poll_stream() {
                return stream.cut();
            }
            tokio::time::sleep(FLUSH_INTERVAL).await;
        }
    };
    tokio::time::timeout(POLL_WAIT, polling).await.ok();
}
