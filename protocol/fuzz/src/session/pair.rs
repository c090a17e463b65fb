//! Two sessions over paths that lose, repeat and reorder frames, and that come and go.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use arbitrary::{Result, Unstructured};
use socketio_p2p_protocol::{
    Body, Cause, Code, EndReason, Frame, Outcome, Path, limits::VALUE_BYTES, session::Input,
};

use super::{
    end::{End, Said, number, some_time},
    some_route, steps,
};

struct Pair {
    ends: [End; 2],
    /// Under way to each end.
    way: [Vec<(Path, Frame)>; 2],
    /// Emits of the other end that each end was delivered.
    delivered: [BTreeSet<u64>; 2],
    /// The times after which they may not be delivered, by the first that came of each.
    expire: [BTreeMap<u64, Instant>; 2],
    /// Calls of each end whose caller was told that no handler ran and none will.
    not_executed: [BTreeSet<u64>; 2],
}

/// Plays the history. In the end the path is sound and everything arrives, or the pairing ends.
pub(super) fn run(bytes: &mut Unstructured<'_>, settles: bool) {
    let now = Instant::now();
    let ends = [End::new(now), End::new(now)];
    let mut pair = Pair {
        ends,
        way: Default::default(),
        delivered: Default::default(),
        expire: Default::default(),
        not_executed: Default::default(),
    };
    for end in 0..2 {
        pair.handle(end, Input::Opened(Path::Relay));
    }
    steps(bytes, |bytes| pair.step(bytes));
    if settles {
        pair.settle();
    } else {
        pair.ends.iter_mut().for_each(End::end);
        pair.collect();
    }
}

impl Pair {
    fn step(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let choice: u8 = bytes.arbitrary()?;
        let at = usize::from(choice & 1);
        match (choice >> 1) % 24 {
            0..=4 => {
                for _ in 0..some_count(bytes)? {
                    self.ends[at].emit(bytes)?;
                }
            }
            5..=10 => {
                for _ in 0..some_count(bytes)? {
                    self.arrive(at, 0, true);
                }
            }
            11..=12 => {
                let which = self.some_frame(at, bytes)?;
                self.arrive(at, which, true);
            }
            13 => {
                let which = self.some_frame(at, bytes)?;
                self.arrive(at, which, false);
            }
            14 => {
                let which = self.some_frame(at, bytes)?;
                if which < self.way[at].len() {
                    self.way[at].remove(which);
                }
            }
            15..=17 => {
                for _ in 0..some_count(bytes)? {
                    self.ends[at].finish(bytes)?;
                }
            }
            18 => self.ends[at].cancel(bytes)?,
            19 => {
                let path = some_route(bytes)?;
                self.handle(at, Input::Closed(path));
                // What is under way may be lost with it.
                if bytes.arbitrary()? {
                    self.way[1 - at].clear();
                }
            }
            20 => {
                let path = some_route(bytes)?;
                self.handle(at, Input::Opened(path));
            }
            21 => {
                let path = some_route(bytes)?;
                self.handle(at, Input::Refused(path));
            }
            22 => {
                let time = some_time(bytes)?;
                self.ends[at].pass(time);
            }
            _ => {
                // A host whose timers are late.
                self.ends[at].now += some_time(bytes)?;
            }
        }
        self.collect();
        Ok(())
    }

    fn handle(&mut self, at: usize, input: Input) {
        self.ends[at].handle(input);
        self.collect();
    }

    fn some_frame(&self, at: usize, bytes: &mut Unstructured<'_>) -> Result<usize> {
        bytes.int_in_range(0..=self.way[at].len().saturating_sub(1))
    }

    /// A frame under way reaches an end.
    fn arrive(&mut self, at: usize, which: usize, once: bool) {
        let Some((path, frame)) = self.way[at].get(which).cloned() else { return };
        if once {
            self.way[at].remove(which);
        }
        if let (Body::Emit { args, .. }, Some(ttl)) = (&*frame.body, frame.ttl) {
            let too_late = self.ends[at].now + ttl;
            self.expire[at].entry(number(args)).or_insert(too_late);
        }
        if frame.body.size() < 1000 {
            let read = Frame::from_text(&frame.to_text()).ok();
            assert_eq!(read.as_ref(), Some(&frame), "what a session sends can be read");
        }
        self.handle(at, Input::Received(path, frame));
    }

    /// Moves the frames that one end sent on their way, and checks what it learnt.
    fn collect(&mut self) {
        for at in 0..2 {
            let sent = std::mem::take(&mut self.ends[at].sent);
            self.way[1 - at].extend(sent);
            let [own, partner] = self.ends.get_disjoint_mut([at, 1 - at]).expect("two ends");
            assert_eq!(own.violations, 0, "an honest partner breaks no rule");
            for number in own.delivered.drain(..) {
                let last = self.delivered[at].last().copied().unwrap_or(0);
                assert!(number > last && number <= partner.emitted, "in order, and once");
                let in_time =
                    self.expire[at].get(&number).is_none_or(|too_late| own.now < *too_late);
                assert!(in_time, "{number} has expired");
                // What was promised before it came before it.
                let passed = partner.promised.range(last + 1..number).next();
                assert_eq!(passed, None, "nothing is left out");
                assert!(!self.not_executed[1 - at].contains(&number), "that was said not to run");
                self.delivered[at].insert(number);
            }
            for (call, outcome) in own.resolved.drain(..) {
                let said = partner.finished.get(&call);
                self.not_executed[at].extend(check(call, outcome, said, own.ended));
                if self.not_executed[at].contains(&call) {
                    assert!(!self.delivered[1 - at].contains(&call), "{call} was not executed");
                }
            }
        }
    }

    /// A new path, that loses nothing.
    fn settle(&mut self) {
        for at in 0..2 {
            for path in [Path::Direct, Path::Relay] {
                self.handle(at, Input::Closed(path));
            }
        }
        self.way = Default::default();
        for at in 0..2 {
            self.handle(at, Input::Opened(Path::Relay));
        }
        while self.exchange() {}
        for at in 0..2 {
            let own = &self.ends[at];
            let lost = own.promised.difference(&self.delivered[1 - at]).next();
            assert_eq!(lost, None, "nothing is lost");
            assert_eq!(own.session.pending_calls(), 0, "every call is resolved");
            assert!(own.session.has_room());
        }
        for end in &mut self.ends {
            end.pass(Duration::from_secs(20));
            assert_eq!(end.session.poll_timeout(), None, "nothing is left to do");
        }
    }

    /// Delivers everything, ends every handler, and passes some time. Returns whether that led to more.
    fn exchange(&mut self) -> bool {
        let mut busy = false;
        for at in 0..2 {
            while !self.way[at].is_empty() {
                busy = true;
                self.arrive(at, 0, true);
            }
            while !self.ends[at].running.is_empty() {
                busy = true;
                self.ends[at].finish_at(0, Said::Value(0));
            }
            self.ends[at].pass(Duration::from_millis(60));
        }
        self.collect();
        busy || self.way.iter().any(|way| !way.is_empty())
    }
}

/// Checks that a caller learns the truth: `said` is the result of the handler, if one ran and is done. Returns the call,
/// if it was not executed.
fn check(call: u64, outcome: Outcome, said: Option<&Said>, ended: bool) -> Option<u64> {
    match outcome {
        Outcome::Replied(args, _) => {
            assert_eq!(number(&args), call);
            assert!(matches!(said, Some(Said::Value(_))));
        }
        Outcome::Failed(refusal) if refusal.code == Code::TooLarge => {
            assert!(matches!(said, Some(Said::Value(VALUE_BYTES..))), "the reply was too large");
        }
        Outcome::Failed(refusal) => assert_eq!(said, Some(&Said::Failed(refusal.code))),
        Outcome::NotExecuted(Cause::Code(Code::Unhandled)) => {
            assert_eq!(said, Some(&Said::Failed(Code::Unhandled)), "nobody handled it");
        }
        Outcome::NotExecuted(Cause::Code(code)) => {
            let codes = [Code::Congested, Code::Expired, Code::Timeout, Code::TooLarge];
            assert!(codes.contains(&code), "{code}");
            return Some(call);
        }
        Outcome::NotExecuted(cause) => {
            assert!(ended && cause == Cause::Ended(EndReason::Kicked));
            return Some(call);
        }
        Outcome::Unknown(Cause::Code(code)) => assert_eq!(code, Code::Timeout),
        Outcome::Unknown(cause) => {
            assert!(ended && cause == Cause::Ended(EndReason::Kicked));
        }
    }
    None
}

fn some_count(bytes: &mut Unstructured<'_>) -> Result<usize> {
    Ok(*bytes.choose(&[1, 1, 1, 1, 2, 8, 64, 300])?)
}
