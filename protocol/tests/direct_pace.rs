//! The pace of a direct path's heartbeats: often while the pairing is in use, seldom when it is idle.

use std::time::Duration;

use socketio_p2p_protocol::{
    PathConfig,
    limits::{DIRECT_HEARTBEAT_IDLE, DIRECT_HEARTBEAT_INTERVAL, DIRECT_HEARTBEAT_TIMEOUT},
    peer::{HeartbeatKind, LinkEvent, WhyLeft, direct::Input},
};

use crate::directs::End;

/// A path over which nothing is sent. The partner answers.
fn unused() -> End {
    let mut end = End::open(true);
    end.is_in_use = false;
    end
}

/// A path that has been idle for a minute. The partner answers.
fn idle() -> End {
    let mut end = unused();
    end.pass(60_000);
    end.pings.clear();
    end
}

/// The times from one ping to the next, in milliseconds.
fn intervals(end: &mut End, millis: u64) -> Vec<u64> {
    let mut intervals = Vec::new();
    let mut since = 0;
    for _ in 0..millis {
        end.pass(1);
        since += 1;
        if !std::mem::take(&mut end.pings).is_empty() {
            intervals.push(since);
            since = 0;
        }
    }
    intervals
}

#[test]
fn a_path_in_use_has_five_heartbeats_a_second() {
    let mut end = unused();
    end.pings.clear();

    for _ in 0..1_000 {
        end.direct.used(end.now);
        end.pass(10);
    }

    assert!((50..=51).contains(&end.pings.len()), "{}", end.pings.len());
}

#[test]
fn an_idle_path_has_one_heartbeat_in_four_seconds() {
    let mut end = idle();

    end.pass(60_000);

    assert_eq!(end.pings.len(), 15);
    assert_eq!(end.left(), []);
}

#[test]
fn the_interval_is_the_time_since_the_last_use() {
    let mut end = idle();

    end.direct.used(end.now);
    end.pass(0);
    assert_eq!(std::mem::take(&mut end.pings).len(), 1, "at once");
    let intervals = intervals(&mut end, 16_000);

    assert_eq!(intervals, [200, 200, 400, 800, 1_600, 3_200, 4_000, 4_000]);
}

#[test]
fn use_within_the_shortest_interval_costs_no_further_heartbeat() {
    let mut end = idle();
    end.direct.used(end.now);
    end.pass(1);
    end.pings.clear();

    for _ in 0..198 {
        end.direct.used(end.now);
        end.pass(1);
    }
    assert_eq!(end.pings.len(), 0);
    end.pass(2);

    assert_eq!(end.pings.len(), 1);
}

#[test]
fn messages_on_other_channels_are_use_in_both_directions() {
    for event in [LinkEvent::Heard, LinkEvent::Sent] {
        let mut end = idle();
        end.pass(1_000);
        end.pings.clear();

        end.report(event);

        assert_eq!(end.pings.len(), 1);
    }
}

#[test]
fn what_may_concern_the_path_has_it_asked_at_once() {
    for hint in [Input::AddressesChanged, Input::Relay(false)] {
        let mut end = idle();
        end.pass(1_000);
        end.pings.clear();
        end.partner = false;

        end.handle(hint);
        assert_eq!(end.pings.len(), 1);
        end.pass(1_000);

        assert_eq!(end.left(), [WhyLeft::Silent]);
    }
}

#[test]
fn a_partner_that_dies_while_the_path_is_idle_is_noticed_by_the_next_heartbeat() {
    for phase in 0..40 {
        let mut end = idle();
        end.pass(100 * phase);
        end.partner = false;
        let died = end.now;

        while end.direct.carries() {
            end.pass(10);
        }

        assert!(end.now - died <= DIRECT_HEARTBEAT_IDLE + 3 * DIRECT_HEARTBEAT_TIMEOUT);
        assert_eq!(end.left(), [WhyLeft::Silent]);
    }
}

#[test]
fn a_partner_that_died_while_the_path_was_idle_is_noticed_within_a_second_of_the_next_use() {
    for phase in 0..40 {
        let mut end = unused();
        end.delay = Duration::from_millis(100);
        end.pass(60_000 + 100 * phase);
        end.partner = false;
        end.direct.used(end.now);

        end.pass(1_000);

        assert_eq!(end.left(), [WhyLeft::Silent]);
    }
}

#[test]
fn use_while_a_heartbeat_of_an_idle_path_waits_ends_the_patience() {
    let mut end = idle();
    end.partner = false;
    while end.pings.is_empty() {
        end.pass(10);
    }
    end.pass(1_500);
    assert_eq!(end.left(), [], "nothing waits for it");

    for _ in 0..100 {
        end.direct.used(end.now);
        end.pass(10);
    }

    assert_eq!(end.left(), [WhyLeft::Silent]);
}

#[test]
fn a_partner_that_dies_while_the_path_is_in_use_is_noticed_within_a_second() {
    let mut end = unused();
    for _ in 0..100 {
        end.direct.used(end.now);
        end.pass(10);
    }
    end.partner = false;

    end.pass(900);

    assert_eq!(end.left(), [WhyLeft::Silent]);
}

/// A lost message holds up what is behind it until three later ones, in the interval of heartbeats, and a
/// round trip have told its sender of the loss.
#[test]
fn a_message_that_has_to_be_sent_again_does_not_end_the_path_whatever_the_round_trip() {
    for round_trip in [1, 100, 200, 300, 600] {
        let mut end = End::open(true);
        end.delay = Duration::from_millis(round_trip);
        end.pass(20_000);
        end.partner = false;
        end.pass(3 * 200 + round_trip); // After the last heartbeat, which may be 200 ms old.
        assert_eq!(end.left(), [], "round trip of {round_trip} ms");

        end.partner = true;
        end.pass(20_000);
        assert_eq!(end.left(), [], "round trip of {round_trip} ms");

        end.partner = false;
        end.pass(3 * 900 + round_trip);
        assert_eq!(end.left(), [WhyLeft::Silent], "round trip of {round_trip} ms");
    }
}

#[test]
fn a_partner_that_dies_is_noticed_within_a_second_and_three_round_trips() {
    for round_trip in [1, 50, 75, 100, 300, 600, 1_500] {
        let mut end = End::open(true);
        end.delay = Duration::from_millis(round_trip);
        end.pass(60_000);
        assert!(end.direct.carries(), "round trip of {round_trip} ms");

        end.partner = false;
        end.pass(1_000 + 3 * round_trip);

        assert!(!end.direct.carries(), "round trip of {round_trip} ms");
    }
}

#[test]
fn an_overdue_heartbeat_is_followed_by_others_soon_whatever_the_round_trip() {
    for delay in [1, 100, 600] {
        let mut end = unused();
        end.delay = Duration::from_millis(delay);
        end.pass(120_000);
        while end.pings.len() != 1 {
            end.pings.clear();
            end.pass(1);
        }
        end.partner = false; // That one is lost, or its answer.
        end.pings.clear();

        end.pass(delay + 350);
        assert_eq!(end.pings.len(), 4, "round trip of {delay} ms");
        end.partner = true;
        end.pass(delay + 100);

        assert_eq!(end.left(), [], "round trip of {delay} ms");
    }
}

#[test]
fn a_heartbeat_on_time_is_not_followed_by_another_whatever_the_round_trip() {
    for delay in [1, 150, 600] {
        let mut end = unused();
        end.delay = Duration::from_millis(delay);
        end.pass(600_000);
        end.pings.clear();

        end.pass(40_000);

        assert_eq!(end.pings.len(), 10, "round trip of {delay} ms");
        assert_eq!(end.left(), [], "round trip of {delay} ms");
    }
}

#[test]
fn a_partner_that_beats_at_another_pace_neither_gives_up_nor_is_given_up() {
    let mut end = idle();

    for n in 0..300 {
        let answers = end.pongs;
        end.beat(HeartbeatKind::Ping, 1_000 + n, true);
        assert_eq!(end.pongs, answers + 1, "at once");
        end.pass(200);
    }

    assert_eq!(end.pings.len(), 15, "its own pace does not change");
    assert_eq!(end.left(), []);
}

#[test]
fn a_path_that_is_not_alive_is_asked_twenty_times_a_second_also_when_it_was_idle() {
    let mut end = idle();

    end.beat(HeartbeatKind::Ping, 1_000, false);
    end.pings.clear();
    end.partner = false;
    end.pass(1_000);

    assert!((20..=21).contains(&end.pings.len()), "{}", end.pings.len());
}

#[test]
fn the_longest_interval_can_be_set_and_is_not_below_the_shortest() {
    for (idle, expected) in [(1_000, 60), (100, 300)] {
        let config = PathConfig::default().heartbeat_idle(Duration::from_millis(idle));
        let mut end = End::open_with(true, config);
        end.is_in_use = false;
        end.pass(10_000);
        end.pings.clear();

        end.pass(60_000);

        assert_eq!(end.pings.len(), expected);
    }
    assert_eq!(PathConfig::default().heartbeat_interval, DIRECT_HEARTBEAT_INTERVAL);
}
