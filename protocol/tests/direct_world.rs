//! Two clients with a direct path, a server that may be restarted, and a network between the two that
//! comes and goes. What random histories do to them is the simulation's subject.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use socketio_p2p_protocol::{
    Args, Code, EndReason, LinkId, Outcome, Path, PathPolicy,
    client::Answer,
    peer::LinkMessage,
    session::{CallId, EmitOptions},
    sim::{ClientNo, Noticed, Testbed},
};

use crate::world::{A, B, config, paired, unpaired};

/// Two clients that are paired, and take a path again at once.
fn world(policies: [PathPolicy; 2]) -> Testbed {
    with_hold(policies, 10)
}

/// Two clients that do not take a path again for so long after they left it.
fn with_hold(policies: [PathPolicy; 2], millis: u64) -> Testbed {
    paired(policies.map(|policy| {
        let mut config = config(policy);
        config.direct.hold = Duration::from_millis(millis);
        config
    }))
}

/// Paired, and the direct path carries at both ends.
pub(crate) fn direct() -> Testbed {
    let mut testbed = world([PathPolicy::PreferDirect; 2]);
    pass(&mut testbed, 300);
    both_carry(&testbed);
    testbed
}

pub(crate) fn pass(testbed: &mut Testbed, millis: u64) {
    testbed.pass(Duration::from_millis(millis));
}

pub(crate) fn call(testbed: &mut Testbed, client: ClientNo) -> CallId {
    call_via(testbed, client, None)
}

fn call_via(testbed: &mut Testbed, client: ClientNo, via: Option<Path>) -> CallId {
    let reply_by = Some(testbed.now() + Duration::from_secs(100));
    testbed.emit(client, "note", vec![], EmitOptions { reply_by, expires: None, via })
}

/// The paths that a client reported.
fn paths(testbed: &Testbed, client: ClientNo) -> Vec<Option<Path>> {
    testbed.paths(client).into_iter().map(|(path, _)| path).collect()
}

#[track_caller]
fn both_carry(testbed: &Testbed) {
    for client in [A, B] {
        assert_eq!(paths(testbed, client).last(), Some(&Some(Path::Direct)), "{client}");
    }
}

/// The paths by which the calls of a client were answered.
#[track_caller]
pub(crate) fn replied_by(testbed: &Testbed, client: ClientNo) -> Vec<Path> {
    let answers = testbed.answers(client).filter_map(|(_, answers)| match answers {
        [Answer::Registered(_)] => None,
        [Answer::Outcome(Outcome::Replied(_, path))] => Some(*path),
        other => panic!("{other:?}"),
    });
    answers.collect()
}

#[track_caller]
fn is_refused(testbed: &Testbed, client: ClientNo, call: CallId) {
    let no_route = Answer::Outcome(crate::sessions::not_executed(Code::NoRoute));
    assert_eq!(testbed.answer(client, call), Some(&no_route));
}

fn links(testbed: &Testbed) -> [Vec<LinkId>; 2] {
    [A, B].map(|client| testbed.links(client))
}

#[test]
fn the_relay_carries_at_once_and_the_direct_path_as_soon_as_it_is_open() {
    let mut testbed = world([PathPolicy::PreferDirect; 2]);
    call(&mut testbed, A);
    pass(&mut testbed, 300);
    call(&mut testbed, A);
    pass(&mut testbed, 100);

    assert_eq!(replied_by(&testbed, A), [Path::Relay, Path::Direct]);
}

#[test]
fn without_trouble_it_carries_within_a_tenth_of_a_second() {
    let mut testbed = world([PathPolicy::PreferDirect; 2]);

    pass(&mut testbed, 100);

    both_carry(&testbed);
}

#[test]
fn a_cut_is_noticed_in_time_and_survived_without_a_fresh_connection() {
    let mut testbed = with_hold([PathPolicy::PreferDirect; 2], 2_000);
    pass(&mut testbed, 1_000);
    let before = links(&testbed);
    call(&mut testbed, A);
    pass(&mut testbed, 50);

    testbed.cut_link(A, B);
    pass(&mut testbed, 1_000);
    for client in [A, B] {
        assert_eq!(paths(&testbed, client), [Some(Path::Direct), Some(Path::Relay)]);
    }
    testbed.join_link(A, B);
    pass(&mut testbed, 3_000);

    both_carry(&testbed);
    assert_eq!(links(&testbed), before);
}

#[test]
fn an_end_that_roams_is_found_again_by_a_restart() {
    for end in [A, B] {
        let mut testbed = with_hold([PathPolicy::PreferDirect; 2], 2_000);
        pass(&mut testbed, 2_000);
        let before = links(&testbed);

        testbed.roam(end, true);
        pass(&mut testbed, 500);
        let call = call(&mut testbed, end);
        pass(&mut testbed, 50);

        for client in [A, B] {
            assert_eq!(paths(&testbed, client), [Some(Path::Direct)], "it is not even left");
        }
        assert!(testbed.answer(end, call).is_some());
        assert_eq!(links(&testbed), before);
    }
}

#[test]
fn an_emit_may_be_told_which_way_to_go() {
    let mut testbed = direct();

    call_via(&mut testbed, A, Some(Path::Relay));
    call_via(&mut testbed, A, Some(Path::Direct));
    pass(&mut testbed, 100);

    assert_eq!(testbed.deliveries(B).len(), 2);
    assert_eq!(replied_by(&testbed, A).len(), 2);
}

#[test]
fn an_emit_by_a_path_that_is_not_there_is_not_executed() {
    let mut testbed = direct();
    testbed.close_link(A, false);

    let call = call_via(&mut testbed, A, Some(Path::Direct));

    is_refused(&testbed, A, call);
}

#[test]
fn a_call_under_way_when_the_path_is_cut_takes_the_relay() {
    let mut testbed = direct();

    testbed.cut_link(A, B);
    call(&mut testbed, A);
    pass(&mut testbed, 1_200);

    assert_eq!(replied_by(&testbed, A), [Path::Relay]);
}

#[test]
fn the_last_path_that_is_told_is_the_one_that_carries() {
    let mut testbed = world([PathPolicy::PreferDirect; 2]);
    assert_eq!(paths(&testbed, A), [], "the relay carries from the beginning");
    testbed.cut_link(A, B);
    testbed.lose(A, Noticed::AtOnce);
    assert_eq!(paths(&testbed, A), [None]);
    pass(&mut testbed, 1_000);
    assert_eq!(paths(&testbed, A), [None, Some(Path::Relay)]);

    let mut testbed = direct();
    testbed.lose(A, Noticed::AtOnce);
    pass(&mut testbed, 50);
    assert_eq!(paths(&testbed, A), [Some(Path::Direct)]);
    testbed.close_link(A, false);
    assert_eq!(paths(&testbed, A), [Some(Path::Direct), None]);
    pass(&mut testbed, 100);
    assert_eq!(paths(&testbed, A), [Some(Path::Direct), None, Some(Path::Relay)]);
}

#[test]
fn the_round_trip_of_the_relay_is_told_also_when_the_connection_is_closed() {
    let mut testbed = direct();
    pass(&mut testbed, 10_000);

    testbed.close_link(A, false);

    let relay = (Some(Path::Relay), Some(Duration::from_millis(12)));
    assert_eq!(testbed.paths(A).pop(), Some(relay));
}

#[test]
fn under_relay_only_nothing_is_signalled() {
    let mut testbed = world([PathPolicy::RelayOnly, PathPolicy::PreferDirect]);

    pass(&mut testbed, 5_000);
    call(&mut testbed, B);
    pass(&mut testbed, 100);

    assert_eq!(links(&testbed), [[], []]);
    assert_eq!(replied_by(&testbed, B), [Path::Relay]);
}

#[test]
fn under_direct_only_an_emit_waits_for_the_direct_path() {
    let mut testbed = world([PathPolicy::DirectOnly, PathPolicy::PreferDirect]);
    assert!(!testbed.client(A).unwrap().takes_emits());
    call(&mut testbed, A);
    call(&mut testbed, B);
    pass(&mut testbed, 400);

    assert_eq!(replied_by(&testbed, A), [Path::Direct]);
    assert_eq!(replied_by(&testbed, B), [Path::Relay], "its answers do not");
}

#[test]
fn under_direct_only_the_partner_is_answered_where_there_can_be_no_direct_path() {
    let mut testbed = world([PathPolicy::DirectOnly, PathPolicy::RelayOnly]);

    call(&mut testbed, B);
    call(&mut testbed, B);
    pass(&mut testbed, 100);

    assert_eq!(replied_by(&testbed, B), [Path::Relay; 2]);
}

#[test]
fn under_direct_only_no_emit_may_take_the_relay() {
    let mut testbed = world([PathPolicy::DirectOnly, PathPolicy::PreferDirect]);
    pass(&mut testbed, 300);
    assert!(testbed.client(A).unwrap().takes_emits());

    let call = call_via(&mut testbed, A, Some(Path::Relay));

    is_refused(&testbed, A, call);
}

#[test]
fn an_emit_may_be_told_to_take_a_direct_path_that_is_held_back() {
    let mut testbed = with_hold([PathPolicy::PreferDirect; 2], 10_000);
    pass(&mut testbed, 300);
    both_carry(&testbed);
    testbed.cut_link(A, B);
    call(&mut testbed, A);
    pass(&mut testbed, 1_000);
    testbed.join_link(A, B);
    pass(&mut testbed, 500);

    call_via(&mut testbed, A, Some(Path::Direct));
    pass(&mut testbed, 50);

    assert_eq!(paths(&testbed, A).last(), Some(&Some(Path::Relay)));
    assert_eq!(replied_by(&testbed, A), [Path::Relay; 2], "both are answered");
}

#[test]
fn under_direct_only_an_emit_is_refused_where_there_can_be_no_direct_path() {
    let mut testbed = world([PathPolicy::DirectOnly, PathPolicy::RelayOnly]);
    pass(&mut testbed, 100);

    let call = call(&mut testbed, A);

    is_refused(&testbed, A, call);
}

/// A client that has just emitted 40 events that want no reply, on this path.
fn with_last_words(policy: PathPolicy, client: ClientNo) -> Testbed {
    let mut testbed = world([policy; 2]);
    pass(&mut testbed, 300);
    if policy == PathPolicy::PreferDirect {
        both_carry(&testbed);
        // The end of the pairing would overtake them.
        testbed.slow_link(A, B, Duration::from_millis(17));
    }
    for _ in 0..40 {
        testbed.emit(client, "note", vec![], EmitOptions::default());
    }
    testbed
}

#[test]
fn what_was_emitted_before_unregister_arrives() {
    for policy in [PathPolicy::PreferDirect, PathPolicy::RelayOnly] {
        for (end, other) in [(A, B), (B, A)] {
            let mut testbed = with_last_words(policy, end);

            let call = testbed.unregister(end);
            pass(&mut testbed, 1_000);

            assert_eq!(testbed.deliveries(other).len(), 40, "{policy:?}, end {end}");
            assert_eq!(testbed.answer(end, call), Some(&Answer::Unregistered));
            assert_eq!(unpaired(&testbed), [EndReason::Unregistered; 2]);
        }
    }
}

#[test]
fn what_was_emitted_before_close_arrives() {
    for policy in [PathPolicy::PreferDirect, PathPolicy::RelayOnly] {
        for (end, other) in [(A, B), (B, A)] {
            let mut testbed = with_last_words(policy, end);

            testbed.close(end);
            pass(&mut testbed, 1_000);

            assert_eq!(testbed.deliveries(other).len(), 40, "{policy:?}, end {end}");
            assert_eq!(unpaired(&testbed), [EndReason::Disconnected; 2]);
        }
    }
}

#[test]
fn frames_share_messages_on_the_direct_path_and_blobs_travel_as_they_are() {
    let mut testbed = direct();
    let before = testbed.link_messages(A).len();
    let blob = vec![Bytes::from(vec![7; 100])];
    let blob = Args::from_text(r#"[{"_placeholder":true,"num":0}]"#.to_owned(), blob).unwrap();
    let plain = || Args::from(vec![json!("x")]);

    testbed.call_together(A, "note", vec![plain(), plain(), blob, plain()]);

    let [LinkMessage::Text(two), LinkMessage::Binary(one), LinkMessage::Text(last)] =
        &testbed.link_messages(A)[before..]
    else {
        panic!("{:?}", testbed.link_messages(A));
    };
    assert!(two.starts_with('[') && last.starts_with('{'));
    assert!(one.ends_with(&[7; 100]) && one.len() < 250);
}
