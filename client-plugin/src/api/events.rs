//! The changes of a client's connection and pairing, for the application.

use socketio_p2p_protocol::EndpointEvent;
use tokio::sync::broadcast::{self, error::RecvError};

/// Events that wait for a reader. Beyond it the reader misses the oldest.
pub(crate) const EVENTS: usize = 256;

/// The events of a client, from [`P2pClientExt::events`](crate::P2pClientExt::events).
#[derive(Debug)]
pub struct Events(pub(crate) broadcast::Receiver<EndpointEvent>);

/// The reason for which there is no event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The reader was too slow, and has missed this many events. The next one is the oldest that is left.
    #[error("{0} events were missed")]
    Lagged(u64),
    /// The client is closed, and there will be no more events.
    #[error("the client is closed")]
    Closed,
}

impl Events {
    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// [`EventsError::Lagged`] once after some were missed; [`EventsError::Closed`] at every call after the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn recv(&mut self) -> Result<EndpointEvent, EventsError> {
        self.0.recv().await.map_err(|error| match error {
            RecvError::Lagged(missed) => EventsError::Lagged(missed),
            RecvError::Closed => EventsError::Closed,
        })
    }
}
