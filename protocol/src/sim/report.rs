//! Results of runs: totals, failures and the last events before a failure.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::sim::oracle::{Breach, Oracle, Rule, Summary};

/// The number of events that a failure report shows: enough for a few round trips of each client.
pub const LINES: usize = 200;

/// A buffer of the last events of a run. The default one keeps none, which is faster.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    most: usize,
    lines: VecDeque<String>,
}

impl Trace {
    /// Returns a buffer of the last `most` events.
    pub fn of(most: usize) -> Self {
        Self { most, lines: VecDeque::new() }
    }

    pub(crate) fn note(&mut self, at: Duration, line: impl FnOnce() -> String) {
        if self.most > 0 {
            if self.lines.len() == self.most {
                self.lines.pop_front();
            }
            self.lines.push_back(format!("{at:>9.3?} {}", line()));
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Totals of what a run did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Events of the run.
    pub steps: usize,
    /// Injected faults.
    pub faults: usize,
    /// Actions of clients that break the protocol on purpose.
    pub hostile: usize,
    /// Emits from and to v1 clients.
    pub legacy: usize,
    /// Frames that took a direct path.
    pub direct: usize,
    /// States of targets that were told to those who watch them.
    pub watched: usize,
    /// Places in lines that were told.
    pub places: usize,
    /// Connections that resumed a session.
    pub resumed: usize,
    /// Connections to a server that did not know the session.
    pub restarted: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        let Self { steps, faults, hostile, legacy, direct, watched, places, resumed, restarted } =
            other;
        self.steps += steps;
        self.faults += faults;
        self.hostile += hostile;
        self.watched += watched;
        self.places += places;
        self.legacy += legacy;
        self.direct += direct;
        self.resumed += resumed;
        self.restarted += restarted;
    }
}

/// The totals of a run, and its summary or its failure.
pub type Lived = (Counts, Result<Summary, Failure>);

/// A broken rule or a panic, with the last events and the way to repeat the run.
#[derive(Clone, Debug)]
pub struct Failure {
    seed: u64,
    replay: Replay,
    /// The rule.
    pub rule: Rule,
    what: String,
    step: usize,
    trace: Vec<String>,
}

/// The way to repeat a run.
#[derive(Clone, Debug)]
pub(crate) enum Replay {
    /// A test of this crate, which takes the seed.
    Test(&'static str),
    /// A call of this crate, in Rust.
    Call(String),
}

impl Failure {
    /// Returns the seed of the run.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, replay, rule, what, step, trace } = self;
        writeln!(f, "{rule:?} is broken at step {step} of seed {seed}: {what}")?;
        for line in trace {
            writeln!(f, "  {line}")?;
        }
        match replay {
            Replay::Test(test) => write!(
                f,
                "SIM_SEED={seed} cargo test -p socketio-p2p-protocol --test simulation {test} \
                 -- --exact --nocapture"
            ),
            Replay::Call(call) => write!(f, "repeat it with {call}"),
        }
    }
}

/// A simulation, as far as the report of its run needs it.
pub(crate) trait Observed {
    fn oracle(&self) -> &Oracle;
    fn counts(&self) -> Counts;
    fn trace(&self) -> &Trace;
}

/// Runs `live`, and reports what the simulation has seen by then: a panic is a failure too.
pub(crate) fn observe<W: Observed>(
    (seed, replay): (u64, Replay),
    mut world: W,
    live: impl FnOnce(&mut W),
) -> Lived {
    let panic = catch_unwind(AssertUnwindSafe(|| live(&mut world))).err();
    let panic = panic.map(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
        Breach { rule: Rule::NoPanic, what: format!("a panic: {text}") }
    });
    let counts = world.counts();
    let result = match panic.as_ref().or(world.oracle().breach()) {
        None => Ok(world.oracle().summary()),
        Some(Breach { rule, what }) => {
            let (rule, what, step) = (*rule, what.clone(), counts.steps);
            let trace = world.trace().lines.iter().cloned().collect();
            Err(Failure { seed, replay, rule, what, step, trace })
        }
    };
    (counts, result)
}

/// Totals of many runs.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// The number of runs.
    pub runs: u64,
    /// The totals of the oracle.
    pub seen: Summary,
    /// The totals of the runs.
    pub counts: Counts,
    /// The first failure.
    pub failure: Option<Failure>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, seen, counts, failure } = self;
        let Summary { calls, executed, values, not_executed, unknown, pairings } = seen;
        let Counts { steps, faults, hostile, legacy, direct, watched, places, resumed, restarted } =
            counts;
        // A run ends at the first breach.
        let broken =
            |rules: &[Rule]| failure.iter().filter(|failure| rules.contains(&failure.rule)).count();
        let twice = broken(&[Rule::AtMostOnce]);
        let lost = broken(&[Rule::NothingLost, Rule::Lasting]);
        let misreported = broken(&[Rule::Truthful, Rule::ReportedOnce, Rule::Intact]);
        writeln!(f, "calls {calls}, faults {faults}, hostile acts {hostile}")?;
        writeln!(
            f,
            "executed twice {twice}, lost while both recover within grace {lost}, \
             misreported {misreported}"
        )?;
        write!(
            f,
            "{runs} runs, {steps} steps, {pairings} pairings; {resumed} resumed, \
             {restarted} restarted; {legacy} by v1 clients and for them; {direct} frames on direct paths; \
             {watched} states and {places} places told; {executed} executed, {values} values, \
             {not_executed} not executed, {unknown} unknown"
        )
    }
}

/// Runs consecutive seeds on all processors, until `enough` returns true or a rule is broken.
pub fn run_many(
    first: u64,
    live: impl Fn(u64, Trace) -> Lived + Sync,
    enough: impl Fn(&Totals) -> bool + Sync,
) -> Totals {
    let next = AtomicU64::new(first);
    let done = AtomicBool::new(false);
    let totals = Mutex::new(Totals::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let (counts, mut outcome) = live(seed, Trace::default());
                    if outcome.is_err() {
                        // The second run records the last events.
                        outcome = live(seed, Trace::of(LINES)).1;
                    }
                    let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                    totals.runs += 1;
                    totals.counts.add(counts);
                    match outcome {
                        Ok(seen) => totals.seen.add(seen),
                        Err(failure) => drop(totals.failure.get_or_insert(failure)),
                    }
                    if totals.failure.is_some() || enough(&totals) {
                        done.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    totals.into_inner().unwrap_or_else(PoisonError::into_inner)
}
