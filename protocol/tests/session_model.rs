//! Two sessions over paths that keep order, with random interleavings and path changes: order, at
//! most once, and every call is resolved exactly once.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use serde_json::json;
use socketio_p2p_protocol::{
    Cause, Code, EndReason, Frame, Outcome, Route,
    session::{CallId, Input},
};
use std::collections::VecDeque;

use crate::sessions::{End, args};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// That many emits of an end, acknowledged or not.
    Emit(usize, bool, usize),
    /// That many frames arrive at an end by this route.
    Arrive(usize, Route, usize),
    /// The n-th running handler of an end is done.
    Finish(usize, usize),
    /// The n-th pending call of an end is cancelled.
    Cancel(usize, usize),
    /// The direct path opens or dies; what is under way on it is lost when it dies.
    Direct(bool),
    /// An end hears of it.
    Notice(usize),
    /// The relay refuses what an end sent last, and tells it.
    Refuse(usize),
    Pass(u64),
}

fn some_step() -> impl Strategy<Value = Step> {
    let end = 0..2_usize;
    let route = prop_oneof![Just(Route::Relay), Just(Route::Direct)];
    let count = prop_oneof![4 => 1..8_usize, 1 => 100..700_usize];
    prop_oneof![
        6 => (end.clone(), any::<bool>(), count.clone()).prop_map(|(e, ack, n)| Step::Emit(e, ack, n)),
        8 => (end.clone(), route, count).prop_map(|(e, route, n)| Step::Arrive(e, route, n)),
        8 => (end.clone(), 0..300_usize).prop_map(|(e, n)| Step::Finish(e, n)),
        1 => (end.clone(), 0..300_usize).prop_map(|(e, n)| Step::Cancel(e, n)),
        1 => any::<bool>().prop_map(Step::Direct),
        2 => end.clone().prop_map(Step::Notice),
        1 => end.prop_map(Step::Refuse),
        2 => prop_oneof![1..100_u64, 1_000..6_000_u64].prop_map(Step::Pass),
    ]
}

struct History {
    ends: [End; 2],
    /// Under way to each end, by route.
    relay: [VecDeque<Frame>; 2],
    direct: [VecDeque<Frame>; 2],
    direct_is_open: bool,
    /// What each end believes of it.
    believes: [bool; 2],
    emitted: [u64; 2],
    /// Emits each end was delivered.
    delivered: [u64; 2],
    running: [Vec<u64>; 2],
    /// Calls of each end, and what became of them.
    calls: [BTreeMap<CallId, Option<Outcome>>; 2],
}

impl History {
    fn new() -> Self {
        Self {
            ends: [End::new(), End::new()],
            relay: Default::default(),
            direct: Default::default(),
            direct_is_open: false,
            believes: [false; 2],
            emitted: [0; 2],
            delivered: [0; 2],
            running: Default::default(),
            calls: Default::default(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Emit(end, acknowledged, count) => {
                for _ in 0..count {
                    self.emit(end, acknowledged);
                }
            }
            Step::Arrive(end, route, count) => {
                for _ in 0..count {
                    let queue = match route {
                        Route::Relay => &mut self.relay[end],
                        Route::Direct => &mut self.direct[end],
                    };
                    let Some(frame) = queue.pop_front() else {
                        break;
                    };
                    self.handle(end, Input::Received(route, frame));
                }
            }
            Step::Finish(end, which) => {
                let running = &mut self.running[end];
                if !running.is_empty() {
                    let seq = running.swap_remove(which % running.len());
                    self.handle(end, Input::Finished(seq, Ok(args(json!(seq)))));
                }
            }
            Step::Cancel(end, which) => {
                let pending = self.calls[end].iter().filter(|(_, outcome)| outcome.is_none());
                if let Some((&call, _)) = pending.clone().nth(which % pending.count().max(1)) {
                    self.calls[end].remove(&call);
                    self.handle(end, Input::Cancelled(call));
                }
            }
            // It opens anew only when both ends know that it was dead.
            Step::Direct(open) if open == self.direct_is_open => {}
            Step::Direct(true) => self.direct_is_open = self.believes == [false, false],
            Step::Direct(false) => {
                self.direct_is_open = false;
                self.direct = Default::default();
            }
            Step::Notice(end) => {
                if self.believes[end] != self.direct_is_open {
                    self.believes[end] = self.direct_is_open;
                    self.handle(
                        end,
                        match self.direct_is_open {
                            true => Input::Opened(Route::Direct),
                            false => Input::Closed(Route::Direct),
                        },
                    );
                }
            }
            Step::Refuse(end) => {
                if self.relay[1 - end].pop_back().is_some() {
                    // Over the direct path it is sent again when that changes.
                    let route = Route::Relay;
                    self.handle(end, Input::Refused(route));
                    if self.ends[end].session.route() != Some(route) {
                        self.handle(end, Input::Closed(Route::Direct));
                        self.handle(end, Input::Opened(Route::Direct));
                    }
                }
            }
            Step::Pass(ms) => self.pass(Duration::from_millis(ms)),
        }
    }

    fn emit(&mut self, end: usize, acknowledged: bool) {
        if !self.ends[end].session.has_room() {
            return;
        }
        self.emitted[end] += 1;
        let number = self.emitted[end];
        let deadline = self.ends[end].now + Duration::from_secs(10);
        if acknowledged {
            self.calls[end].insert(number, None);
        }
        self.handle(
            end,
            Input::Emit {
                event: "n".to_owned(),
                args: args(json!(number)),
                call: acknowledged.then_some((number, deadline)),
                expires: None,
            },
        );
    }

    fn handle(&mut self, at: usize, input: Input) {
        self.ends[at].handle(input);
        self.collect(at);
    }

    fn collect(&mut self, at: usize) {
        let end = &mut self.ends[at];
        assert_eq!(end.violations, []);
        for (route, frame) in end.sent.drain(..) {
            match route {
                Route::Relay => self.relay[1 - at].push_back(frame),
                Route::Direct if self.direct_is_open => self.direct[1 - at].push_back(frame),
                Route::Direct => {} // Lost; it will hear of it.
            }
        }
        for delivery in end.delivered.drain(..) {
            let number = delivery.args.parse::<Vec<u64>>().unwrap()[0];
            assert_eq!(number, self.delivered[at] + 1, "in order, and once");
            self.delivered[at] = number;
            self.running[at].push(delivery.seq);
        }
        for (call, outcome) in end.resolved.drain(..) {
            let slot = self.calls[at].get_mut(&call).expect("a call that is pending");
            assert_eq!(*slot, None, "resolved once");
            assert!(
                matches!(
                    outcome,
                    Outcome::Replied(..) | Outcome::Unknown(Cause::Code(Code::Timeout))
                ),
                "{outcome:?}"
            );
            *slot = Some(outcome);
        }
    }

    fn pass(&mut self, time: Duration) {
        for end in 0..2 {
            self.ends[end].pass(time);
            self.collect(end);
        }
    }

    /// Everything arrives, every handler is done, and time passes.
    fn settle(&mut self) {
        self.step(Step::Notice(0));
        self.step(Step::Notice(1));
        loop {
            self.pass(Duration::from_millis(60));
            let mut idle = true;
            for end in 0..2 {
                for route in [Route::Relay, Route::Direct] {
                    idle &= self.relay[end].is_empty() && self.direct[end].is_empty();
                    self.step(Step::Arrive(end, route, usize::MAX));
                }
                for seq in std::mem::take(&mut self.running[end]) {
                    idle = false;
                    self.handle(end, Input::Finished(seq, Ok(args(json!(seq)))));
                }
            }
            if idle {
                return;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn emits_run_in_order_and_once_and_every_call_is_resolved_once(
        steps in prop::collection::vec(some_step(), 1..150),
    ) {
        let mut history = History::new();
        for step in steps {
            history.step(step);
        }

        history.settle();

        for end in 0..2 {
            prop_assert_eq!(history.delivered[1 - end], history.emitted[end], "nothing is lost");
            for (call, outcome) in &history.calls[end] {
                prop_assert!(outcome.is_some(), "call {call}");
            }
            prop_assert_eq!(history.ends[end].session.pending_calls(), 0);
            prop_assert!(history.ends[end].session.has_room());
        }
        history.pass(Duration::from_secs(20));
        for end in &history.ends {
            prop_assert_eq!(end.session.poll_timeout(), None);
        }
    }

    #[test]
    fn when_the_pairing_ends_at_any_moment_every_call_is_resolved_once(
        steps in prop::collection::vec(some_step(), 1..60),
    ) {
        let mut history = History::new();
        for step in steps {
            history.step(step);
        }

        for end in 0..2 {
            let pending = history.ends[end].session.pending_calls();
            history.ends[end].handle(Input::Ended(EndReason::Disconnected));
            prop_assert_eq!(history.ends[end].resolved.len(), pending);
            for (call, outcome) in std::mem::take(&mut history.ends[end].resolved) {
                prop_assert_eq!(outcome, Outcome::Unknown(Cause::Ended(EndReason::Disconnected)));
                let before = history.calls[end].remove(&call);
                prop_assert_eq!(before, Some(None));
            }
            prop_assert!(history.calls[end].values().all(Option::is_some));
        }
    }
}
