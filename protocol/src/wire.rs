//! Names of events, and control messages as events: the only place with the wire's strings.

mod client;
mod server;

use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::{Value, json};

pub use self::{
    client::{client_message, target},
    server::server_message,
};
use crate::{
    ClientMessage, Code, PairingId, Refusal, ReqId, Signal,
    limits::{self, EVENT_NAME_BYTES},
};

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

/// What one look at a text that is JSON tells of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// How deep arrays and objects are nested; [`HIDDEN`](Self::HIDDEN) if that cannot be told.
    pub depth: usize,
    /// Whether it may hold what is JSON by its grammar and yet no value for usual parsers: half a
    /// pair of surrogates, or a number beyond all floating-point numbers. Only parsing it tells.
    pub doubtful: bool,
}

impl Shape {
    /// The depth of what hides its depth: deeper than anything that is allowed.
    ///
    /// serde_json (1.0.154, with its feature `raw_value`) takes an object whose first key is a
    /// private name of its own for JSON within a string, and parses that as well, whatever it
    /// hides in its turn. Each string has a limit of depth to itself, so that 50 KiB are enough to
    /// overflow the stack.
    pub const HIDDEN: usize = 1 << 30;

    /// Looks at a text once, without parsing it.
    #[must_use]
    pub fn of(json: &str) -> Self {
        /// The largest floating-point number has 309 digits.
        const DIGITS: usize = 300;
        let mut shape = Self::default();
        let (mut depth, mut digits) = (0_usize, 0_usize);
        let mut bytes = json.bytes();
        // Whether the next string is the first key of an object.
        let mut opened = false;
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    if opened && is_private(bytes.clone()) {
                        shape.depth = Self::HIDDEN;
                    }
                    while let Some(byte) = bytes.next() {
                        match byte {
                            b'"' => break,
                            b'\\' => shape.doubtful |= bytes.next() == Some(b'u'),
                            _ => {}
                        }
                    }
                }
                b'[' | b'{' => {
                    depth += 1;
                    shape.depth = shape.depth.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            opened = byte == b'{' || opened && byte.is_ascii_whitespace();
            if byte.is_ascii_digit() {
                digits += 1;
                shape.doubtful |= digits > DIGITS;
            } else {
                // The `e` of `true` and `false` follows a letter.
                shape.doubtful |= digits > 0 && matches!(byte, b'e' | b'E');
                digits = 0;
            }
        }
        shape
    }
}

/// Whether a string begins like the private names of serde_json, however it is escaped.
fn is_private(mut string: impl Iterator<Item = u8>) -> bool {
    const PREFIX: &[u8] = b"$serde_json::private::";
    let hex = |digit: Option<u8>| char::from(digit?).to_digit(16);
    PREFIX.iter().all(|expected| match string.next() {
        // Only the long escape can stand for one of these.
        Some(b'\\') => {
            let long = string.next() == Some(b'u');
            let digits = [(); 4].map(|()| hex(string.next()));
            let code = digits.into_iter().try_fold(0, |code, digit| Some(code * 16 + digit?));
            long && code == Some(u32::from(*expected))
        }
        byte => byte == Some(*expected),
    })
}

/// How deep arrays and objects are nested in a text that is JSON.
#[must_use]
pub fn depth(json: &str) -> usize {
    Shape::of(json).depth
}

/// A message as a Socket.IO event: its name and its arguments.
pub type Event = (&'static str, Vec<Value>);

/// Why an event is no message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WireError {
    /// What to answer.
    pub refusal: Refusal,
    /// The number of the request, if one could be read.
    pub req: Option<ReqId>,
}

impl From<Code> for WireError {
    fn from(code: Code) -> Self {
        Self { refusal: code.into(), req: None }
    }
}

fn bad_args(message: &str) -> WireError {
    WireError { refusal: Refusal::new(Code::BadArgs, message), req: None }
}

/// Reads an object. Serde would take an array for the fields in their order as well.
fn object<T: DeserializeOwned>(value: Value) -> Result<T, WireError> {
    if !value.is_object() {
        return Err(bad_args("an argument is not an object"));
    }
    serde_json::from_value(value).map_err(|error| bad_args(&error.to_string()))
}

/// A signal as a Socket.IO event, in both directions.
#[must_use]
pub fn signal_event(pairing: PairingId, signal: &Signal) -> Event {
    (SIGNAL, vec![json!(pairing), signal.to_value()])
}

/// Reads the arguments of a [`SIGNAL`]: the pairing and, as it came, the signal.
///
/// # Errors
///
/// [`Code::BadArgs`].
pub fn signal(args: Vec<Value>) -> Result<(PairingId, Value), WireError> {
    let mut args = args.into_iter();
    let (Some(pairing), Some(signal)) = (args.next(), args.next()) else {
        return Err(bad_args("arguments are missing"));
    };
    let pairing = PairingId::deserialize(pairing).map_err(|error| bad_args(&error.to_string()))?;
    Ok((pairing, signal))
}

/// What a v1 client says about the registrations of others, as arguments of the event that it
/// answers with or of its acknowledgement.
///
/// `true` is yes; anything else, and nothing at all, is no.
#[must_use]
pub fn v1_answer(args: &[Value], req: Option<ReqId>) -> ClientMessage {
    if args.first() == Some(&Value::Bool(true)) {
        ClientMessage::Accept { req }
    } else {
        ClientMessage::Decline { req, reason: None }
    }
}

/// The text of a v1 [`SERVER_ERROR`].
#[must_use]
pub fn v1_error(refusal: &Refusal) -> Value {
    Value::String(format!("Error: {} ({})", limits::cut(&refusal.message), refusal.code))
}

/// The arguments of the acknowledgement of a v1 emit that was refused or got no reply.
#[must_use]
pub fn v1_failed(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": limits::cut(message) } })
}
