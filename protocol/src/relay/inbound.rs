//! The events that clients send, by the way in which they are handled.

use crate::{
    Dialect,
    relay::{later::later_answer, salvage},
    wire::{
        CANCEL, EMIT, EMIT_ACKNOWLEDGE, EXIT, FRAME, JOIN, LEAVE, LIST, LIST_CLIENTS, PING, PREFIX,
        REGISTER, REGISTER_FAILED, REGISTER_SUCCESS, SIGNAL, TOO_LARGE, UNREGISTER, WATCH,
    },
};

/// An event that a client sends to the server, by the way in which it is handled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Inbound {
    /// Frames of a session.
    Frame,
    /// A signal of a negotiation.
    Signal,
    /// An event of a v1 client for its partner.
    V1Emit {
        /// `true` if the partner's acknowledgement is relayed.
        is_acknowledged: bool,
    },
    /// A message for the server itself, with its name.
    Request(&'static str),
    /// The event that takes the place of one that is too long: [`Unread`](super::Unread).
    TooLarge,
    /// Any other event.
    Unknown,
}

/// What becomes of an event of a client that is over its rates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OverRate {
    /// The event is carried out, and the client is not read until it is within its rates again.
    Wait,
    /// The event is carried out, and costs a strike: it can only make work less.
    CarryOut,
    /// The event is refused.
    Refuse,
}

const V1_EVENTS: [&str; 7] =
    [REGISTER, REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, EMIT, EMIT_ACKNOWLEDGE, LIST_CLIENTS];

const V2_EVENTS: [&str; 13] = [
    REGISTER,
    REGISTER_SUCCESS,
    REGISTER_FAILED,
    UNREGISTER,
    LEAVE,
    FRAME,
    SIGNAL,
    LIST,
    WATCH,
    JOIN,
    EXIT,
    CANCEL,
    PING,
];

impl Inbound {
    /// Returns the names of the events that clients of this dialect send, each with its event. That of one that is
    /// too long is among them.
    pub fn all(from: Dialect) -> impl Iterator<Item = (&'static str, Self)> {
        let too_large = (TOO_LARGE, Self::TooLarge);
        names(from).iter().map(|name| (*name, Self::of_name(name))).chain([too_large])
    }

    /// Returns the event of this name, which is [`Self::Unknown`] if clients of this dialect send none of that name.
    #[must_use]
    pub fn named(name: &str, from: Dialect) -> Self {
        let known = names(from).iter().find(|known| **known == name);
        known.map_or(Self::Unknown, |name| Self::of_name(name))
    }

    fn of_name(name: &'static str) -> Self {
        match name {
            FRAME => Self::Frame,
            SIGNAL => Self::Signal,
            EMIT => Self::V1Emit { is_acknowledged: false },
            EMIT_ACKNOWLEDGE => Self::V1Emit { is_acknowledged: true },
            name => Self::Request(name),
        }
    }

    /// Returns what becomes of the event if its sender is over its rates. `can_wait`: the server can stop reading
    /// from the sender; this is asked about an emit only.
    #[must_use]
    pub fn over_rate(self, can_wait: impl FnOnce() -> bool) -> OverRate {
        match self {
            Self::V1Emit { .. } if can_wait() => OverRate::Wait,
            Self::Request(
                REGISTER_SUCCESS | REGISTER_FAILED | UNREGISTER | EXIT | CANCEL | LEAVE | PING,
            ) => OverRate::CarryOut,
            _ => OverRate::Refuse,
        }
    }

    /// Returns whether the acknowledgements that its sender gave before it are handled before it: when the pairing
    /// is over, they have no receiver.
    #[must_use]
    pub fn follows_acknowledgements(self) -> bool {
        self == Self::Request(UNREGISTER)
    }
}

const fn names(from: Dialect) -> &'static [&'static str] {
    match from {
        Dialect::V1 => &V1_EVENTS,
        Dialect::V2 => &V2_EVENTS,
    }
}

/// Returns whether an event without a handler is of the plugin's own name space, or of a later version of the
/// v1 client, given the whole text of its packet. Others are the application's, which has no handler for them either.
#[must_use]
pub fn is_ours(text: &str, from: Dialect) -> bool {
    let is_later = |event: &str| from == Dialect::V1 && later_answer(event).is_some();
    salvage::event(text).is_some_and(|event| event.starts_with(PREFIX) || is_later(&event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> [Inbound; 2] {
        [Dialect::V1, Dialect::V2].map(|dialect| Inbound::named(name, dialect))
    }

    #[test]
    fn each_dialect_has_its_events() {
        let emit = |is_acknowledged| [Inbound::V1Emit { is_acknowledged }, Inbound::Unknown];
        assert_eq!(named(EMIT), emit(false));
        assert_eq!(named(EMIT_ACKNOWLEDGE), emit(true));
        assert_eq!(named(FRAME), [Inbound::Unknown, Inbound::Frame]);
        assert_eq!(named(SIGNAL), [Inbound::Unknown, Inbound::Signal]);
        assert_eq!(named(LIST_CLIENTS), [Inbound::Request(LIST_CLIENTS), Inbound::Unknown]);
        for request in [REGISTER, REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER] {
            assert_eq!(named(request), [Inbound::Request(request); 2]);
        }
        for request in [LIST, WATCH, JOIN, EXIT, CANCEL, LEAVE, PING] {
            assert_eq!(named(request), [Inbound::Unknown, Inbound::Request(request)]);
        }
        for other in ["chat", "P2P_NOVEL", TOO_LARGE, ""] {
            assert_eq!(named(other), [Inbound::Unknown; 2], "{other}");
        }
    }

    #[test]
    fn a_host_listens_to_the_events_of_the_dialect_and_to_what_was_too_long() {
        for (dialect, count) in [(Dialect::V1, 7), (Dialect::V2, 13)] {
            let all: Vec<_> = Inbound::all(dialect).collect();

            assert_eq!(all.len(), count + 1);
            for (name, event) in all {
                match event {
                    Inbound::TooLarge => assert_eq!(name, TOO_LARGE),
                    event => assert_eq!(Inbound::named(name, dialect), event),
                }
            }
        }
    }

    #[test]
    fn only_an_event_that_makes_work_less_is_carried_out_over_the_rate() {
        for (name, _) in [Dialect::V1, Dialect::V2].into_iter().flat_map(Inbound::all) {
            let makes_less =
                [REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, EXIT, CANCEL, LEAVE, PING];
            let expected = match makes_less.contains(&name) {
                true => OverRate::CarryOut,
                false => OverRate::Refuse,
            };
            for event in named(name).into_iter().filter(|event| *event != Inbound::Unknown) {
                assert_eq!(event.over_rate(|| false), expected, "{name}");
            }
        }
        assert_eq!(Inbound::Unknown.over_rate(|| true), OverRate::Refuse);
    }

    #[test]
    fn only_an_emit_of_a_v1_client_waits_and_only_if_its_sender_can() {
        for is_acknowledged in [false, true] {
            let emit = Inbound::V1Emit { is_acknowledged };
            assert_eq!(emit.over_rate(|| true), OverRate::Wait);
            assert_eq!(emit.over_rate(|| false), OverRate::Refuse);
        }
        for (_, event) in Inbound::all(Dialect::V2) {
            assert_ne!(event.over_rate(|| true), OverRate::Wait, "{event:?}");
        }
    }

    #[test]
    fn the_end_of_a_pairing_follows_the_acknowledgements_before_it() {
        let all = || [Dialect::V1, Dialect::V2].into_iter().flat_map(Inbound::all);

        let follow = all().filter(|(_, event)| event.follows_acknowledgements());

        assert!(follow.eq([(UNREGISTER, Inbound::Request(UNREGISTER)); 2]));
    }

    #[test]
    fn an_event_without_a_handler_is_ours_if_its_name_is() {
        let ours = |event: &str| {
            let text = format!(r#"["{event}",{{}}]"#);
            [Dialect::V1, Dialect::V2].map(|dialect| is_ours(&text, dialect))
        };
        assert_eq!(ours("P2P_NOVEL"), [true; 2]);
        assert_eq!(ours("ADD_TARGET"), [true, false], "a later plugin's");
        assert_eq!(ours("chat"), [false; 2]);
        assert!(!is_ours("[7]", Dialect::V1));
    }
}
