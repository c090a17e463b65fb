//! Faults planted on purpose: the simulation must catch each of them.
//!
//! ```text
//! cargo test -p socketio-p2p-protocol --features planted-faults --test simulation planted
//! ```

use socketio_p2p_protocol::{
    planted::{Fault, plant},
    sim::{self, Failure, Lived, Plan, ReplayErrorKind, Rule, Trace},
};

/// The number of runs in which a fault must be caught.
const RUNS: u64 = 100;

/// Returns the first failure, and its seed, with this fault in the protocol.
fn caught(fault: Option<Fault>, live: impl Fn(u64, Trace) -> Lived) -> Option<(u64, Failure)> {
    plant(fault);
    let failure = (1..=RUNS).find_map(|seed| Some((seed, live(seed, Trace::default()).1.err()?)));
    plant(None);
    failure
}

/// Runs a plan in which each pair may have a v1 client, whose full queue is rare otherwise.
fn with_v1_clients(seed: u64, trace: Trace) -> Lived {
    sim::run_plan(Plan { legacies: 4, hostiles: 0, ..Plan::new(seed) }, trace)
}

/// The same with longer pauses between the faults, so that a late answer finds its connection.
fn with_v1_clients_for_longer(seed: u64, trace: Trace) -> Lived {
    sim::run_plan(Plan { legacies: 4, hostiles: 0, slowness: 6, ..Plan::new(seed) }, trace)
}

/// The same with clients that decide when the time for it is about to be over.
fn with_v1_clients_that_decide_late(seed: u64, trace: Trace) -> Lived {
    let plan = Plan { legacies: 4, hostiles: 0, slowness: 6, ..Plan::new(seed) };
    sim::run_plan(Plan { slow_consents: 0.9, ..plan }, trace)
}

/// Runs a plan in which clients have direct paths, and the server is often restarted.
fn with_restarts(seed: u64, trace: Trace) -> Lived {
    sim::run_plan(Plan { restarts: 0.05, hostiles: 0, ..Plan::new(seed).with_direct() }, trace)
}

/// Runs a plan in which clients have direct paths.
fn with_direct_paths(seed: u64, trace: Trace) -> Lived {
    sim::run_plan(Plan::new(seed).with_direct(), trace)
}

#[track_caller]
fn assert_caught(what: &str, failure: Option<(u64, Failure)>, rules: &[Rule]) {
    let Some((runs, failure)) = failure else {
        panic!("{what} is not caught in {RUNS} runs");
    };
    println!("{what}: caught in run {runs} by {:?}", failure.rule);
    assert!(rules.contains(&failure.rule), "{what} is caught by another rule: {failure}");
}

macro_rules! planted {
    ($live:expr; $($name:ident: $fault:ident by $($rule:ident),+;)*) => {$(
        #[test]
        fn $name() {
            let failure = caught(Some(Fault::$fault), $live);
            assert_caught(stringify!($fault), failure, &[$(Rule::$rule),+]);
        }
    )*};
}

planted! {
    sim::run;
    forgetting_the_partner_is_caught: ForgetPartner by Exclusive, Mutual, ToldOnce, Counters, NoPanic;
    comparing_ids_without_incarnations_is_caught: CompareWithoutIncarnation by NothingLost, Progress, ToldOnce, Mutual, Exclusive, Counters, NoPanic;
    resuming_without_a_token_is_caught: ResumeWithoutToken by NoStranger;
    pairing_the_busy_is_caught: PairTheBusy by Exclusive, Mutual, Counters;
    forgetting_who_is_away_is_caught: ForgetAway by NothingLeft, Progress, NothingLost, ToldOnce, Mutual;
    forgetting_to_say_that_a_partner_is_back_is_caught: ForgetBack by NothingLost, Progress;
    telling_the_end_twice_is_caught: TellTwice by ToldOnce;
    forgetting_to_send_the_window_again_is_caught: ForgetResend by NothingLost, Progress;
    ending_a_pairing_too_early_is_caught: EndTooEarly by Lasting;
    keeping_an_ended_pairing_is_caught: KeepEndedPairing by Exclusive, ToldOnce, Mutual;
    forgetting_why_a_pairing_ended_is_caught: ForgetReason by ToldOnce;
    a_window_that_evicts_early_is_caught: WindowEvictsEarly by NothingLost, Progress, Bounded;
    another_order_after_a_change_of_path_is_caught: ReorderOnPathChange by Order, AtMostOnce, Bounded, NothingLost;
    answering_another_call_is_caught: AnswerAnother by Truthful;
    a_window_that_is_never_full_is_caught: NeverFull by Bounded;
    delivering_duplicates_is_caught: DeliverDuplicates by AtMostOnce, Order, Bounded;
    guessing_an_outcome_is_caught: GuessNotExecuted by Truthful;
    reporting_twice_is_caught: ReportTwice by ReportedOnce;
    ignoring_the_time_to_live_is_caught: IgnoreTtl by InTime;
    losing_the_last_part_is_caught: LoseLastPart by NothingLost, Progress;
    acknowledging_what_was_not_seen_is_caught: AckUnseen by NothingLost, Progress, Bounded;
    skipping_the_pairing_id_on_the_relay_is_caught: SkipPairingId by NoStranger;
    another_order_in_the_backlog_of_a_v1_end_is_caught: ReverseBacklog by Order;
    mixing_up_the_acknowledgements_of_a_v1_end_is_caught: AcknowledgeAnother by Truthful;
}

planted! {
    with_v1_clients;
    dropping_what_a_full_queue_refused_is_caught: DropUndelivered by NothingLost, Progress;
    not_telling_a_v1_client_that_returns_is_caught: ForgetDeparted by Belief;
    not_telling_it_again_when_that_may_be_lost_is_caught: ForgetTold by Belief;
    dropping_a_part_of_a_burst_is_caught: DropBurst by NothingLost, ReportedOnce, Progress;
    not_answering_a_repeated_registration_is_caught: ForgetRepetition by Progress;
}

planted! {
    with_v1_clients_for_longer;
    counting_a_repeated_yes_for_the_next_question_is_caught: IgnoreAnswerId by Consent, Belief;
}

planted! {
    with_v1_clients_that_decide_late;
    counting_a_late_yes_for_the_next_question_is_caught: CloseQuestionEarly by Consent, Belief;
}

planted! {
    with_restarts;
    taking_any_grant_for_the_former_pairing_is_caught: TrustGrant by Mutual, NothingLost, Progress;
    registering_from_the_wrong_end_is_caught: SwapRoles by Lasting;
}

planted! {
    with_direct_paths;
    never_trying_a_direct_path_again_is_caught: NeverRetry by Direct;
    leaving_a_link_open_is_caught: KeepClosedLink by Direct, NothingLeft;
    telling_of_a_silent_path_without_end_is_caught: RepeatSilent by Bounded;
    ignoring_that_heartbeats_do_not_return_is_caught: IgnoreSilence by Direct, NothingLost, Progress, InTime;
    never_taking_a_path_again_is_caught: HoldForever by Direct;
    sending_on_a_closed_path_is_caught: ForgetClosedPath by Direct, NothingLost, Progress;
}

planted! {
    sim::run_two_paths;
    a_window_that_evicts_early_is_caught_on_two_paths: WindowEvictsEarly by NothingLost, Progress, Bounded;
    another_order_is_caught_on_two_paths: ReorderOnPathChange by Order, AtMostOnce, Bounded, NothingLost;
    duplicates_are_caught_on_two_paths: DeliverDuplicates by AtMostOnce, Order, Bounded;
    guessing_is_caught_on_two_paths: GuessNotExecuted by Truthful;
    reporting_twice_is_caught_on_two_paths: ReportTwice by ReportedOnce;
    ignoring_the_time_to_live_is_caught_on_two_paths: IgnoreTtl by InTime;
    losing_the_last_part_is_caught_on_two_paths: LoseLastPart by NothingLost, Progress;
    acknowledging_what_was_not_seen_is_caught_on_two_paths: AckUnseen by NothingLost, Progress, Bounded;
}

planted! {
    sim::run_rooms;
    not_telling_a_room_of_a_member_that_is_back_is_caught: ForgetMemberBack by NothingLost, Progress;
    not_telling_a_room_of_a_member_that_left_is_caught: ForgetMemberLeft by ToldOnce, Mutual, NothingLost, NothingLeft, Truthful, Direct;
    mixing_up_the_members_of_a_room_is_caught: MixMembers by NoStranger, Bounded, NothingLost, Progress, Mutual, Direct;
    missing_members_that_joined_meanwhile_is_caught: ForgetNewMembers by Mutual, NothingLost, ToldOnce;
    adopting_pairings_of_a_former_membership_is_caught: AdoptRoom by NothingLost, ToldOnce, Bounded, Order, AtMostOnce, Truthful, Mutual;
    duplicates_are_caught_in_a_room: DeliverDuplicates by AtMostOnce, Order, Bounded;
    guessing_is_caught_in_a_room: GuessNotExecuted by Truthful;
}

planted! {
    crate::run_with_watches;
    forgetting_a_change_that_comes_too_soon_is_caught: ForgetCoalesced by Watched;
    forgetting_to_watch_again_is_caught: ForgetWatch by Watched;
}

planted! {
    crate::run_with_slow_consents;
    answering_a_question_of_an_earlier_server_is_caught: AnswerFormerServer by Consent;
}

#[test]
fn a_transcript_of_a_right_client_does_not_replay_with_a_fault() {
    let transcript = sim::record(Plan::new(61), 0, 300).unwrap();

    plant(Some(Fault::ForgetResend));
    let difference = sim::replay(&transcript);
    plant(None);

    let ReplayErrorKind::Differs { .. } = difference.unwrap_err().kind else { panic!() };
}

#[test]
fn without_a_planted_fault_nothing_is_caught() {
    for live in [
        sim::run,
        with_v1_clients,
        with_v1_clients_for_longer,
        with_restarts,
        with_direct_paths,
        sim::run_two_paths,
        sim::run_rooms,
    ] {
        if let Some((_, failure)) = caught(None, live) {
            panic!("{failure}");
        }
    }
}
