//! The handlers that a client runs, and those that make room for others.

use socketio_p2p_protocol::{
    Code, PairingId,
    client::{HandlerId, RunningHandlers},
    limits::{HANDLERS, PENDING_CALLS},
};

fn handlers(serial: u64, count: usize) -> Vec<HandlerId> {
    (1..=count as u64).map(|seq| (PairingId::new(1, serial), seq)).collect()
}

fn start_all(running: &mut RunningHandlers, handlers: &[HandlerId]) {
    for handler in handlers {
        assert_eq!(running.start(*handler, |_| false), Ok(Vec::new()));
    }
}

#[test]
fn while_there_is_room_no_handler_ends() {
    let mut running = RunningHandlers::default();

    // A session runs no more, and an earlier one may have left as many behind.
    start_all(&mut running, &handlers(1, PENDING_CALLS));
    start_all(&mut running, &handlers(2, PENDING_CALLS));

    assert_eq!(running.len(), HANDLERS);
}

#[test]
fn handlers_of_all_earlier_pairings_end_when_the_present_one_needs_room() {
    let mut running = RunningHandlers::default();
    let [one, other] = [handlers(1, HANDLERS / 2), handlers(2, HANDLERS / 2 - 1)];
    let present = handlers(3, 2);
    start_all(&mut running, &[&one[..], &other, &present[..1]].concat());

    let ended = running.start(present[1], |_| false);

    assert_eq!(ended, Ok([one, other].concat()));
    assert_eq!(running.len(), 2);
}

#[test]
fn handlers_of_the_present_pairing_make_no_room_for_each_other() {
    let mut running = RunningHandlers::default();
    let present = handlers(1, HANDLERS + 1);
    start_all(&mut running, &present[..HANDLERS]);

    assert_eq!(running.start(present[HANDLERS], |_| false), Err(Code::Congested.into()));
    running.finished(present[0]);
    assert_eq!(running.start(present[HANDLERS], |_| false), Ok(Vec::new()));
}

#[test]
fn a_handler_that_has_finished_or_ended_takes_no_room() {
    let mut running = RunningHandlers::default();
    let [earlier, present] = [1, 2].map(|serial| handlers(serial, HANDLERS));
    start_all(&mut running, &earlier);
    running.start(present[0], |_| false).unwrap();

    // It finished just before it was ended.
    running.finished(earlier[0]);
    running.finished(present[0]);

    assert!(running.is_empty());
    start_all(&mut running, &present);
}

#[test]
fn handlers_whose_callers_gave_up_make_room_for_others() {
    let mut running = RunningHandlers::default();
    let present = handlers(1, HANDLERS + 2);
    start_all(&mut running, &present[..HANDLERS]);
    running.abandon(present[3]);
    running.abandon(present[5]);
    running.abandon(present[HANDLERS]); // It does not run.

    // One finished by itself.
    running.finished(present[5]);
    assert_eq!(running.start(present[HANDLERS], |_| false), Ok(Vec::new()));
    assert_eq!(running.start(present[HANDLERS + 1], |_| false), Ok(vec![present[3]]));
    assert_eq!(running.len(), HANDLERS);
}
