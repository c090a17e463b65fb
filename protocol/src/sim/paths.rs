//! Two sessions with two paths between them. The direct one opens and dies, the relay is cut and
//! refuses; each peer hears of it when it does, and until then sends into nowhere.

mod users;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use crate::{Frame, Path, session::Input};
use fastrand::Rng;

use crate::sim::{
    client::Returns,
    oracle::{CallNo, Oracle, Rule},
    report::{self, Counts, Lived, Observed, Replay, Trace},
    session_pair::SessionPair,
};

/// Calls, and faults, of a history.
const CALLS: usize = 800;
const FAULTS: usize = 80;

/// The longest time that a frame is under way: the receiver of an emit counts its time to live from
/// the arrival.
const LONGEST_WAY: Duration = Duration::from_millis(90);

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum PathEvent {
    Act(usize),
    /// An arrival, if the path has not died since.
    Arrive(usize, Path),
    Finish(usize, u64, Returns),
    Alarm(usize),
    Fault,
    /// The path itself, for both.
    Opens(Path),
    /// A peer hears that a path opened or died.
    Hears(usize, Path, bool),
    /// A peer hears that the relay refused something.
    Refused(usize),
}

/// The application of one of the two.
struct PathUser {
    /// Emits for which the session has no room yet.
    waiting: VecDeque<CallNo>,
    alarm: Option<Instant>,
    /// The time until which its handlers are slow.
    lazy_until: Instant,
    /// The number of the last delivery for which a handler was started.
    started: u64,
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

struct TwoPaths {
    rng: Rng,
    start: Instant,
    now: Instant,
    pair: SessionPair,
    users: [PathUser; 2],
    relay: Wire,
    direct: Wire,
    counts: Counts,
    agenda: BinaryHeap<Reverse<(Instant, u64, PathEvent)>>,
    last_event: u64,
    trace: Trace,
    weather: PathWeather,
    /// True if many replies are long, so that those of a burst exceed a window.
    returns_much: bool,
    /// The direct path does not open any more.
    direct_is_gone: bool,
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
    report::observe((seed, replay), TwoPaths::new(seed, trace), |paths| {
        for end in 0..2 {
            paths.after(1..20, PathEvent::Act(end));
        }
        paths.at(paths.now, PathEvent::Opens(Path::Direct));
        paths.after(10..200, PathEvent::Fault);
        let short = paths.rng.u8(..4) == 0;
        let calls = if short { paths.rng.usize(..CALLS) } else { CALLS };
        paths.run(600, |paths| {
            paths.oracle().calls() >= calls && (short || paths.counts.faults >= FAULTS)
        });
        if !short {
            paths.drizzle();
            paths.run(10, |_| false);
            paths.weather = PathWeather::Calm;
            paths.run(150, |_| false);
            paths.settle();
        }
        paths.end();
    })
}

impl Observed for TwoPaths {
    fn oracle(&self) -> &Oracle {
        &self.pair.oracle
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }
}

impl TwoPaths {
    fn new(seed: u64, trace: Trace) -> Self {
        let pair = SessionPair::new();
        let now = pair.ends[0].now;
        let users = [(); 2].map(|()| PathUser {
            waiting: VecDeque::new(),
            alarm: None,
            lazy_until: now,
            started: 0,
        });
        Self {
            rng: Rng::with_seed(seed),
            start: now,
            now,
            pair,
            users,
            relay: Wire { stands: true, ..Wire::default() },
            direct: Wire::default(),
            counts: Counts::default(),
            agenda: BinaryHeap::new(),
            last_event: 0,
            trace,
            weather: PathWeather::Storm,
            returns_much: seed.is_multiple_of(8),
            direct_is_gone: false,
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
        while self.oracle().breach().is_none()
            && !done(self)
            && self.agenda.peek().is_some_and(|Reverse((moment, ..))| *moment <= until)
            && let Some(Reverse((moment, _, event))) = self.agenda.pop()
        {
            self.now = self.now.max(moment);
            self.pair.ends.iter_mut().for_each(|end| end.now = self.now);
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
                    self.pair.receive(end, path, frame);
                    self.carry_on(end);
                }
            }
            PathEvent::Finish(end, seq, returns) => {
                self.pair.finish(end, seq, returns);
                self.carry_on(end);
            }
            PathEvent::Alarm(end) => {
                if self.users[end].alarm.is_some_and(|alarm| alarm <= self.now) {
                    self.users[end].alarm = None;
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

    fn feed(&mut self, end: usize, input: Input) {
        self.pair.handle(end, input);
        self.carry_on(end);
    }

    /// Emits what waited for room, and carries out what one of the two put out.
    fn carry_on(&mut self, end: usize) {
        while self.pair.ends[end].session.has_room()
            && let Some(call) = self.users[end].waiting.pop_front()
        {
            self.pair.emit(end, call);
        }
        for (path, frame) in std::mem::take(&mut self.pair.ways[1 - end]) {
            self.send(end, path, frame);
        }
        let new = self.pair.ends[end].running().range(self.users[end].started + 1..);
        for (seq, call) in new.map(|(seq, call)| (*seq, *call)).collect::<Vec<_>>() {
            self.users[end].started = seq;
            self.run_handler(end, seq, call);
        }
        if let Some(next) = self.pair.ends[end].session.poll_timeout()
            && self.users[end].alarm.is_none_or(|alarm| next < alarm)
        {
            self.users[end].alarm = Some(next);
            self.at(next.max(self.now), PathEvent::Alarm(end));
        }
    }

    fn send(&mut self, end: usize, path: Path, frame: Frame) {
        let refuses = match self.weather {
            PathWeather::Storm => self.rng.u16(..200) == 0,
            PathWeather::Drizzle => self.rng.u16(..60) == 0,
            PathWeather::Calm => false,
        };
        if path == Path::Relay && refuses {
            self.counts.faults += 1;
            return self.after(1..60, PathEvent::Refused(end));
        }
        let slow = if path == Path::Relay { 2..LONGEST_WAY.as_millis() as u64 } else { 1..30 };
        let at = self.now + self.millis(slow);
        let wire = self.path(path);
        if wire.stands {
            let at = wire.last[1 - end].map_or(at, |last| last.max(at));
            wire.last[1 - end] = Some(at);
            wire.ways[1 - end].push_back((at, frame));
            self.at(at, PathEvent::Arrive(1 - end, path));
        }
    }

    /// Checks that nothing is left to do after the last handler.
    fn settle(&mut self) {
        self.pair.settle();
        self.pair.check_idle();
        for (end, user) in self.users.iter().enumerate() {
            if !user.waiting.is_empty() {
                self.pair.oracle.violate(Rule::Progress, format!("emits of {end} still wait"));
            }
        }
    }

    /// The pairing ends, at any moment: everything is resolved, and nothing is left.
    fn end(&mut self) {
        if self.oracle().breach().is_some() {
            return;
        }
        self.pair.end();
        for (end, user) in self.users.iter_mut().enumerate() {
            for call in user.waiting.drain(..) {
                self.pair.emit(end, call);
            }
        }
        self.pair.oracle.settle();
        self.pair.oracle.check_ends();
    }
}
