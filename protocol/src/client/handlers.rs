//! The handlers of a client that run, and those that make room for others.

use std::collections::BTreeSet;

use crate::{Code, PairingId, Refusal, limits::HANDLERS};

/// The pairing of a handler, and the number of its delivery.
pub type HandlerId = (PairingId, u64);

/// The handlers of a client that run, at most [`HANDLERS`].
///
/// A session runs at most [`PENDING_CALLS`](crate::limits::PENDING_CALLS) handlers, but a partner could
/// leave them behind and pair again without end. So handlers of earlier pairings, whose results nobody
/// awaits any more, make room for those of the present one.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::{PairingId, client::RunningHandlers, limits::HANDLERS};
///
/// let (earlier, present) = (PairingId::new(1, 1), PairingId::new(1, 2));
/// let mut running = RunningHandlers::default();
/// for seq in 1..=HANDLERS as u64 {
///     running.start((earlier, seq)).expect("there is room");
/// }
///
/// let ended = running.start((present, 1)).expect("those of the earlier pairing make room");
///
/// assert_eq!((ended.len(), running.len()), (HANDLERS, 1));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RunningHandlers(BTreeSet<HandlerId>);

impl RunningHandlers {
    /// Notes that a handler is to start. Returns the handlers that must end before it starts. They do not
    /// run any more as far as this is concerned.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if there is no room: handlers of the same pairing run, and they do not end.
    pub fn start(&mut self, handler: HandlerId) -> Result<Vec<HandlerId>, Refusal> {
        let mut ended = Vec::new();
        if self.0.len() >= HANDLERS {
            let (pairing, _) = handler;
            ended.extend(self.0.extract_if(.., |(other, _)| *other != pairing));
        }
        if self.0.len() >= HANDLERS {
            return Err(Code::Congested.into());
        }
        self.0.insert(handler);
        Ok(ended)
    }

    /// Notes that a handler has finished.
    pub fn finished(&mut self, handler: HandlerId) {
        self.0.remove(&handler);
    }

    /// Returns the number of handlers that run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if no handler runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
