//! Connections that end: noticed, given up, and closed for good.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use socketio_p2p_protocol::{ConnId, Dialect, broker::Input, relay::SendFailure};

use tokio::time::{sleep, timeout};
use tracing::field::{DisplayValue, display};

use super::{Shared, requests};
use crate::{
    connection::Connection,
    observe::logged,
    outbound::{socket::Outlet, stream_handle::StreamHandle},
};

/// The longest time that the end of the plugin may take.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before a socket is closed again whose queue was too full for it.
const CLOSE_INTERVAL: Duration = Duration::from_millis(200);

/// The time in which a client whose connection ends can read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The longest time for the end of a client that polls: for the poll with the last words, and for the next one, which
/// takes a round trip. One that does not poll, because its network or its process is gone, takes all of it.
const POLL_WAIT: Duration = Duration::from_secs(2);

/// The pause before it is looked again whether the last words are written.
const FLUSH_INTERVAL: Duration = Duration::from_millis(20);

/// Returns the address of a client for a log line.
fn shown(connection: &Connection) -> Option<DisplayValue<SocketAddr>> {
    connection.outlet.address().map(display)
}

impl Shared {
    /// Forgets a connection. Nothing that its socket still says is relayed.
    pub(super) fn drop_connection(&self, conn: ConnId) -> Option<Arc<Connection>> {
        let connection = self.connections.remove(conn)?;
        connection.set_route(None);
        connection.rooms.clear();
        Some(connection)
    }

    /// Cuts off a client that does not read.
    pub(crate) fn give_up(self: &Arc<Self>, conn: ConnId) {
        self.step(Input::Disconnected(conn));
        self.drop_unread(conn);
    }

    /// Forgets a connection that is gone, though the host has not noticed it, and ends what is left of it.
    pub(crate) fn give_way(self: &Arc<Self>, conn: ConnId) {
        self.step(Input::Disconnected(conn));
        if let Some(connection) = self.drop_connection(conn) {
            self.end_transport(connection, true);
        }
    }

    /// Forgets a client that stopped polling. If it polls again after all, its poll is ended, so that it comes
    /// back instead of believing in a connection that the plugin has forgotten.
    fn give_up_polling(self: &Arc<Self>, conn: ConnId) {
        self.step(Input::Disconnected(conn));
        if let Some(connection) = self.drop_connection(conn) {
            self.tasks.spawn(async move {
                while connection.outlet.is_connected() {
                    if let Some(poll) = connection.outlet.poll_stream() {
                        poll.cut();
                    }
                    sleep(CLOSE_INTERVAL).await;
                }
            });
        }
    }

    /// Forgets the connection of a client that does not read, and ends its transport. If that is not possible
    /// from here, the client leaves the namespace.
    pub(super) fn drop_unread(self: &Arc<Self>, conn: ConnId) {
        if let Some(connection) = self.drop_connection(conn) {
            logged(
                || tracing::warn!(client = %connection.client, address = shown(&connection), "client closed because it does not read"),
            );
            self.counters.unread();
            self.end_transport(connection, true);
        }
    }

    /// Ends the transport of a client that may come back, once it has taken the last words or had the time
    /// to.
    ///
    /// A stock client that is sent out of the namespace stays away for good. One that loses its
    /// transport comes back after its backoff. If the transport cannot be ended from here, a v2 client,
    /// which comes back all the same, leaves the namespace; a v1 client is left to the end of the host.
    pub(super) fn hang_up(self: &Arc<Self>, connection: Arc<Connection>) {
        let leaves = connection.dialect == Dialect::V2;
        self.end_transport(connection, leaves);
    }

    /// Ends the transport. If that is not possible, leaves the namespace if `or_leaves`.
    fn end_transport(self: &Arc<Self>, connection: Arc<Connection>, or_leaves: bool) {
        let stream = connection.outlet.stream();
        if stream.is_none() && !connection.outlet.polls() {
            if or_leaves {
                self.disconnect(connection);
            }
            return;
        }
        let shared = self.clone();
        self.tasks.spawn_to_its_end(async move {
            let is_ended = match stream {
                Some(stream) => {
                    timeout(LAST_WORDS, flushed(&*connection.outlet)).await.ok();
                    stream.cut();
                    true
                }
                None => end_polling(&*connection.outlet).await,
            };
            if !is_ended && or_leaves {
                shared.disconnect(connection);
            }
        });
    }

    /// Leaves the namespace of a client, which stays away after that, and ends its transport
    /// when it has had the time to read why.
    ///
    /// The host leaves the namespace only. The connection below could stay open forever with a client
    /// that forgot it, and with all that waits for a client that does not read.
    pub(super) fn disconnect(self: &Arc<Self>, connection: Arc<Connection>) {
        if let Some(stream) = connection.outlet.stream() {
            self.tasks.spawn(async move {
                sleep(LAST_WORDS).await;
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
                    sleep(CLOSE_INTERVAL).await;
                }
            };
            tokio::select! {
                () = closing => {}
                () = async { stop.cancelled().await; sleep(CLOSE_TIMEOUT).await } => {}
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
        if let Some(connection) = self.connection(conn) {
            connection.take_answers();
            requests::finish(self, &connection);
        }
        self.step(Input::Disconnected(conn));
        self.drop_connection(conn);
    }

    /// Finds sockets that ended while the application held on to them, or while they were being connected,
    /// clients that do not read, and, unless `is_late`, clients that do not answer: a server that stood still
    /// has not heard them yet.
    pub(super) fn sweep(self: &Arc<Self>, is_late: bool) {
        for connection in self.connections.all() {
            if connection.was_connected() && !connection.outlet.is_connected() {
                self.forget(connection.id);
            } else if connection.outlet.is_gone() {
                // The host may be about to say so, and to tell the application why.
                if connection.is_missed_again() {
                    self.give_way(connection.id);
                }
            } else if connection.outlet.is_overfull() {
                self.give_up(connection.id);
            } else if !is_late && connection.outlet.cut_if_silent() {
                logged(
                    || tracing::info!(client = %connection.client, address = shown(&connection), "the client no longer answers"),
                );
            } else if !is_late && connection.outlet.has_stopped_polling() {
                logged(
                    || tracing::info!(client = %connection.client, address = shown(&connection), "the client no longer polls"),
                );
                self.give_up_polling(connection.id);
            }
        }
    }
}

/// Waits until everything is written that was handed over.
async fn flushed(outlet: &dyn Outlet) {
    while !outlet.is_flushed() {
        sleep(FLUSH_INTERVAL).await;
    }
    // The transport may hold the last frame for a moment.
    sleep(FLUSH_INTERVAL).await;
}

/// Ends the poll after the one that is answered with the last words: its client has read them. Returns
/// whether there was one; between two polls there is nothing to end.
async fn end_polling(outlet: &dyn Outlet) -> bool {
    let polling = timeout(POLL_WAIT, async {
        timeout(LAST_WORDS, answered_poll(outlet)).await.ok();
        waiting_poll(outlet).await
    });
    polling.await.map(|stream| stream.cut()).is_ok()
}

/// Waits for a poll without a response.
async fn waiting_poll(outlet: &dyn Outlet) -> Arc<StreamHandle> {
    loop {
        if let Some(stream) = outlet.poll_stream() {
            return stream;
        }
        sleep(FLUSH_INTERVAL).await;
    }
}

/// Waits until a poll has its response.
async fn answered_poll(outlet: &dyn Outlet) {
    let stream = waiting_poll(outlet).await;
    while stream.waits() {
        sleep(FLUSH_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::outbound::mock::{Unmetered, connecting, shared};

    /// Admits a client over such a socket, has `end` end its connection, and returns how often it was told
    /// to leave the namespace.
    async fn left(dialect: Dialect, polls: bool, end: impl FnOnce(&Arc<Shared>, ConnId)) -> usize {
        let shared = shared();
        let outlet = Arc::new(Unmetered { polls, ..Unmetered::default() });
        let (connection, hello) = connecting(&shared, dialect, outlet.clone());
        shared.admit(&connection, hello).unwrap();
        shared.connected(connection.id);

        end(&shared, connection.id);
        sleep(POLL_WAIT + CLOSE_INTERVAL).await;

        outlet.left.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_leaves_if_its_transport_cannot_be_ended() {
        for dialect in [Dialect::V1, Dialect::V2] {
            for polls in [false, true] {
                assert_eq!(left(dialect, polls, |shared, conn| shared.give_up(conn)).await, 1);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_v1_client_is_told_to_stay_away_by_a_server_that_shuts_down() {
        for polls in [false, true] {
            let shut_down = |shared: &Arc<Shared>, _| shared.step(Input::ShutDown);
            assert_eq!(left(Dialect::V1, polls, shut_down).await, 0);
            assert_eq!(left(Dialect::V2, polls, shut_down).await, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_words_are_answered_to_a_poll_before_the_next_one_is_cut() {
        let poll = || {
            let stream = Arc::new(StreamHandle::new());
            stream.set_waits(true);
            stream
        };
        let (first, second) = (poll(), poll());
        let outlet = Unmetered { polls: true, ..Unmetered::default() };
        *outlet.poll.lock().unwrap() = Some(first.clone());
        let responding = async {
            // The machine is busy.
            sleep(LAST_WORDS / 2).await;
            assert!(!first.is_cut(), "it carries the last words");
            first.set_waits(false);
            sleep(FLUSH_INTERVAL * 5).await;
            *outlet.poll.lock().unwrap() = Some(second.clone());
        };

        let (is_ended, ()) = tokio::join!(end_polling(&outlet), responding);

        assert!(is_ended && second.is_cut() && !first.is_cut());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_for_a_client_that_does_not_poll_than_for_a_round_trip() {
        let outlet = Unmetered { polls: true, ..Unmetered::default() };
        let began = tokio::time::Instant::now();

        assert!(!end_polling(&outlet).await);

        assert_eq!(began.elapsed(), POLL_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_transport_is_gone_is_forgotten_by_the_second_sweep() {
        let shared = shared();
        let outlet = Arc::new(Unmetered::default());
        let (connection, hello) = connecting(&shared, Dialect::V1, outlet.clone());
        shared.admit(&connection, hello).unwrap();
        shared.connected(connection.id);
        let is_there = || shared.connection(connection.id).is_some();
        shared.sweep(false);
        shared.sweep(false);
        assert!(is_there());

        outlet.gone.store(true, Ordering::Relaxed);
        shared.sweep(false);
        assert!(is_there(), "the host may be about to notice");
        shared.sweep(false);

        assert!(!is_there());
        sleep(CLOSE_INTERVAL).await;
        assert_eq!(outlet.left.load(Ordering::Relaxed), 1, "and the host is told");
    }
}
