//! A history from its seed to its end, and many of them.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use socketio_p2p_protocol::endpoint::Command;

use crate::{
    oracle::{Manner, Report, Rule, Summary},
    plan::{Counts, Plan},
    world::World,
};

/// How long the bad weather may last at most.
const STORM: Duration = Duration::from_secs(600);

/// After this all that was under way has come to an end: the longest deadline, and the grace.
const CALM: Duration = Duration::from_secs(150);

/// A broken rule, and how to see it again.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) rule: Rule,
    what: String,
    step: usize,
    trace: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, rule, what, step, trace } = self;
        writeln!(f, "{rule:?} is broken at step {step} of seed {seed}: {what}\n{trace}")?;
        write!(
            f,
            "SIM_SEED={seed} cargo test -p socketio-p2p-protocol --test simulation replay -- --nocapture"
        )
    }
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

/// One history, from a few clients that connect to the last that leaves.
pub(crate) fn run_history(plan: Plan) -> (Counts, Result<Summary, Failure>) {
    let seed = plan.seed;
    catch_unwind(AssertUnwindSafe(|| live_through(plan))).unwrap_or_else(|_| {
        let (rule, what) = (Rule::NoPanic, "see above".to_owned());
        let failure = Failure { seed, rule, what, step: 0, trace: String::new() };
        (Counts::default(), Err(failure))
    })
}

fn live_through(plan: Plan) -> (Counts, Result<Summary, Failure>) {
    let mut world = World::new(plan);
    let (calls, faults) = (world.plan.calls, world.plan.faults);
    world.run(STORM, |world| world.oracle.calls() >= calls && world.counts.faults >= faults);
    world.calm_down();
    world.run(CALM, |_| false);
    world.oracle.settle();
    world.oracle.check_ends();
    world.everything_goes_on();
    world.everybody_leaves();

    let seed = world.plan.seed;
    let result = match world.oracle.violation() {
        None => Ok(world.oracle.summary()),
        Some(violation) => Err(Failure {
            seed,
            rule: violation.rule,
            what: violation.what.clone(),
            step: world.counts.steps,
            trace: world.trace.iter().map(|line| format!("  {line}\n")).collect(),
        }),
    };
    (world.counts, result)
}

impl World {
    /// The faults have ended: what is silent is noticed in time, and all come back.
    fn calm_down(&mut self) {
        self.stormy = false;
        self.hostiles_go();
    }

    /// Who is paired can call its partner.
    fn everything_goes_on(&mut self) {
        if self.oracle.violation().is_some() {
            return;
        }
        let mut calls = Vec::new();
        for client in 0..self.clients.len() {
            let Some(endpoint) = &self.clients[client].endpoint else {
                self.oracle.violate(Rule::Progress, format!("{client} is gone for good"));
                return;
            };
            if endpoint.pairing().is_some() {
                let manner = Manner { acknowledged: true, excused: false };
                calls.push(self.emit(client, manner, Duration::from_secs(60), None, 0));
            }
            if self.clients[client].asked > 0 {
                self.oracle.violate(Rule::Progress, format!("{client} still waits for the server"));
            }
        }
        for legacy in 0..self.legacies.len() {
            if self.legacies[legacy].conn.is_none() || self.legacies[legacy].asks {
                self.oracle.violate(Rule::Progress, format!("v1 client {legacy} hangs"));
            }
            calls.extend(self.legacy_emit(legacy, true));
        }
        self.run(Duration::from_secs(30), |_| false);
        for call in calls {
            if self.oracle.report_of(call) != Some(Report::Value) {
                self.oracle.violate(Rule::Progress, format!("{call} gets no value"));
            }
        }
    }

    /// The server has said its goodbyes.
    pub(crate) fn check_that_nobody_is_left(&mut self) {
        if !self.server.is_empty() {
            let stats = self.server.broker.stats();
            self.oracle.violate(Rule::NothingLeft, format!("{stats:?}"));
        }
    }

    /// Everybody says goodbye, and nothing is left.
    fn everybody_leaves(&mut self) {
        if self.oracle.violation().is_some() {
            return;
        }
        self.leaving = true;
        for client in 0..self.clients.len() {
            self.command(client, Command::Close);
        }
        self.legacies_leave();
        self.run(Duration::from_secs(60), |_| false);
        self.check_that_nobody_is_left();
        if self.clients.iter().any(|client| client.endpoint.is_some() || !client.waiting.is_empty())
        {
            self.oracle.violate(Rule::NothingLeft, "a client is left");
        }
    }
}

/// Histories from this seed on, until there were enough, or a rule is broken.
pub(crate) fn run_histories(
    first: u64,
    plan: impl Fn(u64) -> Plan + Sync,
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
                    let (counts, outcome) = run_history(plan(seed));
                    let mut totals = totals.lock().unwrap();
                    totals.add(counts, outcome, &plan);
                    if totals.failure.is_some() || enough(&totals) {
                        done.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    totals.into_inner().unwrap()
}

impl Totals {
    fn add(
        &mut self,
        counts: Counts,
        outcome: Result<Summary, Failure>,
        plan: impl Fn(u64) -> Plan,
    ) {
        self.histories += 1;
        self.counts.add(counts);
        match outcome {
            Ok(seen) => self.seen.add(seen),
            Err(failure) => {
                // Once more, for its last events.
                let mut plan = plan(failure.seed);
                plan.traced = true;
                let again = run_history(plan).1.err();
                self.failure.get_or_insert(again.unwrap_or(failure));
            }
        }
    }
}
