use super::*;

/// A pairing of clients 0 and 1, in which 0 made three calls that ran.
fn paired() -> Ledger {
    let mut ledger = Ledger::of(vec!["python-socketio, polling".to_owned(), "4".to_owned()]);
    for record in [
        Record::Up(0),
        Record::Up(1),
        Record::Paired(1, 1, 1),
        Record::Paired(0, 1, 1),
        Record::Ran(1, 1, 1, 0, 2),
        Record::Right(3),
    ] {
        ledger.record(record);
    }
    ledger
}

fn is_met(ledger: &Ledger) -> bool {
    let mut report = Report::new("stock", String::new());
    ledger.judge(&mut report);
    report.met()
}

#[test]
fn calls_that_ran_once_and_in_order_are_well() {
    let mut ledger = paired();
    ledger.record(Record::Ran(1, 1, 1, 3, 3));
    ledger.record(Record::Rest(0, 1, 1, 4, Vec::new()));

    assert!(is_met(&ledger));
}

#[test]
fn what_ran_twice_or_not_or_too_late_is_wrong() {
    for (first, last) in [(2, 3), (0, 2), (4, 4)] {
        let mut ledger = paired();
        ledger.record(Record::Ran(1, 1, 1, first, last));
        assert!(!is_met(&ledger), "{first} to {last}");
    }
    let mut ledger = paired();
    ledger.record(Record::Ran(1, 1, 2, 0, 0));
    ledger.record(Record::Ran(1, 1, 1, 3, 3));
    assert!(!is_met(&ledger));
}

#[test]
fn the_last_call_is_missed_too() {
    let mut ledger = paired();
    ledger.record(Record::Rest(0, 1, 1, 4, Vec::new()));

    assert!(!is_met(&ledger));
}

#[test]
fn the_end_of_a_run_excuses_nothing() {
    let mut ledger = paired();
    ledger.record(Record::Rest(0, 1, 1, 4, Vec::new()));
    ledger.close();
    ledger.record(Record::Down(0, 1, "the end".to_owned()));

    assert_eq!(ledger.missing_calls(), ["0 made 4 calls in 1, 3 ran"]);
    assert!(!is_met(&ledger));
}

#[test]
fn an_open_acknowledgement_is_wrong_and_described() {
    let mut ledger = paired();
    ledger.record(serde_json::from_str(r#"{"rest":[0,2,1,3,[[1,2,1,130.04]]]}"#).unwrap());

    assert!(!is_met(&ledger));
    assert_eq!(
        ledger.describe_open(),
        ["1.2 of 0 (python-socketio, polling), 130.0 s old, made on connection 1; \
          now it has connection 2, epoch 1"]
    );
}

#[test]
fn a_failure_is_excused_by_the_end_of_either_connection_only() {
    for (over, expected) in
        [(None, false), (Some((0, 1)), true), (Some((1, 1)), true), (Some((1, 2)), false)]
    {
        let mut ledger = paired();
        ledger.record(Record::Failed(0, 1, 3, "offline".to_owned()));
        ledger.record(Record::Unpaired(0, 1));
        if let Some((who, connection)) = over {
            ledger.record(Record::Down(who, connection, "ping timeout".to_owned()));
        }
        assert_eq!(is_met(&ledger), expected, "{over:?}");
    }
}

#[test]
fn a_client_that_is_told_to_stay_away_is_wrong_and_one_that_its_library_leaves_is_not() {
    let mut ledger = paired();
    ledger.record(serde_json::from_str(r#"{"helped":[1,"server disconnect"]}"#).unwrap());
    assert!(is_met(&ledger));

    ledger.record(serde_json::from_str(r#"{"sent_away":[0,1]}"#).unwrap());

    assert!(!is_met(&ledger));
}

#[test]
fn nobody_is_well_before_an_answer_since_the_mark() {
    let mut ledger = paired();
    ledger.record(Record::Well(0));
    ledger.record(Record::Well(1));
    assert_eq!(ledger.unwell(), [""; 0]);

    ledger.mark();
    ledger.record(Record::Well(1));

    assert_eq!(ledger.unwell(), ["0: paired"]);
}
