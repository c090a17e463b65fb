//! What goes into a broker and what comes out of it.

use std::time::Duration;

use crate::{
    ClientId, ClientMessage, Code, ConnId, Dialect, EndReason, PairingId, ReqId, ResumeToken,
    ServerMessage,
    limits::{CLIENTS, GRACE, Limits},
};

/// What a broker is told once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// Tells this server, since its start, from all others. Draw it at random.
    pub node: u64,
    /// Who may ask for the list of clients.
    pub list: ListPolicy,
    /// What the welcome states.
    pub limits: Limits,
    /// For how long the pairing of a v2 client outlives its connection; zero if it does not.
    /// 15 s by default.
    pub grace: Duration,
    /// What becomes of a connection whose id is in use.
    pub duplicates: DuplicatePolicy,
    /// Clients at most. 100,000 by default.
    pub clients: usize,
}

impl BrokerConfig {
    /// The defaults, on this node.
    #[must_use]
    pub fn new(node: u64) -> Self {
        Self {
            node,
            list: ListPolicy::default(),
            limits: Limits::default(),
            grace: GRACE,
            duplicates: DuplicatePolicy::default(),
            clients: CLIENTS,
        }
    }
}

/// What becomes of a connection whose id is in use, and that does not show its resume token.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DuplicatePolicy {
    /// It is refused: `duplicate-id`. Nobody can push a client out by its name.
    #[default]
    Reject,
    /// It takes the id over: the pairing of the one before ends with `replaced`, and its
    /// connection is closed. Only where connections are authenticated.
    TakeOver,
}

/// What a new connection says of itself, as the host has found it to be true.
#[derive(Clone, Debug)]
pub struct Hello {
    pub(super) client: ClientId,
    pub(super) dialect: Dialect,
    pub(super) direct: bool,
    pub(super) resume: Option<ResumeToken>,
    pub(super) fresh: ResumeToken,
}

impl Hello {
    /// A client of this name. `fresh` is what it will show on its next connection: draw it from a
    /// source of secrets, anew for each connection.
    #[must_use]
    pub const fn new(client: ClientId, dialect: Dialect, fresh: ResumeToken) -> Self {
        Self { client, dialect, direct: false, resume: None, fresh }
    }

    /// Whether it allows a direct path to a partner; a v1 client has none. No by default.
    #[must_use]
    pub const fn direct(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    /// It shows this token of an earlier connection.
    #[must_use]
    pub fn resume(mut self, token: Option<ResumeToken>) -> Self {
        self.resume = token;
        self
    }
}

/// Who may ask for the list of clients.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ListPolicy {
    /// Every v1 client, as its library has it; no v2 client.
    #[default]
    V1Only,
    /// Every client.
    All,
    /// Nobody.
    Nobody,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection that [`Broker::admit`](super::Broker::admit) let in can be written to.
    Connected(ConnId),
    /// A connection is gone.
    Disconnected(ConnId),
    /// A client said something.
    Received(ConnId, ClientMessage),
    /// The host does not allow this registration.
    Forbidden(ConnId, Option<ReqId>, ClientId),
    /// The answer to [`Output::Grant`].
    Granted(PairingId, Result<(), Code>),
    /// The host parts a client from its partner.
    Unpair(ClientId),
    /// The host removes a client.
    Kick(ClientId),
    /// The host removes whoever has this connection, if anybody still does.
    Expel(ConnId),
    /// The host goes down.
    ShutDown,
    /// Some deadline may be due.
    Timeout,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell a client something.
    Send(ConnId, ServerMessage),
    /// From now on relay what this connection sends to its partner, and nowhere else. A pairing
    /// has it again when one of its ends is back on another connection.
    Route(ConnId, Partner),
    /// No longer relay what this connection sends.
    Unroute(ConnId, EndReason),
    /// Ask whoever grants pairings, and answer with [`Input::Granted`].
    Grant {
        /// What the pairing will be called.
        pairing: PairingId,
        /// Who asked.
        source: ClientId,
        /// Who said yes.
        target: ClientId,
    },
    /// Close a connection; it is forgotten already, and nothing that it says is relayed.
    Close(ConnId),
    /// Tell the application.
    Event(BrokerEvent),
}

/// Where the relay sends what a paired client says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partner {
    /// The pairing that its messages must name.
    pub pairing: PairingId,
    /// The other end.
    pub client: ClientId,
    /// The other end's connection.
    pub conn: ConnId,
    /// What the other end speaks.
    pub dialect: Dialect,
    /// Whether both ends allow a direct path. If not, no signal goes from one to the other: it
    /// would show where an end can be reached.
    pub direct: bool,
}

/// What an application may want to know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BrokerEvent {
    /// A client is there.
    Connected(ClientId),
    /// A client asked for another.
    Registered {
        /// Who asks.
        source: ClientId,
        /// Who is asked.
        target: ClientId,
    },
    /// Two clients are paired.
    Paired {
        /// The pairing.
        pairing: PairingId,
        /// Who asked for it.
        source: ClientId,
        /// Who accepted.
        target: ClientId,
    },
    /// A registration failed.
    Refused {
        /// Who asked.
        source: ClientId,
        /// Who was asked.
        target: ClientId,
        /// Why.
        code: Code,
    },
    /// Two clients are no longer paired.
    Unpaired {
        /// The pairing.
        pairing: PairingId,
        /// Who had asked for it.
        source: ClientId,
        /// Who had accepted.
        target: ClientId,
        /// Why.
        reason: EndReason,
    },
    /// A paired client lost its connection and may come back.
    Away(ClientId),
    /// A client is back.
    Back(ClientId),
    /// A client is gone.
    Disconnected(ClientId),
}

/// How many objects a broker holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// Clients that are connected, about to be, or away.
    pub clients: usize,
    /// Clients that are away.
    pub away: usize,
    /// Registrations that wait for an answer.
    pub requests: usize,
    /// Pairings, those being granted among them.
    pub pairings: usize,
}
