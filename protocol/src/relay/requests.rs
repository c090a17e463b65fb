//! Requests to the server, as they are read.

use serde_json::Value;

use crate::{
    ClientMessage, Code, Refusal, ReqId,
    limits::{JSON_DEPTH, REGISTER_PAYLOAD_BYTES, RELAYED_FRAME_BYTES},
    planted::{self, Fault},
    wire::{self, REGISTER, REGISTER_FAILED, REGISTER_SUCCESS, UNREGISTER, WireError},
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

/// Returns the number of a v2 request that is refused, as far as it can be read at little cost.
#[must_use]
pub fn request_number(event: &str, text: &str) -> Option<ReqId> {
    if text.len() > REQUEST_BYTES {
        return None;
    }
    match read_request(event, text) {
        Ok(ClientMessage::Register { req, .. } | ClientMessage::List { req }) => req,
        Ok(ClientMessage::Watch { req, .. } | ClientMessage::Join { req, .. }) => Some(req),
        Ok(_) => None,
        Err(WireError { req, .. }) => req,
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
    use crate::wire::{LIST, WATCH};

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
}
