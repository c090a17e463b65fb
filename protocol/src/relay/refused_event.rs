//! Refused events, as their senders learn of them.

use serde_json::Value;

use crate::{
    ClientId, Code, Dialect, Refusal, ReqId, ServerMessage,
    relay::{salvage, v1_emit_error},
    wire::{self, REGISTER},
};

/// A refused event of a v1 client, which learns of it twice.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedV1 {
    /// The code of the refusal.
    pub code: Code,
    /// The argument of a `SERVER_ERROR`.
    pub error: Value,
    /// The argument of the acknowledgement, if the client asked for one.
    pub answer: Value,
}

/// A refused message for the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedRequest {
    /// The event of the message, or `None` if it is unknown.
    pub event: Option<&'static str>,
    /// The reason.
    pub refusal: Refusal,
    /// The number of the request, as far as it has one and it could be read.
    pub req: Option<ReqId>,
    /// The target of a registration, as far as it could be read.
    pub target: Option<ClientId>,
}

impl RefusedV1 {
    /// Creates the refusal of an emit. It names event and target as far as they stand at the beginning of `text`,
    /// the whole text of the packet or its beginning.
    #[must_use]
    pub fn emit(text: &str, refusal: &Refusal) -> Self {
        let answer = wire::v1_failed(refusal.code.as_str(), &refusal.message);
        Self { code: refusal.code, error: v1_emit_error(text, refusal), answer }
    }
}

impl RefusedRequest {
    /// Creates the refusal of a message, given the whole text of its packet.
    #[must_use]
    pub fn of_text(
        event: Option<&'static str>,
        text: &str,
        refusal: Refusal,
        req: Option<ReqId>,
    ) -> Self {
        let target = if event == Some(REGISTER) { salvage::target(text) } else { None };
        Self { event, refusal, req, target }
    }

    /// Returns the message that informs a client of this dialect. It names the event to a client that has no number
    /// by which it knows the message.
    #[must_use]
    pub fn message(self, to: Dialect) -> ServerMessage {
        let Self { event, refusal, req, target } = self;
        let names_none = to == Dialect::V1 || req.is_none();
        match event {
            Some(REGISTER) if to == Dialect::V1 || req.is_some() => {
                ServerMessage::RegisterFailed { req, target, refusal }
            }
            Some(event) if names_none && !refusal.message.contains(event) => {
                ServerMessage::Error { refusal: refusal.of(event), req, pairing: None }
            }
            _ => ServerMessage::Error { refusal, req, pairing: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        relay::Unread,
        wire::{
            CANCEL, LEAVE, LIST, LIST_CLIENTS, PING, REGISTER_FAILED, REGISTER_SUCCESS, UNREGISTER,
        },
    };

    #[test]
    fn a_registration_without_a_number_is_refused_as_any_other_message() {
        let is_failed = |event, to, req| {
            let refused = RefusedRequest::of_text(event, "", Code::RateLimited.into(), req);
            matches!(refused.message(to), ServerMessage::RegisterFailed { .. })
        };

        assert!(is_failed(Some(REGISTER), Dialect::V2, Some(1)));
        assert!(is_failed(Some(REGISTER), Dialect::V1, None));
        assert!(!is_failed(Some(REGISTER), Dialect::V2, None));
        assert!(!is_failed(Some(LIST), Dialect::V2, Some(1)));
        assert!(!is_failed(None, Dialect::V2, Some(1)));
    }

    #[test]
    fn a_refusal_without_a_number_names_its_event() {
        let told = |event, to, req| {
            let refused = RefusedRequest::of_text(Some(event), "", Code::RateLimited.into(), req);
            match refused.message(to) {
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
        let refused = RefusedRequest::of_text(Some(PING), "", unread.refusal(), None);
        let message = refused.message(Dialect::V2);
        let ServerMessage::Error { refusal, .. } = message else { panic!("{message:?}") };
        assert_eq!(refusal.message.matches(PING).count(), 1);
    }

    #[test]
    fn a_refused_registration_names_its_target() {
        let text = r#"["P2P_REGISTER","B"]"#;

        let refused = RefusedRequest::of_text(Some(REGISTER), text, Code::RateLimited.into(), None);

        let message = refused.message(Dialect::V1);
        let ServerMessage::RegisterFailed { target, .. } = message else { panic!("{message:?}") };
        assert_eq!(target, "B".parse().ok());
    }
}
