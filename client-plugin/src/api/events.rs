//! What happened, for the application.

use socketio_p2p_protocol::EndpointEvent;
use tokio::sync::broadcast::{self, error::RecvError};

/// Events that a reader may be behind before it misses some.
pub(crate) const EVENTS: usize = 256;

/// What happens to a client, from [`P2pClientExt::events`](crate::P2pClientExt::events).
#[derive(Debug)]
pub struct Events(pub(crate) broadcast::Receiver<EndpointEvent>);

/// Why there is no event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The reader was too slow: so many are lost, the next is the oldest that is left.
    #[error("{0} events were missed")]
    Lagged(u64),
    /// The client is closed, and nothing more will happen.
    #[error("the client is closed")]
    Closed,
}

impl Events {
    /// The next event.
    ///
    /// # Errors
    ///
    /// [`EventsError::Lagged`] once after some were missed; [`EventsError::Closed`] for ever.
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
