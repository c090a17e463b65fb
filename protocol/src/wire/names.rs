//! Names of events, of keys of the handshake and of HTTP headers.

use crate::{Code, limits::EVENT_NAME_BYTES};

/// Version of the v2 dialect.
pub const PROTOCOL: u8 = 2;

/// Key of the client's name, in the query and in the CONNECT auth.
pub const CLIENT_ID: &str = "clientId";
/// Key of the dialect's number there.
pub const P2P: &str = "p2p";
/// Key, in the CONNECT auth, of whether a v2 client takes attachments.
pub const BINARY: &str = "binary";

/// Key, in the CONNECT auth, of whether a v2 client allows a direct path to its partner.
pub const DIRECT: &str = "direct";

/// Key, in the CONNECT auth, of the token with which a v2 client takes its session up again.
pub const RESUME: &str = "resume";

/// HTTP header by which a client whose TCP delays small messages (Nagle's algorithm) asks to be
/// acknowledged at once. Its value does not matter.
pub const QUICK_ACK: &str = "p2p-quick-ack";

/// What all events of the plugin begin with.
pub const PREFIX: &str = "P2P_";
/// v2: the server speaks first.
pub const WELCOME: &str = "P2P_WELCOME";
/// Both dialects: a source asks, a target is asked.
pub const REGISTER: &str = "P2P_REGISTER";
/// Both dialects: yes. v2 from the server: paired.
pub const REGISTER_SUCCESS: &str = "P2P_REGISTER_SUCCESS";
/// Both dialects: no.
pub const REGISTER_FAILED: &str = "P2P_REGISTER_FAILED";
/// Both dialects: end it; v1 from the server: it ended.
pub const UNREGISTER: &str = "P2P_UNREGISTER";
/// Both dialects: it ended.
pub const DISCONNECT: &str = "P2P_DISCONNECT";
/// v2: the partner's connection went or came back.
pub const PARTNER: &str = "P2P_PARTNER";
/// v2: frames of a session.
pub const FRAME: &str = "P2P_FRAME";
/// v2: a step of a WebRTC negotiation.
pub const SIGNAL: &str = "P2P_SIGNAL";
/// v2: a client goes and does not come back.
pub const LEAVE: &str = "P2P_LEAVE";
/// v2: who is there?
pub const LIST: &str = "P2P_LIST";
/// v2: these are there.
pub const CLIENTS: &str = "P2P_CLIENTS";
/// v2: are you there?
pub const PING: &str = "P2P_PING";
/// v2: I am.
pub const PONG: &str = "P2P_PONG";
/// v2: something was refused.
pub const ERROR: &str = "P2P_ERROR";
/// v1: relay an event.
pub const EMIT: &str = "P2P_EMIT";
/// v1: relay an event and its acknowledgement.
pub const EMIT_ACKNOWLEDGE: &str = "P2P_EMIT_ACKNOWLEDGE";
/// v1: who is there?
pub const LIST_CLIENTS: &str = "LIST_CLIENTS";
/// v1: something was refused.
pub const SERVER_ERROR: &str = "SERVER_ERROR";

/// What a v2 client hears from the server.
pub const TO_CLIENT: [&str; 11] = [
    WELCOME,
    REGISTER,
    REGISTER_SUCCESS,
    REGISTER_FAILED,
    DISCONNECT,
    PARTNER,
    FRAME,
    SIGNAL,
    CLIENTS,
    PONG,
    ERROR,
];

/// Names that Socket.IO keeps for itself: relayed, they would look like its own.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether an emit may carry this event.
///
/// # Errors
///
/// [`Code::BadEvent`] if it is reserved, one of the plugin's own, or too long.
pub fn check_event(event: &str) -> Result<(), Code> {
    let own = event.starts_with(PREFIX) || event == SERVER_ERROR;
    if own || RESERVED.contains(&event) || event.len() > EVENT_NAME_BYTES {
        Err(Code::BadEvent)
    } else {
        Ok(())
    }
}
