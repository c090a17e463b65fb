//! What happened, for the application.

use socketio_p2p_protocol::BrokerEvent;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// Events that a reader may be behind before it misses some.
pub(crate) const EVENTS: usize = 1024;

/// What happened, from the moment of [`P2pServer::events`](crate::P2pServer::events) on.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<BrokerEvent>,
    stop: CancellationToken,
}

/// Why there is no event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The reader was too slow: so many are lost, the next is the oldest that is left.
    #[error("{0} events were missed")]
    Lagged(u64),
    /// The server was closed, and nothing more will happen.
    #[error("the server is closed")]
    Closed,
}

impl Events {
    pub(crate) const fn new(
        receiver: broadcast::Receiver<BrokerEvent>,
        stop: CancellationToken,
    ) -> Self {
        Self { receiver, stop }
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// [`EventsError::Lagged`] once after some were missed; [`EventsError::Closed`] for ever.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn recv(&mut self) -> Result<BrokerEvent, EventsError> {
        tokio::select! {
            biased;
            event = self.receiver.recv() => event.map_err(|error| match error {
                RecvError::Lagged(missed) => EventsError::Lagged(missed),
                RecvError::Closed => EventsError::Closed,
            }),
            () = self.stop.cancelled() => Err(EventsError::Closed),
        }
    }
}
