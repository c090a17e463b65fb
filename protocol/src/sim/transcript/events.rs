//! The events of a client, as the lines of a transcript.

use serde_json::{Value, json};

use super::{
    notes::merge,
    terms::{object, write_path, write_refusal},
};
use crate::{ClientEvent, ConnectFailure};

pub(super) fn write_event(event: &ClientEvent) -> Value {
    match event {
        ClientEvent::Connected(_) => json!({ "event": "connected" }),
        ClientEvent::Away => json!({ "event": "away" }),
        ClientEvent::ConnectError(failure) => {
            let (failure, refusal) = match failure {
                ConnectFailure::Unreachable(_) => ("unreachable", None),
                ConnectFailure::Auth(_) => ("no-auth", None),
                ConnectFailure::Refused(refusal) => ("refused", Some(refusal)),
                ConnectFailure::Welcome(refusal) => ("unreadable-welcome", Some(refusal)),
                ConnectFailure::Closed => ("closed", None),
                ConnectFailure::Timeout(_) => ("timeout", None),
            };
            object([
                ("event", Some("connect-error".into())),
                ("failure", Some(failure.into())),
                ("refusal", refusal.map(write_refusal)),
            ])
        }
        ClientEvent::Resumed(_) => json!({ "event": "resumed" }),
        ClientEvent::Restarted(_) => json!({ "event": "restarted" }),
        ClientEvent::Joined(state) => json!({ "event": "joined", "state": state }),
        ClientEvent::Exited { room, reason } => {
            json!({ "event": "exited", "room": room, "reason": reason })
        }
        ClientEvent::NotJoined { room, refusal } => {
            json!({ "event": "not-joined", "room": room, "refusal": write_refusal(refusal) })
        }
        ClientEvent::MemberJoined { room, pairing } => {
            json!({ "event": "member-joined", "room": room, "pairing": pairing })
        }
        ClientEvent::MemberLeft { room, pairing, reason } => {
            let event = "member-left";
            json!({ "event": event, "room": room, "pairing": pairing.id, "reason": reason })
        }
        ClientEvent::Member { room, member, presence } => {
            json!({ "event": "member", "room": room, "member": member, "state": presence })
        }
        ClientEvent::MemberPath { room, member, path, rtt } => {
            let mut line = json!({ "event": "member-path", "room": room, "member": member });
            merge(&mut line, write_path(*path, *rtt));
            line
        }
        ClientEvent::Paired(info) => json!({ "event": "paired", "pairing": info }),
        ClientEvent::InLine { target, place } => {
            json!({ "event": "in-line", "target": target, "place": place })
        }
        ClientEvent::Unpaired { pairing, reason } => {
            json!({ "event": "unpaired", "pairing": pairing, "reason": reason })
        }
        ClientEvent::Partner(presence) => json!({ "event": "partner", "state": presence }),
        ClientEvent::Path { path, rtt } => {
            let mut line = json!({ "event": "path" });
            merge(&mut line, write_path(*path, *rtt));
            line
        }
        ClientEvent::Reasserted(info) => json!({ "event": "reasserted", "pairing": info }),
        ClientEvent::IceWarning(warning) => json!({ "event": "ice-warning", "warning": warning }),
        ClientEvent::Refused(refusal) => {
            json!({ "event": "refused", "refusal": write_refusal(refusal) })
        }
        ClientEvent::Disconnected => json!({ "event": "disconnected" }),
    }
}
