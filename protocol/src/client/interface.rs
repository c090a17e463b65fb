//! What goes into a client and what comes out of it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    Args, ClientEntry, ClientId, ClientMessage, Code, EndReason, Frame, Outcome, PairingId,
    PairingInfo, Path, Refusal, ResumeToken, ServerMessage, Signal, Welcome,
    limits::{HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT},
    peer::{Complaint, LinkCommand, LinkEvent, LinkId, PathConfig},
    session::{CallId, Delivery},
    wire::WireError,
};

/// What a client is told once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Silence after which the server is asked whether it is still there. 4 s by default.
    pub heartbeat_interval: Duration,
    /// Silence after which the connection is given up. 10 s by default.
    pub heartbeat_timeout: Duration,
    /// Whether a lost connection is replaced by another. Yes by default.
    pub resumes: bool,
    /// Which paths are used, and how the direct one is looked after. Where a server and a partner
    /// know of none, there is none.
    pub direct: PathConfig,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: HEARTBEAT_INTERVAL,
            heartbeat_timeout: HEARTBEAT_TIMEOUT,
            resumes: true,
            direct: PathConfig::default(),
        }
    }
}

/// The number of a question to the application.
pub type QuestionId = u64;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The server said something.
    Received(ServerMessage),
    /// The server relayed frames.
    Frames(PairingId, Vec<Frame>),
    /// The server said something that cannot be read.
    Garbled(WireError),
    /// The host reports an error that may be the end of the connection.
    Suspected,
    /// The connection is gone.
    Lost,
    /// There is another connection, as [`Output::Reconnect`] wanted.
    Opened,
    /// There is none: the server refused it.
    Rejected(Code),
    /// There is none, and the host tries no more.
    GaveUp,
    /// The server forwarded a signal: the pairing and what came.
    Signalled(PairingId, Value),
    /// The host reports something of a connection to the partner.
    Link(LinkId, LinkEvent),
    /// The host has noticed that it has other addresses than before.
    AddressesChanged,
    /// The application wants something.
    Command(Command),
    /// The application answers [`Output::Ask`]: yes, or no and the reason. If the server was restarted
    /// since, or the question is too old, the answer has no effect.
    Answer(QuestionId, Result<(), Option<String>>),
    /// A handler is done: pairing and number of its delivery, and what it returned.
    Finished(PairingId, u64, Result<Args, Refusal>),
    /// Some deadline may be due.
    Timeout,
}

/// What an application wants. Each that has a `call` is answered once, with [`Output::Answered`].
#[derive(Clone, Debug)]
pub enum Command {
    /// To be paired: answered with [`Answer::Registered`].
    Register {
        /// Whose wish it is.
        call: CallId,
        /// With whom.
        target: ClientId,
        /// For the target's decision.
        payload: Option<Value>,
        /// When it must be answered.
        deadline: Instant,
    },
    /// Not to be paired: answered with [`Answer::Unregistered`].
    Unregister {
        /// Whose wish it is.
        call: CallId,
        /// When it must be answered.
        deadline: Instant,
    },
    /// The list of clients: answered with [`Answer::Clients`].
    List {
        /// Whose wish it is.
        call: CallId,
        /// When it must be answered.
        deadline: Instant,
    },
    /// An event for the partner: answered with [`Answer::Outcome`], or with [`Answer::Sent`] if
    /// no reply is wanted. Only while [`Client::takes_emits`](super::Client::takes_emits).
    Emit {
        /// Whose wish it is.
        call: CallId,
        /// The pairing that it is meant for: nobody else gets it.
        pairing: PairingId,
        /// The event's name.
        event: String,
        /// For the partner's handler.
        args: Args,
        /// When the reply must be there; none if none is wanted.
        reply_by: Option<Instant>,
        /// When it is too late to start a handler for it; none if it never is.
        expires: Option<Instant>,
        /// The path that it takes: without it, it is not executed. Should the path be lost before
        /// the partner has the emit, it takes the other. None for the present path.
        via: Option<Path>,
    },
    /// The caller no longer wants to know.
    Cancel(CallId),
    /// The host has other addresses than before.
    NetworkChanged,
    /// Nothing more.
    Close,
}

/// What became of a [`Command`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Paired.
    Registered(PairingInfo),
    /// Not paired any more.
    Unregistered,
    /// The clients there are.
    Clients(Vec<ClientEntry>),
    /// The event is on its way.
    Sent,
    /// What became of an acknowledged emit, or of any that was not sent.
    Outcome(Outcome),
    /// The server said no.
    Refused(Refusal),
    /// The server said nothing in time.
    TimedOut,
    /// There is no connection any more, or there has never been a welcome.
    Closed,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell the server something.
    Send(ClientMessage),
    /// Have the server relay frames.
    SendFrames(PairingId, Vec<Frame>),
    /// Have the server forward a signal, as [`Signal::to_value`] spells it.
    Signal(PairingId, Signal),
    /// Do something about a connection to the partner.
    Link(LinkId, LinkCommand),
    /// Tell the caller.
    Answered(CallId, Answer),
    /// Ask the application whether it wants to be paired, and answer with [`Input::Answer`].
    Ask {
        /// The client's number of the question, which no other question of this client has.
        question: QuestionId,
        /// The client that asks.
        source: ClientId,
        /// The payload of its request.
        payload: Option<Value>,
    },
    /// Run a handler for what this partner said, and say [`Input::Finished`] when it is done. The pairing may
    /// be over by now, or have another name.
    Deliver(PairingId, ClientId, Delivery),
    /// Tell the application.
    Event(ClientEvent),
    /// The partner, or the server, breaks the rules; what it sent was dropped.
    Complain(Complaint),
    /// The connection is of no use any more: close it and make another, as soon as is wise, and say
    /// [`Input::Opened`]. Nothing that comes on the old one is to be fed from now on.
    Reconnect {
        /// What the CONNECT auth shows.
        resume: Option<ResumeToken>,
    },
    /// Close the connection; nothing more will follow.
    Close,
}

/// What an application may want to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server's welcome: the client can be used.
    Connected(Welcome),
    /// The connection is lost, and another is being made. Calls under way and the pairing wait
    /// for it.
    Away,
    /// There is another connection, and the session goes on.
    Resumed(Welcome),
    /// There is another connection, and the server knows nothing of the session any more: this is a
    /// new one. A pairing has ended.
    Restarted(Welcome),
    /// Paired.
    Paired(PairingInfo),
    /// Not paired any more.
    Unpaired {
        /// The pairing that ended.
        pairing: PairingInfo,
        /// Why.
        reason: EndReason,
    },
    /// The connection of the partner went or came back.
    Partner(crate::Presence),
    /// What is emitted takes another path from now on. Where a direct path may be tried the last of
    /// these is always true; before the first the relay carries, or under `DirectOnly` nothing.
    Path {
        /// Which one; none if there is none.
        path: Option<Path>,
        /// Its round-trip time, as far as it is known.
        rtt: Option<Duration>,
    },
    /// The server had forgotten the pairing, the two ends talked on without it, and it knows it
    /// again: by this name.
    Reasserted(PairingInfo),
    /// The server refused something that nobody waits for.
    Refused(Refusal),
    /// The connection is gone, and there will be no other.
    Disconnected,
}
