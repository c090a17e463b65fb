//! Two sessions over paths that keep order, with random interleavings and path changes: order, at
//! most once, and every call is resolved exactly once and truthfully, whatever its size and its
//! time to live.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::sessions::{CALL_TIME, End, args};
use proptest::prelude::*;
use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Cause, Code, EndReason, Frame, Outcome, Path,
    limits::{CHUNK_BYTES, RESEND_DELAY_MAX},
    session::{CallId, EmitOptions, Input},
};

const ENDED: Cause = Cause::Ended(EndReason::Disconnected);

/// A number, and a text of about that many chunks.
fn value(number: u64, chunks: usize) -> Value {
    json!([number, "x".repeat(chunks * CHUNK_BYTES)])
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A number of emits of an end, of one kind.
    Emit(usize, Kind, usize),
    /// A number of frames that arrive at an end by one path.
    Arrive(usize, Path, usize),
    /// The n-th running handler of an end is done, and returns this many chunks.
    Finish(usize, usize, usize),
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

#[derive(Clone, Copy, Debug)]
struct Kind {
    acknowledged: bool,
    /// About that many chunks.
    chunks: usize,
    /// The time for which it may wait, in milliseconds.
    ttl: Option<u64>,
}

/// Mostly what fits into one frame.
fn chunks() -> impl Strategy<Value = usize> {
    prop_oneof![40 => Just(0), 3 => 2..20_usize, 1 => 20..40_usize]
}

fn some_kind() -> impl Strategy<Value = Kind> {
    let ttl = prop_oneof![4 => Just(None), 1 => (1..500_u64).prop_map(Some)];
    let kind = (any::<bool>(), chunks(), ttl);
    kind.prop_map(|(acknowledged, chunks, ttl)| Kind { acknowledged, chunks, ttl })
}

fn some_step() -> impl Strategy<Value = Step> {
    let end = 0..2_usize;
    let path = prop_oneof![Just(Path::Relay), Just(Path::Direct)];
    let count = prop_oneof![4 => 1..8_usize, 1 => 100..700_usize];
    prop_oneof![
        6 => (end.clone(), some_kind(), count.clone()).prop_map(|(e, kind, n)| Step::Emit(e, kind, n)),
        8 => (end.clone(), path, count).prop_map(|(e, path, n)| Step::Arrive(e, path, n)),
        8 => (end.clone(), 0..300_usize, chunks()).prop_map(|(e, n, size)| Step::Finish(e, n, size)),
        1 => (end.clone(), 0..300_usize).prop_map(|(e, n)| Step::Cancel(e, n)),
        1 => any::<bool>().prop_map(Step::Direct),
        2 => end.clone().prop_map(Step::Notice),
        1 => end.prop_map(Step::Refuse),
        2 => prop_oneof![1..100_u64, 1_000..6_000_u64].prop_map(Step::Pass),
    ]
}

#[derive(Clone, Copy, Debug, Default)]
struct Emit {
    delivered: bool,
    may_expire: bool,
    /// It goes in parts, and may be given up before the last.
    large: bool,
    cancelled: bool,
    resolved_unexecuted: bool,
}

struct History {
    ends: [End; 2],
    /// Under way to each end, by path.
    relay: [VecDeque<Frame>; 2],
    direct: [VecDeque<Frame>; 2],
    direct_is_open: bool,
    /// The belief of each end about it.
    believes: [bool; 2],
    /// The emits of each end, and their outcomes.
    emits: [Vec<Emit>; 2],
    /// The number of the emit that each end was delivered last.
    delivered: [usize; 2],
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
            emits: Default::default(),
            delivered: [0; 2],
            running: Default::default(),
            calls: Default::default(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Emit(end, kind, count) => {
                for _ in 0..count {
                    self.emit(end, kind);
                }
            }
            Step::Arrive(end, path, count) => {
                for _ in 0..count {
                    let queue = match path {
                        Path::Relay => &mut self.relay[end],
                        Path::Direct => &mut self.direct[end],
                    };
                    let Some(frame) = queue.pop_front() else {
                        break;
                    };
                    self.handle(end, Input::Received(path, frame));
                }
            }
            Step::Finish(end, which, chunks) => {
                let running = &mut self.running[end];
                if !running.is_empty() {
                    let seq = running.swap_remove(which % running.len());
                    let reply = args(value(seq, chunks));
                    self.handle(end, Input::Finished(seq, Ok(reply)));
                }
            }
            Step::Cancel(end, which) => {
                let pending = self.calls[end].iter().filter(|(_, outcome)| outcome.is_none());
                if let Some((&call, _)) = pending.clone().nth(which % pending.count().max(1)) {
                    self.calls[end].remove(&call);
                    self.emits[end][call as usize - 1].cancelled = true;
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
                            true => Input::Opened(Path::Direct),
                            false => Input::Closed(Path::Direct),
                        },
                    );
                }
            }
            Step::Refuse(end) => {
                if self.relay[1 - end].pop_back().is_some() {
                    // Over the direct path it is sent again when that changes.
                    let path = Path::Relay;
                    self.handle(end, Input::Refused(path));
                    if self.ends[end].session.path() != Some(path) {
                        self.handle(end, Input::Closed(Path::Direct));
                        self.handle(end, Input::Opened(Path::Direct));
                    }
                }
            }
            Step::Pass(ms) => self.pass(Duration::from_millis(ms)),
        }
    }

    fn emit(&mut self, end: usize, kind: Kind) {
        if !self.ends[end].session.has_room() {
            return;
        }
        let may_expire = kind.ttl.is_some();
        let large = kind.chunks > 0;
        self.emits[end].push(Emit { may_expire, large, ..Emit::default() });
        let number = self.emits[end].len() as u64;
        let now = self.ends[end].now;
        if kind.acknowledged {
            self.calls[end].insert(number, None);
        }
        self.handle(
            end,
            Input::Emit {
                call: number,
                event: "n".to_owned(),
                args: args(value(number, kind.chunks)),
                options: EmitOptions {
                    reply_by: kind.acknowledged.then_some(now + CALL_TIME),
                    expires: kind.ttl.map(|ttl| now + Duration::from_millis(ttl)),
                    via: None,
                },
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
        for (path, frame) in end.sent.drain(..) {
            match path {
                Path::Relay => self.relay[1 - at].push_back(frame),
                Path::Direct if self.direct_is_open => self.direct[1 - at].push_back(frame),
                Path::Direct => {} // Lost; it will hear of it.
            }
        }
        for delivery in end.delivered.drain(..) {
            let value = &delivery.args.parse::<Vec<Value>>().unwrap()[0];
            let number = value[0].as_u64().unwrap() as usize;
            assert!(number > self.delivered[at], "in order, and once");
            self.delivered[at] = number;
            let emit = &mut self.emits[1 - at][number - 1];
            assert!(!emit.resolved_unexecuted, "nobody was told that it is not executed");
            emit.delivered = true;
            self.running[at].push(delivery.seq);
        }
        for (call, outcome) in end.resolved.drain(..) {
            let slot = self.calls[at].get_mut(&call).expect("a call that is pending");
            assert_eq!(*slot, None, "resolved once");
            let emit = &mut self.emits[at][call as usize - 1];
            match outcome {
                Outcome::Replied(..) => assert!(emit.delivered),
                Outcome::NotExecuted(Cause::Code(Code::Expired)) => {
                    assert!(emit.may_expire && !emit.delivered);
                    emit.resolved_unexecuted = true;
                }
                // It waited for its last part to be sent.
                Outcome::NotExecuted(Cause::Code(Code::Timeout)) => {
                    assert!(emit.large && !emit.delivered);
                    emit.resolved_unexecuted = true;
                }
                Outcome::Unknown(Cause::Code(Code::Timeout)) => {}
                _ => panic!("{outcome:?}"),
            }
            *slot = Some(outcome);
        }
    }

    fn pass(&mut self, time: Duration) {
        for end in 0..2 {
            self.ends[end].pass(time);
            self.collect(end);
        }
    }

    /// Delivers everything, ends every handler, and passes time.
    fn settle(&mut self) {
        self.step(Step::Notice(0));
        self.step(Step::Notice(1));
        loop {
            // A path that refused often is tried again only after a while.
            self.pass(RESEND_DELAY_MAX + Duration::from_millis(10));
            let mut idle = true;
            for end in 0..2 {
                for path in [Path::Relay, Path::Direct] {
                    idle &= self.relay[end].is_empty() && self.direct[end].is_empty();
                    self.step(Step::Arrive(end, path, usize::MAX));
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
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..<_>::default() })]

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
            for emit in &history.emits[end] {
                let excused = emit.may_expire || emit.large && emit.cancelled || emit.resolved_unexecuted;
                prop_assert!(emit.delivered || excused, "nothing is lost");
            }
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
                let emit = history.emits[end][call as usize - 1];
                match outcome {
                    Outcome::Unknown(cause) => prop_assert_eq!(cause, ENDED),
                    Outcome::NotExecuted(cause) => {
                        prop_assert_eq!(cause, ENDED);
                        prop_assert!(!emit.delivered);
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
                let before = history.calls[end].remove(&call);
                prop_assert_eq!(before, Some(None));
            }
            prop_assert!(history.calls[end].values().all(Option::is_some));
        }
    }
}
