//! Every control message, in the order of PROTOCOL.md. How they are spelled is in
//! [`wire`](crate::wire); frames of a session are in [`frame`](crate::frame).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ClientId, Code, EndReason, PairingId, Refusal, ResumeToken, limits::Limits};

/// A number that a requester chose, unique on its connection. Its answer carries it.
///
/// For a v1 client it is the id of the native acknowledgement.
pub type ReqId = u64;

/// What the server says first to a v2 client.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// Version of this protocol that the server speaks.
    pub protocol: u8,
    /// The name under which the client is known.
    pub client_id: ClientId,
    /// What proves, on the next connection, that it is the same client; none if it cannot resume.
    pub resume: Option<ResumeToken>,
    /// For how long the pairing outlives the connection, in milliseconds; 0 if it does not.
    pub grace_ms: u64,
    /// Whether an earlier session goes on.
    pub resumed: bool,
    /// What the server takes.
    #[serde(default)]
    pub limits: Limits,
    /// The present pairing, if any.
    pub pairing: Option<PairingInfo>,
    /// In a session that goes on, its last pairing that ended: the client may not have heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedPairing>,
}

/// A pairing that is over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndedPairing {
    /// Which one.
    pub pairing: PairingId,
    /// Why it ended.
    pub reason: EndReason,
}

/// A pairing as one of its ends sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingInfo {
    /// Stands in every message of the pairing.
    pub id: PairingId,
    /// The other end.
    pub partner: ClientId,
    /// Whether this end asked for it. The initiator offers the direct path.
    pub initiator: bool,
    /// The dialect of the other end: 1 or 2.
    pub partner_protocol: u8,
    /// Whether a direct path may be tried.
    pub direct: bool,
}

/// A line of the list of clients.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClientEntry {
    /// Its name.
    pub id: ClientId,
    /// What it is doing.
    pub state: ClientState,
}

/// What a client is doing, for the list.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientState {
    /// It can be paired.
    Free,
    /// It has a partner.
    Paired,
    /// It has a partner and lost its connection a moment ago.
    Away,
}

/// Whether a partner's connection stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It lost its connection and may come back.
    Away,
    /// It is back.
    Back,
}

/// What a client asks of the server, whatever dialect it speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientMessage {
    /// Pair me with `target`.
    Register {
        /// Absent if a v1 client did not ask for an acknowledgement.
        req: Option<ReqId>,
        /// Whom it wants.
        target: ClientId,
        /// For the target's decision.
        payload: Option<Value>,
    },
    /// Yes to the registration `req`; a v1 client that answers by event does not say to which.
    Accept {
        /// The number under which it was asked.
        req: Option<ReqId>,
    },
    /// No to the registration `req`.
    Decline {
        /// The number under which it was asked.
        req: Option<ReqId>,
        /// Why, for people.
        reason: Option<String>,
    },
    /// End my pairing, and take back my request if one waits.
    Unregister {
        /// Absent if a v1 client did not ask for an acknowledgement.
        req: Option<ReqId>,
    },
    /// A v1 client knows now that its pairing ended.
    Released {
        /// The pairing.
        pairing: PairingId,
    },
    /// I go, and do not come back: my pairing ends at once.
    Leave,
    /// Who is there?
    List {
        /// Absent if a v1 client did not ask for an acknowledgement.
        req: Option<ReqId>,
    },
    /// Are you there?
    Ping {
        /// Comes back in the answer.
        req: ReqId,
    },
}

/// What the server tells a client, whatever dialect it speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// First of all.
    Welcome(Welcome),
    /// `source` wants to be paired with you.
    Register {
        /// The server's number for it.
        req: ReqId,
        /// Who asks.
        source: ClientId,
        /// What it says about it.
        payload: Option<Value>,
    },
    /// You are paired.
    Registered {
        /// At the source, its number.
        req: Option<ReqId>,
        /// With whom.
        pairing: PairingInfo,
    },
    /// Your registration failed.
    RegisterFailed {
        /// Its number.
        req: Option<ReqId>,
        /// Why.
        refusal: Refusal,
    },
    /// What you were asked is no longer wanted: your yes came too late.
    Withdrawn {
        /// The number under which it was asked, if it was named.
        req: Option<ReqId>,
        /// Why.
        code: Code,
    },
    /// Your pairing ended.
    Disconnect {
        /// Which one.
        pairing: PairingId,
        /// Why.
        reason: EndReason,
        /// At the end that asked for it, its number.
        req: Option<ReqId>,
    },
    /// Your `unregister` is done. Only a v1 client is told so apart from `Disconnect`.
    Unregistered {
        /// Its number.
        req: Option<ReqId>,
    },
    /// A pairing of yours ended while you were away. Only a v1 client is told so.
    Ghost,
    /// The connection of your partner went or came back.
    Partner {
        /// Which pairing.
        pairing: PairingId,
        /// What happened.
        state: Presence,
    },
    /// The clients there are.
    Clients {
        /// The number of the question.
        req: Option<ReqId>,
        /// In the order of their names.
        clients: Vec<ClientEntry>,
    },
    /// I am here.
    Pong {
        /// The number of the question.
        req: ReqId,
    },
    /// You are removed: the connection is closed, and you are not to come back by yourself.
    Farewell {
        /// Why.
        refusal: Refusal,
    },
    /// A signal was not forwarded. No frame was lost.
    SignalRefused {
        /// Why.
        refusal: Refusal,
        /// The pairing that it named, as far as it was read.
        pairing: Option<PairingId>,
    },
    /// Something was refused.
    Error {
        /// Why.
        refusal: Refusal,
        /// The number of the request, if it had one.
        req: Option<ReqId>,
        /// The pairing that the refused message named, if it named one.
        pairing: Option<PairingId>,
    },
}
