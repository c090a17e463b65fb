//! Inputs and outputs of a broker.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::Listing;
use crate::{
    ClientId, ClientMessage, Code, ConnId, Dialect, EndReason, PairingId, ReqId, RoomName,
    ServerMessage,
    limits::{CLIENTS, GRACE, LINE_TIME, Limits, ROOM_MEMBERS, ROOMS},
};

/// Settings of a broker.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// A number that distinguishes this server, since its start, from all others. Draw it at random.
    pub node: u64,
    /// The number before that of the first request which a client is asked. It must differ from
    /// start to start, so that an answer to an earlier server never answers a request of this one.
    /// Derived from `node` by default, and below 2⁵², so that JavaScript can count on from it.
    pub last_request: ReqId,
    /// The clients that may ask for the list of clients.
    pub list: ListPolicy,
    /// The limits that the welcome states.
    pub limits: Limits,
    /// The time for which the pairing of a v2 client outlives its connection; zero if it does not.
    /// 15 s by default. Otherwise from 1 ms to 100 years count.
    pub grace: Duration,
    /// The treatment of a connection whose id is in use.
    pub duplicates: DuplicatePolicy,
    /// The most clients. 100,000 by default.
    pub clients: usize,
    /// The most members of a room. 32 by default.
    pub room_members: usize,
    /// The most rooms. 100,000 by default.
    pub rooms: usize,
}

impl BrokerConfig {
    /// Returns the defaults for this node.
    #[must_use]
    pub fn new(node: u64) -> Self {
        Self {
            node,
            last_request: node >> 12,
            list: ListPolicy::default(),
            limits: Limits::default().with_line_time(LINE_TIME),
            grace: GRACE,
            duplicates: DuplicatePolicy::default(),
            clients: CLIENTS,
            room_members: ROOM_MEMBERS,
            rooms: ROOMS,
        }
    }
}

/// The treatment of a connection whose id is in use, and that does not show its resume token.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DuplicatePolicy {
    /// Refuse it with `duplicate-id`. No client can be displaced by another that claims its id.
    #[default]
    Reject,
    /// Let it take the id over. The pairing of the present client ends with `replaced`, and its
    /// connection is closed. For servers whose connections are authenticated.
    TakeOver,
}

/// The clients that may ask for the list of clients.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ListPolicy {
    /// Every v1 client, as in its library, and no v2 client.
    #[default]
    V1Only,
    /// Every client.
    All,
    /// No client.
    Nobody,
}

/// Events that a broker handles.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection that [`Broker::admit`](super::Broker::admit) let in can be written to.
    Connected(ConnId),
    /// A connection is gone.
    Disconnected(ConnId),
    /// A client sent a message.
    Received(ConnId, ClientMessage),
    /// The host does not allow this registration.
    Forbidden(ConnId, Option<ReqId>, ClientId),
    /// The answer to [`Output::Grant`].
    Granted(PairingId, Result<(), Code>),
    /// The host parts a client from its partner.
    Unpair(ClientId),
    /// The host removes a client from a room.
    RemoveFromRoom(ClientId, RoomName),
    /// The host removes a client.
    Kick(ClientId),
    /// The host removes the client that has this connection, if one still has it.
    Expel(ConnId),
    /// The host goes down.
    ShutDown,
    /// Some deadline may be due.
    Timeout,
}

/// Actions for the host, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message to a client.
    Send(ConnId, ServerMessage),
    /// Send the list of clients to a client, as the answer to the request with this number
    /// ([`Listing::message`]). If its queue is full, it misses the list and nothing more, so this may be
    /// done later, where the broker is not locked.
    List(ConnId, Option<ReqId>, Listing),
    /// Relay the messages of this connection to its partner from now on, and nowhere else. This comes
    /// again when one client of a pairing is back on another connection.
    Route(ConnId, Partner),
    /// No longer relay the messages of this connection.
    Unroute(ConnId, EndReason),
    /// Relay the messages of this connection that name this pairing of a room to this member, beside those of all
    /// other pairings. This comes again when one of the two members is back on another connection.
    RouteInRoom(ConnId, Partner),
    /// No longer relay the messages of this connection that name this pairing of a room.
    UnrouteInRoom(ConnId, PairingId),
    /// Ask the arbiter of pairings, and answer with [`Input::Granted`].
    Grant {
        /// The id of the pairing.
        pairing: PairingId,
        /// The client that asked.
        source: ClientId,
        /// The client that accepted.
        target: ClientId,
    },
    /// Close a connection, and have its client stay away: a stock client does not reconnect. The
    /// connection is forgotten already, and nothing that it says is relayed.
    Close(ConnId),
    /// End the transport of a connection once its last messages are written. To the client that is a
    /// lost connection, and it may come back. The connection is forgotten already, as with
    /// [`Self::Close`].
    HangUp(ConnId),
    /// Hand an event to the application.
    Event(BrokerEvent),
    /// Log an invariant of the broker that does not hold: a bug. The input was ignored as far as it
    /// depended on it.
    Complain(Broken),
}

/// Invariants of a broker that do not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A client is named by a connection, a request or a pairing, and does not exist.
    #[error("the client {0} does not exist")]
    NoClient(ClientId),
    /// A pairing is named by a client, and does not exist.
    #[error("the pairing {0} does not exist")]
    NoPairing(PairingId),
    /// A request is named by a client, and does not exist.
    #[error("the request {0} does not exist")]
    NoRequest(ReqId),
}

/// The partner to which the relay forwards the messages of a paired client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partner {
    /// The pairing that its messages must name.
    pub pairing: PairingId,
    /// The partner's name.
    pub client: ClientId,
    /// The partner's connection.
    pub conn: ConnId,
    /// The partner's dialect.
    pub dialect: Dialect,
    /// Whether both clients allow a direct path. If not, no signal is forwarded: it would show the
    /// addresses of a client.
    pub direct: bool,
}

/// Events for an application.
///
/// It serialises as its name and its data, for example `{"event":"away","data":"A"}` and
/// `{"event":"refused","data":{"source":"A","target":"B","code":"offline"}}`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "event", content = "data", rename_all = "camelCase")]
#[non_exhaustive]
pub enum BrokerEvent {
    /// A client connected.
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
    /// A client is a member of a room.
    Joined {
        /// The room.
        room: RoomName,
        /// The client.
        client: ClientId,
    },
    /// A client is no longer a member of a room.
    Left {
        /// The room.
        room: RoomName,
        /// The client.
        client: ClientId,
        /// The reason.
        reason: EndReason,
    },
    /// A client that is paired, is a member of a room, or has a place in a line, lost its connection and may come back.
    Away(ClientId),
    /// A client is back.
    Back(ClientId),
    /// A client is gone.
    Disconnected(ClientId),
}

impl fmt::Display for BrokerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(client) => write!(f, "{client} connected"),
            Self::Registered { source, target } => write!(f, "{source} asks for {target}"),
            Self::Paired { pairing, source, target } => {
                write!(f, "{source} and {target} are paired ({pairing})")
            }
            Self::Refused { source, target, code } => {
                write!(f, "{source} asked for {target} and is refused: {code}")
            }
            Self::Unpaired { pairing, source, target, reason } => {
                write!(f, "{source} and {target} are no longer paired ({pairing}): {reason}")
            }
            Self::Joined { room, client } => write!(f, "{client} joined the room {room}"),
            Self::Left { room, client, reason } => {
                write!(f, "{client} left the room {room}: {reason}")
            }
            Self::Away(client) => write!(f, "{client} lost its connection"),
            Self::Back(client) => write!(f, "{client} is back"),
            Self::Disconnected(client) => write!(f, "{client} disconnected"),
        }
    }
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
    /// Pairings, including those that are being granted.
    pub pairings: usize,
    /// Watches of targets.
    pub watches: usize,
    /// Rooms.
    pub rooms: usize,
    /// Pairings of rooms, one for each two members.
    pub room_pairings: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_sentence_for_an_operator() {
        let [source, target] = ["A", "B"].map(|name| name.parse::<ClientId>().unwrap());
        let pairing = PairingId::new(0x1f, 2);
        let refused = BrokerEvent::Refused {
            source: source.clone(),
            target: target.clone(),
            code: Code::Offline,
        };

        assert_eq!(refused.to_string(), "A asked for B and is refused: offline");
        let reason = EndReason::Unregistered;
        let unpaired = BrokerEvent::Unpaired { pairing, source, target, reason };
        assert_eq!(unpaired.to_string(), "A and B are no longer paired (1f-2): unregistered");
    }
}
