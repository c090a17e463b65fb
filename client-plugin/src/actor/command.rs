//! The application's commands on their way to the actor, and the answers on their way back.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use socketio_p2p_protocol::{
    Cause, Code, Outcome, Refusal, TargetState,
    client::{Answer, Command},
    limits::SETTING_MAX,
    session::CallId,
};
use tokio::{
    runtime::Handle,
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot, watch,
    },
};
use tokio_util::task::TaskTracker;

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
    /// Where the states of a watch are reported.
    pub(crate) news: Option<watch::Sender<News>>,
}

/// The last report to a watch.
#[derive(Clone, Debug, Default)]
pub(crate) enum News {
    /// No state after the first.
    #[default]
    None,
    /// A state.
    State(TargetState),
    /// It has ended: the server refuses it.
    Ended(Refusal),
}

/// An emit, and the caller that waits for its outcome.
#[derive(Debug)]
pub(crate) struct Emit {
    pub(crate) command: Command,
    pub(crate) call: CallId,
    pub(crate) answer: oneshot::Sender<Answer>,
    /// The time from which on it must not be sent, and the reason.
    pub(crate) send_by: Instant,
    pub(crate) too_late: Code,
}

impl Emit {
    /// Answers the caller that the emit was not sent, and never will be.
    pub(crate) fn refuse(self, code: Code) {
        let outcome = Outcome::NotExecuted(Cause::Code(code));
        self.answer.send(Answer::Outcome(outcome)).ok(); // Its future may have been dropped.
    }
}

impl Asked {
    /// Returns a command without an answer.
    pub(crate) const fn notice(command: Command) -> Self {
        Self { command, answer: None, news: None }
    }
}

/// A hold on a request that goes on: a watch, or a place in line. Its drop ends the request.
#[derive(Debug)]
pub(crate) struct Hold {
    commands: mpsc::WeakSender<Asked>,
    tasks: TaskTracker,
    call: CallId,
}

impl Hold {
    pub(crate) fn new(commands: &mpsc::Sender<Asked>, tasks: &TaskTracker, call: CallId) -> Self {
        Self { commands: commands.downgrade(), tasks: tasks.clone(), call }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(commands) = self.commands.upgrade() else { return };
        let cancel = Asked::notice(Command::Cancel(self.call));
        if let Err(TrySendError::Full(cancel)) = commands.try_send(cancel)
            && let Ok(runtime) = Handle::try_current()
        {
            // It ends with the actor, which closes the channel.
            let sending = async move { commands.send(cancel).await.ok() };
            self.tasks.spawn_on(sending, &runtime);
        }
    }
}

/// The callers that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    waiting: HashMap<CallId, oneshot::Sender<Answer>>,
    /// The holders of watches.
    watching: HashMap<CallId, watch::Sender<News>>,
}

impl Callers {
    /// Notes the caller and returns its command.
    pub(crate) fn accept(&mut self, asked: Asked) -> Command {
        let Asked { command, answer, news } = asked;
        if let Some((call, answer)) = answer {
            self.waiting.insert(call, answer);
            self.watching.extend(news.map(|news| (call, news)));
        }
        if let Command::Cancel(call) = command {
            self.waiting.remove(&call);
            self.watching.remove(&call);
        }
        command
    }

    /// Notes the caller and returns its emit, or `None` if it is too late to send it: its future may not
    /// have been polled since.
    pub(crate) fn accept_emit(&mut self, emit: Emit) -> Option<Command> {
        if emit.send_by <= Instant::now() {
            let code = emit.too_late;
            emit.refuse(code);
            return None;
        }
        self.waiting.insert(emit.call, emit.answer);
        Some(emit.command)
    }

    /// Answers a caller, if it still waits.
    pub(crate) fn answer(&mut self, call: CallId, answer: Answer) {
        if !matches!(answer, Answer::Watching(_)) {
            self.watching.remove(&call);
        }
        if let Some(caller) = self.waiting.remove(&call) {
            caller.send(answer).ok(); // Its future may have been dropped.
        }
    }

    /// Reports a state to the holder of a watch. Returns the end of the watch if it has no holder any more.
    pub(crate) fn tell(&mut self, call: CallId, news: News) -> Option<Command> {
        let is_last = matches!(news, News::Ended(_));
        let holder = self.watching.get(&call)?;
        let is_held = holder.send(news).is_ok();
        if is_last || !is_held {
            self.watching.remove(&call);
        }
        (!is_last && !is_held).then_some(Command::Cancel(call))
    }
}
