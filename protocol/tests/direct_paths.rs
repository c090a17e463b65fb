//! The taking and leaving of a direct path.

use std::time::Duration;

use socketio_p2p_protocol::{
    PathConfig, PathPolicy, Step, WhyAnew,
    peer::{HeartbeatKind, LinkCommand, LinkEvent, WhyLeft, direct::Input},
};

use crate::directs::{End, anew, sdp};

#[test]
fn it_is_taken_only_when_heartbeats_return_on_both_sides() {
    let mut end = End::initiator();
    end.describe(11, "mine");
    end.hear(Some(1), Step::Answer(sdp(21, "theirs")));
    end.report(LinkEvent::Opened);
    assert_eq!(end.pings, [1]);

    end.beat(HeartbeatKind::Pong, 1, false);
    assert!(!end.was_taken(), "the partner's have not returned");
    let restarted = end.commands().iter().any(|done| matches!(done, LinkCommand::Restart(_)));
    assert!(!restarted, "it has not fallen silent: it has not been there yet");
    end.beat(HeartbeatKind::Ping, 1, true);

    assert!(end.was_taken());
}

#[test]
fn the_partner_is_told_at_once_that_a_heartbeat_has_returned() {
    let mut end = End::partner();
    end.report_offer();
    end.report(LinkEvent::Opened);

    end.beat(HeartbeatKind::Pong, 1, false);

    assert_eq!(end.pings, [1, 2]);
}

#[test]
fn an_answer_to_what_was_never_asked_proves_nothing() {
    let mut end = End::partner();
    end.report_offer();
    end.report(LinkEvent::Opened);

    end.beat(HeartbeatKind::Pong, 7, true);

    assert!(!end.was_taken());
}

#[test]
fn it_is_left_when_it_falls_silent_and_restarted_when_it_stays_silent() {
    let mut end = End::open(true);
    end.pass(5_000);
    end.partner = false;

    end.pass(700);
    assert!(end.direct.carries());
    end.pass(201);
    assert_eq!(end.left(), [WhyLeft::Silent]);
    end.pass(1_399);
    assert_eq!(end.commands(), [], "it may come back by itself");
    end.pass(101);

    assert_eq!(end.commands(), [LinkCommand::Restart(3)]);
}

#[test]
fn the_partner_is_told_by_the_server_when_it_falls_silent_and_once_more_when_it_stays_so() {
    for (initiator, again) in [(false, vec![anew(WhyAnew::Silent)]), (true, vec![])] {
        let mut end = End::open(initiator);
        end.pass(5_000);
        end.partner = false;

        end.pass(901);
        assert_eq!(
            (end.left(), end.signals()),
            (vec![WhyLeft::Silent], vec![anew(WhyAnew::Silent)])
        );
        end.outputs();
        end.pass(1_501);

        // The initiator restarts it then.
        assert_eq!(end.signals(), again);
    }
}

#[test]
fn one_that_comes_back_by_itself_is_taken_again_without_a_restart() {
    for initiator in [true, false] {
        let mut end = End::open(initiator);
        end.pass(5_000);
        end.partner = false;
        end.pass(2_000);
        assert_eq!(end.left(), [WhyLeft::Silent]);
        end.outputs();

        end.partner = true;
        end.pass(10_000);

        assert!(end.was_taken());
        assert_eq!((end.commands(), end.signals()), (vec![], vec![]));
    }
}

#[test]
fn a_silent_one_is_restarted_at_once_when_the_network_changes() {
    let mut end = End::open(true);
    end.partner = false;
    end.pass(1_000);

    end.handle(Input::NetworkChanged);

    assert_eq!(end.commands(), [LinkCommand::Restart(3)]);
}

#[test]
fn it_is_left_at_once_when_the_partner_says_by_the_server_that_it_is_silent() {
    for initiator in [true, false] {
        let mut end = End::open(initiator);
        end.pass(5_000);
        end.outputs();
        end.partner = false; // What this end says gets through, but is not confirmed.

        end.hear(Some(1), anew(WhyAnew::Silent));
        assert_eq!((end.left(), end.signals()), (vec![WhyLeft::Silent], vec![]));
        assert_eq!(end.commands(), [], "it may come back by itself");
        end.outputs();
        end.pass(1_501);

        match initiator {
            true => assert_eq!(end.commands(), [LinkCommand::Restart(3)]),
            false => assert_eq!(end.signals(), [anew(WhyAnew::Silent)]),
        }
    }
}

#[test]
fn what_the_partner_said_of_an_older_attempt_is_no_reason_to_leave_the_present_one() {
    let mut end = End::open(true);

    end.hear(Some(0), anew(WhyAnew::Silent));

    assert_eq!(end.left(), []);
}

#[test]
fn a_silent_one_is_restarted_again_when_the_signals_may_have_been_lost() {
    let mut end = End::open(true);
    end.pass(5_000);
    end.partner = false;
    end.pass(1_000);
    end.handle(Input::Relay(false));
    end.handle(Input::Relay(true));
    assert_eq!(end.commands(), [], "it may come back by itself");
    end.pass(1_500);
    assert_eq!(end.commands(), [LinkCommand::Restart(3)]);
    end.outputs();

    end.handle(Input::Relay(false));
    end.handle(Input::Relay(true));
    end.pass(1_000);

    assert_eq!(end.commands(), [LinkCommand::Restart(5)]);
}

#[test]
fn a_restart_that_fails_is_followed_by_a_fresh_connection() {
    let mut end = End::open(true);
    let link = end.link();
    end.partner = false;

    end.pass(15_000);

    let commands = end.commands();
    assert_eq!(commands, [LinkCommand::Restart(3), LinkCommand::Close, LinkCommand::Offer(5)]);
    assert_ne!(end.link(), link);
}

#[test]
fn what_else_comes_in_keeps_it_for_a_while() {
    let mut end = End::open(true);
    end.partner = false;

    for _ in 0..25 {
        end.pass(100);
        end.report(LinkEvent::Heard);
    }
    assert!(end.direct.carries(), "a heartbeat may wait behind bulk");
    for _ in 0..5 {
        end.pass(100);
        end.report(LinkEvent::Heard);
    }

    assert_eq!(end.left(), [WhyLeft::Silent], "but not for ever");
}

#[test]
fn it_is_left_when_the_partner_says_that_it_is_silent() {
    let mut end = End::open(true);

    end.beat(HeartbeatKind::Ping, 9, false);

    assert_eq!(end.left(), [WhyLeft::Silent]);
}

#[test]
fn it_is_left_when_its_connection_closes() {
    let mut end = End::open(true);

    end.report(LinkEvent::Closed);

    assert_eq!(end.left(), [WhyLeft::Closed]);
    end.outputs();
    end.pass(1_100);
    assert_eq!(end.offers(), 1);
}

#[test]
fn one_that_was_left_is_not_taken_at_once_again() {
    let mut end = End::open(true);
    end.partner = false;
    end.pass(1_000);
    end.outputs();
    end.partner = true;

    end.pass(1_500);
    assert!(!end.was_taken());
    end.pass(500);

    assert!(end.was_taken());
}

#[test]
fn one_that_flaps_is_taken_ever_more_seldom() {
    let mut end = End::open(true);
    let mut waits = Vec::new();
    for _ in 0..5 {
        end.partner = false;
        while end.direct.carries() {
            end.pass(10);
        }
        end.partner = true;
        let from = end.now;
        while !end.direct.carries() {
            end.pass(10);
        }
        waits.push(end.now - from);
    }
    assert!(waits.windows(2).all(|two| two[1] >= two[0] * 19 / 10), "{waits:?}");

    end.pass(31_000);
    end.partner = false;
    end.pass(1_000);
    end.partner = true;
    end.pass(2_100);
    assert!(end.direct.carries(), "it had stood for long");
}

#[test]
fn one_that_flapped_on_another_network_is_taken_as_if_for_the_first_time() {
    let by_this_end = |end: &mut End, _| end.handle(Input::NetworkChanged);
    let by_the_partner = |end: &mut End, attempt| end.hear(Some(attempt), anew(WhyAnew::Changed));
    for changes in [by_this_end as fn(&mut End, u64), by_the_partner] {
        let mut end = End::open(true);
        let (mut waits, mut attempt) = (Vec::new(), 1);
        for _ in 0..5 {
            end.pass(2_000);
            changes(&mut end, attempt);
            end.outputs();
            end.report(LinkEvent::Closed); // which is a restart to the host
            let from = end.now;
            while end.offers() == 0 {
                end.pass(10);
            }
            attempt = end.attempt();
            end.connect();
            while !end.direct.carries() {
                end.pass(10);
            }
            waits.push(end.now - from);
        }
        assert!(waits.iter().all(|wait| *wait < Duration::from_millis(2_500)), "{waits:?}");
    }
}

#[test]
fn the_only_path_there_is_is_taken_at_once_again() {
    let mut end = End::open(true);
    end.handle(Input::Relay(false));
    end.partner = false;
    end.pass(1_000);
    assert!(!end.direct.carries());

    end.partner = true;
    end.pass(100);

    assert!(end.direct.carries());
}

#[test]
fn without_the_server_a_silent_path_is_given_up_in_time() {
    let mut end = End::open(true);
    end.handle(Input::Relay(false));
    end.partner = false;

    end.pass(10_500);
    assert!(end.direct.stands());
    end.pass(1_000);

    assert!(!end.direct.stands());
    assert_eq!(end.signals(), []);
}

/// A direct path of 100 ms, a relay of as many as are given.
fn compared(relay_millis: u64, config: PathConfig) -> End {
    let mut end = End::open_with(true, config);
    end.delay = Duration::from_millis(100);
    end.partner_server = Some(1000 * relay_millis / 2);
    end.handle(Input::ServerAnswered(Duration::from_millis(relay_millis / 2)));
    end
}

#[test]
fn it_is_left_for_a_relay_that_is_measured_better_for_a_while() {
    let mut end = compared(20, PathConfig::default());

    end.pass(2_000);
    assert!(end.direct.carries());
    end.pass(10_000);

    assert_eq!(end.left(), [WhyLeft::Slower]);
    assert_eq!(end.direct.relay_rtt(), Some(Duration::from_millis(20)));
    let rtt = end.direct.rtt().unwrap();
    assert!(rtt > Duration::from_millis(60) && rtt <= Duration::from_millis(100), "{rtt:?}");
}

#[test]
fn it_is_not_left_because_what_this_end_says_makes_its_heartbeats_wait() {
    let mut end = compared(20, PathConfig::default());
    for _ in 0..20 {
        end.delay = Duration::from_millis(15);
        end.pass(1_000);
        end.delay = Duration::from_millis(200);
        end.pass(5_000);
    }

    assert_eq!(end.left(), []);
}

#[test]
fn what_the_server_took_when_it_was_busy_does_not_count() {
    let mut end = compared(20, PathConfig::default());
    for millis in [300, 10, 300, 300] {
        end.handle(Input::ServerAnswered(Duration::from_millis(millis)));
    }

    assert_eq!(end.direct.relay_rtt(), None, "the partner has not said yet");
    end.pass(400);
    assert_eq!(end.direct.relay_rtt(), Some(Duration::from_millis(20)));
}

#[test]
fn what_was_measured_before_the_relay_went_away_does_not_count_when_it_is_back() {
    let mut end = compared(20, PathConfig::default());
    end.pass(8_000);
    end.handle(Input::Relay(false));
    end.pass(10_000);

    end.handle(Input::Relay(true));
    end.pass(2_900);
    assert_eq!(end.left(), []);
    end.pass(500);

    assert_eq!(end.left(), [WhyLeft::Slower]);
}

#[test]
fn it_is_kept_while_the_relay_is_not_clearly_better() {
    let mut end = compared(60, PathConfig::default());

    end.pass(60_000);

    assert_eq!(end.left(), []);
}

#[test]
fn it_is_taken_again_when_it_is_clearly_not_worse() {
    let mut end = compared(20, PathConfig::default());
    end.pass(20_000);
    end.outputs();

    end.delay = Duration::from_millis(40);
    end.pass(20_000);
    assert!(!end.was_taken(), "between the two nothing changes");
    end.delay = Duration::from_millis(10);
    end.pass(10_000);

    assert!(end.was_taken());
}

#[test]
fn under_direct_only_it_is_never_left_for_the_relay() {
    let mut config = PathConfig::default();
    config.policy = PathPolicy::DirectOnly;
    let mut end = compared(2, config);

    end.pass(60_000);

    assert_eq!(end.left(), []);
}

#[test]
fn a_setting_of_any_length_neither_panics_nor_keeps_an_end_busy() {
    let settings: [fn(&mut PathConfig) -> &mut Duration; 8] = [
        |config| &mut config.timeout,
        |config| &mut config.heartbeat_interval,
        |config| &mut config.heartbeat_idle,
        |config| &mut config.heartbeat_timeout,
        |config| &mut config.restart_after,
        |config| &mut config.retry_min,
        |config| &mut config.retry_max,
        |config| &mut config.hold,
    ];
    for setting in settings {
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            let mut config = PathConfig::default();
            *setting(&mut config) = time;
            let mut end = End::new(true, config);
            end.connect();
            end.pass(1_000);
            end.partner = false;
            end.pass(5_000);
            end.handle(Input::NetworkChanged);
            end.pass(1_000);

            assert!(end.turns < 20_000, "it is busy: {} turns with {config:?}", end.turns);
        }
    }
}

#[test]
fn the_wait_is_forgotten_when_the_partner_says_that_its_network_changed() {
    for initiator in [true, false] {
        let mut end = End::open(initiator);
        for _ in 0..3 {
            end.beat(HeartbeatKind::Ping, 1, false);
            end.pass(20_000);
        }
        end.beat(HeartbeatKind::Ping, 1, false);
        end.pass(1_000);
        assert!(!end.direct.carries(), "it is held back");

        end.hear(Some(1), anew(WhyAnew::Changed));

        end.pass(1_000);
        assert!(end.direct.carries(), "initiator: {initiator}");
    }
}

#[test]
fn either_end_tells_its_partner_that_its_network_changed() {
    for initiator in [true, false] {
        let mut end = End::open(initiator);

        end.handle(Input::NetworkChanged);

        assert_eq!(end.signals(), [anew(WhyAnew::Changed)]);
    }
}

#[test]
fn a_wait_that_is_set_to_more_than_two_minutes_is_not_cut() {
    let mut config = PathConfig::default();
    config.hold = Duration::from_secs(600);
    let mut end = End::open_with(true, config);
    end.beat(HeartbeatKind::Ping, 1, false);

    end.pass(590_000);
    assert!(!end.direct.carries());
    end.pass(20_000);

    assert!(end.direct.carries());
}
