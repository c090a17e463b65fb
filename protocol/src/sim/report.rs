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

use crate::sim::oracle::{Breach, Rule, Summary};

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
    /// Connections that resumed a session.
    pub resumed: usize,
    /// Connections to a server that did not know the session.
    pub restarted: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        let Self { steps, faults, hostile, legacy, direct, resumed, restarted } = other;
        self.steps += steps;
        self.faults += faults;
        self.hostile += hostile;
        self.legacy += legacy;
        self.direct += direct;
        self.resumed += resumed;
        self.restarted += restarted;
    }
}

/// The totals of a run, and its summary or its failure.
pub type Lived = (Counts, Result<Summary, Failure>);

/// A broken rule, with the command that repeats the run.
#[derive(Clone, Debug)]
pub struct Failure {
    seed: u64,
    /// The test that repeats the run, unless it is of the caller's.
    test: Option<&'static str>,
    /// The rule.
    pub rule: Rule,
    what: String,
    step: usize,
    trace: Vec<String>,
}

impl Failure {
    pub(crate) fn new(
        seed: u64,
        test: Option<&'static str>,
        breach: &Breach,
        counts: &Counts,
        trace: &Trace,
    ) -> Self {
        let Breach { rule, what } = breach.clone();
        let trace = trace.lines.iter().cloned().collect();
        Self { seed, test, rule, what, step: counts.steps, trace }
    }
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
        let Self { seed, test, rule, what, step, trace } = self;
        writeln!(f, "{rule:?} is broken at step {step} of seed {seed}: {what}")?;
        for line in trace {
            writeln!(f, "  {line}")?;
        }
        let Some(test) = test else { return Ok(()) };
        write!(
            f,
            "SIM_SEED={seed} cargo test -p socketio-p2p-protocol --test simulation {test} \
             -- --exact --nocapture"
        )
    }
}

/// Runs `live`, and turns a panic into a failure.
pub(crate) fn observe(
    seed: u64,
    test: Option<&'static str>,
    live: impl FnOnce() -> Lived,
) -> Lived {
    catch_unwind(AssertUnwindSafe(live)).unwrap_or_else(|_| {
        let breach = Breach { rule: Rule::NoPanic, what: "see above".to_owned() };
        let counts = Counts::default();
        (counts, Err(Failure::new(seed, test, &breach, &counts, &Trace::default())))
    })
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
        let Counts { steps, faults, hostile, legacy, direct, resumed, restarted } = counts;
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
             {executed} executed, {values} values, \
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
