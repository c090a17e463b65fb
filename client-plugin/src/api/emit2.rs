//! `emit2`: an event for the partner, and its reply.

use std::{
    fmt,
    future::pending,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt as _, ready as at_once};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use socketio_p2p_protocol::{
    Args, Cause, Code, Outcome, PairingId, Path,
    client::{Answer, Command},
    limits::CALL_TIMEOUT,
    session::{CallId, EmitOptions},
};
use tokio::{sync::oneshot, time::timeout_at};

use crate::{
    actor::{
        command::{ANSWER_SLACK, Asked, Emit, deadline},
        emit_queue::Place,
    },
    api::{
        args::{self, ArgsError},
        client::P2pClient,
        error::EmitError,
        incoming::Incoming,
        reply::Reply,
    },
};

/// An event for the partner, from [`P2pClientExt::emit2`](crate::P2pClientExt::emit2). Awaiting it sends
/// the event and returns `T`: by default the first argument of the reply, as JSON. Bytes in a reply need
/// [`reply_as`](Self::reply_as) or [`with_reply`](Self::with_reply): in JSON a placeholder stands for them.
///
/// It is a future of its own, which can be given to `join_all` or to a task. It holds a handle on the
/// client: the client stays connected until the call is answered or dropped.
///
/// # Order
///
/// Events are sent in the order in which their futures are first polled, also while many of them wait for
/// room in the window. The futures of one `join!` or `join_all` are polled in the order of their list;
/// tasks are polled in any order. [`Self::start`] fixes the order earlier.
///
/// # Cancel safety
///
/// If it is dropped before the event was sent, the event is not sent. If it is dropped later, the handler
/// runs nevertheless, and its reply is discarded.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use futures_util::future::join_all;
/// use serde::Deserialize;
/// use socketio_p2p_client::{EmitError, P2pClient, P2pClientExt as _};
///
/// #[derive(Deserialize)]
/// struct Receipt {
///     number: u32,
/// }
///
/// async fn talk(client: &P2pClient) -> Result<(), Box<dyn std::error::Error>> {
///     // Three arguments, and the first argument of the reply, as JSON or as a type of yours.
///     let sum = client.emit2("add", (1, 2, 3)).await?;
///     let receipt = client.emit2("order", "a book").reply_as::<Receipt>().await?;
///     println!("{sum}, {}", receipt.number);
///
///     // Deadlines, and the whole reply.
///     let ask = client.emit2("ask", "how are you?");
///     let reply = ask.timeout(Duration::from_secs(3)).ttl(Duration::from_secs(1)).with_reply();
///     let (mood, since): (String, u32) = reply.await?.args()?;
///     println!("{mood} since {since}");
///
///     // No reply.
///     client.emit2("note", "an event").without_ack().await?;
///
///     // Many at once, in this order.
///     let answers = join_all((0..1_000).map(|number| client.emit2("count", number))).await;
///     println!("{} answers", answers.len());
///
///     // The outcome is always known, or known to be unknown.
///     match client.emit2("pay", 100).await {
///         Ok(receipt) => println!("paid: {receipt}"),
///         Err(error) if error.executed() == Some(false) => {
///             println!("not paid, it is safe to try again: {error}");
///         }
///         Err(EmitError::Failed { refusal, .. }) => println!("the handler failed: {refusal}"),
///         Err(error) => println!("it is unknown whether it was paid: {error}"),
///     }
///     Ok(())
/// }
/// ```
#[must_use = "nothing is sent until this is awaited"]
pub struct Emit2<T = Value> {
    client: P2pClient,
    event: Box<str>,
    /// The call, until it has its place in the queue.
    call: Option<Call>,
    answer: BoxFuture<'static, Result<Answer, EmitError>>,
    wants_reply: bool,
    output: Output<T>,
}

/// What an answer to this event is for the caller.
type Output<T> = fn(Box<str>, Answer) -> Result<T, EmitError>;

/// What is to be sent, with its options.
#[derive(Debug)]
struct Call {
    /// The pairing that it is meant for: a later partner does not get it.
    pairing: Option<PairingId>,
    args: Result<Args, ArgsError>,
    timeout: Duration,
    ttl: Option<Duration>,
    via: Option<Path>,
}

impl Emit2 {
    pub(crate) fn new(
        client: P2pClient,
        pairing: Option<PairingId>,
        event: String,
        args: Result<Args, ArgsError>,
    ) -> Self {
        let call = Call { pairing, args, timeout: CALL_TIMEOUT, ttl: None, via: None };
        Self {
            client,
            event: event.into(),
            call: Some(call),
            answer: pending().boxed(),
            wants_reply: true,
            output: first_argument,
        }
    }
}

impl<T> Emit2<T> {
    /// Sets the time to wait for room in the window and for the reply, together, from the first poll on.
    /// 10 s by default.
    ///
    /// With zero the event is not sent, and the call resolves as *not executed* (`timeout`); more than 100
    /// years, [`Duration::MAX`] too, counts as 100 years.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        if let Some(call) = &mut self.call {
            call.timeout = timeout;
        }
        self
    }

    /// Sets a time to live, from the first poll on. If no handler has started by then, none will, and the
    /// call resolves as *not executed* (`expired`). Unlimited by default. The time on the way from this
    /// client to its partner is not counted, since their clocks are not compared. The time between
    /// connections is counted.
    ///
    /// With zero the event is not sent, and the call resolves as *not executed* (`expired`);
    /// [`Duration::MAX`] counts as unlimited.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        if let Some(call) = &mut self.call {
            call.ttl = Some(ttl);
        }
        self
    }

    /// Sets the path. By default the present one is taken. The call resolves as *not executed*
    /// (`no-route`) if there is no such path when the event is about to be sent. If the path is lost after
    /// that, the other path delivers the event. The reply takes the partner's path: [`Reply::path`].
    pub const fn via(mut self, path: Path) -> Self {
        if let Some(call) = &mut self.call {
            call.via = Some(path);
        }
        self
    }

    /// Makes the call return the whole [`Reply`]: all arguments, blobs, and the path.
    pub fn with_reply(self) -> Emit2<Reply> {
        self.with_output(true, Reply::of)
    }

    /// Makes the call return the reply as a type: all its arguments as a tuple, or the first one as any
    /// other type.
    ///
    /// # Errors
    ///
    /// Awaiting it fails with [`EmitError::Reply`] if the reply does not match the type. The handler has
    /// run.
    pub fn reply_as<R: DeserializeOwned>(self) -> Emit2<R> {
        self.with_output(true, |event, answer| Reply::of(event, answer)?.args())
    }

    /// Asks for no reply. Awaiting it waits until the event is in the window, on its way.
    ///
    /// If this client unregisters or closes, it first waits up to 1 s until the event has arrived. If the
    /// partner or the server ends the pairing before that, the event may be lost, and no error reports it.
    /// A reply to any later emit confirms that the event has arrived.
    pub fn without_ack(self) -> Emit2<()> {
        self.with_output(false, sent)
    }

    /// Gives the event its place in the order now instead of at the first poll, and starts its deadlines.
    /// It is sent without being polled, unless it is dropped before.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use socketio_p2p_client::{EmitError, P2pClient, P2pClientExt as _};
    /// # use tokio::task::JoinSet;
    /// # fn spawn_all(client: &P2pClient, tasks: &mut JoinSet<Result<(), EmitError>>) {
    /// // Tasks are polled in any order. The events arrive in this one.
    /// for number in 0..1_000 {
    ///     tasks.spawn(client.emit2("note", number).without_ack().start());
    /// }
    /// # }
    /// ```
    #[must_use = "the event is withdrawn if this is dropped"]
    pub fn start(mut self) -> Self {
        self.take_place();
        self
    }

    fn with_output<U>(self, wants_reply: bool, output: Output<U>) -> Emit2<U> {
        let Self { client, event, call, answer, .. } = self;
        Emit2 { client, event, call, answer, wants_reply, output }
    }

    fn take_place(&mut self) {
        if let Some(call) = self.call.take() {
            self.answer = match self.client.enqueue(&self.event, call, self.wants_reply) {
                Ok(waiting) => waiting.answer().map(Ok).boxed(),
                Err(error) => at_once(Err(error)).boxed(),
            };
        }
    }
}

impl<T> Future for Emit2<T> {
    type Output = Result<T, EmitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.take_place();
        let answer = ready!(this.answer.poll_unpin(cx));
        Poll::Ready(
            answer.and_then(|answer| (this.output)(std::mem::take(&mut this.event), answer)),
        )
    }
}

impl<T> fmt::Debug for Emit2<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit2")
            .field("event", &self.event)
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

impl P2pClient {
    /// Puts a call into the queue of emits. The window is the only bound: while it is full, callers wait.
    fn enqueue(&self, event: &str, call: Call, wants_reply: bool) -> Result<Waiting, EmitError> {
        let not_executed =
            |code| EmitError::NotExecuted { event: event.into(), cause: Cause::Code(code) };
        let Call { pairing, args, timeout, ttl, via } = call;
        let args = args.map_err(|reason| EmitError::Args { event: event.into(), reason })?;
        let now = Instant::now();
        let deadline = deadline(now, timeout);
        let expires = ttl.and_then(|ttl| now.checked_add(ttl)); // Or never.
        let (send_by, too_late) = match expires {
            Some(expires) if expires < deadline => (expires, Code::Expired),
            _ => (deadline, Code::Timeout),
        };
        if self.is_closed() {
            return Err(not_executed(Code::Closed));
        }
        let pairing = pairing.ok_or_else(|| not_executed(Code::NotPaired))?;
        let call = self.shared.next_call();
        let (answer, answered) = oneshot::channel();
        let reply_by = wants_reply.then_some(deadline);
        let options = EmitOptions { reply_by, expires, via };
        let command = Command::Emit { call, pairing, event: event.to_owned(), args, options };
        let emit = Emit { command, call, answer, send_by, too_late };
        let place =
            self.shared.emits.push(pairing, emit).ok_or_else(|| not_executed(Code::Closed))?;
        let withdrawal = Withdrawal { client: self.clone(), call, place, is_armed: true };
        Ok(Waiting { answered, withdrawal, send_by, too_late, deadline })
    }
}

/// A caller that waits for the outcome of its emit.
struct Waiting {
    answered: oneshot::Receiver<Answer>,
    withdrawal: Withdrawal,
    send_by: Instant,
    too_late: Code,
    deadline: Instant,
}

impl Waiting {
    async fn answer(self) -> Answer {
        let Self { mut answered, mut withdrawal, send_by, too_late, deadline } = self;
        let mut answer = timeout_at(send_by.into(), &mut answered).await;
        if answer.is_err() {
            if withdrawal.withdraw() {
                return Answer::Outcome(Outcome::NotExecuted(Cause::Code(too_late)));
            }
            // The actor has taken it, and answers at the deadline.
            answer = timeout_at((deadline + ANSWER_SLACK).into(), &mut answered).await;
        }
        match answer {
            Ok(Ok(answer)) => {
                withdrawal.is_armed = false;
                answer
            }
            // The actor has taken it and ended without an answer, for example with its runtime.
            Ok(Err(_)) => {
                withdrawal.is_armed = false;
                Answer::Outcome(Outcome::Unknown(Cause::Code(Code::Closed)))
            }
            Err(_) => Answer::Outcome(Outcome::Unknown(Cause::Code(Code::Timeout))),
        }
    }
}

/// Withdraws an emit whose future is dropped. If it was sent already, its reply is discarded.
struct Withdrawal {
    client: P2pClient,
    call: CallId,
    place: Place<PairingId>,
    is_armed: bool,
}

impl Withdrawal {
    /// Returns whether the emit was withdrawn, and will never be sent.
    fn withdraw(&mut self) -> bool {
        let is_withdrawn = self.client.shared.emits.withdraw(self.place).is_some();
        self.is_armed &= !is_withdrawn;
        is_withdrawn
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if self.is_armed && !self.withdraw() {
            // If there is no room for the command, the deadline ends the call.
            let cancel = Asked::notice(Command::Cancel(self.call));
            self.client.shared.commands.try_send(cancel).ok();
        }
    }
}

fn first_argument(event: Box<str>, answer: Answer) -> Result<Value, EmitError> {
    Ok(Reply::of(event, answer)?.values().into_iter().next().unwrap_or_default())
}

fn sent(event: Box<str>, answer: Answer) -> Result<(), EmitError> {
    match answer {
        Answer::Sent => Ok(()),
        answer => Reply::of(event, answer).map(|_| ()),
    }
}

impl Incoming {
    /// Emits an event to the client that sent this one, like
    /// [`P2pClientExt::emit2`](crate::P2pClientExt::emit2), but never to a later partner.
    pub fn emit2(&self, event: impl Into<String>, args: impl Serialize) -> Emit2 {
        Emit2::new(self.client.clone(), Some(self.pairing), event.into(), args::encode(&args))
    }
}
