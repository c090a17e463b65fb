//! The inputs and outputs of a client.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::ClientEvent;
use crate::{
    Args, ClientEntry, ClientId, ClientMessage, Code, Frame, Outcome, PairingId, PairingInfo,
    Refusal, ResumeToken, RoomName, RoomState, ServerMessage, Signal, TargetState,
    frame::{Batch, batch_from_value},
    limits::{
        BACKOFF_MAX, BACKOFF_MIN, CONNECT_TIMEOUT, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, setting,
    },
    peer::{Complaint, LinkCommand, LinkEvent, LinkId, PathConfig},
    session::{CallId, Delivery, EmitOptions},
    signal,
    wire::{self, FRAME, SIGNAL, WELCOME, WireError},
};

/// The settings of a client. A duration counts as 1 ms at least and 100 years at most ([`setting`]).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The time that each attempt to connect may take, the welcome included. 10 s by default. While the server
    /// keeps the pairing, an attempt takes at most a third of what is left of its grace period, or 2 s.
    pub connect_timeout: Duration,
    /// The wait before the first attempt to replace a lost connection. It doubles with each attempt, and a
    /// random part of up to as much again is added. While the server keeps the pairing, the waits are shorter,
    /// so that several attempts fall into what is left of its grace period, but not shorter than this. 100 ms by
    /// default.
    pub backoff_min: Duration,
    /// The longest wait, without that random part. 5 s by default.
    pub backoff_max: Duration,
    /// The seed of those random parts: a random number, so that the clients of a server do not all come back at
    /// once. 0 by default.
    pub seed: u64,
    /// The time within which the first attempt is begun again after a failure that may pass. `None`, the
    /// default: it is not.
    pub retry_first: Option<Duration>,
    /// The silence after which the client pings the server. 4 s by default.
    pub heartbeat_interval: Duration,
    /// The silence after which the client gives the connection up. 10 s by default.
    pub heartbeat_timeout: Duration,
    /// True if a lost connection is replaced by another. True by default.
    pub resumes: bool,
    /// The paths that are used, and how the direct one is looked after. There is a direct path only
    /// where the server and the partner allow one.
    pub direct: PathConfig,
}

impl ClientConfig {
    /// Returns the same settings, each duration of the connection bounded by [`setting`].
    pub(super) fn bounded(self) -> Self {
        Self {
            connect_timeout: setting(self.connect_timeout),
            backoff_min: setting(self.backoff_min),
            backoff_max: setting(self.backoff_max),
            retry_first: self.retry_first.map(setting),
            heartbeat_interval: setting(self.heartbeat_interval),
            heartbeat_timeout: setting(self.heartbeat_timeout),
            ..self
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            backoff_min: BACKOFF_MIN,
            backoff_max: BACKOFF_MAX,
            seed: 0,
            retry_first: None,
            heartbeat_interval: HEARTBEAT_INTERVAL,
            heartbeat_timeout: HEARTBEAT_TIMEOUT,
            resumes: true,
            direct: PathConfig::default(),
        }
    }
}

/// The number of a question to the application.
pub type QuestionId = u64;

/// An input.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message of the server was received.
    Received(ServerMessage),
    /// Frames were received over the relay.
    Frames {
        /// Their pairing.
        pairing: PairingId,
        /// The frames that could be read, in order.
        frames: Vec<Frame>,
        /// True if others that travelled with them could not be read.
        has_unread: bool,
    },
    /// A message of the server was received that cannot be read.
    Garbled(WireError),
    /// A welcome of the server was received that cannot be read.
    GarbledWelcome(Refusal),
    /// The host reports an error that may be the end of the connection.
    Suspected,
    /// The connection is lost.
    Lost,
    /// The host begins to make another connection, as [`Output::Reconnect`] asked: the wait before it
    /// is over.
    Connecting,
    /// There is another connection, as [`Output::Reconnect`] asked. A host that needs no time to make
    /// it may leave out [`Self::Connecting`].
    Opened,
    /// There is no connection: the server cannot be reached. The text states what was tried.
    Unreachable(String),
    /// There is no connection: the application has no auth for it, for this reason.
    NoAuth(String),
    /// There is no connection: the server refused it.
    Rejected(Refusal),
    /// There is no other connection, and the host tries no more.
    GaveUp,
    /// A signal was received over the relay: its pairing and the signal.
    Signalled(PairingId, Value),
    /// The driver of links reports an event.
    Link(LinkId, LinkEvent),
    /// The driver of links has noticed that this machine has other addresses than before.
    AddressesChanged,
    /// The application gives a command.
    Command(Command),
    /// The application answers [`Output::Ask`]: yes, or no and the reason. If the server was restarted
    /// since, or the question is too old, the answer has no effect.
    Answer(QuestionId, Result<(), Option<String>>),
    /// A handler is done: the pairing and the number of its delivery, and its result.
    Finished(PairingId, u64, Result<Args, Refusal>),
    /// A deadline may be due.
    Timeout,
}

impl Input {
    /// Reads an event of the server.
    #[must_use]
    pub fn of_event(event: &str, args: Vec<Value>) -> Self {
        let read = match event {
            FRAME => Self::of_frames(args),
            SIGNAL => {
                signal::from_args(args).map(|(pairing, signal)| Self::Signalled(pairing, signal))
            }
            _ => wire::server_message(event, args).map(Self::Received),
        };
        read.unwrap_or_else(|error| match event {
            WELCOME => Self::GarbledWelcome(error.refusal),
            _ => Self::Garbled(error),
        })
    }

    fn of_frames(args: Vec<Value>) -> Result<Self, WireError> {
        let [pairing, frames]: [Value; 2] = args.try_into().map_err(|_| Code::BadArgs)?;
        let pairing = serde_json::from_value(pairing).map_err(|_| Code::BadArgs)?;
        let Batch { frames, unread } = batch_from_value(frames).map_err(|_| Code::BadArgs)?;
        Ok(Self::Frames { pairing, frames, has_unread: unread.is_some() })
    }
}

/// A command of the application. Each with a `call` is answered once, by [`Output::Answered`].
#[derive(Clone, Debug)]
pub enum Command {
    /// Register a target. Answered with [`Answer::Registered`].
    Register {
        /// The number that the caller chose.
        call: CallId,
        /// The target.
        target: ClientId,
        /// The payload for the target's decision.
        payload: Option<Value>,
        /// The time that the target has, at most what the server allows; `None` for all of that.
        consent_time: Option<Duration>,
        /// The time to wait in line if the target is busy; `None` to be refused then. Meanwhile
        /// [`ClientEvent::InLine`] reports the place.
        wait: Option<Duration>,
        /// The time by which it must be answered; `None` for the time in line, that of the target and
        /// [`VERDICT_SLACK`](crate::limits::VERDICT_SLACK).
        deadline: Option<Instant>,
    },
    /// End the pairing, once the partner has confirmed what was emitted, or after
    /// [`CONFIRM_TIMEOUT`](crate::limits::CONFIRM_TIMEOUT). Answered with [`Answer::Unregistered`].
    Unregister {
        /// The number that the caller chose.
        call: CallId,
        /// The time by which it must be answered. At most half of the time until then is spent on
        /// waiting for the partner.
        deadline: Instant,
    },
    /// List the clients. Answered with [`Answer::Clients`].
    List {
        /// The number that the caller chose.
        call: CallId,
        /// The time by which it must be answered.
        deadline: Instant,
    },
    /// Watch a target. Answered with [`Answer::Watching`]. From then on [`Output::Target`] reports each change,
    /// until [`Self::Cancel`] or [`Output::Unwatched`].
    Watch {
        /// The number that the caller chose.
        call: CallId,
        /// The target.
        target: ClientId,
        /// The time by which it must be answered.
        deadline: Instant,
    },
    /// Join a room, or have its present members if the client is a member. Answered with [`Answer::Joined`].
    Join {
        /// The number that the caller chose.
        call: CallId,
        /// The room.
        room: RoomName,
        /// The most members, this client included; `None` for as many as the server allows.
        most: Option<usize>,
        /// True if direct paths are made at once; otherwise each waits for [`Self::Upgrade`], of this client or of
        /// the other member.
        upgrades: bool,
        /// The time by which it must be answered.
        deadline: Instant,
    },
    /// Leave a room, once its members have confirmed what was emitted, or after
    /// [`CONFIRM_TIMEOUT`](crate::limits::CONFIRM_TIMEOUT). Answered with [`Answer::Exited`].
    Exit {
        /// The number that the caller chose.
        call: CallId,
        /// The room.
        room: RoomName,
        /// The time by which it must be answered.
        deadline: Instant,
    },
    /// Make the direct paths to the members of a room that wait, and to those who join later.
    Upgrade(RoomName),
    /// Emit an event. Answered with [`Answer::Outcome`], or with [`Answer::Sent`] if no reply is
    /// wanted. Only while [`Client::takes_emits`](super::Client::takes_emits).
    Emit {
        /// The number that the caller chose.
        call: CallId,
        /// The pairing whose partner is meant. No other partner gets it.
        pairing: PairingId,
        /// The event's name.
        event: String,
        /// The arguments.
        args: Args,
        /// The options. Without the path that they name the emit is not executed. If that path is
        /// lost before the partner has the emit, the other carries it.
        options: EmitOptions,
    },
    /// Forget a call: the caller no longer waits. A watch ends, and a registration is taken back.
    Cancel(CallId),
    /// Make direct paths anew: this machine has other addresses than before.
    NetworkChanged,
    /// Close the client, once the partner has confirmed what was emitted, or after
    /// [`CONFIRM_TIMEOUT`](crate::limits::CONFIRM_TIMEOUT). From now on commands are refused, and
    /// nothing is delivered. [`Output::Close`] follows.
    Close,
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The client is paired.
    Registered(PairingInfo),
    /// The client is not paired any more.
    Unregistered,
    /// The clients of the server.
    Clients(Vec<ClientEntry>),
    /// The state of the target that is watched.
    Watching(TargetState),
    /// The client is a member of a room, which has these other members.
    Joined(RoomState),
    /// The client is not a member of the room any more.
    Exited,
    /// The event is on its way.
    Sent,
    /// The outcome of an acknowledged emit, or of any emit that was not sent.
    Outcome(Outcome),
    /// The server refused the request.
    Refused(Refusal),
    /// The server did not answer in time.
    TimedOut,
    /// The client is closed, or has never been welcomed.
    Closed,
}

/// An output, to be carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message to the server.
    Send(ClientMessage),
    /// Have the server relay frames.
    SendFrames(PairingId, Vec<Frame>),
    /// Have the server forward a signal, as [`Signal::to_value`] spells it.
    Signal(PairingId, Signal),
    /// Command the driver of a link.
    Link(LinkId, LinkCommand),
    /// Answer a call.
    Answered(CallId, Answer),
    /// Tell the holder of a watch the state of its target: it has changed, or the server was asked again on
    /// another connection.
    Target(CallId, TargetState),
    /// Tell the holder of a watch that it has ended: the server refuses it on another connection.
    Unwatched(CallId, Refusal),
    /// Ask the application for its consent to a pairing, and answer with [`Input::Answer`].
    Ask {
        /// The client's number of the question, which no other question of this client has.
        question: QuestionId,
        /// The client that asks.
        source: ClientId,
        /// The payload of its request.
        payload: Option<Value>,
        /// The time for which the server waits for the answer.
        consent_time: Duration,
    },
    /// Run a handler for an emit of this partner, and report [`Input::Finished`] when it is done. The
    /// pairing may be over by then, or have another name.
    Deliver(PairingId, ClientId, Delivery),
    /// Note that the partner does not wait any more for the result of the handler with this number. It
    /// may run on, and makes room for others: see [`RunningHandlers`](super::RunningHandlers).
    Abandoned(PairingId, u64),
    /// Publish an event to the application.
    Event(ClientEvent),
    /// The partner or the server breaks the rules. What it sent was dropped.
    Complain(Complaint),
    /// Close the connection, or stop making it, and make another after a wait. Report
    /// [`Input::Connecting`] when that begins, then [`Input::Opened`], [`Input::Unreachable`],
    /// [`Input::NoAuth`] or [`Input::Rejected`]. From now on nothing that is received on the old connection may be fed.
    Reconnect {
        /// The token for the CONNECT auth.
        resume: Option<ResumeToken>,
        /// The wait before the attempt.
        after: Duration,
    },
    /// Close the connection. Nothing follows.
    Close,
}
