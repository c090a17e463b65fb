//! "Versions that differ": whatever text another version puts in the place of a code, a reason, a
//! state or a kind, later frames flow, each call is answered once, and no client reconnects for it.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};
use socketio_p2p_protocol::{
    ClientState, Code, EndReason, Outcome, PathPolicy, Presence, ServerMessage, SignalError, Step,
    TargetState, WhyAnew,
    client::{Answer, Command, Input, Output},
    peer::{Complaint, LinkCommand, LinkEvent, LinkMessage},
    session::{CallId, Violation},
    sim::{ClientNo, Handling, Noticed, Passing, Rule, Testbed},
    wire::{self, Versions},
};

use crate::{
    clients::{ScriptedClient, info},
    directs::End,
    world::{A, B, config},
};

const C: ClientNo = 2;

const SECOND: Duration = Duration::from_secs(1);
const CALL_TIME: Duration = Duration::from_secs(10);

const FRAME_KINDS: [&str; 6] = ["emit", "reply", "part", "drop", "cancel", "ack"];

/// A place on the wire: the event, the key, and the text that this version puts there.
type Place = (String, &'static str, String);

/// The change of one place, and a record of all.
#[derive(Default)]
struct Skew {
    place: Option<Place>,
    text: String,
    seen: BTreeSet<Place>,
    changed: usize,
}

impl Skew {
    fn pass(&mut self, event: &str, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.pass(event, value)),
            Value::Object(fields) => {
                for key in ["code", "reason", "state", "t", "type", "why"] {
                    let Some(Value::String(text)) = fields.get_mut(key) else { continue };
                    let place = (event.to_owned(), key, text.clone());
                    if self.place.as_ref() == Some(&place) {
                        *text = self.text.clone();
                        self.changed += 1;
                    }
                    self.seen.insert(place);
                }
                // Arguments of emits are the application's.
                for (_, value) in fields.iter_mut().filter(|(key, _)| *key != "a") {
                    self.pass(event, value);
                }
            }
            _ => {}
        }
    }
}

/// Three clients, where one text of the wire can be that of another version.
struct World {
    testbed: Testbed,
    skew: Rc<RefCell<Skew>>,
    /// The commands so far.
    calls: Vec<(ClientNo, CallId)>,
    losses: [usize; 3],
}

impl World {
    fn new(policy: PathPolicy, skew: Skew) -> Self {
        let skew = Rc::new(RefCell::new(skew));
        let mut testbed = Testbed::new();
        let of_wire = Rc::clone(&skew);
        testbed.rewrite_with(move |passing| {
            let Passing { is_up, event, args, before, .. } = passing;
            args.iter_mut().for_each(|arg| of_wire.borrow_mut().pass(event, arg));
            if !*is_up {
                // A later version may send an unknown event at any time.
                before.push(("P2P_NOVEL".to_owned(), vec![json!({ "req": 1 })]));
            }
        });
        testbed.handle_with(|_, delivered| match &*delivered.event {
            "fails" => Handling::Return(Err(Code::HandlerFailed.into())),
            _ => Handling::Return(Ok(delivered.args.clone())),
        });
        // What is not understood is reported, and may have another reason. The simulator does not know of
        // the watches of a test.
        for rule in [Rule::Bounded, Rule::ToldOnce, Rule::Watched] {
            testbed.tolerate(rule);
        }
        for _ in [A, B, C] {
            testbed.connect(config(policy));
        }
        testbed.pass(SECOND);
        Self { testbed, skew, calls: Vec::new(), losses: [0; 3] }
    }

    fn pass_time(&mut self, time: Duration) {
        self.testbed.pass(time);
    }

    fn noted(&mut self, client: ClientNo, call: CallId) -> CallId {
        self.calls.push((client, call));
        call
    }

    fn register(&mut self, client: ClientNo, target: ClientNo) -> CallId {
        let call = self.testbed.register(client, target);
        self.noted(client, call)
    }

    fn unregister(&mut self, client: ClientNo) {
        let call = self.testbed.unregister(client);
        self.noted(client, call);
    }

    fn call(&mut self, client: ClientNo, event: &str, bytes: usize) -> CallId {
        let call = self.testbed.call(client, event, vec![json!("x".repeat(bytes))]);
        self.noted(client, call)
    }

    /// Cuts a connection. The server notices it, the client does not yet.
    fn cut(&mut self, client: ClientNo) {
        self.losses[client] += 1;
        self.testbed.lose(client, Noticed::ByServer);
    }
}

type Phase = fn(&mut World);

/// The phases of two histories, which together have every message with a code, a reason, a state or a kind. In the
/// second, the direct path carries.
const HISTORIES: [(PathPolicy, &[Phase]); 2] = [
    (PathPolicy::RelayOnly, &[is_watched, is_paired, is_refused, is_away, is_parted]),
    (PathPolicy::PreferDirect, &[is_direct, is_cut]),
];

/// One end is watched from now on.
fn is_watched(world: &mut World) {
    let target = format!("client-{B}").parse().unwrap();
    let watch =
        world.testbed.command(C, |call, deadline| Command::Watch { call, target, deadline });
    world.noted(C, watch);
    world.pass_time(SECOND);
}

/// Clients list, register and call each other.
fn is_paired(world: &mut World) {
    let list = world.testbed.command(A, |call, deadline| Command::List { call, deadline });
    world.noted(A, list);
    world.testbed.set_consent(C, false);
    world.register(A, C);
    world.pass_time(SECOND);
    world.register(A, B);
    world.pass_time(SECOND);
    world.register(C, A);
    world.call(A, "echo", 10);
    world.call(B, "echo", 10);
    call_each_other(world);
}

/// Clients call each other, in vain too, and give calls up.
fn call_each_other(world: &mut World) {
    for event in ["echo", "fails"] {
        world.call(A, event, 10);
        world.call(B, event, 10);
    }
    let large = json!("x".repeat(600_000));
    let given_up = world.testbed.call(A, "echo", vec![large]);
    world.testbed.cancel(A, given_up);
    let given_up = world.testbed.call(A, "echo", vec![json!("sent already")]);
    world.testbed.cancel(A, given_up);
    world.call(B, "echo", 100_000);
    world.pass_time(CALL_TIME + SECOND);
}

/// The server refuses frames, a signal and a late consent.
fn is_refused(world: &mut World) {
    world.testbed.refuse_frames(1);
    world.call(A, "echo", 10);
    world.pass_time(SECOND);
    let refusal = Code::RateLimited.into();
    world.testbed.tell(A, ServerMessage::SignalRefused { refusal, pairing: None });
    world.testbed.tell(A, ServerMessage::Withdrawn { req: Some(77), code: Code::Timeout });
    world.pass_time(SECOND);
}

/// One end comes back.
fn is_away(world: &mut World) {
    world.cut(B);
    world.testbed.notice_loss(B);
    world.call(A, "echo", 10);
    world.call(B, "echo", 10);
    world.pass_time(CALL_TIME + SECOND);
}

/// One end comes back after the end of the pairing. The other unregisters twice.
fn is_parted(world: &mut World) {
    world.cut(A);
    world.unregister(B);
    world.pass_time(SECOND);
    world.testbed.notice_loss(A);
    world.pass_time(SECOND);
    world.unregister(B);
    world.pass_time(SECOND);
}

/// Clients call each other by the direct path.
fn is_direct(world: &mut World) {
    world.register(A, B);
    world.pass_time(SECOND);
    call_each_other(world);
}

/// The direct path is cut, so that its ends ask each other for another.
fn is_cut(world: &mut World) {
    world.testbed.cut_link(A, B);
    world.call(A, "echo", 10);
    world.call(B, "echo", 10);
    world.pass_time(CALL_TIME + SECOND);
    world.testbed.join_link(A, B);
    world.pass_time(CALL_TIME);
}

/// Calls in both directions, each of which must be replied to.
fn assert_calls_are_replied(world: &mut World, of: &str) {
    let calls: Vec<_> = (0..300).map(|n| (n % 2, world.call(n % 2, "echo", 10))).collect();
    world.pass_time(CALL_TIME);
    for (client, call) in calls {
        let answer = world.testbed.answer(client, call);
        let is_reply = matches!(answer, Some(Answer::Outcome(Outcome::Replied(..))));
        assert!(is_reply, "{of}: {answer:?}");
    }
}

/// Checks that each call was answered once, that no client reconnected without need, that the
/// session goes on if there is one, and that the two clients can be paired anew.
fn assert_all_is_well(world: &mut World, of: &str) {
    world.pass_time(2 * CALL_TIME);
    for client in [A, B, C] {
        assert!(world.testbed.client(client).is_some(), "{of}");
        assert_eq!(world.testbed.reconnects(client), world.losses[client], "{of}");
    }
    for (client, call) in &world.calls {
        let answers = world.testbed.answers(*client).find(|(of, _)| of == call);
        assert_eq!(answers.map(|(_, answers)| answers.len()), Some(1), "{of}: call {call}");
    }
    assert_eq!(world.testbed.pairing(A), world.testbed.pairing(B), "{of}");
    if world.testbed.pairing(A).is_some() {
        assert_calls_are_replied(world, of);
    }
    for client in [A, B] {
        world.unregister(client);
    }
    world.pass_time(CALL_TIME);
    let registered = world.register(A, B);
    world.pass_time(CALL_TIME);
    let answer = world.testbed.answer(A, registered);
    assert!(matches!(answer, Some(Answer::Registered(_))), "{of}: {answer:?}");
    assert_calls_are_replied(world, of);
}

/// Returns the places of a history with the texts of this version. Of the second, those of the direct path.
fn places((policy, phases): (PathPolicy, &[Phase])) -> BTreeSet<Place> {
    let mut world = World::new(policy, Skew::default());
    phases.iter().for_each(|phase| phase(&mut world));
    let mut seen = std::mem::take(&mut world.skew.borrow_mut().seen);
    assert_all_is_well(&mut world, "nothing is changed");
    if policy == PathPolicy::PreferDirect {
        seen.retain(|(event, ..)| event == wire::SIGNAL || event == Passing::LINK);
    }
    seen
}

#[test]
fn the_history_has_every_message_with_a_text_and_every_kind_of_frame() {
    let [relayed, direct] = HISTORIES.map(places);

    let places: BTreeSet<_> = relayed.union(&direct).collect();
    let has =
        |event: &str, key, text: &str| places.contains(&(event.to_owned(), key, text.to_owned()));
    for kind in FRAME_KINDS {
        assert!(has(wire::FRAME, "t", kind) && has(Passing::LINK, "t", kind), "{kind}");
    }
    for kind in ["ping", "pong"] {
        assert!(has(Passing::LINK, "t", kind), "{kind}");
    }
    assert!(has(Passing::LINK, "code", "handler-failed"));
    for kind in ["offer", "answer", "renegotiate"] {
        assert!(has(wire::SIGNAL, "type", kind), "{kind}");
    }
    assert!(has(wire::SIGNAL, "why", "silent"));
    assert!(has(wire::FRAME, "code", "handler-failed"));
    assert!(has(wire::WELCOME, "reason", "unregistered"));
    assert!(has(wire::DISCONNECT, "reason", "unregistered"));
    assert!(has(wire::PARTNER, "state", "away") && has(wire::PARTNER, "state", "back"));
    assert!(has(wire::CLIENTS, "state", "free"));
    assert!(has(wire::TARGET, "state", "free") && has(wire::TARGET, "state", "busy"));
    for code in ["declined", "target-busy"] {
        assert!(has(wire::REGISTER_FAILED, "code", code), "{code}");
    }
    for code in ["congested", "rate-limited", "timeout", "not-paired"] {
        assert!(has(wire::ERROR, "code", code), "{code}");
    }
}

/// Texts that this version has somewhere: kinds, codes, reasons and states.
fn known_texts() -> Vec<String> {
    let kinds = FRAME_KINDS.map(ToOwned::to_owned);
    let codes = Code::ALL.iter().map(ToString::to_string);
    let reasons = EndReason::ALL.iter().map(ToString::to_string);
    let states = ["free", "paired", "away", "busy", "absent", "back"].map(ToOwned::to_owned);
    kinds.into_iter().chain(codes).chain(reasons).chain(states).collect()
}

/// Returns whether this version does not know the text in such a place.
fn is_unknown(key: &str, text: &str) -> bool {
    match key {
        "t" => !FRAME_KINDS.contains(&text),
        "code" => matches!(Code::from(text), Code::Other(_)),
        "reason" => matches!(EndReason::from(text), EndReason::Other(_)),
        "state" => {
            matches!(Presence::from(text), Presence::Other(_))
                && matches!(ClientState::from(text), ClientState::Other(_))
                && matches!(TargetState::from(text), TargetState::Other(_))
        }
        "type" => !["offer", "answer", "candidate", "end", "renegotiate"].contains(&text),
        "why" => matches!(WhyAnew::from(text), WhyAnew::Other(_)),
        key => panic!("{key} has no texts"),
    }
}

/// Texts for a place: no text at all, one that this version has in another place, one of characters of several
/// bytes, which is too long, or a new one.
fn novel_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        proptest::sample::select(known_texts()),
        "[é€😀]{1,40}",
        "novel-.{0,40}",
    ]
}

proptest! {
    // A failure names its place, text and phases. To shrink all the texts would take hours.
    #![proptest_config(ProptestConfig {
        cases: 2,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_unknown_text_blocks_a_session_or_begins_a_reconnect_loop(
        texts in proptest::collection::vec(novel_text(), 30..40),
    ) {
        for history in HISTORIES {
            for (at, place) in places(history).into_iter().enumerate() {
                // Each place has its own text.
                let mut texts = texts.iter().cycle().skip(at).take(texts.len());
                let Some(text) = texts.find(|text| is_unknown(place.1, text)) else { continue };
                for phases in 1..=history.1.len() {
                    assert_place_may_have(history, &place, text, phases);
                }
            }
        }
    }
}

/// Checks that all goes on after so many phases of a history in which a place has this text.
fn assert_place_may_have(
    (policy, all): (PathPolicy, &[Phase]),
    place: &Place,
    text: &str,
    phases: usize,
) {
    let of = format!("{place:?} as {text:?}, {phases} phases");
    let skew = Skew { place: Some(place.clone()), text: text.to_owned(), ..Skew::default() };
    let mut world = World::new(policy, skew);

    all[..phases].iter().for_each(|phase| phase(&mut world));
    assert!(world.skew.borrow().changed > 0 || phases < all.len(), "{of}");
    world.skew.borrow_mut().place = None;

    assert_all_is_well(&mut world, &of);
}

#[test]
fn this_version_speaks_its_own() {
    assert!(Versions::OURS.contains(wire::PROTOCOL.into()));
    assert_eq!(Versions::OURS.common(Versions::OURS), Some(wire::PROTOCOL.into()));
}

#[test]
fn an_unknown_why_asks_for_a_new_offer_as_changed_does() {
    let outputs = |initiator, why| {
        let mut end = End::open(initiator);
        end.hear(Some(1), Step::Renegotiate(Some(why)));
        end.pass(3000);
        end.outputs()
    };

    for initiator in [true, false] {
        let changed = outputs(initiator, WhyAnew::Changed);
        assert_eq!(changed.is_empty(), !initiator, "the initiator offers");
        assert_eq!(outputs(initiator, WhyAnew::from("novel")), changed);
    }
}

#[test]
fn unknown_signals_and_direct_messages_are_reported_and_leave_the_path_open() {
    let mut client = ScriptedClient::ready();
    let mut pairing = info(1);
    pairing.direct = true;
    client.hear(ServerMessage::Registered { req: None, pairing: pairing.clone() });
    let link = client.outputs().into_iter().find_map(|output| match output {
        Output::Link(link, LinkCommand::Offer(_)) => Some(link),
        _ => None,
    });
    let link = link.unwrap();
    client.handle(Input::Link(link, LinkEvent::Opened));
    client.outputs();

    let novel = r#"{"t":"novel","n":"x"}"#.to_owned();
    client.handle(Input::Signalled(pairing.id, json!({ "type": "novel" })));
    client.handle(Input::Link(link, LinkEvent::Received(LinkMessage::Text(novel))));

    let complaints = [
        Output::Complain(Complaint::Signal(SignalError::Unknown)),
        Output::Complain(Complaint::Partner(Violation::Unknown)),
    ];
    assert_eq!(client.outputs(), complaints);
    let emit = r#"{"s":1,"k":0,"t":"emit","e":"note","a":[]}"#.to_owned();
    client.handle(Input::Link(link, LinkEvent::Received(LinkMessage::Text(emit))));
    assert!(matches!(client.outputs()[..], [Output::Deliver(..)]));
}
