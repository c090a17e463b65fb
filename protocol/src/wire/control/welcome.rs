//! The welcome, and the values that other messages of the server share with it.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    ClientId, Code, EndReason, PairingId, ResumeToken, RoomName,
    limits::Limits,
    wire::{WireError, handshake::Versions, labels, object},
};

/// The first message of the server to a v2 client.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// Version of this protocol that both sides speak.
    pub protocol: u8,
    /// The id under which the server knows the client.
    pub client_id: ClientId,
    /// The token that the next connection shows to resume the session; `None` if the server keeps
    /// no pairing. It is a secret: only the codec writes its text.
    pub resume: Option<ResumeToken>,
    /// Time for which the pairing outlives the connection, in milliseconds; 0 if it does not.
    pub grace_ms: u64,
    /// `true` if an earlier session continues.
    pub resumed: bool,
    /// The limits of the server.
    #[serde(default)]
    pub limits: Limits,
    /// The present pairing, if any.
    pub pairing: Option<PairingInfo>,
    /// The last pairing that ended, in a session that goes on: the client may not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedPairing>,
    /// The rooms of which the client is a member, in a session that goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "rooms")]
    pub rooms: Vec<RoomState>,
}

impl Welcome {
    /// Reads the argument of a welcome. The version comes first: the fields of a version that this
    /// client does not speak may have any shape.
    pub(super) fn read(fields: Value) -> Result<Self, WireError> {
        let protocol = fields.get("protocol").and_then(Value::as_u64);
        if protocol.is_some_and(|version| !Versions::OURS.contains(version)) {
            return Err(Code::UnsupportedProtocol.into());
        }
        object(fields)
    }

    /// Returns the argument of the welcome, with the text of the token.
    pub(super) fn to_value(&self) -> Value {
        let mut fields = serde_json::to_value(self).unwrap_or_default();
        fields["resume"] = self.resume.map(ResumeToken::reveal).into();
        fields
    }
}

/// Reads a list of rooms. Entries that this version cannot read are left out.
fn rooms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RoomState>, D::Error> {
    let Value::Array(entries) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(entries.into_iter().filter_map(|entry| object(entry).ok()).collect())
}

/// A pairing that has ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndedPairing {
    /// The pairing.
    pub pairing: PairingId,
    /// The reason for which it ended.
    pub reason: EndReason,
}

/// A pairing as one of its peers sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingInfo {
    /// The id that every message of the pairing names.
    pub id: PairingId,
    /// The id of the partner.
    pub partner: ClientId,
    /// `true` if this client asked first. The initiator offers the direct path.
    pub initiator: bool,
    /// Version of the protocol that the partner speaks: 1 for v1, 2 or more for v2.
    #[serde(deserialize_with = "version")]
    pub partner_protocol: u8,
    /// `true` if a direct path may be tried.
    pub direct: bool,
}

/// Reads the number of a version. A number that is too large for a `u8` is the largest `u8`.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    Ok(u64::deserialize(deserializer)?.try_into().unwrap_or(u8::MAX))
}

/// A room as one of its members sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RoomState {
    /// The name of the room.
    pub room: RoomName,
    /// The pairings with the other members.
    pub members: Vec<PairingInfo>,
}

/// An entry of the list of clients.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClientEntry {
    /// The client's id.
    pub id: ClientId,
    /// The client's state.
    pub state: ClientState,
}

labels! {
    /// The state of a client in the list.
    pub ClientState {
        /// The client can be paired.
        Free = "free",
        /// The client is paired.
        Paired = "paired",
        /// The client is paired, or waits in line for its target, and lost its connection a moment ago.
        Away = "away",
    }
}

labels! {
    /// The state of a target that a client watches.
    pub TargetState {
        /// The target has no connection, or is free and lost it a moment ago.
        Absent = "absent",
        /// The target can be asked.
        Free = "free",
        /// The target is paired, or about to be.
        Busy = "busy",
    }
}

labels! {
    /// The state of a partner's connection.
    pub Presence {
        /// The partner lost its connection and may come back.
        Away = "away",
        /// The partner is back.
        Back = "back",
    }
}
