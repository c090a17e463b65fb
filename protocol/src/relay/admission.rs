//! The admission of requests: the quotas that they count towards, and what the application allows.
//!
//! ```text
//! quota: rate-limited → the application: forbidden → the broker
//! ```
//!
//! The application is not asked about a request over its quota: a client that requests too often costs it nothing.

use crate::{
    ClientId, ClientMessage, Code, ConnId, ReqId, RoomName,
    broker::Input,
    relay::RefusedRequest,
    wire::{JOIN, LIST, REGISTER, WATCH},
};

/// The quotas of one client, and what the application allows it.
///
/// [`admit_request`] asks each question at most once about a request, and only if the answer counts.
pub trait RequestPolicy {
    /// Counts a registration, and returns whether it is within the quota.
    fn admits_registration(&self) -> bool;

    /// Counts a request for the list of clients, and returns whether it is within the quota.
    fn admits_list(&self) -> bool;

    /// Counts a request to join a room, and returns whether it is within the quota.
    fn admits_join(&self) -> bool;

    /// Returns whether the client waits for this target already: [`Broker::waits_for`](crate::Broker::waits_for).
    /// This is asked about a registration over the quota only.
    fn waits_for(&self, target: &ClientId) -> bool;

    /// Returns whether the application allows the client to ask for this target.
    fn may_register(&self, target: &ClientId) -> bool;

    /// Returns whether the application allows the client to watch this target.
    fn may_watch(&self, target: &ClientId) -> bool;

    /// Returns whether the application allows the client to join this room.
    fn may_join(&self, room: &RoomName) -> bool;
}

/// Decides about a request that was read. Returns the broker's input for it: also for a registration that the
/// application forbids, of which the broker informs those who observe it.
///
/// # Errors
///
/// [`Code::RateLimited`] for a registration or a list over its quota, unless a v1 client repeats a registration that
/// waits; [`Code::RateLimited`] for a request to join a room over its quota; [`Code::Forbidden`] for a watch, or a
/// room, that the application does not allow.
pub fn admit_request(
    from: ConnId,
    request: ClientMessage,
    policy: &impl RequestPolicy,
) -> Result<Input, RefusedRequest> {
    let limited = |event, req, target: Option<&ClientId>| {
        let target = target.cloned();
        Err(RefusedRequest { target, ..refused(event, Code::RateLimited, req) })
    };
    match &request {
        ClientMessage::Register { req, target, .. } => {
            if !policy.admits_registration() && !policy.waits_for(target) {
                return limited(REGISTER, *req, Some(target));
            }
            if !policy.may_register(target) {
                return Ok(Input::Forbidden(from, *req, target.clone()));
            }
        }
        ClientMessage::List { req } if !policy.admits_list() => return limited(LIST, *req, None),
        ClientMessage::Watch { req, target } if !policy.may_watch(target) => {
            return Err(refused(WATCH, Code::Forbidden, Some(*req)));
        }
        ClientMessage::Join { req, .. } if !policy.admits_join() => {
            return limited(JOIN, Some(*req), None);
        }
        ClientMessage::Join { req, room, .. } if !policy.may_join(room) => {
            return Err(refused(JOIN, Code::Forbidden, Some(*req)));
        }
        _ => {}
    }
    Ok(Input::Received(from, request))
}

fn refused(event: &'static str, code: Code, req: Option<ReqId>) -> RefusedRequest {
    RefusedRequest { event: Some(event), refusal: code.into(), req, target: None }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::PairingId;

    const FROM: ConnId = ConnId(1);

    /// A policy that notes what it is asked.
    #[derive(Debug)]
    struct Asked {
        is_within_quota: bool,
        waits: bool,
        allows: bool,
        questions: RefCell<Vec<&'static str>>,
    }

    impl Asked {
        fn note(&self, question: &'static str, answer: bool) -> bool {
            self.questions.borrow_mut().push(question);
            answer
        }
    }

    impl RequestPolicy for Asked {
        fn admits_registration(&self) -> bool {
            self.note("quota of registrations", self.is_within_quota)
        }

        fn admits_list(&self) -> bool {
            self.note("quota of lists", self.is_within_quota)
        }

        fn admits_join(&self) -> bool {
            self.note("quota of joins", self.is_within_quota)
        }

        fn waits_for(&self, target: &ClientId) -> bool {
            assert_eq!(target.as_str(), "b");
            self.note("waits", self.waits)
        }

        fn may_register(&self, target: &ClientId) -> bool {
            assert_eq!(target.as_str(), "b");
            self.note("may register", self.allows)
        }

        fn may_watch(&self, target: &ClientId) -> bool {
            assert_eq!(target.as_str(), "b");
            self.note("may watch", self.allows)
        }

        fn may_join(&self, room: &RoomName) -> bool {
            assert_eq!(room.as_str(), "lobby");
            self.note("may join", self.allows)
        }
    }

    fn generous() -> Asked {
        Asked { is_within_quota: true, waits: false, allows: true, questions: RefCell::default() }
    }

    fn register() -> ClientMessage {
        let (target, payload) = ("b".parse().unwrap(), None);
        ClientMessage::Register { req: Some(7), target, payload, consent_time: None, wait: None }
    }

    fn watch() -> ClientMessage {
        ClientMessage::Watch { req: 7, target: "b".parse().unwrap() }
    }

    fn list() -> ClientMessage {
        ClientMessage::List { req: Some(7) }
    }

    /// Returns the verdict about a request, and the questions asked for it.
    fn verdict(
        policy: Asked,
        request: ClientMessage,
    ) -> (Result<Input, RefusedRequest>, Vec<&'static str>) {
        let verdict = admit_request(FROM, request, &policy);
        (verdict, policy.questions.into_inner())
    }

    fn err(event: &'static str, code: Code) -> Result<Input, RefusedRequest> {
        Err(refused(event, code, Some(7)))
    }

    #[test]
    fn a_registration_counts_before_the_application_is_asked() {
        let (admitted, asked) = verdict(generous(), register());

        assert_eq!(admitted, Ok(Input::Received(FROM, register())));
        assert_eq!(asked, ["quota of registrations", "may register"]);
    }

    #[test]
    fn the_application_is_not_asked_about_a_registration_over_the_quota() {
        let policy = Asked { is_within_quota: false, ..generous() };

        let (limited, asked) = verdict(policy, register());

        let target = "b".parse().ok();
        let expected = RefusedRequest { target, ..refused(REGISTER, Code::RateLimited, Some(7)) };
        assert_eq!(limited, Err(expected));
        assert_eq!(asked, ["quota of registrations", "waits"]);
    }

    #[test]
    fn a_registration_that_waits_already_may_be_repeated_over_the_quota() {
        let policy = Asked { is_within_quota: false, waits: true, ..generous() };

        let (admitted, asked) = verdict(policy, register());

        assert_eq!(admitted, Ok(Input::Received(FROM, register())));
        assert_eq!(asked, ["quota of registrations", "waits", "may register"]);
    }

    #[test]
    fn the_broker_learns_of_a_registration_that_the_application_forbids() {
        let (forbidden, _) = verdict(Asked { allows: false, ..generous() }, register());

        assert_eq!(forbidden, Ok(Input::Forbidden(FROM, Some(7), "b".parse().unwrap())));
    }

    #[test]
    fn a_list_has_a_quota_of_its_own_and_the_application_is_not_asked() {
        let (admitted, asked) = verdict(Asked { allows: false, ..generous() }, list());
        assert_eq!(admitted, Ok(Input::Received(FROM, list())));
        assert_eq!(asked, ["quota of lists"]);

        let (limited, _) = verdict(Asked { is_within_quota: false, ..generous() }, list());
        assert_eq!(limited, err(LIST, Code::RateLimited));
    }

    #[test]
    fn a_watch_has_no_quota_and_the_application_must_allow_it() {
        let (admitted, asked) = verdict(Asked { is_within_quota: false, ..generous() }, watch());
        assert_eq!(admitted, Ok(Input::Received(FROM, watch())));
        assert_eq!(asked, ["may watch"]);

        let (forbidden, _) = verdict(Asked { allows: false, ..generous() }, watch());
        assert_eq!(forbidden, err(WATCH, Code::Forbidden));
    }

    #[test]
    fn a_room_is_joined_within_the_quota_and_if_the_application_allows_it() {
        let join = || ClientMessage::Join { req: 7, room: "lobby".parse().unwrap(), most: None };

        let (admitted, asked) = verdict(generous(), join());
        assert_eq!(admitted, Ok(Input::Received(FROM, join())));
        assert_eq!(asked, ["quota of joins", "may join"]);

        let (limited, asked) = verdict(Asked { is_within_quota: false, ..generous() }, join());
        assert_eq!(limited, err(JOIN, Code::RateLimited));
        assert_eq!(asked, ["quota of joins"], "the application is not asked");

        let (forbidden, _) = verdict(Asked { allows: false, ..generous() }, join());
        assert_eq!(forbidden, err(JOIN, Code::Forbidden));
    }

    #[test]
    fn any_other_message_is_admitted_unasked() {
        let nothing = || Asked { is_within_quota: false, allows: false, ..generous() };
        for message in [
            ClientMessage::Accept { req: Some(7) },
            ClientMessage::Unregister { req: Some(7) },
            ClientMessage::Exit { req: 7, room: "lobby".parse().unwrap() },
            ClientMessage::Released { pairing: PairingId::new(0, 1) },
        ] {
            let (admitted, asked) = verdict(nothing(), message.clone());

            assert_eq!(admitted, Ok(Input::Received(FROM, message)));
            assert!(asked.is_empty(), "{asked:?}");
        }
    }
}
