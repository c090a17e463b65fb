//! The parameters of a run, drawn from its seed.

use crate::{DuplicatePolicy, ListPolicy};
use fastrand::Rng;

use crate::sim::{
    oracle::ClientNo,
    report::{LINES, Replay},
};

/// The parameters of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The seed of all random choices.
    pub seed: u64,
    /// The number of v2 clients.
    pub clients: usize,
    /// The number of v1 clients.
    pub legacies: usize,
    /// The number of clients that break the protocol on purpose.
    pub hostiles: usize,
    /// The number of calls after which faults may stop.
    pub calls: usize,
    /// The number of faults after which faults may stop.
    pub faults: usize,
    /// The range of the one-way delay, in microseconds. Always the first if the second is not larger.
    pub delay: (u64, u64),
    /// The probability that the relay refuses a message as congested.
    pub congestion: f64,
    /// The probability that a client that lost its connection stays away for 10 to 25 s.
    pub long_absence: f64,
    /// The probability that a fault is a restart of the server.
    pub restarts: f64,
    /// The treatment of a connection whose client ID is in use.
    pub duplicates: DuplicatePolicy,
    /// True if grants of pairings arrive later, too late, or never.
    pub distant_grants: bool,
    /// The probability that an application takes up to 12 s to consent to a pairing.
    pub slow_consents: f64,
    /// True if the server limits the rate of its clients.
    pub paced: bool,
    /// True if each message is serialised and parsed on its way.
    pub codec: bool,
    /// The clients that may ask for the list of clients.
    pub list: ListPolicy,
    /// True if the server allows a client to register only targets with larger numbers.
    pub one_way: bool,
    /// The probability that a client allows direct paths. 0 if none does.
    pub direct: f64,
    /// The probability that a client that allows direct paths uses no other for its emits.
    pub direct_only: f64,
    /// The probability that an act of an application begins or ends a watch. 0 if none does.
    pub watches: f64,
    /// The probability that a registration waits in line for a busy target. 0 if none does.
    pub lines: f64,
    /// The factor of all pauses between faults, and between the acts of an application. 0 counts as 1.
    pub slowness: u32,
}

/// A rate limit: messages per second and burst, then bytes per second and burst.
pub type PaceOf = ((u32, u32), (u64, u64));

impl Plan {
    /// Returns the rate limit of the server, if it has one.
    pub fn pace(&self) -> Option<PaceOf> {
        self.paced.then_some(((200, 100), (2 << 20, 512 << 10)))
    }

    /// Returns true if the server lets one client, by its number, register another.
    pub(crate) const fn allows(&self, source: ClientNo, target: ClientNo) -> bool {
        !self.one_way || source < target
    }

    /// Returns the parameters that belong to a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let near = rng.bool();
        let plan = Self {
            seed,
            clients: rng.usize(4..9),
            legacies: if rng.u8(..3) == 0 { rng.usize(1..4) } else { 0 },
            hostiles: if rng.u8(..3) == 0 { rng.usize(1..3) } else { 0 },
            calls: 600,
            faults: 150,
            delay: if near { (50, 1_000) } else { (5_000, 60_000) },
            congestion: if rng.u8(..4) == 0 { 0.05 } else { 0.0 },
            long_absence: if rng.u8(..4) == 0 { 0.05 } else { 0.0 },
            restarts: if rng.u8(..8) == 0 { 0.03 } else { 0.0 },
            duplicates: match rng.u8(..6) {
                0 => DuplicatePolicy::TakeOver,
                _ => DuplicatePolicy::Reject,
            },
            distant_grants: rng.u8(..4) == 0,
            paced: rng.u8(..8) == 0,
            codec: rng.u8(..16) == 0,
            slow_consents: if rng.u8(..4) == 0 { 0.8 } else { 0.1 },
            list: ListPolicy::default(),
            one_way: seed % 5 == 2,
            direct: 0.0,
            direct_only: 0.0,
            watches: 0.0,
            lines: 0.0,
            slowness: 1,
        };
        if rng.u8(..3) == 1 { plan.with_direct() } else { plan }
    }

    /// Returns the way to repeat a run of this plan: its seed, or all of it if it is not that of its seed.
    pub(crate) fn replay(&self) -> Replay {
        if *self == Self::new(self.seed) {
            return Replay::Test("replay");
        }
        let mut plan = format!("{self:?}");
        for (field, policy) in [("duplicates", "DuplicatePolicy"), ("list", "ListPolicy")] {
            plan = plan.replace(&format!(" {field}: "), &format!(" {field}: {policy}::"));
        }
        Replay::Call(format!("sim::run_plan({plan}, Trace::of({LINES}))"))
    }

    /// Returns the same plan with applications that watch others, and unpair more often.
    #[must_use]
    pub const fn with_watches(self) -> Self {
        Self { watches: 0.1, ..self }
    }

    /// Returns the same plan with registrations that wait in line, few pairings that last, and others that
    /// watch.
    #[must_use]
    pub const fn with_lines(self) -> Self {
        Self { lines: 0.7, ..self.with_watches() }
    }

    /// Returns the same plan with direct paths: slower, so that a path has time to open between faults.
    #[must_use]
    pub fn with_direct(self) -> Self {
        let slowness = 2 + (self.seed % 7) as u32;
        let restarts = if self.seed.is_multiple_of(2) { 0.015 } else { self.restarts / 2.0 };
        Self { direct: 0.9, direct_only: 0.1, slowness, restarts, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(plan: &Plan) -> String {
        match plan.replay() {
            Replay::Call(call) => call,
            Replay::Test(test) => panic!("{test} repeats another plan"),
        }
    }

    #[test]
    fn a_run_of_a_seed_is_repeated_by_its_test_and_one_of_a_changed_plan_by_the_whole_plan() {
        let plan = Plan::new(7);
        assert!(matches!(plan.replay(), Replay::Test("replay")));

        let changed = Plan { clients: 3, restarts: 0.25, list: ListPolicy::All, ..Plan::new(7) };
        let call = call(&changed);

        assert!(call.starts_with("sim::run_plan(Plan { seed: 7, clients: 3, "), "{call}");
        assert!(call.contains(", restarts: 0.25, duplicates: DuplicatePolicy::"), "{call}");
        assert!(call.contains(", list: ListPolicy::All, "), "{call}");
        assert!(call.ends_with(" }, Trace::of(200))"), "{call}");
        assert_ne!(self::call(&plan.with_direct()), self::call(&changed));
    }
}
