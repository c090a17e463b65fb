//! Two sessions with two paths between them. The direct one opens and dies, the relay is cut and
//! refuses; each peer hears of it when it does, and until then sends into nowhere.

mod ends;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    Code, Frame, PairingId, Path, Refusal, Session,
    limits::CHUNK_BYTES,
    session::{EmitOptions, Input},
};
use fastrand::Rng;

use crate::sim::{
    client::Returns,
    handlers::args_of,
    oracle::{CallNo, Manner, Oracle, Verdict},
    report::{self, Counts, Lived, Observed, Replay, Trace},
};

const PAIRING: PairingId = PairingId::new(1, 1);

/// Calls, and faults, of a history.
const CALLS: usize = 800;
const FAULTS: usize = 80;

/// The time that most callers wait for a reply.
const PATIENCE: Duration = Duration::from_secs(120);

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
    /// A peer hears that a path opened or died.
    Hears(usize, Path, bool),
    /// A peer hears that the relay refused something.
    Refused(usize),
}

struct End {
    session: Session,
    waiting: VecDeque<(CallNo, Input)>,
    open: Vec<CallNo>,
    alarm: Option<Instant>,
    /// The time until which its handlers are slow.
    lazy_until: Instant,
}

/// The terms of a call, by which its outcome is judged.
#[derive(Clone, Copy)]
struct CallTerms {
    expires: Option<Instant>,
    /// It travels in parts, and is given up if its time is over before the last was sent.
    is_large: bool,
    /// It was sent in a frame of its own, and may have arrived.
    was_sent: bool,
}

/// One way of a path: in order, and lost with it.
type InFlight = VecDeque<(Instant, Frame)>;

/// A path, and what is under way to each peer.
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
    terms: Vec<CallTerms>,
    counts: Counts,
    agenda: BinaryHeap<Reverse<(Instant, u64, PathEvent)>>,
    last_event: u64,
    trace: Trace,
    weather: PathWeather,
    /// True if many replies are long, so that those of a burst exceed a window.
    returns_much: bool,
    /// The direct path does not open any more.
    direct_is_gone: bool,
    has_ended: bool,
}

/// The faults of a time.
#[derive(Clone, Copy, Eq, PartialEq)]
enum PathWeather {
    /// Paths die, and the relay refuses.
    Storm,
    /// The relay refuses, and nothing else has what is lost sent again.
    Drizzle,
    /// None, and no calls.
    Calm,
}

/// One history.
pub(crate) fn live_through(seed: u64, trace: Trace) -> Lived {
    let replay = Replay::Test("replay_paths");
    report::observe((seed, replay), Pair::new(seed, trace), |pair| {
        for end in 0..2 {
            pair.oracle.paired(end, 1 - end, PAIRING);
            pair.hear(end, Path::Relay, true);
            pair.after(1..20, PathEvent::Act(end));
        }
        pair.at(pair.now, PathEvent::Opens(Path::Direct));
        pair.after(10..200, PathEvent::Fault);
        let short = pair.rng.u8(..4) == 0;
        let calls = if short { pair.rng.usize(..CALLS) } else { CALLS };
        pair.run(600, |pair| {
            pair.oracle.calls() >= calls && (short || pair.counts.faults >= FAULTS)
        });
        if !short {
            pair.drizzle();
            pair.run(10, |_| false);
            pair.weather = PathWeather::Calm;
            pair.run(150, |_| false);
            pair.oracle.settle();
            pair.check_idle();
        }
        pair.end();
    })
}

impl Observed for Pair {
    fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }
}

impl Pair {
    fn new(seed: u64, trace: Trace) -> Self {
        let now = Instant::now();
        let ends = [(); 2].map(|()| End {
            session: Session::new(),
            waiting: VecDeque::new(),
            open: Vec::new(),
            alarm: None,
            lazy_until: now,
        });
        Self {
            rng: Rng::with_seed(seed),
            start: now,
            now,
            ends,
            relay: Wire { stands: true, ..Wire::default() },
            direct: Wire::default(),
            oracle: Oracle::default(),
            terms: Vec::new(),
            counts: Counts::default(),
            agenda: BinaryHeap::new(),
            last_event: 0,
            trace,
            weather: PathWeather::Storm,
            returns_much: seed.is_multiple_of(8),
            direct_is_gone: false,
            has_ended: false,
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
            && self.agenda.peek().is_some_and(|Reverse((moment, ..))| *moment <= until)
            && let Some(Reverse((moment, _, event))) = self.agenda.pop()
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
            PathEvent::Opens(Path::Direct) if self.direct_is_gone => {}
            PathEvent::Opens(path) => {
                self.path(path).stands = true;
                for end in 0..2 {
                    self.after(0..300, PathEvent::Hears(end, path, true));
                }
            }
            // It has died before it was heard of.
            PathEvent::Hears(_, path, true) if !self.path(path).stands => {}
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

    /// A path dies.
    fn fault(&mut self) {
        if self.weather != PathWeather::Storm {
            return;
        }
        self.after(50..700, PathEvent::Fault);
        let path = if self.rng.u8(..3) == 0 { Path::Relay } else { Path::Direct };
        self.die(path);
    }

    /// A path dies, if it stands. It opens anew only when both peers know that it was dead.
    fn die(&mut self, path: Path) {
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

    /// No path dies any more. In half of the histories only the relay is left.
    fn drizzle(&mut self) {
        self.weather = PathWeather::Drizzle;
        if self.rng.bool() {
            self.die(Path::Direct);
            self.direct_is_gone = true;
        }
    }

    fn act(&mut self, end: usize) {
        if self.weather == PathWeather::Calm {
            return;
        }
        self.after(10..600, PathEvent::Act(end));
        if self.rng.u8(..50) == 0 && !self.ends[end].open.is_empty() {
            let which = self.rng.usize(..self.ends[end].open.len());
            let call = self.ends[end].open[which];
            if self.ends[end].waiting.iter().all(|waiting| waiting.0 != call) {
                self.ends[end].open.swap_remove(which);
                self.oracle.forgotten(call);
                self.feed(end, Input::Cancelled(call as u64));
            }
        }
        if self.ends[end].waiting.len() > 300 {
            return;
        }
        let is_burst = self.rng.u8(..150) == 0;
        if is_burst && self.rng.bool() {
            self.ends[1 - end].lazy_until = self.now + Duration::from_secs(2);
        }
        let wants_no_reply = is_burst && self.rng.bool();
        for _ in 0..self.rng.usize(if is_burst { 100..700 } else { 1..6 }) {
            let acknowledged = !wants_no_reply && self.rng.u8(..5) > 0;
            self.emit(end, acknowledged);
        }
        self.feed(end, Input::Timeout);
    }

    fn emit(&mut self, end: usize, acknowledged: bool) {
        let ttl = (self.rng.u8(..30) == 0).then(|| self.millis(1..500));
        let size = match self.rng.u16(..500) {
            0 => self.rng.usize(..600_000),
            1 => self.rng.usize(..100_000),
            _ => 0,
        };
        let hurries = acknowledged && self.rng.u8(..30) == 0;
        let excused = ttl.is_some() || hurries;
        let call = self.oracle.called(end, Manner { acknowledged, excused });
        let expires = ttl.map(|ttl| self.now + ttl);
        let is_large = size > CHUNK_BYTES / 2;
        self.terms.push(CallTerms { expires, is_large, was_sent: false });
        if acknowledged {
            self.ends[end].open.push(call);
        }
        let patience = if hurries { self.millis(1..3_000) } else { PATIENCE };
        let deadline = self.now + patience;
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
