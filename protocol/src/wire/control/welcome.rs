//! The welcome, and the values that other messages of the server share with it.

use serde::{Deserialize, Serialize};

use crate::{ClientId, EndReason, PairingId, ResumeToken, limits::Limits};

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
