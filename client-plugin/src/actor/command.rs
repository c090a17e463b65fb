//! The application's commands on their way to the actor, and the answers on their way back.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use socketio_p2p_protocol::{
    client::{Answer, Command},
    limits::SETTING_MAX,
    session::CallId,
};
use tokio::sync::oneshot;

use crate::actor::claim::Claim;

/// The time after a deadline in which a caller still waits for the actor's answer: the actor may be
/// busy with writing to a server that does not read.
pub(crate) const ANSWER_SLACK: Duration = Duration::from_millis(100);

/// Returns the deadline of a call with this timeout. A timeout of zero is over at once.
pub(crate) fn deadline(now: Instant, timeout: Duration) -> Instant {
    now + timeout.min(SETTING_MAX)
}

/// A command, and the caller that waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) answer: Option<(CallId, oneshot::Sender<Answer>)>,
    /// The claim on an emit, `None` for any other command.
    pub(crate) claim: Option<Arc<Claim>>,
}

impl Asked {
    /// Returns a command without an answer.
    pub(crate) const fn notice(command: Command) -> Self {
        Self { command, answer: None, claim: None }
    }
}

/// The callers that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Callers(HashMap<CallId, oneshot::Sender<Answer>>);

impl Callers {
    /// Notes the caller and returns its command, or `None` if the caller has withdrawn it.
    pub(crate) fn accept(&mut self, asked: Asked) -> Option<Command> {
        let Asked { command, answer, claim } = asked;
        if claim.is_some_and(|claim| !claim.take()) {
            return None;
        }
        if let Some((call, answer)) = answer {
            self.0.insert(call, answer);
        }
        if let Command::Cancel(call) = command {
            self.0.remove(&call);
        }
        Some(command)
    }

    /// Answers a caller, if it still waits.
    pub(crate) fn answer(&mut self, call: CallId, answer: Answer) {
        if let Some(caller) = self.0.remove(&call) {
            caller.send(answer).ok(); // Its future may have been dropped.
        }
    }
}
