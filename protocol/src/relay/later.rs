//! The events of later versions of the v1 plugin, which are not served.

use serde_json::Value;

use crate::{Code, Refusal, text, wire};

/// Returns the answer to an event of later versions of the plugin, which are not served, in the form in which
/// they learn that it failed. `None` if the event is none of theirs.
pub(super) fn later_answer(event: &str) -> Option<Value> {
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
pub(super) fn later_refusal(event: &str) -> Refusal {
    let event = text::shown(event);
    let why = format!("{event:?} is of a later version of the plugin, which is not served");
    Refusal::new(Code::BadEvent, &why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::REGISTER;

    #[test]
    fn an_event_of_a_later_plugin_is_answered_in_the_form_of_its_failure() {
        assert_eq!(later_answer("P2P_REGISTER_STREAM"), Some(Value::Bool(false)));
        assert_eq!(later_answer("GET_CLIENT_CONNECTED_STATUS"), Some(Value::Null));
        assert!(later_answer("ADD_TARGET").is_some_and(|answer| answer.is_string()));
        assert_eq!(later_answer("chat"), None, "the application's");
        assert_eq!(later_answer(REGISTER), None);
    }
}
