//! The lines that the `peer` example reads and writes.

use std::io::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketio_p2p_client::{ConnectFailure, Event, Incoming, Presence, Reply};

/// A line on stdin.
#[derive(Deserialize)]
#[serde(tag = "cmd", rename_all = "lowercase")]
pub(crate) enum Command {
    Register {
        target: String,
        #[serde(default)]
        payload: Option<Value>,
    },
    #[serde(rename_all = "camelCase")]
    Emit2 {
        /// An id that the outcome carries, too.
        #[serde(default)]
        id: Value,
        event: String,
        #[serde(default)]
        args: Vec<Value>,
        #[serde(default)]
        ack: bool,
        #[serde(default)]
        timeout_ms: Option<u64>,
    },
    Unregister,
    /// Joins a room whose members are all connected.
    Join {
        room: String,
    },
    /// Emits an event to all members of a room, which this client joins if it is none.
    Broadcast {
        /// An id that each outcome carries, too.
        #[serde(default)]
        id: Value,
        room: String,
        event: String,
        #[serde(default)]
        args: Vec<Value>,
    },
    List,
    Quit,
}

/// A line on stdout.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Line<'a> {
    #[serde(rename_all = "camelCase")]
    Connected {
        client_id: &'a str,
    },
    Paired {
        partner: &'a str,
        pairing: String,
    },
    Refused {
        target: &'a str,
        code: &'a str,
    },
    Joined {
        room: &'a str,
        members: Vec<&'a str>,
    },
    Reply {
        id: &'a Value,
        /// The first argument of the reply.
        value: Value,
        /// All arguments, if there is not exactly one.
        #[serde(skip_serializing_if = "Option::is_none")]
        values: Option<Vec<Value>>,
        /// The blobs that the placeholders represent.
        #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "hex")]
        blobs: Vec<Bytes>,
        path: String,
    },
    Failed {
        id: &'a Value,
        outcome: &'static str,
        code: &'a str,
    },
    Sent {
        id: &'a Value,
    },
    Incoming {
        from: &'a str,
        name: &'a str,
        args: Vec<Value>,
        /// The blobs that the placeholders represent.
        #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "hex")]
        blobs: Vec<Bytes>,
    },
    Unpaired {
        reason: &'a str,
    },
    /// The connection is lost, and another is being made.
    Away,
    /// There is another connection, and the session continues.
    Resumed,
    /// There is another connection, and the session is a new one.
    Restarted,
    /// Emits take another path; `None` if there is none at present.
    #[serde(rename_all = "camelCase")]
    Path {
        path: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rtt_ms: Option<f64>,
    },
    /// The partner lost its connection, or is back.
    Partner {
        state: Presence,
    },
    /// An ICE server is left out.
    #[serde(rename = "ice-warning")]
    IceWarning {
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<&'a str>,
        code: &'a str,
        message: String,
    },
    Clients {
        clients: &'a [&'a str],
    },
    Error {
        code: &'a str,
        message: &'a str,
    },
}

impl<'a> Line<'a> {
    pub(crate) fn incoming(msg: &'a Incoming) -> Self {
        Self::Incoming {
            from: msg.from().as_str(),
            name: msg.event(),
            args: msg.values(),
            blobs: msg.blobs().to_vec(),
        }
    }

    pub(crate) fn reply(id: &'a Value, reply: &Reply) -> Self {
        let values = reply.values();
        Self::Reply {
            id,
            value: values.first().cloned().unwrap_or_default(),
            values: (values.len() != 1).then_some(values),
            blobs: reply.blobs().to_vec(),
            path: reply.path().to_string(),
        }
    }

    /// The line for an event, if there is one.
    pub(crate) fn of_event(event: &'a Event) -> Option<Self> {
        match event {
            Event::Paired(info) => {
                Some(Self::Paired { partner: info.partner.as_str(), pairing: info.id.to_string() })
            }
            Event::Unpaired { reason, .. } => Some(Self::Unpaired { reason: reason.as_str() }),
            Event::Away => Some(Self::Away),
            Event::Resumed(_) => Some(Self::Resumed),
            Event::Restarted(_) => Some(Self::Restarted),
            Event::Path { path, rtt } => Some(Self::Path {
                path: path.map(|path| path.to_string()),
                rtt_ms: rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0),
            }),
            Event::Partner(state) => Some(Self::Partner { state: *state }),
            Event::IceWarning(warning) => Some(Self::IceWarning {
                server: warning.server(),
                code: warning.code(),
                message: warning.to_string(),
            }),
            Event::ConnectError(failure) if failure.is_retryable() => None,
            Event::Refused(refusal) | Event::ConnectError(ConnectFailure::Refused(refusal)) => {
                Some(Self::Error { code: refusal.code.as_str(), message: &refusal.message })
            }
            _ => None,
        }
    }
}

/// Blobs as hexadecimal digits.
fn hex<S: serde::Serializer>(blobs: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
    let digits = |blob: &Bytes| blob.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    serializer.collect_seq(blobs.iter().map(digits))
}

/// Writes a line. An error means that stdout is not read any more, and is ignored.
pub(crate) fn say(line: &Line<'_>) {
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).ok();
}
