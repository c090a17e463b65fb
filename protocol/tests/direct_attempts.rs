//! Attempts at a direct path: who offers, glare, candidates, old signals, failing and trying again.

use std::time::Duration;

use socketio_p2p_protocol::{
    Candidate, PathConfig, Sdp, Step, WhyAnew,
    limits::{CANDIDATES, SERVER_CANDIDATES},
    peer::{
        HeartbeatKind, LinkCommand, LinkEvent,
        direct::{Input, Output},
    },
};

use crate::directs::{End, anew, candidate, sdp};

fn is_close(command: &LinkCommand) -> bool {
    matches!(command, LinkCommand::Close)
}

fn answers(end: &End) -> Vec<Sdp> {
    let commands = end.commands().into_iter();
    commands
        .filter_map(|command| match command {
            LinkCommand::Answer(_, sdp) => Some(sdp),
            _ => None,
        })
        .collect()
}

#[test]
fn the_initiator_offers_as_soon_as_it_is_paired() {
    let mut end = End::initiator();

    assert_eq!(end.commands(), [LinkCommand::Offer(1)]);
    end.describe(11, "mine");

    assert_eq!(end.signals(), [Step::Offer(sdp(11, "mine"))]);
}

#[test]
fn its_partner_waits_for_the_offer_and_answers() {
    let mut end = End::partner();
    end.pass(60_000);
    assert_eq!(end.outputs(), []);

    end.hear(Some(1), Step::Offer(sdp(21, "theirs")));
    assert_eq!(end.commands(), [LinkCommand::Answer(1, sdp(21, "theirs"))]);
    end.describe(11, "mine");

    assert_eq!(end.signals(), [Step::Answer(sdp(11, "mine"))]);
}

#[test]
fn candidates_follow_the_description_that_they_belong_to() {
    let mut end = End::initiator();
    end.report(LinkEvent::Gathered(candidate(1, None)));
    assert_eq!(end.signals(), []);

    end.describe(11, "mine");
    end.report(LinkEvent::Gathered(candidate(2, None)));

    let [first, second] = [1, 2].map(|port| Step::Candidate(candidate(port, None)));
    assert_eq!(end.signals(), [Step::Offer(sdp(11, "mine")), first, second]);
}

#[test]
fn candidates_of_the_partner_wait_for_its_answer() {
    let mut end = End::initiator();
    end.describe(11, "mine");
    end.outputs();

    end.hear(Some(1), Step::Candidate(candidate(1, None)));
    assert_eq!(end.commands(), []);
    end.hear(Some(1), Step::Answer(sdp(21, "theirs")));
    end.hear(Some(1), Step::Candidate(candidate(2, None)));

    let [first, second] = [1, 2].map(|port| LinkCommand::Add(candidate(port, None)));
    assert_eq!(end.commands(), [LinkCommand::Accept(sdp(21, "theirs")), first, second]);
}

#[test]
fn candidates_are_counted_in_both_directions() {
    let mut end = End::partner();
    end.hear(Some(1), Step::Offer(sdp(21, "theirs")));
    end.describe(11, "mine");
    end.outputs();

    for port in 0..1000 {
        end.hear(Some(1), Step::Candidate(candidate(port, None)));
        end.report(LinkEvent::Gathered(candidate(port, None)));
    }

    assert_eq!(end.commands().len(), CANDIDATES);
    assert_eq!(end.signals().len(), CANDIDATES);
}

#[test]
fn a_relayed_candidate_behind_many_others_of_the_partner_is_not_lost() {
    let relayed = Candidate::new("candidate:1 1 udp 9 10.0.0.1 9 typ relay", None, None).unwrap();
    for has_answered in [false, true] {
        let mut end = End::initiator();
        end.describe(11, "mine");
        if has_answered {
            end.hear(Some(1), Step::Answer(sdp(21, "theirs")));
        }

        for port in 0..1000 {
            end.hear(Some(1), Step::Candidate(candidate(port, None)));
        }
        for _ in 0..1000 {
            end.hear(Some(1), Step::Candidate(relayed.clone()));
        }
        if !has_answered {
            end.hear(Some(1), Step::Answer(sdp(21, "theirs")));
        }

        let commands = end.commands();
        let added = LinkCommand::Add(relayed.clone());
        assert!(commands.contains(&added), "{has_answered}");
        let is_added = |command: &&LinkCommand| matches!(command, LinkCommand::Add(_));
        assert_eq!(commands.iter().filter(is_added).count(), CANDIDATES + SERVER_CANDIDATES);
    }
}

#[test]
fn a_candidate_of_another_description_is_left_out() {
    let mut end = End::partner();
    end.hear(None, Step::Offer(sdp(21, "theirs")));
    end.outputs();

    end.hear(None, Step::Candidate(candidate(1, Some("other"))));
    end.hear(None, Step::Candidate(candidate(2, Some("theirs"))));

    assert_eq!(end.commands(), [LinkCommand::Add(candidate(2, Some("theirs")))]);
}

#[test]
fn what_belongs_to_an_older_attempt_is_ignored() {
    let mut end = End::partner();
    end.hear(Some(1), Step::Offer(sdp(21, "first")));
    end.hear(Some(3), Step::Offer(sdp(22, "second")));
    end.outputs();

    end.hear(Some(1), Step::Offer(sdp(21, "first")));
    end.hear(Some(3), Step::Offer(sdp(22, "second")));
    end.hear(Some(1), Step::Candidate(candidate(1, None)));
    end.hear(Some(1), Step::Answer(sdp(21, "first")));

    assert_eq!(end.outputs(), []);
}

#[test]
fn an_answer_to_an_older_offer_is_ignored() {
    let mut end = End::initiator();
    end.describe(11, "mine");
    end.pass(15_000);
    assert_eq!(end.attempt(), 3);
    end.describe(12, "mine anew");
    end.outputs();

    end.hear(Some(1), Step::Answer(sdp(21, "theirs")));
    assert_eq!(end.outputs(), []);
    end.hear(Some(3), Step::Answer(sdp(21, "theirs")));
    end.hear(Some(3), Step::Answer(sdp(22, "theirs twice")));

    assert_eq!(end.commands(), [LinkCommand::Accept(sdp(21, "theirs"))]);
}

#[test]
fn what_the_host_reports_of_an_older_connection_is_ignored() {
    let mut end = End::initiator();
    let old = end.link();
    end.pass(15_000);
    assert_ne!(end.link(), old);
    end.outputs();

    end.handle(Input::Link(old, LinkEvent::Described(1, sdp(11, "mine"))));
    end.handle(Input::Link(old, LinkEvent::Opened));
    end.handle(Input::Link(old, LinkEvent::Closed));

    assert_eq!(end.outputs(), []);
}

#[test]
fn if_both_offer_the_initiators_offer_counts() {
    let mut end = End::initiator();
    end.describe(11, "mine");
    end.outputs();

    end.hear(None, Step::Offer(sdp(21, "theirs")));
    end.hear(Some(2), Step::Offer(sdp(21, "theirs")));

    assert_eq!(end.outputs(), []);
}

#[test]
fn the_offer_of_its_partner_is_taken_while_it_has_none_of_its_own() {
    let mut end = End::initiator();
    end.report(LinkEvent::Closed);
    end.outputs();

    end.hear(None, Step::Offer(sdp(21, "theirs")));
    end.describe(11, "mine");

    assert_eq!(answers(&end), [sdp(21, "theirs")]);
    end.pass(5_000);
    assert_eq!(end.offers(), 0, "an attempt is under way");
}

#[test]
fn an_offer_for_the_same_connection_is_a_restart_and_for_another_a_fresh_start() {
    let mut end = End::open(false);
    let link = end.link();

    end.hear(Some(3), Step::Offer(sdp(21, "restarted")));
    assert_eq!(end.commands(), [LinkCommand::Answer(3, sdp(21, "restarted"))]);
    assert_eq!((end.link(), end.direct.carries()), (link, true));
    end.outputs();

    end.hear(Some(5), Step::Offer(sdp(22, "another")));
    assert_ne!(end.link(), link);
    assert!(is_close(&end.commands()[0]));
    assert!(!end.direct.carries());
}

#[test]
fn an_offer_that_simple_peer_repeats_is_answered_once() {
    let mut end = End::partner();

    for _ in 0..3 {
        end.hear(None, Step::Offer(sdp(21, "theirs")));
    }
    end.hear(None, Step::Offer(sdp(22, "another")));

    assert_eq!(answers(&end), [sdp(21, "theirs"), sdp(22, "another")]);
}

#[test]
fn a_partner_cannot_make_it_connect_without_end() {
    let mut end = End::partner();

    for attempt in 0..100 {
        end.hear(Some(2 * attempt + 1), Step::Offer(sdp(attempt, "theirs")));
    }

    assert_eq!(answers(&end).len(), 8);
    end.pass(10_000);
    end.hear(Some(1001), Step::Offer(sdp(1001, "theirs")));
    assert_eq!(answers(&end).len(), 9);
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up() {
    let mut end = End::initiator();
    end.describe(11, "mine");
    end.outputs();

    end.pass(9_999);
    assert_eq!(end.outputs(), []);
    end.pass(1);

    assert!(end.commands().iter().any(is_close));
    assert_eq!(end.direct.link(), None);
}

#[test]
fn a_channel_without_a_heartbeat_is_given_up_as_well() {
    let mut end = End::initiator();
    end.describe(11, "mine");
    end.hear(Some(1), Step::Answer(sdp(21, "theirs")));
    end.report(LinkEvent::Opened);

    end.pass(10_000);

    assert!(end.commands().iter().any(is_close));
    assert!(!end.was_taken());
}

#[test]
fn after_a_failure_it_is_tried_again_ever_later_but_for_ever() {
    let mut end = End::initiator();
    let mut waits = Vec::new();
    for _ in 0..20 {
        end.outputs();
        end.report(LinkEvent::Closed);
        let from = end.now;
        while end.offers() == 0 {
            end.pass(10);
        }
        waits.push(end.now - from);
    }

    assert!(waits[0] >= Duration::from_millis(750) && waits[0] <= Duration::from_millis(1300));
    assert!(waits[..6].windows(2).all(|two| two[1] > two[0]), "{waits:?}");
    let late = Duration::from_secs(45)..=Duration::from_secs(75);
    assert!(waits[6..].iter().all(|wait| late.contains(wait)), "{waits:?}");
}

/// Returns the time from the loss of a path to the next attempt.
fn wait_after_loss(end: &mut End) -> Duration {
    end.outputs();
    end.partner = false;
    end.report(LinkEvent::Closed);
    let from = end.now;
    while end.offers() == 0 {
        end.pass(10);
    }
    end.now - from
}

#[test]
fn a_path_that_opens_and_dies_is_tried_again_ever_later() {
    let mut end = End::open(true);
    let mut waits = Vec::new();
    for _ in 0..6 {
        end.pass(5_000);
        assert!(end.direct.is_alive());
        waits.push(wait_after_loss(&mut end));
        end.connect();
    }

    assert!(waits[0] <= Duration::from_millis(10), "{waits:?}");
    assert!(waits.windows(2).all(|two| two[1] > two[0]), "{waits:?}");
    assert!(waits[5] > Duration::from_secs(20), "{waits:?}");

    end.pass(31_000);
    let wait = wait_after_loss(&mut end);
    assert!(wait <= Duration::from_millis(10), "after a steady life at once: {wait:?}");
}

#[test]
fn a_path_that_often_died_is_tried_again_at_once_after_the_partner_has_another_network() {
    let mut end = End::open(true);
    for _ in 0..4 {
        end.pass(2_000);
        wait_after_loss(&mut end);
        end.connect();
    }

    end.pass(2_000);
    end.hear(Some(9), anew(WhyAnew::Changed));
    let wait = wait_after_loss(&mut end);

    assert!(wait <= Duration::from_millis(1_500), "{wait:?}");
}

/// Its attempts failed, the last a while ago, and the next is far off.
fn failed_often() -> End {
    let mut end = End::initiator();
    for _ in 0..7 {
        end.outputs();
        end.report(LinkEvent::Closed);
        while end.offers() == 0 {
            end.pass(10);
        }
    }
    end.report(LinkEvent::Closed);
    end.pass(10_000);
    assert_eq!((end.offers(), end.attempt()), (1, 15));
    end.outputs();
    end
}

#[test]
fn a_change_lets_it_try_again_at_once() {
    let mut end = failed_often();
    end.handle(Input::NetworkChanged);
    assert_eq!(end.offers(), 1);

    let mut end = failed_often();
    end.handle(Input::AddressesChanged);
    assert_eq!(end.offers(), 1);

    let mut end = failed_often();
    end.handle(Input::Relay(false));
    end.handle(Input::Relay(true));
    assert_eq!(end.offers(), 1);

    let mut end = failed_often();
    end.hear(Some(15), anew(WhyAnew::Changed));
    assert_eq!(end.offers(), 1);

    let mut end = failed_often();
    end.hear(Some(16), Step::Offer(sdp(21, "theirs")));
    assert_eq!(answers(&end).len(), 1);
}

#[test]
fn nothing_is_begun_while_signals_do_not_get_through() {
    let mut end = End::initiator();
    end.handle(Input::Relay(false));
    end.outputs();

    end.report(LinkEvent::Closed);
    end.pass(100_000);
    assert_eq!((end.offers(), end.signals()), (0, vec![]));
    end.handle(Input::Relay(true));

    assert_eq!(end.offers(), 1);
}

#[test]
fn a_partner_that_comes_back_ever_again_does_not_make_it_connect_each_time() {
    let mut end = End::initiator();

    for _ in 0..50 {
        end.pass(100);
        end.handle(Input::Relay(false));
        end.handle(Input::Relay(true));
    }

    assert!((4..=6).contains(&end.offers()), "{} in 5 s", end.offers());
    end.outputs();
    end.pass(1_000);
    assert_eq!(end.offers(), 1, "and the last return is not forgotten");
}

#[test]
fn the_partner_asks_the_initiator_when_its_connection_fails() {
    let mut end = End::partner();
    end.report_offer();
    end.outputs();

    end.report(LinkEvent::Closed);

    assert_eq!(end.signals(), [anew(WhyAnew::Closed)]);
}

#[test]
fn the_partner_does_not_ask_simple_peer() {
    let mut end = End::partner();
    end.hear(None, Step::Offer(sdp(21, "theirs")));
    end.outputs();

    end.report(LinkEvent::Closed);
    end.handle(Input::NetworkChanged);

    assert_eq!(end.signals(), []);
}

#[test]
fn the_initiator_tries_again_when_it_is_asked_to() {
    let mut end = End::initiator();
    end.describe(11, "mine");

    end.hear(Some(1), anew(WhyAnew::Closed));
    assert_eq!(end.direct.link(), None);
    end.pass(1_300);

    assert_eq!(end.attempt(), 3);
}

#[test]
fn what_was_asked_before_the_present_attempt_is_granted_already() {
    let mut end = End::initiator();
    end.report(LinkEvent::Closed);
    end.pass(1_300);
    assert_eq!(end.attempt(), 3);
    end.outputs();

    end.hear(Some(1), anew(WhyAnew::Closed));
    end.hear(None, anew(WhyAnew::Closed));
    end.hear(Some(3), Step::Renegotiate(None));

    assert_eq!(end.outputs(), []);
}

#[test]
fn a_partner_to_whom_the_last_offer_never_came_may_ask_while_none_is_under_way() {
    let mut end = failed_often();

    end.hear(Some(17), anew(WhyAnew::Changed));
    end.hear(None, anew(WhyAnew::Changed));
    assert_eq!(end.offers(), 0, "that is no attempt of this pairing");
    end.hear(Some(1), anew(WhyAnew::Changed));

    assert_eq!(end.offers(), 1);
}

#[test]
fn when_the_network_changes_the_initiator_restarts_what_stands() {
    let mut end = End::open(true);
    let link = end.link();

    end.handle(Input::NetworkChanged);

    assert_eq!(end.commands(), [LinkCommand::Restart(3)]);
    assert_eq!((end.link(), end.direct.carries()), (link, true));
}

#[test]
fn when_the_network_changes_the_partner_asks_for_a_restart() {
    let mut end = End::open(false);
    end.handle(Input::NetworkChanged);
    assert_eq!(end.signals(), [anew(WhyAnew::Changed)]);

    let mut end = End::open(true);
    end.pass(2_000);
    end.hear(Some(1), anew(WhyAnew::Changed));
    assert_eq!(end.commands(), [LinkCommand::Restart(3)]);
}

#[test]
fn a_restart_that_is_asked_for_too_soon_is_postponed() {
    let mut end = End::open(true);
    end.hear(Some(1), anew(WhyAnew::Changed));
    assert_eq!(end.commands(), []);

    end.pass(1_000);
    assert_eq!(end.commands(), [LinkCommand::Restart(3)]);
    end.describe(11, "mine anew");
    end.hear(Some(3), Step::Answer(sdp(21, "theirs anew")));
    end.outputs();

    end.hear(Some(3), anew(WhyAnew::Changed));
    end.pass(900);
    assert_eq!(end.commands(), []);
    end.pass(100);
    assert_eq!(end.commands(), [LinkCommand::Restart(5)], "once a second");
}

#[test]
fn a_path_that_goes_on_is_left_alone_when_the_host_notices_other_addresses() {
    let mut end = End::open(true);

    end.handle(Input::AddressesChanged);

    assert_eq!((end.commands(), end.signals()), (vec![], vec![]));
    assert!(end.direct.carries());
}

#[test]
fn an_attempt_is_begun_anew_when_the_host_notices_other_addresses() {
    let mut end = End::initiator();
    end.describe(11, "mine");
    end.outputs();

    end.handle(Input::AddressesChanged);

    assert_eq!((end.offers(), end.attempt()), (1, 3));
}

#[test]
fn a_restart_that_is_never_answered_leaves_a_living_path_alone() {
    let mut end = End::open(true);
    end.handle(Input::NetworkChanged);
    end.describe(11, "mine anew");

    end.pass(60_000);

    assert_eq!(end.left(), []);
    assert!(end.direct.carries());
}

#[test]
fn a_time_may_be_as_good_as_never() {
    let mut config = PathConfig::default();
    config.timeout = Duration::MAX;
    config.heartbeat_timeout = Duration::MAX;
    config.restart_after = Duration::MAX;
    config.retry_min = Duration::MAX;
    config.retry_max = Duration::MAX;
    config.hold = Duration::MAX;
    for initiator in [true, false] {
        let mut end = End::open_with(initiator, config);
        end.hear(Some(1), anew(WhyAnew::Changed));
        end.beat(HeartbeatKind::Ping, 9, false);
        end.handle(Input::Relay(false));
        end.handle(Input::Relay(true));
        end.pass(3_000);
        end.report(LinkEvent::Closed);
        end.hear(Some(1), anew(WhyAnew::Changed));
        end.hear(Some(101), Step::Offer(sdp(22, "theirs")));
        end.pass(100_000);
    }

    config.heartbeat_interval = Duration::MAX;
    let mut end = End::new(true, config);
    end.connect();
    end.pass(100_000);
}

#[test]
fn the_end_of_the_pairing_closes_everything() {
    let mut end = End::open(true);

    end.handle(Input::Ended);
    end.pass(100_000);

    assert_eq!(end.commands(), [LinkCommand::Close]);
    assert!(!end.outputs().iter().any(|output| matches!(output, Output::Signal(_))));
    assert_eq!(end.direct.poll_timeout(), None);
}

#[test]
fn an_offer_whose_number_leaves_no_room_for_others_is_ignored() {
    let mut end = End::partner();

    end.hear(Some((1 << 53) - 1), Step::Offer(sdp(21, "theirs")));
    assert_eq!(end.commands(), []);
    end.hear(Some(1), Step::Offer(sdp(21, "theirs")));

    assert_eq!(end.commands().len(), 1);
}
