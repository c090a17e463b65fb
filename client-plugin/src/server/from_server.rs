//! rust_socketio's callbacks as events, and these events as inputs of the client.

use rust_socketio::Payload;
use serde_json::Value;
use socketio_p2p_protocol::{
    Code, Refusal,
    client::Input,
    wire::{PREFIX, TO_CLIENT},
};

/// The beginning of rust_socketio's text for a refused CONNECT.
const CONNECT_ERROR: &str = "Received an ConnectError frame: ";

/// An event of the connection to the server.
#[derive(Debug)]
pub(crate) enum FromServer {
    /// One of the plugin's events.
    Event(&'static str, Vec<Value>),
    /// An event of the plugin's own name space that this version does not know.
    Unknown,
    /// The server refused the connection, with this message.
    Refused(String),
    /// A failure: the connection may be lost.
    Failed(String),
    /// The server closed the connection.
    Closed,
    /// rust_socketio's own reconnect waits at its gate: what follows belongs to another connection.
    AtGate,
}

impl FromServer {
    /// Reads the plugin's event of this name.
    pub(super) fn event(name: &'static str, payload: Payload) -> Self {
        Self::Event(name, values(payload))
    }

    /// Returns an event of this name if it is one of the plugin's own name space that this version does not
    /// know.
    pub(super) fn unknown(name: &str) -> Option<Self> {
        (name.starts_with(PREFIX) && !TO_CLIENT.contains(&name)).then_some(Self::Unknown)
    }

    /// Reads rust_socketio's `error` event.
    pub(super) fn error(payload: Payload) -> Self {
        let text = match values(payload).into_iter().next() {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let Some(refused) = text.strip_prefix(CONNECT_ERROR) else {
            return Self::Failed(text);
        };
        let message = serde_json::from_str::<Value>(refused).ok().and_then(|fields| {
            // Older servers send the message itself.
            fields.get("message").unwrap_or(&fields).as_str().map(ToOwned::to_owned)
        });
        Self::Refused(message.unwrap_or_else(|| refused.to_owned()))
    }

    /// Returns the event as an input of the client.
    pub(crate) fn into_input(self) -> Input {
        match self {
            Self::Event(event, args) => Input::of_event(event, args),
            Self::Unknown => Input::Garbled(Code::BadEvent.into()),
            Self::Closed | Self::AtGate => Input::Lost,
            Self::Refused(message) => Input::Rejected(refusal(&message)),
            Self::Failed(message) => {
                // The connection may still work. If it does not, writing fails, or nothing is received
                // any more.
                tracing::debug!(message, "rust_socketio reports an error");
                Input::Suspected
            }
        }
    }
}

/// Returns the refusal of a connection. A text that is no known code may be that of a later version, or of
/// the application's own middleware on the server: it is kept, and also as the code, which is cut.
fn refusal(message: &str) -> Refusal {
    match Code::from(message) {
        code @ Code::Other(_) => Refusal::new(code, message),
        code => code.into(),
    }
}

fn values(payload: Payload) -> Vec<Value> {
    match payload {
        Payload::Text(values) => values,
        // An attachment. No server that keeps to the protocol sends one to a v2 client.
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_told_from_other_failures() {
        let text = format!("{CONNECT_ERROR}{{\"message\":\"duplicate-id\"}}");
        let refused = FromServer::error(text.into());
        assert!(matches!(refused, FromServer::Refused(message) if message == "duplicate-id"));

        let other = FromServer::error("EngineIO Error".into());
        assert!(matches!(other, FromServer::Failed(text) if text == "EngineIO Error"));
    }

    #[test]
    fn the_text_with_which_a_server_refuses_a_connection_is_kept() {
        let refused = |text: &str| match FromServer::Refused(text.to_owned()).into_input() {
            Input::Rejected(refusal) => refusal,
            other => panic!("{other:?}"),
        };

        assert_eq!(refused("duplicate-id"), Code::DuplicateId.into());
        let text = "closed on Sundays, and on all other days after six";
        let refusal = refused(text);
        assert_eq!((refusal.code.as_str(), &*refusal.message), (&text[..30], text));
    }

    #[test]
    fn an_event_of_the_plugins_name_space_that_is_not_known_is_forwarded_without_its_content() {
        assert!(matches!(FromServer::unknown("P2P_NOVEL"), Some(FromServer::Unknown)));
        for event in TO_CLIENT.into_iter().chain(["novel", "message"]) {
            assert!(FromServer::unknown(event).is_none(), "{event}");
        }
    }
}
