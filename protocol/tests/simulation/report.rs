//! What histories came to, and how to see again what went wrong in one.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::oracle::{Rule, Summary, Violation};

/// Lines that are kept for the report of a failure.
pub(crate) const LINES: usize = 200;

/// The last events of a history, if somebody wants to see them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    most: usize,
    lines: VecDeque<String>,
}

impl Trace {
    /// Keeps so many lines.
    pub(crate) fn of(most: usize) -> Self {
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

/// How much happened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) steps: usize,
    pub(crate) faults: usize,
    /// What those did that keep no rule.
    pub(crate) hostile: usize,
    /// Events of v1 clients, and for them.
    pub(crate) legacy: usize,
    /// How often a client came back to its session, and how often to a server that had none.
    pub(crate) resumed: usize,
    pub(crate) restarted: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        let Self { steps, faults, hostile, legacy, resumed, restarted } = other;
        self.steps += steps;
        self.faults += faults;
        self.hostile += hostile;
        self.legacy += legacy;
        self.resumed += resumed;
        self.restarted += restarted;
    }
}

/// What one history came to.
pub(crate) type Lived = (Counts, Result<Summary, Failure>);

/// A broken rule, and how to see it again.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    seed: u64,
    /// The test that replays it.
    test: &'static str,
    pub(crate) rule: Rule,
    what: String,
    step: usize,
    trace: Vec<String>,
}

impl Failure {
    pub(crate) fn new(
        seed: u64,
        test: &'static str,
        violation: &Violation,
        counts: &Counts,
        trace: &Trace,
    ) -> Self {
        let Violation { rule, what } = violation.clone();
        let trace = trace.lines.iter().cloned().collect();
        Self { seed, test, rule, what, step: counts.steps, trace }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, test, rule, what, step, trace } = self;
        writeln!(f, "{rule:?} is broken at step {step} of seed {seed}: {what}")?;
        for line in trace {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "SIM_SEED={seed} cargo test -p socketio-p2p-protocol --test simulation {test} \
             -- --exact --nocapture"
        )
    }
}

/// Lives through a history; a panic is a broken rule as well.
pub(crate) fn observe(seed: u64, test: &'static str, live: impl FnOnce() -> Lived) -> Lived {
    catch_unwind(AssertUnwindSafe(live)).unwrap_or_else(|_| {
        let violation = Violation { rule: Rule::NoPanic, what: "see above".to_owned() };
        let counts = Counts::default();
        (counts, Err(Failure::new(seed, test, &violation, &counts, &Trace::default())))
    })
}

/// What many histories came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) histories: u64,
    pub(crate) seen: Summary,
    pub(crate) counts: Counts,
    pub(crate) failure: Option<Failure>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { histories, seen, counts, failure } = self;
        let Summary { calls, executed, values, not_executed, unknown, pairings } = seen;
        let Counts { steps, faults, hostile, legacy, resumed, restarted } = counts;
        // A history ends with the first rule that it breaks.
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
            "{histories} histories, {steps} steps, {pairings} pairings; {resumed} resumed, \
             {restarted} restarted; {legacy} by v1 clients and for them; {executed} executed, {values} values, \
             {not_executed} not executed, {unknown} unknown"
        )
    }
}

/// Histories from this seed on, on all processors, until there were enough or a rule is broken.
pub(crate) fn live_many(
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
                        // Once more, for its last events.
                        outcome = live(seed, Trace::of(LINES)).1;
                    }
                    let mut totals = totals.lock().unwrap();
                    totals.histories += 1;
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
    totals.into_inner().unwrap()
}
