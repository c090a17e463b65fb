//! `emit2`: an event for the partner, and its reply.

use std::{
    future::IntoFuture,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use socketio_p2p_protocol::{
    Args, Cause, Code, Outcome, PairingId, Path,
    client::{Answer, Command},
    limits::CALL_TIMEOUT,
    session::{CallId, EmitOptions},
};
use tokio::{sync::oneshot, task::unconstrained, time::timeout_at};

use crate::{
    actor::{
        claim::Claim,
        command::{ANSWER_SLACK, Asked, deadline},
    },
    api::{
        args::{self, ArgsError},
        client::{P2pClient, Shared},
        error::EmitError,
        incoming::Incoming,
    },
};

/// An event for the partner, from [`P2pClientExt::emit2`](crate::P2pClientExt::emit2). Awaiting it sends
/// the event, waits for the reply, and returns the reply's first argument.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use socketio_p2p_client::{EmitError, P2pClient, P2pClientExt as _};
///
/// async fn talk(client: &P2pClient) -> Result<(), Box<dyn std::error::Error>> {
///     // Three arguments, and the first argument of the reply.
///     let sum = client.emit2("add", (1, 2, 3)).await?;
///     println!("{sum}");
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
///     // The outcome is always known, or known to be unknown.
///     match client.emit2("pay", 100).await {
///         Ok(receipt) => println!("paid: {receipt}"),
///         Err(EmitError::NotExecuted(why)) => println!("not paid, it is safe to try again: {why}"),
///         Err(EmitError::Failed(refusal)) => println!("the handler failed: {refusal}"),
///         Err(error) => println!("nobody knows whether it was paid: {error}"),
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Emit2<'a> {
    client: &'a P2pClient,
    /// The pairing that it is meant for: a later partner does not get it.
    pairing: Option<PairingId>,
    event: String,
    args: Result<Args, ArgsError>,
    timeout: Duration,
    ttl: Option<Duration>,
    via: Option<Path>,
}

/// An event for the partner whose whole reply is wanted, from [`Emit2::with_reply`].
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Emit2Reply<'a>(Emit2<'a>);

/// An event for the partner without a reply, from [`Emit2::without_ack`].
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Emit2WithoutAck<'a>(Emit2<'a>);

/// The reply to an emit, from [`Emit2::with_reply`].
#[derive(Clone, Debug)]
pub struct Reply {
    args: Args,
    path: Path,
}

impl<'a> Emit2<'a> {
    pub(crate) const fn new(
        client: &'a P2pClient,
        pairing: Option<PairingId>,
        event: String,
        args: Result<Args, ArgsError>,
    ) -> Self {
        Self { client, pairing, event, args, timeout: CALL_TIMEOUT, ttl: None, via: None }
    }

    /// Sets the time to wait for room in the window and for the reply, together. 10 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets a time to live. If no handler has started by then, none will, and the call resolves as *not
    /// executed* (`expired`). Unlimited by default. The time on the way from this client to its partner
    /// is not counted, since their clocks are not compared. The time between connections is counted.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets the path. By default the present one is taken. The call resolves as *not executed*
    /// (`no-route`) if there is no such path when the event is about to be sent. If the path is lost after
    /// that, the other path delivers the event. The reply takes the partner's path: [`Reply::path`].
    pub const fn via(mut self, path: Path) -> Self {
        self.via = Some(path);
        self
    }

    /// Makes the call return the whole [`Reply`]: all arguments, blobs, and the path.
    pub const fn with_reply(self) -> Emit2Reply<'a> {
        Emit2Reply(self)
    }

    /// Asks for no reply. Awaiting it waits until the event is in the window, on its way.
    ///
    /// If this client unregisters or closes, it first waits up to 1 s until the event has arrived. If the
    /// partner or the server ends the pairing before that, the event may be lost, and no error reports it.
    /// A reply to any later emit confirms that the event has arrived.
    pub const fn without_ack(self) -> Emit2WithoutAck<'a> {
        Emit2WithoutAck(self)
    }

    async fn send(self, wants_reply: bool) -> Result<Answer, EmitError> {
        let Emit2 { client, pairing, event, args, timeout, ttl, via } = self;
        let args = args.map_err(EmitError::Args)?;
        let shared = &*client.shared;
        let now = Instant::now();
        let deadline = deadline(now, timeout);
        let expires = ttl.and_then(|ttl| now.checked_add(ttl)); // Or never.
        let (send_by, too_late) = match expires {
            Some(expires) if expires < deadline => (expires, Code::Expired),
            _ => (deadline, Code::Timeout),
        };
        let not_executed = |code| EmitError::NotExecuted(Cause::Code(code));
        if client.is_closed() {
            return Err(not_executed(Code::Closed));
        }
        let pairing = pairing.ok_or_else(|| not_executed(Code::NotPaired))?;

        // The window is the only queue: while it is full, callers wait here, in order. Without tokio's
        // budget: a task that has used it up would hold a permit while later emits overtake it.
        let permit = unconstrained(shared.emits.reserve());
        let permit = match timeout_at(send_by.into(), permit).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(not_executed(Code::Closed)),
            Err(_) => return Err(not_executed(too_late)),
        };
        let call = shared.next_call();
        let claim = Arc::new(Claim::new());
        let (answer, mut answered) = oneshot::channel();
        let reply_by = wants_reply.then_some(deadline);
        let options = EmitOptions { reply_by, expires, via };
        permit.send(Asked {
            command: Command::Emit { call, pairing, event, args, options },
            answer: Some((call, answer)),
            claim: Some(claim.clone()),
        });
        let mut withdrawal = Withdrawal { shared, claim, call, is_armed: true };

        let mut answer = timeout_at(send_by.into(), &mut answered).await;
        if answer.is_err() {
            if withdrawal.claim.withdraw() {
                withdrawal.is_armed = false;
                return Err(not_executed(too_late));
            }
            // The actor has taken it, and answers at the deadline.
            answer = timeout_at((deadline + ANSWER_SLACK).into(), &mut answered).await;
        }
        match answer {
            Ok(Ok(answer)) => {
                withdrawal.is_armed = false;
                Ok(answer)
            }
            // The actor ended without an answer, for example with its runtime.
            Ok(Err(_)) => {
                withdrawal.is_armed = false;
                if withdrawal.claim.withdraw() {
                    Err(not_executed(Code::Closed))
                } else {
                    Err(EmitError::Unknown(Cause::Code(Code::Closed)))
                }
            }
            Err(_) => Err(EmitError::Unknown(Cause::Code(Code::Timeout))),
        }
    }

    async fn reply(self) -> Result<Reply, EmitError> {
        match outcome(self.send(true).await?) {
            Outcome::Replied(args, path) => Ok(Reply { args, path }),
            Outcome::Failed(refusal) => Err(EmitError::Failed(refusal)),
            Outcome::NotExecuted(cause) => Err(EmitError::NotExecuted(cause)),
            Outcome::Unknown(cause) => Err(EmitError::Unknown(cause)),
        }
    }
}

/// Withdraws an emit whose future is dropped. If it was sent already, its reply is discarded.
struct Withdrawal<'a> {
    shared: &'a Shared,
    claim: Arc<Claim>,
    call: CallId,
    is_armed: bool,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if self.is_armed && !self.claim.withdraw() {
            // If there is no room for the command, the deadline ends the call.
            self.shared.commands.try_send(Asked::notice(Command::Cancel(self.call))).ok();
        }
    }
}

/// Returns the outcome of an emit.
fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Outcome(outcome) => outcome,
        // The client answers an emit with no other.
        _ => Outcome::Unknown(Cause::Code(Code::Closed)),
    }
}

impl<'a> IntoFuture for Emit2<'a> {
    type Output = Result<Value, EmitError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move { Ok(self.reply().await?.values().into_iter().next().unwrap_or_default()) }
            .boxed()
    }
}

impl<'a> IntoFuture for Emit2Reply<'a> {
    type Output = Result<Reply, EmitError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.0.reply().boxed()
    }
}

impl<'a> IntoFuture for Emit2WithoutAck<'a> {
    type Output = Result<(), EmitError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            match self.0.send(false).await? {
                Answer::Sent => Ok(()),
                answer => match outcome(answer) {
                    Outcome::NotExecuted(cause) => Err(EmitError::NotExecuted(cause)),
                    _ => Err(EmitError::Unknown(Cause::Code(Code::Closed))),
                },
            }
        }
        .boxed()
    }
}

impl Reply {
    /// Deserialises the arguments: all of them into a tuple, or the first one into any other type.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] if they have another shape, or if there are none.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        args::decode(&self.args)
    }

    /// Returns the arguments as JSON values, with placeholders for blobs.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        self.args.parse().unwrap_or_default()
    }

    /// Returns the blobs that the placeholders stand for.
    #[must_use]
    pub fn blobs(&self) -> &[Bytes] {
        self.args.blobs()
    }

    /// Returns the path on which the reply arrived.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }
}

impl Incoming {
    /// Emits an event to the client that sent this one, like
    /// [`P2pClientExt::emit2`](crate::P2pClientExt::emit2), but never to a later partner.
    pub fn emit2(&self, event: impl Into<String>, args: impl Serialize) -> Emit2<'_> {
        Emit2::new(&self.client, Some(self.pairing), event.into(), args::encode(&args))
    }
}
