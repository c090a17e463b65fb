//! The events of a client.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

use super::ConnectFailure;
use crate::{ClientId, EndReason, IceWarning, PairingInfo, Path, Presence, Refusal, Welcome};

/// An event for the application.
///
/// It serialises as its name and its data, for example `{"event":"away"}` and
/// `{"event":"path","data":{"path":"direct","rttMs":1.5}}`. Its text is one line for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", content = "data", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server's welcome, without its resume token: the client can be used.
    Connected(Welcome),
    /// The connection is lost, and another is being made. Calls under way and the pairing wait for
    /// it.
    Away,
    /// An attempt to connect failed. The next one follows if another attempt can succeed
    /// ([`ConnectFailure::is_retryable`]); otherwise, and if it was the first, the client is closed.
    ConnectError(ConnectFailure),
    /// There is another connection, and the session goes on. The resume token is left out.
    Resumed(Welcome),
    /// There is another connection, and the server does not know the session any more: this is a new
    /// one. The pairing has ended, and [`Self::Unpaired`] follows, unless the direct path keeps it: then
    /// [`Self::Reasserted`] follows. The resume token is left out.
    Restarted(Welcome),
    /// The client is paired.
    Paired(PairingInfo),
    /// A registration waits for a busy target, and has another place in the line than before.
    InLine {
        /// The target.
        target: ClientId,
        /// The place: 1 for the next; 0 once the target is asked for its consent.
        place: usize,
    },
    /// The client is not paired any more.
    Unpaired {
        /// The pairing that ended.
        pairing: PairingInfo,
        /// The reason.
        reason: EndReason,
    },
    /// The partner lost its connection, or is back.
    Partner(Presence),
    /// Emits take another path from now on. If a direct path may be tried, the last of these events
    /// is always true. Before the first, emits take the relay, or under `DirectOnly` no path.
    Path {
        /// The path, or `None` if there is none.
        path: Option<Path>,
        /// Its round-trip time, as far as it is known.
        #[serde(rename = "rttMs", serialize_with = "millis")]
        rtt: Option<Duration>,
    },
    /// The server knows the pairing again, by this name, after it had forgotten it while the two peers
    /// talked on.
    Reasserted(PairingInfo),
    /// ICE servers are left out: a direct connection is tried without them.
    IceWarning(IceWarning),
    /// The server refused something that no call waits for.
    Refused(Refusal),
    /// The connection is gone, and the client makes no other.
    Disconnected,
}

impl fmt::Display for ClientEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(welcome) => write!(f, "connected as {}", welcome.client_id),
            Self::Away => f.write_str("the connection is lost, and another is being made"),
            Self::ConnectError(why) => write!(f, "an attempt to connect failed: {why}"),
            Self::Resumed(_) => f.write_str("connected again, and the session goes on"),
            Self::Restarted(_) => {
                f.write_str("connected again, and the server does not know the session any more")
            }
            Self::Paired(pairing) => write!(f, "paired with {}", pairing.partner),
            Self::InLine { target, place: 0 } => write!(f, "{target} is asked for its consent"),
            Self::InLine { target, place } => write!(f, "in line for {target}, place {place}"),
            Self::Unpaired { pairing, reason } => {
                write!(f, "no longer paired with {}: {reason}", pairing.partner)
            }
            Self::Partner(Presence::Away) => f.write_str("the partner lost its connection"),
            Self::Partner(Presence::Back) => f.write_str("the partner is back"),
            Self::Partner(state) => write!(f, "the partner is {state}"),
            Self::Path { path: Some(path), rtt: None } => write!(f, "emits take the path {path}"),
            Self::Path { path: Some(path), rtt: Some(rtt) } => {
                write!(f, "emits take the path {path}, with a round trip of {rtt:.1?}")
            }
            Self::Path { path: None, .. } => f.write_str("emits have no path"),
            Self::Reasserted(pairing) => {
                write!(f, "the server knows the pairing with {} again", pairing.partner)
            }
            Self::IceWarning(warning) => warning.fmt(f),
            Self::Refused(refusal) => write!(f, "the server refused: {refusal}"),
            Self::Disconnected => f.write_str("disconnected, and no other connection is made"),
        }
    }
}

fn millis<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64() * 1_000.0).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PairingId;

    #[test]
    fn an_event_is_a_sentence_for_people() {
        let id: ClientId = "B".parse().unwrap();
        let pairing = PairingInfo {
            id: PairingId::new(1, 2),
            partner: id.clone(),
            initiator: true,
            partner_protocol: 2,
            direct: true,
        };
        let reason = EndReason::Disconnected;
        let rtt = Some(Duration::from_micros(1_540));
        let events = [
            (ClientEvent::Paired(pairing.clone()), "paired with B"),
            (ClientEvent::Unpaired { pairing, reason }, "no longer paired with B: disconnected"),
            (ClientEvent::InLine { target: id.clone(), place: 3 }, "in line for B, place 3"),
            (ClientEvent::InLine { target: id, place: 0 }, "B is asked for its consent"),
            (
                ClientEvent::Path { path: Some(Path::Direct), rtt },
                "emits take the path direct, with a round trip of 1.5ms",
            ),
            (ClientEvent::Path { path: None, rtt: None }, "emits have no path"),
            (ClientEvent::Partner(Presence::Away), "the partner lost its connection"),
            (
                ClientEvent::ConnectError(ConnectFailure::Unreachable("no route".into())),
                "an attempt to connect failed: no connection to the server: no route",
            ),
        ];
        for (event, text) in events {
            assert_eq!(event.to_string(), text);
        }
    }
}
