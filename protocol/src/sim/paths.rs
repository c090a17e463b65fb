//! Two sessions with two paths between them. The direct one opens and dies, the relay is cut and
//! refuses; each end hears of it when it does, and until then sends into nowhere.

mod ends;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    Code, Frame, PairingId, Path, Refusal, Session,
    session::{EmitOptions, Input},
};
use fastrand::Rng;

use crate::sim::{
    client::Returns,
    handlers::args_of,
    oracle::{CallNo, Manner, Oracle, Verdict},
    report::{Counts, Failure, Lived, Trace},
};

const PAIRING: PairingId = PairingId::new(1, 1);

/// Calls, and faults, of a history.
const CALLS: usize = 800;
const FAULTS: usize = 80;

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum PathEvent {
    Act(usize),
    /// An arrival, if the path has not died since.
    Arrive(usize, Path),
    Finish(usize, u64, CallNo, Returns),
    Alarm(usize),
    Fault,
    /// The path itself, for both.
    Opens(Path),
    /// An end hears that a path opened or died.
    Hears(usize, Path, bool),
    /// An end hears that the relay refused something.
    Refused(usize),
}

struct End {
    session: Session,
    waiting: VecDeque<(CallNo, Input)>,
    open: Vec<CallNo>,
    alarm: Option<Instant>,
}

/// One way of a path: in order, and lost with it.
type InFlight = VecDeque<(Instant, Frame)>;

/// A path, and what is under way to each end.
#[derive(Default)]
struct Wire {
    stands: bool,
    ways: [InFlight; 2],
    last: [Option<Instant>; 2],
}

struct Pair {
    rng: Rng,
    start: Instant,
    now: Instant,
    ends: [End; 2],
    relay: Wire,
    direct: Wire,
    oracle: Oracle,
    expiries: Vec<Option<Instant>>,
    counts: Counts,
    agenda: BinaryHeap<Reverse<(Instant, u64, PathEvent)>>,
    last_event: u64,
    trace: Trace,
    stormy: bool,
}

/// One history.
pub(crate) fn live_through(seed: u64, trace: Trace) -> Lived {
    let mut pair = Pair::new(seed, trace);
    for end in 0..2 {
        pair.oracle.paired(end, 1 - end, PAIRING);
        pair.hear(end, Path::Relay, true);
        pair.after(1..20, PathEvent::Act(end));
    }
    pair.at(pair.now, PathEvent::Opens(Path::Direct));
    pair.after(10..200, PathEvent::Fault);
    let short = pair.rng.u8(..4) == 0;
    let calls = if short { pair.rng.usize(..CALLS) } else { CALLS };
    pair.run(600, |pair| pair.oracle.calls() >= calls && (short || pair.counts.faults >= FAULTS));
    if !short {
        pair.stormy = false;
        pair.run(150, |_| false);
        pair.oracle.settle();
    }
    pair.end();

    let result = match pair.oracle.breach() {
        None => Ok(pair.oracle.summary()),
        Some(breach) => {
            Err(Failure::new(seed, Some("replay_paths"), breach, &pair.counts, &pair.trace))
        }
    };
    (pair.counts, result)
}

impl Pair {
    fn new(seed: u64, trace: Trace) -> Self {
        let now = Instant::now();
        let ends = [(); 2].map(|()| End {
            session: Session::new(),
            waiting: VecDeque::new(),
            open: Vec::new(),
            alarm: None,
        });
        Self {
            rng: Rng::with_seed(seed),
            start: now,
            now,
            ends,
            relay: Wire { stands: true, ..Wire::default() },
            direct: Wire::default(),
            oracle: Oracle::default(),
            expiries: Vec::new(),
            counts: Counts::default(),
            agenda: BinaryHeap::new(),
            last_event: 0,
            trace,
            stormy: true,
        }
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range))
    }

    fn after(&mut self, millis: std::ops::Range<u64>, event: PathEvent) {
        let time = self.millis(millis);
        self.at(self.now + time, event);
    }

    fn at(&mut self, moment: Instant, event: PathEvent) {
        self.last_event += 1;
        self.agenda.push(Reverse((moment, self.last_event, event)));
    }

    fn run(&mut self, seconds: u64, done: impl Fn(&Self) -> bool) {
        let until = self.now + Duration::from_secs(seconds);
        while self.oracle.breach().is_none()
            && !done(self)
            && let Some(Reverse((moment, _, event))) = self.agenda.pop()
            && moment <= until
        {
            self.now = self.now.max(moment);
            self.counts.steps += 1;
            self.trace.note(self.now - self.start, || format!("{event:?}"));
            self.happen(event);
        }
    }

    fn happen(&mut self, event: PathEvent) {
        match event {
            PathEvent::Act(end) => self.act(end),
            PathEvent::Arrive(end, path) => {
                let now = self.now;
                let way = &mut self.path(path).ways[end];
                if let Some((_, frame)) = way.pop_front_if(|(at, _)| *at <= now) {
                    self.feed(end, Input::Received(path, frame));
                }
            }
            PathEvent::Finish(end, seq, call, returns) => {
                let result = match returns {
                    Returns::Value(size) => Ok(args_of(call, size)),
                    Returns::Failure => Err(Refusal::from(Code::HandlerFailed)),
                    Returns::Nothing => Err(Refusal::from(Code::Unhandled)),
                };
                match returns {
                    Returns::Value(_) => self.oracle.returned(call, Verdict::Value),
                    Returns::Failure => self.oracle.returned(call, Verdict::Failed),
                    Returns::Nothing => {}
                }
                self.feed(end, Input::Finished(seq, result));
            }
            PathEvent::Alarm(end) => {
                if self.ends[end].alarm.is_some_and(|alarm| alarm <= self.now) {
                    self.ends[end].alarm = None;
                    self.feed(end, Input::Timeout);
                }
            }
            PathEvent::Fault => self.fault(),
            PathEvent::Opens(path) => {
                self.path(path).stands = true;
                for end in 0..2 {
                    self.after(0..300, PathEvent::Hears(end, path, true));
                }
            }
            PathEvent::Hears(end, path, open) => self.hear(end, path, open),
            PathEvent::Refused(end) => self.feed(end, Input::Refused(Path::Relay)),
        }
    }

    fn path(&mut self, path: Path) -> &mut Wire {
        match path {
            Path::Relay => &mut self.relay,
            Path::Direct => &mut self.direct,
        }
    }

    fn hear(&mut self, end: usize, path: Path, open: bool) {
        self.feed(end, Input::Closed(path));
        if open {
            self.feed(end, Input::Opened(path));
        }
    }

    /// A path dies or opens. It opens anew only when both ends know that it was dead.
    fn fault(&mut self) {
        if !self.stormy {
            return;
        }
        self.after(50..700, PathEvent::Fault);
        let path = if self.rng.u8(..3) == 0 { Path::Relay } else { Path::Direct };
        if !self.path(path).stands {
            return;
        }
        self.counts.faults += 1;
        *self.path(path) = Wire::default();
        const NOTICED: u64 = 1_000;
        for end in 0..2 {
            self.after(0..NOTICED, PathEvent::Hears(end, path, false));
        }
        let again = Duration::from_millis(NOTICED) + self.millis(0..1_000);
        self.at(self.now + again, PathEvent::Opens(path));
    }

    fn act(&mut self, end: usize) {
        if !self.stormy {
            return;
        }
        self.after(10..600, PathEvent::Act(end));
        if self.rng.u8(..50) == 0 && !self.ends[end].open.is_empty() {
            let which = self.rng.usize(..self.ends[end].open.len());
            let call = self.ends[end].open.swap_remove(which);
            if self.oracle.is_open(call) && self.ends[end].waiting.iter().all(|w| w.0 != call) {
                self.oracle.forgotten(call);
                self.feed(end, Input::Cancelled(call as u64));
            }
        }
        if self.ends[end].waiting.len() > 300 {
            return;
        }
        let many = if self.rng.u8(..150) == 0 { 100..400 } else { 1..6 };
        for _ in 0..self.rng.usize(many) {
            self.emit(end);
        }
        self.feed(end, Input::Timeout);
    }

    fn emit(&mut self, end: usize) {
        let acknowledged = self.rng.u8(..5) > 0;
        let ttl = (self.rng.u8(..30) == 0).then(|| self.millis(1..500));
        let size = if self.rng.u16(..250) == 0 { self.rng.usize(..200_000) } else { 0 };
        let excused = ttl.is_some();
        let call = self.oracle.called(end, Manner { acknowledged, excused });
        let expires = ttl.map(|ttl| self.now + ttl);
        self.expiries.push(expires);
        if acknowledged {
            self.ends[end].open.push(call);
        }
        let deadline = self.now + Duration::from_secs(120);
        let input = Input::Emit {
            call: call as u64,
            event: "call".to_owned(),
            args: args_of(call, size),
            options: EmitOptions { reply_by: acknowledged.then_some(deadline), expires, via: None },
        };
        self.ends[end].waiting.push_back((call, input));
    }

    fn feed(&mut self, end: usize, input: Input) {
        let now = self.now;
        self.ends[end].session.handle(input, now);
        loop {
            let state = &mut self.ends[end];
            while state.session.has_room()
                && let Some((_, input)) = state.waiting.pop_front()
            {
                state.session.handle(input, now);
            }
            let Some(output) = state.session.poll_output() else { break };
            self.carry_out(end, output);
        }
        if let Some(next) = self.ends[end].session.poll_timeout()
            && self.ends[end].alarm.is_none_or(|alarm| next < alarm)
        {
            self.ends[end].alarm = Some(next);
            self.at(next.max(now), PathEvent::Alarm(end));
        }
    }
}
