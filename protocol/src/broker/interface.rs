//! The inputs and outputs of a broker, and its settings.

use std::time::Duration;

use crate::{
    ClientId, ClientMessage, Code, ConnId, Dialect, EndReason, PairingId, ReqId, ResumeToken,
    ServerMessage,
    limits::{CLIENTS, GRACE, Limits},
};

/// The settings of a broker.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// Tells this server, since its start, from all others. Draw it at random.
    pub node: u64,
    /// The clients that may ask for the list of clients.
    pub list: ListPolicy,
    /// The limits that the welcome states.
    pub limits: Limits,
    /// The time for which the pairing of a v2 client outlives its connection; zero if it does not.
    /// 15 s by default.
    pub grace: Duration,
    /// The treatment of a connection whose id is in use.
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

/// The treatment of a connection whose id is in use and that does not show its resume token.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DuplicatePolicy {
    /// It is refused: `duplicate-id`. Nobody can push a client out by its name.
    #[default]
    Reject,
    /// It takes the id over: the pairing of the one before ends with `replaced`, and its
    /// connection is closed. Only where connections are authenticated.
    TakeOver,
}

/// The properties of a new connection, as verified by the host.
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

    /// Sets whether it allows a direct path to a partner; a v1 client has none. `false` by default.
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

/// The clients that may ask for the list of clients.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ListPolicy {
    /// Every v1 client, as its library has it; no v2 client.
    #[default]
    V1Only,
    /// Every client.
    All,
    /// No client.
    Nobody,
}

/// An input of a broker.
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
    /// The host removes the client that has this connection, if one still does.
    Expel(ConnId),
    /// The host goes down.
    ShutDown,
    /// Some deadline may be due.
    Timeout,
}

/// An output of a broker. Outputs are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell a client something.
    Send(ConnId, ServerMessage),
    /// From now on relay what this connection sends to its partner, and nowhere else. A pairing
    /// has it again when one of its ends is back on another connection.
    Route(ConnId, Partner),
    /// No longer relay what this connection sends.
    Unroute(ConnId, EndReason),
    /// Ask the arbiter of pairings, and answer with [`Input::Granted`].
    Grant {
        /// The id that the pairing will have.
        pairing: PairingId,
        /// The client that asked.
        source: ClientId,
        /// The client that accepted.
        target: ClientId,
    },
    /// Close a connection; it is forgotten already, and nothing that it says is relayed.
    Close(ConnId),
    /// Tell the application.
    Event(BrokerEvent),
}

/// The partner to which the relay forwards the messages of a paired client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partner {
    /// The pairing that its messages must name.
    pub pairing: PairingId,
    /// The other end.
    pub client: ClientId,
    /// The other end's connection.
    pub conn: ConnId,
    /// The dialect of the other end.
    pub dialect: Dialect,
    /// Set if both ends allow a direct path. If not, no signal is forwarded between them: it would
    /// show the address of an end.
    pub direct: bool,
}

/// An event for the application.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BrokerEvent {
    /// A client is there.
    Connected(ClientId),
    /// A client asked for another.
    Registered {
        /// The client that asks.
        source: ClientId,
        /// The client that is asked.
        target: ClientId,
    },
    /// Two clients are paired.
    Paired {
        /// The pairing.
        pairing: PairingId,
        /// The client that asked for it.
        source: ClientId,
        /// The client that accepted.
        target: ClientId,
    },
    /// A registration failed.
    Refused {
        /// The client that asked.
        source: ClientId,
        /// The client that was asked.
        target: ClientId,
        /// The reason.
        code: Code,
    },
    /// Two clients are no longer paired.
    Unpaired {
        /// The pairing.
        pairing: PairingId,
        /// The client that had asked for it.
        source: ClientId,
        /// The client that had accepted.
        target: ClientId,
        /// The reason.
        reason: EndReason,
    },
    /// A paired client lost its connection and may come back.
    Away(ClientId),
    /// A client is back.
    Back(ClientId),
    /// A client is gone.
    Disconnected(ClientId),
}

/// The numbers of objects that a broker holds.
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
