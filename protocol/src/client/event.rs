//! Events for the application.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::ConnectFailure;
use crate::{
    ClientId, EndReason, IceWarning, PairingInfo, Path, Presence, Refusal, RoomName, RoomState,
    Welcome,
};

/// An event for the application.
///
/// It serialises as its name and its data, for example `{"event":"away"}` and
/// `{"event":"path","data":{"path":"direct","rttMs":1.5}}`.
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
    /// The client is a member of a room: it has joined, or the server had forgotten the room and knows it again.
    Joined(RoomState),
    /// The client is not a member of a room any more.
    Exited {
        /// The room.
        room: RoomName,
        /// The reason.
        reason: EndReason,
    },
    /// The server has forgotten a room, and this client will not be a member again: it may not, or there is no place.
    NotJoined {
        /// The room.
        room: RoomName,
        /// The refusal.
        refusal: Refusal,
    },
    /// A room has another member.
    MemberJoined {
        /// The room.
        room: RoomName,
        /// The pairing with the member.
        pairing: PairingInfo,
    },
    /// A room has a member less: the pairing with it has ended.
    MemberLeft {
        /// The room.
        room: RoomName,
        /// The pairing that ended.
        pairing: PairingInfo,
        /// The reason.
        reason: EndReason,
    },
    /// A member of a room lost its connection, or is back.
    Member {
        /// The room.
        room: RoomName,
        /// The member.
        member: ClientId,
        /// Its presence.
        presence: Presence,
    },
    /// Emits to a member of a room take another path from now on.
    MemberPath {
        /// The room.
        room: RoomName,
        /// The member.
        member: ClientId,
        /// The path, or `None` if there is none.
        path: Option<Path>,
        /// Its round-trip time, as far as it is known.
        #[serde(rename = "rttMs", serialize_with = "millis")]
        rtt: Option<Duration>,
    },
    /// ICE servers are left out: a direct connection is tried without them.
    IceWarning(IceWarning),
    /// The server refused something that no call waits for.
    Refused(Refusal),
    /// The connection is gone, and the client makes no other.
    Disconnected,
}

fn millis<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64() * 1_000.0).serialize(serializer)
}
