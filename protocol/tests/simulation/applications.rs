//! Applications under test: the example is one.

use socketio_p2p_protocol::sim::{self, Rule, Trace};

#[path = "../../examples/application.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own there")]
mod example;

use example::Transfers;

#[test]
fn an_application_that_is_right_breaks_no_rule() {
    for seed in 1..=30 {
        let (counts, outcome) =
            sim::run_application(seed, Box::new(Transfers::new(false)), Trace::default());

        let summary = outcome.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(summary.values > 0 && counts.faults > 0, "seed {seed}: {summary:?}");
    }
}

#[test]
fn the_broken_invariant_of_an_application_is_found_and_repeats_from_its_seed() {
    let failure_of = |seed| {
        let application = Box::new(Transfers::new(true));
        sim::run_application(seed, application, Trace::default()).1.err()
    };
    let found = (1..=50).find_map(failure_of).expect("it is found");

    assert_eq!(found.rule, Rule::Application);
    let again = failure_of(found.seed()).expect("it is found again");
    assert_eq!(again.to_string(), found.to_string());
}
