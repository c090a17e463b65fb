//! The handlers of a client that run, and those that make room for others.

use std::collections::BTreeSet;

use crate::{Code, PairingId, Refusal, limits::HANDLERS};

/// The pairing of a handler, and the number of its delivery.
pub type HandlerId = (PairingId, u64);

/// The handlers of a client that run, at most [`HANDLERS`] of each present pairing, and as many of all others.
///
/// A session runs at most [`PENDING_CALLS`](crate::limits::PENDING_CALLS) handlers whose results are
/// awaited, and as many for emits without a reply. But a partner could leave handlers behind: it pairs
/// again, or its callers give up, without end. So handlers whose results are no longer awaited make room
/// for others: those of earlier pairings, and those that were [abandoned](Self::abandon).
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::{PairingId, client::RunningHandlers, limits::HANDLERS};
///
/// let (earlier, present) = (PairingId::new(1, 1), PairingId::new(1, 2));
/// let mut running = RunningHandlers::default();
/// for seq in 1..=HANDLERS as u64 {
///     running.start((earlier, seq), |_| true).expect("there is room");
/// }
///
/// let ended = running.start((present, 1), |pairing| pairing == present);
/// let ended = ended.expect("those of the earlier pairing make room");
///
/// assert_eq!((ended.len(), running.len()), (HANDLERS, 1));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RunningHandlers {
    running: BTreeSet<HandlerId>,
    /// Those of them that were abandoned.
    abandoned: BTreeSet<HandlerId>,
}

impl RunningHandlers {
    /// Notes that a handler is to start. `is_present` tells whether a pairing is not over; that of the handler counts
    /// as present. Returns the handlers that must end before it starts. They do not
    /// run any more as far as this is concerned.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if there is no room: handlers of the same pairing run, and they do not end.
    pub fn start(
        &mut self,
        handler: HandlerId,
        is_present: impl Fn(PairingId) -> bool,
    ) -> Result<Vec<HandlerId>, Refusal> {
        let (pairing, _) = handler;
        let mut ended = Vec::new();
        // Others are counted only if there are as many as one pairing may have.
        if self.running.len() >= HANDLERS {
            let is_own = |other: &HandlerId| other.0 == pairing;
            let is_left = |other: &HandlerId| {
                !(is_own(other) || is_present(other.0)) || self.abandoned.contains(other)
            };
            let counts = |other: &&HandlerId| is_own(other) || is_left(other);
            if self.running.iter().filter(counts).count() >= HANDLERS {
                ended.extend(self.running.iter().filter(|other| is_left(other)).copied());
                for ended in &ended {
                    self.finished(*ended);
                }
            }
            if self.running.iter().filter(|other| is_own(other)).count() >= HANDLERS {
                return Err(Code::Congested.into());
            }
        }
        self.running.insert(handler);
        Ok(ended)
    }

    /// Notes that the result of a handler is no longer awaited. The handler runs on as long as there is room.
    pub fn abandon(&mut self, handler: HandlerId) {
        if self.running.contains(&handler) {
            self.abandoned.insert(handler);
        }
    }

    /// Notes that a handler has finished.
    pub fn finished(&mut self, handler: HandlerId) {
        self.running.remove(&handler);
        self.abandoned.remove(&handler);
    }

    /// Returns the number of handlers that run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Returns true if no handler runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}
