//! A history from its seed to its end.

use std::time::Duration;

use crate::{Path, PathPolicy, client::Command};

use crate::sim::{
    oracle::{Manner, Oracle, Report, Rule},
    parties::Emission,
    plan::Plan,
    report::{self, Counts, LINES, Lived, Observed, Replay, Trace},
    transcript::Recorded,
    under_test::Application,
    world::World,
};

/// The longest time that the bad weather may last.
const STORM: Duration = Duration::from_secs(600);

/// After this all that was under way has come to an end: the longest deadline, and the grace.
const CALM: Duration = Duration::from_secs(150);

/// The emits of a v1 client in one loop, half of them with an acknowledgement.
const BURST: usize = 900;

/// One history, from a few clients that connect to the last that leaves.
pub(crate) fn live_through(plan: Plan, trace: Trace) -> Lived {
    let (calls, faults) = (plan.calls, plan.faults);
    report::observe((plan.seed, plan.replay()), World::new(plan, trace), |world| {
        world.run(STORM, |world| world.oracle.calls() >= calls && world.counts.faults >= faults);
        world.calm_down();
        world.run(CALM, |_| false);
        world.oracle.settle();
        world.oracle.check_ends();
        world.check_beliefs();
        world.check_watches();
        world.pair_the_free();
        world.check_direct_paths();
        world.everything_goes_on();
        world.everybody_leaves();
    })
}

impl Observed for World {
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

/// The calls and faults of a run of an application, after which the faults may stop.
const APPLICATION: (usize, usize) = (100, 20);

/// The time that an application has to complete what it has begun.
const WIND_DOWN: Duration = Duration::from_secs(60);

/// One run of an application at two clients.
pub(crate) fn live_application(
    seed: u64,
    application: Box<dyn Application>,
    trace: Trace,
) -> Lived {
    let (calls, faults) = APPLICATION;
    let plan = Plan { clients: 2, legacies: 0, hostiles: 0, calls, faults, ..Plan::new(seed) };
    let plan = Plan { direct_only: 0.0, one_way: false, ..plan };
    let mut world = World::new(plan, trace);
    world.application = Some(application);
    let replay = format!("sim::run_application({seed}, application, Trace::of({LINES}))");
    report::observe((seed, Replay::Call(replay)), world, |world| {
        world.run(STORM, |world| world.oracle.calls() >= calls && world.counts.faults >= faults);
        world.calm_down();
        world.run(WIND_DOWN, |_| false);
        world.check_application(true);
        world.everybody_leaves();
    })
}

/// Runs until this client has so many lines, and returns the transcript of its first life.
pub(crate) fn record(plan: Plan, client: usize, lines: usize) -> Option<String> {
    // A transcript holds what can be written: nothing else gets through.
    let plan = Plan { codec: true, ..plan };
    let mut world = World::new(plan, Trace::default());
    world.recording = Some(client);
    world.run(STORM, |world| {
        let lives = world.clients.get(client).and_then(|client| client.endpoint.as_ref());
        world.transcript.is_some() || lives.is_some_and(|client| client.lines() >= lines)
    });
    let present = world.clients.get_mut(client).and_then(|client| client.endpoint.take());
    world.transcript.or_else(|| present.and_then(Recorded::into_transcript))
}

impl World {
    /// The faults have ended: what is silent is noticed in time, and all come back.
    fn calm_down(&mut self) {
        self.stormy = false;
        self.hostiles_go();
    }

    /// Checks that each paired client can call its partner.
    fn everything_goes_on(&mut self) {
        if self.oracle.breach().is_some() {
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
                let emission = Emission::new(manner, Duration::from_secs(60));
                let vias: &[Option<Path>] =
                    match (self.may_be_direct(client), self.is_direct_only(client)) {
                        (true, false) => &[None, Some(Path::Relay), Some(Path::Direct)],
                        (true, true) => &[None, Some(Path::Direct)],
                        (false, false) => &[None],
                        (false, true) => &[],
                    };
                for via in vias {
                    calls.push(self.emit(client, Emission { via: *via, ..emission }));
                }
            }
            if self.clients[client].asked > 0 {
                self.oracle.violate(Rule::Progress, format!("{client} still waits for the server"));
            }
        }
        for legacy in 0..self.legacies.len() {
            if self.legacies[legacy].conn.is_none() || self.legacies[legacy].asks() {
                self.oracle.violate(Rule::Progress, format!("v1 client {legacy} hangs"));
            }
            calls.extend(self.legacy_emit(legacy, true));
        }
        // One emits more than the window and what the partner handles at once, in one loop.
        let bursting =
            (0..self.legacies.len()).find(|legacy| self.legacies[*legacy].partner.is_some());
        if let Some(legacy) = bursting {
            for number in 0..BURST {
                calls.extend(self.legacy_emit(legacy, number % 2 == 0).filter(|_| number % 2 == 0));
            }
        }
        self.run(Duration::from_secs(30), |_| false);
        for call in calls {
            if self.oracle.report_of(call) != Some(Report::Value) {
                self.oracle.violate(Rule::Progress, format!("{call} gets no value"));
            }
        }
        // The server answers each call of a v1 client within 30 s.
        for legacy in 0..self.legacies.len() {
            if let Some(call) = self.legacies[legacy].open.first() {
                let what = format!("{call} of v1 client {legacy} is never answered");
                self.oracle.violate(Rule::ReportedOnce, what);
            }
        }
    }

    /// Returns whether the emits of a client wait for a direct path.
    pub(crate) fn is_direct_only(&self, client: usize) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| client.config.direct.policy == PathPolicy::DirectOnly)
    }

    /// Returns whether calls of a client may wait for a direct path: its own, or their replies behind
    /// emits of its partner.
    pub(crate) fn may_wait_for_direct(&self, client: usize) -> bool {
        let partner = self.oracle.partner_of(client).map(|(_, partner)| partner);
        self.is_direct_only(client) || partner.is_some_and(|partner| self.is_direct_only(partner))
    }

    /// Returns whether a client and its partner allow direct paths.
    fn may_be_direct(&self, client: usize) -> bool {
        let partner = self.oracle.partner_of(client).map(|(_, partner)| partner);
        let partner = partner.and_then(|partner| self.clients.get(partner));
        self.clients[client].direct && partner.is_some_and(|partner| partner.direct)
    }

    /// Checks that two clients that are free can be paired.
    fn pair_the_free(&mut self) {
        let free: Vec<_> = (0..self.clients.len())
            .filter(|client| self.clients[*client].endpoint.is_some())
            .filter(|client| self.oracle.partner_of(*client).is_none())
            .collect();
        for two in free.chunks_exact(2) {
            self.register_with(two[0], two[1]);
        }
        self.run(Duration::from_secs(5), |_| false);
        for two in free.chunks_exact(2) {
            let partner = self.oracle.partner_of(two[0]).map(|(_, partner)| partner);
            if partner != Some(two[1]) {
                let what = format!("{} cannot be paired with {}", two[0], two[1]);
                self.oracle.violate(Rule::Progress, what);
            }
        }
    }

    /// Checks that the direct path carries where both peers allow it, each on one link.
    fn check_direct_paths(&mut self) {
        for client in 0..self.clients.len() {
            let pairing = self.oracle.partner_of(client);
            if let Some((name, partner)) = pairing
                && partner < self.clients.len()
                && self.oracle.partner_of(partner) != Some((name, client))
            {
                let what = format!("{client} and {partner} do not agree on {name}");
                self.oracle.violate(Rule::Mutual, what);
            }
            let may = self.may_be_direct(client);
            let (path, links) = (self.clients[client].path, self.open_links(client));
            if may && path != Some(Path::Direct) || links != usize::from(may) {
                let what = format!("{client} has {links} open links, and sends by {path:?}");
                self.oracle.violate(Rule::Direct, what);
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

    /// Lets every client leave, and checks that nothing is left.
    fn everybody_leaves(&mut self) {
        if self.oracle.breach().is_some() {
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
