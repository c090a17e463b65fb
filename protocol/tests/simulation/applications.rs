//! Applications under test: the example is one.

use serde_json::Value;
use socketio_p2p_protocol::{
    Outcome, Refusal,
    sim::{self, Application, CallNo, Calls, LINES, Rule, Trace},
};

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

/// Calls, and panics in the handler of the 20th call.
#[derive(Default)]
struct Panicking(usize);

impl Application for Panicking {
    fn tick(&mut self, _: usize, calls: &mut Calls) {
        calls.call("count", vec![], std::time::Duration::from_secs(5));
    }

    fn handle(&mut self, at: usize, _: &str, _: &[Value]) -> Result<Value, Refusal> {
        self.0 += 1;
        assert!(self.0 < 20, "the handler of client {at} is wrong");
        Ok(Value::Null)
    }

    fn resolved(&mut self, _: usize, _: CallNo, _: &Outcome) {}

    fn check(&self, _: bool) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn the_report_of_an_application_that_panics_has_the_last_events_and_the_way_to_repeat_it() {
    let live = || sim::run_application(7, Box::new(Panicking::default()), Trace::of(LINES));

    let (counts, outcome) = live();

    let failure = outcome.expect_err("it panics");
    assert_eq!((failure.rule, failure.seed()), (Rule::NoPanic, 7));
    let report = failure.to_string();
    let lines: Vec<_> = report.lines().collect();
    let first =
        format!("NoPanic is broken at step {} of seed 7: a panic: the handler", counts.steps);
    assert!(counts.steps > 20 && lines[0].starts_with(&first), "{report}");
    assert!(lines.len() > 20 && lines[1].trim_start().contains("s "), "{report}");
    let command =
        format!("repeat it with sim::run_application(7, application, Trace::of({LINES}))");
    assert_eq!(lines.last(), Some(&&*command));
    assert_eq!(live().1.expect_err("it panics again").to_string(), report);
}
