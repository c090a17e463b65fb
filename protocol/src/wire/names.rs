//! Names of events, of keys of the handshake and of HTTP headers.

use crate::{Code, limits::EVENT_NAME_BYTES};

/// Version of the v2 dialect.
pub const PROTOCOL: u8 = 2;

/// Key of the client's id, in the CONNECT auth and in the query.
pub const CLIENT_ID: &str = "clientId";
/// Key of the highest version that the client speaks, in the CONNECT auth and in the query.
pub const P2P: &str = "p2p";
/// Key of the lowest version that the client speaks, there as well.
pub const P2P_MIN: &str = "p2pMin";
/// Key in the CONNECT auth: a v2 client takes attachments.
pub const BINARY: &str = "binary";
/// Key in the CONNECT auth: a v2 client allows a direct path to its partner.
pub const DIRECT: &str = "direct";
/// Key in the CONNECT auth: the token by which a v2 client resumes its session.
pub const RESUME: &str = "resume";

/// HTTP header by which a client whose TCP delays small messages (Nagle's algorithm) asks to be
/// acknowledged at once. Its value does not matter.
pub const QUICK_ACK: &str = "p2p-quick-ack";

/// Prefix of the plugin's events.
pub const PREFIX: &str = "P2P_";

/// The event that takes the place of one that is too long to be read. It never travels between hosts. See
/// [`Unread`](crate::relay::Unread).
pub const TOO_LARGE: &str = "P2P_TOO_LARGE";
/// v2: first message of the server.
pub const WELCOME: &str = "P2P_WELCOME";
/// Both dialects: request of a source, and question to a target.
pub const REGISTER: &str = "P2P_REGISTER";
/// Both dialects: consent of a target. v2: the pairing, from the server.
pub const REGISTER_SUCCESS: &str = "P2P_REGISTER_SUCCESS";
/// Both dialects: refusal of a target, or of the server.
pub const REGISTER_FAILED: &str = "P2P_REGISTER_FAILED";
/// Both dialects: request to end the pairing. v1: its end, from the server.
pub const UNREGISTER: &str = "P2P_UNREGISTER";
/// Both dialects: end of a pairing.
pub const DISCONNECT: &str = "P2P_DISCONNECT";
/// v2: state of the partner's connection.
pub const PARTNER: &str = "P2P_PARTNER";
/// v2: frames of a session.
pub const FRAME: &str = "P2P_FRAME";
/// v2: step of a WebRTC negotiation.
pub const SIGNAL: &str = "P2P_SIGNAL";
/// v2: a client leaves and does not come back.
pub const LEAVE: &str = "P2P_LEAVE";
/// v2: request to be a member of a room.
pub const JOIN: &str = "P2P_JOIN";
/// v2: a client is a member of a room, with its pairings.
pub const JOINED: &str = "P2P_JOINED";
/// v2: a new member of a room, with the pairing with it.
pub const MEMBER: &str = "P2P_MEMBER";
/// v2: request to be a member of a room no longer.
pub const EXIT: &str = "P2P_EXIT";
/// v2: a client is no longer a member of a room.
pub const EXITED: &str = "P2P_EXITED";
/// v2: request for the list of clients.
pub const LIST: &str = "P2P_LIST";
/// v2: list of clients.
pub const CLIENTS: &str = "P2P_CLIENTS";
/// v2: request for the state of a target.
pub const WATCH: &str = "P2P_WATCH";
/// v2: place of a registration in the line of its target.
pub const LINE: &str = "P2P_LINE";
/// v2: end of a request that goes on.
pub const CANCEL: &str = "P2P_CANCEL";
/// v2: state of a target that the client watches.
pub const TARGET: &str = "P2P_TARGET";
/// v2: heartbeat of a client.
pub const PING: &str = "P2P_PING";
/// v2: answer to a heartbeat.
pub const PONG: &str = "P2P_PONG";
/// v2: refusal.
pub const ERROR: &str = "P2P_ERROR";
/// v1: event for the partner.
pub const EMIT: &str = "P2P_EMIT";
/// v1: event for the partner, whose acknowledgement is relayed.
pub const EMIT_ACKNOWLEDGE: &str = "P2P_EMIT_ACKNOWLEDGE";
/// v1: request for the list of clients.
pub const LIST_CLIENTS: &str = "LIST_CLIENTS";
/// v1: refusal.
pub const SERVER_ERROR: &str = "SERVER_ERROR";

/// Events that the server sends to a v2 client.
pub const TO_CLIENT: [&str; 16] = [
    WELCOME,
    REGISTER,
    REGISTER_SUCCESS,
    REGISTER_FAILED,
    DISCONNECT,
    PARTNER,
    FRAME,
    SIGNAL,
    CLIENTS,
    TARGET,
    LINE,
    JOINED,
    MEMBER,
    EXITED,
    PONG,
    ERROR,
];

/// Names that Socket.IO reserves: a relayed event with such a name would look like its own.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Checks the name of an emitted event.
///
/// # Errors
///
/// [`Code::BadEvent`] if the name is reserved, one of the plugin's own, or too long.
pub fn check_event(event: &str) -> Result<(), Code> {
    let own = event.starts_with(PREFIX) || event == SERVER_ERROR;
    if own || RESERVED.contains(&event) || event.len() > EVENT_NAME_BYTES {
        Err(Code::BadEvent)
    } else {
        Ok(())
    }
}
