//! Requests to the server: reading them, and the form in which whatever is refused is answered.

use serde_json::Value;

use crate::{
    ClientId, ClientMessage, Code, Dialect, Refusal, ReqId, ServerMessage,
    limits::{JSON_DEPTH, REGISTER_PAYLOAD_BYTES, RELAYED_FRAME_BYTES},
    planted::{self, Fault},
    text,
    wire::{
        self, EMIT, EMIT_ACKNOWLEDGE, FRAME, LIST, REGISTER, REGISTER_FAILED, REGISTER_SUCCESS,
        SIGNAL, UNREGISTER, WATCH, WireError,
    },
};

/// The longest request that is read for its number although it is refused, in bytes.
const REQUEST_BYTES: usize = REGISTER_PAYLOAD_BYTES + 1024;

/// Returns true for an event of a v1 client that is acknowledged with `[]` before it is handled, if it has the
/// id of an acknowledgement: its answers to a question. A client would repeat them otherwise, and the
/// repetition would answer the next question.
#[must_use]
pub fn is_acknowledged_at_once(event: &str) -> bool {
    matches!(event, REGISTER_SUCCESS | REGISTER_FAILED) && !planted::is(Fault::IgnoreAnswerId)
}

/// The form in which a client learns that its message was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalForm {
    /// [`Refused::of_frame`](super::Refused::of_frame), with the pairing as far as it can be read.
    Frame,
    /// [`Refused::of_signal`](super::Refused::of_signal).
    Signal,
    /// `SERVER_ERROR`, and the acknowledgement of a failed emit if one is expected.
    V1Emit,
    /// [`refuse_request`], with the number of the request: that of the acknowledgement for a v1 client,
    /// otherwise [`request_number`].
    Request,
    /// [`refuse_request`], without a number: it is no request.
    Unnumbered,
}

impl RefusalForm {
    /// Returns the form for an event that is not read: it is over the rate, or too long. An unknown event of
    /// the plugin's name space is `None`.
    #[must_use]
    pub fn of_unread(event: Option<&str>, dialect: Dialect) -> Self {
        match (event, dialect) {
            (Some(FRAME), _) => Self::Frame,
            (Some(EMIT | EMIT_ACKNOWLEDGE), _) => Self::V1Emit,
            (None, dialect) => Self::unknown(dialect, Self::Unnumbered),
            (Some(_), Dialect::V1) | (Some(REGISTER | LIST | WATCH), Dialect::V2) => Self::Request,
            (Some(SIGNAL), Dialect::V2) => Self::Signal,
            (Some(_), Dialect::V2) => Self::Unnumbered,
        }
    }

    /// Returns the form for an unknown event within the rate: a v2 client of another version may wait for
    /// its answer.
    #[must_use]
    pub const fn of_unknown(dialect: Dialect) -> Self {
        Self::unknown(dialect, Self::Request)
    }

    const fn unknown(dialect: Dialect, v2: Self) -> Self {
        match dialect {
            Dialect::V1 => Self::V1Emit,
            Dialect::V2 => v2,
        }
    }
}

/// Returns the answer to an event of later versions of the plugin, which are not served, in the form in which
/// they learn that it failed. `None` if the event is none of theirs.
#[must_use]
pub fn later_answer(event: &str) -> Option<Value> {
    match event {
        // These expect `true` or `false`, and `null`.
        "P2P_REGISTER_STREAM" | "CHECK_API_NAME" => Some(Value::Bool(false)),
        "GET_CLIENT_CONNECTED_STATUS" => Some(Value::Null),
        // These take any text for the reason of a failure.
        "ADD_TARGET"
        | "CREATE_STREAM"
        | "MULTI_API_ADD_TARGET"
        | "MULTI_API_CREATE_STREAM"
        | "JOIN_ROOM"
        | "LEAVE_ROOM"
        | "EMIT_ROOM"
        | "CREATE_API"
        | "DESTROY_API"
        | "USE_API" => Some(wire::v1_error(&later_refusal(event))),
        _ => None,
    }
}

/// Returns the refusal of an event of later versions of the plugin.
#[must_use]
pub fn later_refusal(event: &str) -> Refusal {
    let event = text::shown(event);
    let why = format!("{event:?} is of a later version of the plugin, which is not served");
    Refusal::new(Code::BadEvent, &why)
}

/// Returns the refusal of an event of the plugin's name space that this version does not know.
#[must_use]
pub fn unknown_refusal(event: &str) -> Refusal {
    let why = format!("{:?} is no event that a client may send", text::shown(event));
    Refusal::new(Code::BadEvent, &why)
}

/// Returns the number of a v2 request that is refused, as far as it can be read at little cost.
#[must_use]
pub fn request_number(event: &str, text: &str) -> Option<ReqId> {
    if text.len() > REQUEST_BYTES {
        return None;
    }
    match read_request(event, text) {
        Ok(ClientMessage::Register { req, .. } | ClientMessage::List { req }) => req,
        Ok(ClientMessage::Watch { req, .. }) => Some(req),
        Ok(_) => None,
        Err(WireError { req, .. }) => req,
    }
}

/// Returns the message that answers a request that is not carried out, or any other message of a client
/// to the server. It names the event to a client that has no number by which it knows the message. `target` is
/// that of a registration, as far as it is known.
#[must_use]
pub fn refuse_request(
    event: Option<&str>,
    dialect: Dialect,
    refusal: Refusal,
    req: Option<ReqId>,
    target: Option<ClientId>,
) -> ServerMessage {
    let names_none = dialect == Dialect::V1 || req.is_none();
    match event {
        Some(REGISTER) if dialect == Dialect::V1 || req.is_some() => {
            ServerMessage::RegisterFailed { req, target, refusal }
        }
        Some(event) if names_none && !refusal.message.contains(event) => {
            ServerMessage::Error { refusal: refusal.of(event), req, pairing: None }
        }
        _ => ServerMessage::Error { refusal, req, pairing: None },
    }
}

/// Reads a message of a v2 client to the server, given the whole text of its event.
///
/// # Errors
///
/// The refusal, with the number of the request as far as it could be read.
pub fn read_request(event: &str, text: &str) -> Result<ClientMessage, WireError> {
    let args = arguments(text).map_err(|refusal| WireError { refusal, req: None })?;
    wire::client_message(event, args)
}

/// Reads a message of a v1 client to the server, given the whole text of its event and the number of its
/// acknowledgement.
///
/// # Errors
///
/// The refusal.
pub fn read_v1_request(
    event: &str,
    text: &str,
    req: Option<ReqId>,
) -> Result<ClientMessage, Refusal> {
    let args = arguments(text)?;
    Ok(match event {
        REGISTER => {
            let target = wire::target(&args)?;
            ClientMessage::Register { req, target, payload: None, consent_time: None, wait: None }
        }
        REGISTER_SUCCESS => ClientMessage::Accept { req: None },
        REGISTER_FAILED => ClientMessage::Decline { req: None, reason: None },
        UNREGISTER => ClientMessage::Unregister { req },
        _ => ClientMessage::List { req },
    })
}

/// Reads the arguments of an event, without its name.
fn arguments(text: &str) -> Result<Vec<Value>, Refusal> {
    if text.len() > RELAYED_FRAME_BYTES || wire::depth(text) > JSON_DEPTH {
        return Err(Code::TooLarge.into());
    }
    let mut args: Vec<Value> =
        serde_json::from_str(text).map_err(|error| Refusal::unreadable(&error))?;
    if !args.is_empty() {
        args.remove(0);
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        relay::Unread,
        wire::{CANCEL, LEAVE, LIST_CLIENTS, PING},
    };

    #[test]
    fn a_message_over_the_rate_is_refused_in_the_form_in_which_its_event_is_answered() {
        use RefusalForm::{Frame, Request, Signal, Unnumbered, V1Emit};

        let form = |event, dialect| RefusalForm::of_unread(event, dialect);
        for event in [REGISTER, REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, LIST_CLIENTS] {
            assert_eq!(form(Some(event), Dialect::V1), Request, "{event}");
        }
        for event in [EMIT, EMIT_ACKNOWLEDGE] {
            assert_eq!(form(Some(event), Dialect::V1), V1Emit, "{event}");
        }
        for (event, expected) in [
            (FRAME, Frame),
            (SIGNAL, Signal),
            (REGISTER, Request),
            (LIST, Request),
            (WATCH, Request),
        ] {
            assert_eq!(form(Some(event), Dialect::V2), expected, "{event}");
        }
        for event in [REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, LEAVE, PING, CANCEL] {
            assert_eq!(form(Some(event), Dialect::V2), Unnumbered, "{event}");
        }
        assert_eq!(
            [Dialect::V1, Dialect::V2].map(|dialect| form(None, dialect)),
            [V1Emit, Unnumbered]
        );
    }

    #[test]
    fn the_number_of_a_refused_request_is_read_unless_the_request_is_too_long() {
        let request = |padding: usize| {
            let payload = " ".repeat(padding);
            format!(r#"["P2P_REGISTER","b",{{"req":7,"payload":"{payload}"}}]"#)
        };

        assert_eq!(request_number(REGISTER, &request(0)), Some(7));
        assert_eq!(request_number(REGISTER, &request(REQUEST_BYTES)), None);
        assert_eq!(request_number(LIST, r#"["P2P_LIST",{"req":8}]"#), Some(8));
        assert_eq!(request_number(WATCH, r#"["P2P_WATCH","b",{"req":6}]"#), Some(6));
        assert_eq!(request_number("P2P_NOVEL", r#"["P2P_NOVEL",{"req":9}]"#), Some(9));
        assert_eq!(request_number(LIST, r#"["P2P_LIST""#), None);
    }

    #[test]
    fn an_event_of_a_later_plugin_is_answered_in_the_form_of_its_failure() {
        assert_eq!(later_answer("P2P_REGISTER_STREAM"), Some(Value::Bool(false)));
        assert_eq!(later_answer("GET_CLIENT_CONNECTED_STATUS"), Some(Value::Null));
        assert!(later_answer("ADD_TARGET").is_some_and(|answer| answer.is_string()));
        assert_eq!(later_answer("chat"), None, "the application's");
        assert_eq!(later_answer(REGISTER), None);
    }

    #[test]
    fn a_registration_without_a_number_is_refused_as_any_other_message() {
        let refuse = |event, dialect, req| {
            let refusal = Code::RateLimited.into();
            matches!(
                refuse_request(event, dialect, refusal, req, None),
                ServerMessage::RegisterFailed { .. }
            )
        };

        assert!(refuse(Some(REGISTER), Dialect::V2, Some(1)));
        assert!(refuse(Some(REGISTER), Dialect::V1, None));
        assert!(!refuse(Some(REGISTER), Dialect::V2, None));
        assert!(!refuse(Some(LIST), Dialect::V2, Some(1)));
        assert!(!refuse(None, Dialect::V2, Some(1)));
    }

    #[test]
    fn a_refusal_without_a_number_names_its_event() {
        let told = |event, dialect, req| {
            let refusal = Code::RateLimited.into();
            match refuse_request(Some(event), dialect, refusal, req, None) {
                ServerMessage::Error { refusal, .. } => refusal.message.starts_with(event),
                _ => false,
            }
        };

        for event in [UNREGISTER, LIST_CLIENTS, REGISTER_SUCCESS, REGISTER_FAILED] {
            assert!(told(event, Dialect::V1, Some(1)) && told(event, Dialect::V1, None), "{event}");
        }
        for event in [REGISTER, UNREGISTER, CANCEL, LEAVE, PING] {
            assert!(told(event, Dialect::V2, None), "{event}");
        }
        assert!(!told(LIST, Dialect::V2, Some(1)), "it has its number");
        let unread = Unread { event: PING.to_owned(), bytes: 700_000, ..Unread::default() };
        let refused = refuse_request(Some(PING), Dialect::V2, unread.refusal(), None, None);
        let ServerMessage::Error { refusal, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(refusal.message.matches(PING).count(), 1);
    }
}
