//! The forms in which clients learn that an event was refused.

use bytes::Bytes;
use serde_json::Value;

use crate::{
    ClientId, Code, Dialect, PairingId, Refusal, ReqId, ServerMessage,
    relay::{
        Inbound, OverRate, Refused, Unread,
        later::{later_answer, later_refusal},
        request_number, salvage, v1_emit_error,
    },
    text,
    wire::{self, JOIN, LIST, REGISTER, WATCH},
};

/// The refusal of a connection that did not say which client it is.
const NO_ID: &str = "this connection has no client id: set clientId in the query or in the auth";

/// The refusal of an event, in the form in which its sender learns of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// The refusal of frames: [`Refused::of_frame`].
    Frame(Refused),
    /// The refusal of a signal: [`Refused::of_signal`].
    Signal(Refused),
    /// The refusal of what a v1 client emits, or does not know.
    V1(RefusedV1),
    /// The refusal of a message for the server: [`RefusedRequest::message`].
    Request(RefusedRequest),
}

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

/// An event as it came.
#[derive(Clone, Copy, Debug)]
pub struct RawEvent<'a> {
    /// The whole text of its packet.
    pub text: &'a str,
    /// Its attachments.
    pub attachments: &'a [Bytes],
    /// The id of the acknowledgement that its sender asked for.
    pub ack: Option<ReqId>,
}

impl Rejection {
    /// Returns the refusal of an event that is over its sender's rates. As little of it is read as possible.
    #[must_use]
    pub fn over_rate(event: Inbound, from: Dialect, raw: &RawEvent<'_>) -> Self {
        let pairing = || salvage::pairing(raw.text, raw.attachments);
        Self::of_unread(event, from, Code::RateLimited.into(), pairing, raw)
    }

    /// Returns the refusal of an event that was too long to be read. It counts towards the rates with all its bytes;
    /// `over_rate` is what becomes of it if its sender is over them.
    #[must_use]
    pub fn too_large(
        unread: &Unread,
        from: Dialect,
        over_rate: Option<OverRate>,
        ack: Option<ReqId>,
    ) -> Self {
        let refusal = match over_rate {
            None | Some(OverRate::Wait) => unread.refusal(),
            Some(OverRate::CarryOut | OverRate::Refuse) => Code::RateLimited.into(),
        };
        let raw = RawEvent { text: &unread.start, attachments: &[], ack };
        let event = Inbound::named(&unread.event, from);
        Self::of_unread(event, from, refusal, || unread.pairing, &raw)
    }

    /// Returns the refusal of an event of the plugin's name space, or of a later version, that is unknown. A v2 client
    /// of another version may wait for its answer.
    #[must_use]
    pub fn unknown(from: Dialect, raw: &RawEvent<'_>) -> Self {
        let event = salvage::event(raw.text).unwrap_or_default();
        if from == Dialect::V1
            && let Some(answer) = later_answer(&event)
        {
            let refusal = later_refusal(&event);
            let error = wire::v1_error(&refusal);
            return Self::V1(RefusedV1 { code: refusal.code, error, answer });
        }
        let refusal = unknown_refusal(&event);
        match from {
            Dialect::V1 => Self::V1(RefusedV1::emit(raw.text, &refusal)),
            Dialect::V2 => {
                let req = request_number(&event, raw.text);
                Self::Request(RefusedRequest { event: None, refusal, req, target: None })
            }
        }
    }

    /// Returns the refusal of an event from a connection that is no client's, if a v1 client would wait for its
    /// answer. `None` for others: they may be the application's.
    #[must_use]
    pub fn of_stranger(raw: &RawEvent<'_>) -> Option<Self> {
        let event = Inbound::named(&salvage::event(raw.text)?, Dialect::V1);
        let refusal = Refusal::new(Code::BadClientId, NO_ID);
        (event != Inbound::Unknown)
            .then(|| Self::of_unread(event, Dialect::V1, refusal, || None, raw))
    }

    /// Returns the refusal of an event of which nothing is read that is not needed for that.
    fn of_unread(
        event: Inbound,
        from: Dialect,
        refusal: Refusal,
        pairing: impl FnOnce() -> Option<PairingId>,
        raw: &RawEvent<'_>,
    ) -> Self {
        let (event, req) = match (event, from) {
            (Inbound::Frame, _) => return Self::Frame(Refused { refusal, pairing: pairing() }),
            (Inbound::Signal, _) => return Self::Signal(Refused { refusal, pairing: pairing() }),
            (Inbound::V1Emit { .. }, _) | (Inbound::Unknown | Inbound::TooLarge, Dialect::V1) => {
                return Self::V1(RefusedV1::emit(raw.text, &refusal));
            }
            (Inbound::Unknown | Inbound::TooLarge, Dialect::V2) => (None, None),
            (Inbound::Request(event), Dialect::V1) => (Some(event), raw.ack),
            (Inbound::Request(event @ (REGISTER | LIST | WATCH | JOIN)), Dialect::V2) => {
                (Some(event), request_number(event, raw.text))
            }
            (Inbound::Request(event), Dialect::V2) => (Some(event), None),
        };
        Self::Request(RefusedRequest::of_text(event, raw.text, refusal, req))
    }
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

fn unknown_refusal(event: &str) -> Refusal {
    let why = format!("{:?} is no event that a client may send", text::shown(event));
    Refusal::new(Code::BadEvent, &why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        CANCEL, EMIT, EMIT_ACKNOWLEDGE, FRAME, LEAVE, LIST_CLIENTS, PING, REGISTER_FAILED,
        REGISTER_SUCCESS, SIGNAL, UNREGISTER,
    };

    const ACK: Option<ReqId> = Some(3);

    fn raw(text: &str) -> RawEvent<'_> {
        RawEvent { text, attachments: &[], ack: ACK }
    }

    fn over_rate(name: &str, from: Dialect) -> Rejection {
        let text = format!(r#"["{name}","1f-2",{{"req":7}}]"#);
        Rejection::over_rate(Inbound::named(name, from), from, &raw(&text))
    }

    fn request(event: Option<&'static str>, code: Code, req: Option<ReqId>) -> Rejection {
        request_to(None, event, code, req)
    }

    fn request_to(
        target: Option<&str>,
        event: Option<&'static str>,
        code: Code,
        req: Option<ReqId>,
    ) -> Rejection {
        let target = target.map(|target| target.parse().unwrap());
        Rejection::Request(RefusedRequest { event, refusal: code.into(), req, target })
    }

    #[test]
    fn a_request_of_a_v1_client_is_refused_with_the_id_of_its_acknowledgement() {
        for event in [REGISTER, REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, LIST_CLIENTS] {
            let refused = over_rate(event, Dialect::V1);

            let target = Some("1f-2").filter(|_| event == REGISTER);
            assert_eq!(refused, request_to(target, Some(event), Code::RateLimited, ACK));
        }
    }

    #[test]
    fn a_request_of_a_v2_client_is_refused_with_its_number_and_another_message_with_none() {
        for event in [REGISTER, LIST, WATCH] {
            let text = match event {
                LIST => format!(r#"["{LIST}",{{"req":7}}]"#),
                event => format!(r#"["{event}","b",{{"req":7}}]"#),
            };
            let event_over = Inbound::named(event, Dialect::V2);
            let refused = Rejection::over_rate(event_over, Dialect::V2, &raw(&text));

            let target = Some("b").filter(|_| event == REGISTER);
            assert_eq!(refused, request_to(target, Some(event), Code::RateLimited, Some(7)));
        }
        for event in [REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, LEAVE, PING, CANCEL] {
            let refused = over_rate(event, Dialect::V2);

            assert_eq!(refused, request(Some(event), Code::RateLimited, None));
        }
    }

    #[test]
    fn frames_and_signals_are_refused_with_the_pairing_that_they_name() {
        let refusal = Refusal::from(Code::RateLimited);
        let refused = || Refused { refusal: refusal.clone(), pairing: "1f-2".parse().ok() };

        assert_eq!(over_rate(FRAME, Dialect::V2), Rejection::Frame(refused()));
        assert_eq!(over_rate(SIGNAL, Dialect::V2), Rejection::Signal(refused()));
    }

    #[test]
    fn an_emit_is_refused_by_its_event_and_its_target() {
        for event in [EMIT, EMIT_ACKNOWLEDGE] {
            let text = format!(r#"["{event}",{{"targetClientId":"b","event":"e","args":[]}}]"#);
            let emit = Inbound::named(event, Dialect::V1);

            let refused = Rejection::over_rate(emit, Dialect::V1, &raw(&text));

            let Rejection::V1(RefusedV1 { code, error, .. }) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(code, Code::RateLimited);
            assert!(error.as_str().unwrap().contains(r#""e" to "b""#), "{error}");
        }
    }

    #[test]
    fn an_unknown_event_over_the_rate_is_not_searched_for_its_number() {
        assert!(matches!(over_rate("P2P_NOVEL", Dialect::V1), Rejection::V1(_)));
        assert_eq!(over_rate("P2P_NOVEL", Dialect::V2), request(None, Code::RateLimited, None));
    }

    #[test]
    fn an_unknown_event_is_refused_in_the_form_in_which_its_sender_waits_for_an_answer() {
        let text = r#"["P2P_NOVEL",{"req":9}]"#;

        let of_v2 = Rejection::unknown(Dialect::V2, &raw(text));
        let refusal = unknown_refusal("P2P_NOVEL");
        assert_eq!(refusal.code, Code::BadEvent);
        let refused =
            RefusedRequest { event: None, refusal: refusal.clone(), req: Some(9), target: None };
        assert_eq!(of_v2, Rejection::Request(refused));
        let of_v1 = Rejection::unknown(Dialect::V1, &raw(text));
        assert_eq!(of_v1, Rejection::V1(RefusedV1::emit(text, &refusal)));
    }

    #[test]
    fn an_event_of_a_later_plugin_is_refused_in_its_own_form_to_v1_clients_only() {
        let text = r#"["P2P_REGISTER_STREAM",{}]"#;

        let refused = Rejection::unknown(Dialect::V1, &raw(text));
        let Rejection::V1(RefusedV1 { code, answer, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!((code, answer), (Code::BadEvent, Value::Bool(false)));
        let of_v2 = Rejection::unknown(Dialect::V2, &raw(text));
        assert!(matches!(of_v2, Rejection::Request(RefusedRequest { event: None, .. })));
    }

    #[test]
    fn what_was_too_long_is_refused_as_too_large_unless_its_sender_is_over_its_rates() {
        let pairing = "1f-2".parse().ok();
        let unread = Unread { event: FRAME.into(), bytes: 700_000, pairing, ..Unread::default() };
        let code = |over| {
            let refused = Rejection::too_large(&unread, Dialect::V2, over, ACK);
            let Rejection::Frame(Refused { refusal, pairing: named }) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(named, pairing);
            refusal.code
        };

        assert_eq!(code(None), Code::TooLarge);
        assert_eq!(code(Some(OverRate::Wait)), Code::TooLarge);
        assert_eq!(code(Some(OverRate::CarryOut)), Code::RateLimited);
        assert_eq!(code(Some(OverRate::Refuse)), Code::RateLimited);
    }

    #[test]
    fn a_connection_without_an_id_is_answered_what_a_v1_client_waits_for() {
        let refused = |event: &str| Rejection::of_stranger(&raw(&format!(r#"["{event}",{{}}]"#)));

        let registration = refused(REGISTER);
        let Some(Rejection::Request(RefusedRequest { event, refusal, req, .. })) = registration
        else {
            panic!("{registration:?}")
        };
        assert_eq!((event, refusal.code, req), (Some(REGISTER), Code::BadClientId, ACK));
        assert!(matches!(refused(EMIT), Some(Rejection::V1(_))));
        for others in ["chat", FRAME, SIGNAL, WATCH, "P2P_NOVEL"] {
            assert_eq!(refused(others), None, "{others}");
        }
        assert_eq!(Rejection::of_stranger(&raw("[")), None);
    }

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
