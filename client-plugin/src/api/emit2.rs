//! An event for the partner: `emit2`, to be awaited.

use std::{
    future::IntoFuture,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::Value;
use socketio_p2p_protocol::{
    Args, Cause, Code, Outcome, PairingId, Path,
    endpoint::{Answer, Command},
    limits::CALL_TIMEOUT,
    session::CallId,
};
use tokio::{sync::oneshot, time::timeout_at};

use crate::{
    actor::Asked,
    actor::claim::Ticket,
    api::args::ArgsError,
    api::client::{P2pClient, Shared},
    api::error::EmitError,
    api::incoming::Reply,
    api::server_requests::{GRACE, TIMEOUT_MAX},
};

/// Takes the emit back when its future is dropped, or forgets its reply if that is too late.
struct Withdrawal<'a> {
    shared: &'a Shared,
    ticket: Arc<Ticket>,
    call: CallId,
    armed: bool,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if self.armed && !self.ticket.withdraw() {
            // If there is no room for that, its deadline ends it.
            self.shared.commands.try_send(Asked::notice(Command::Cancel(self.call))).ok();
        }
    }
}

/// An event for the partner, from [`P2pClientExt::emit2`](crate::P2pClientExt::emit2). Awaiting
/// it sends it and waits for the reply, whose first argument it gives.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Emit2<'a> {
    client: &'a P2pClient,
    /// For whom it is meant: nobody who is the partner later gets it.
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

/// An event for the partner that wants no reply, from [`Emit2::without_ack`].
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Emit2WithoutAck<'a>(Emit2<'a>);

impl<'a> Emit2<'a> {
    pub(crate) const fn new(
        client: &'a P2pClient,
        pairing: Option<PairingId>,
        event: String,
        args: Result<Args, ArgsError>,
    ) -> Self {
        Self { client, pairing, event, args, timeout: CALL_TIMEOUT, ttl: None, via: None }
    }

    /// How long to wait for room in the window and for the reply, together. 10 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// For how long the event is of use: a handler that has not started by then never will, and the
    /// call is *not executed*, `expired`. For ever by default. The time on the way from this client
    /// to its partner is not counted, since their clocks are not compared; that between connections
    /// is.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The path that it takes; the present one by default. Where there is no such path when it could
    /// be sent, it is *not executed*, `no-route`. Should the path be lost before the partner has it,
    /// the other carries it. The reply takes the partner's path: [`Reply::path`].
    pub const fn via(mut self, path: Path) -> Self {
        self.via = Some(path);
        self
    }

    /// Wants all arguments of the reply, its blobs, and the way it came.
    pub const fn with_reply(self) -> Emit2Reply<'a> {
        Emit2Reply(self)
    }

    /// Wants no reply: awaiting it waits until the event is in the window, on its way.
    ///
    /// Should the pairing end before it has arrived, it may be lost, and nobody is told: the end goes by the
    /// server, and can overtake what takes the direct path. A reply to anything that was emitted later says
    /// that it has arrived.
    pub const fn without_ack(self) -> Emit2WithoutAck<'a> {
        Emit2WithoutAck(self)
    }

    async fn send(self, wants_reply: bool) -> Result<Answer, EmitError> {
        let Emit2 { client, pairing, event, args, timeout, ttl, via } = self;
        let args = args.map_err(EmitError::Args)?;
        let shared = &*client.shared;
        let now = Instant::now();
        let deadline = now + timeout.min(TIMEOUT_MAX);
        let expires = ttl.and_then(|ttl| now.checked_add(ttl)); // Or never.
        // Until when it may wait to be sent.
        let (wait_until, too_late) = match expires {
            Some(at) if at < deadline => (at, Code::Expired),
            _ => (deadline, Code::Timeout),
        };
        let not_executed = |code| EmitError::NotExecuted(Cause::Code(code));
        if client.is_closed() {
            return Err(not_executed(Code::Closed));
        }
        let pairing = pairing.ok_or_else(|| not_executed(Code::NotPaired))?;

        // The window is the only queue: while it is full, callers wait here, in order.
        let permit = match timeout_at(wait_until.into(), shared.emits.reserve()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(not_executed(Code::Closed)),
            Err(_) => return Err(not_executed(too_late)),
        };
        let call = shared.next_call();
        let ticket = Arc::new(Ticket::new());
        let (answer, mut answered) = oneshot::channel();
        let reply_by = wants_reply.then_some(deadline);
        permit.send(Asked {
            command: Command::Emit { call, pairing, event, args, reply_by, expires, via },
            answer: Some((call, answer)),
            ticket: Some(ticket.clone()),
        });
        let mut withdrawal = Withdrawal { shared, ticket, call, armed: true };

        let mut answer = timeout_at(wait_until.into(), &mut answered).await;
        if answer.is_err() {
            if withdrawal.ticket.withdraw() {
                withdrawal.armed = false;
                return Err(not_executed(too_late));
            }
            // It was taken up, and is answered at its deadline.
            answer = timeout_at((deadline + GRACE).into(), &mut answered).await;
        }
        match answer {
            Ok(Ok(answer)) => {
                withdrawal.armed = false;
                Ok(answer)
            }
            // The actor is gone without an answer: with its runtime, for example.
            Ok(Err(_)) => {
                withdrawal.armed = false;
                if withdrawal.ticket.withdraw() {
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

/// What an answer says of an emit.
fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Outcome(outcome) => outcome,
        // An emit is answered with no other.
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
