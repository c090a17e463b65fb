//! The calls, runs and reports of clients that talk, in the form that the simulation's oracle takes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use socketio_p2p_client::{EmitError, EndReason, PairingId, Path};

use socketio_p2p_protocol::sim::{CallNo, ClientNo, Manner, Oracle, Report as Told, Rule};

use super::Report;
use super::stalls::Stalls;

/// Every call is acknowledged, and must come to something while both ends are well.
const MANNER: Manner = Manner { acknowledged: true, excused: false };

/// All that happened to the clients that talk.
#[derive(Debug)]
pub(crate) struct History(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    oracle: Oracle,
    presence: Vec<Presence>,
    stalls: Stalls,
    answered: u64,
    /// Of those: how many were answered with a value by the direct path.
    directly: u64,
    failed: u64,
    latency: Histogram<u64>,
}

/// The absences of a client.
#[derive(Clone, Debug, Default)]
struct Presence {
    away_since: Option<Instant>,
    longest_away: Duration,
    resumed: u64,
}

impl Presence {
    fn longest_away(&self) -> Duration {
        let now = self.away_since.map(|since| since.elapsed());
        self.longest_away.max(now.unwrap_or_default())
    }
}

/// Returns the outcome of a call that an error reports.
pub(crate) const fn told(error: &EmitError) -> Told {
    match error.executed() {
        Some(true) => Told::Failed,
        Some(false) => Told::NotExecuted,
        None => Told::Unknown,
    }
}

impl History {
    /// Of so many clients.
    pub(crate) fn of(clients: usize) -> Self {
        Self(Mutex::new(Inner {
            oracle: Oracle::default(),
            presence: vec![Presence::default(); clients],
            stalls: Stalls::new(clients.div_ceil(2)),
            answered: 0,
            directly: 0,
            failed: 0,
            latency: latencies(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client hears that it is paired.
    pub(crate) fn paired(&self, who: ClientNo, partner: Option<ClientNo>, pairing: PairingId) {
        let mut inner = self.lock();
        match partner {
            Some(partner) => inner.oracle.paired(who, partner, pairing),
            None => inner.oracle.violate(Rule::NoStranger, format!("{who} in {pairing}")),
        }
    }

    /// A client hears that its pairing ended. Nobody ends one here, so that is right only if one
    /// of the two was away for at least `excuse`.
    pub(crate) fn unpaired(
        &self,
        who: ClientNo,
        pairing: PairingId,
        reason: EndReason,
        excuse: Duration,
    ) {
        let mut inner = self.lock();
        inner.oracle.unpaired(who, pairing, reason);
        let longest = [who, who ^ 1].map(|end| inner.presence[end].longest_away());
        if longest.iter().all(|away| *away < excuse) {
            let what = format!("{who}: {pairing} ended: {reason}, they were away for {longest:?}");
            inner.oracle.violate(Rule::NothingLost, what);
        }
    }

    /// The server says that a pairing ended.
    pub(crate) fn ended(&self, pairing: PairingId, reason: EndReason) {
        self.lock().oracle.ended(pairing, reason);
    }

    /// A call is made, by a client that is in this pairing; none if it has not heard of it yet.
    pub(crate) fn called(&self, caller: ClientNo, pairing: PairingId) -> Option<CallNo> {
        let oracle = &mut self.lock().oracle;
        let heard = oracle.partner_of(caller).is_some_and(|(present, _)| present == pairing);
        heard.then(|| oracle.called(caller, MANNER))
    }

    /// A handler of this client starts, for a call that came from `source`.
    pub(crate) fn ran(
        &self,
        call: CallNo,
        at: ClientNo,
        source: Option<ClientNo>,
        pairing: PairingId,
    ) {
        let oracle = &mut self.lock().oracle;
        match source {
            Some(source) => oracle.executed(call, at, source, pairing),
            None => oracle.violate(Rule::TrueSource, format!("{call} at {at}, from a stranger")),
        }
    }

    /// Records that something came that none of these sends.
    pub(crate) fn strange(&self, what: String) {
        self.lock().oracle.violate(Rule::NoStranger, what);
    }

    /// The caller learns what became of its call.
    pub(crate) fn told(&self, caller: ClientNo, call: CallNo, told: Told, took: Duration) {
        let mut inner = self.lock();
        inner.oracle.reported(call, told);
        inner.stalls.met(caller, took);
        inner.answered += 1;
        inner.failed += u64::from(told == Told::Failed);
        // Longer ones count as the longest.
        inner.latency.saturating_record(took.as_micros() as u64);
    }

    /// A client lost its connection.
    pub(crate) fn away(&self, who: ClientNo) {
        self.lock().presence[who].away_since.get_or_insert_with(Instant::now);
    }

    /// A client has another connection, and the same session if it was `resumed`.
    pub(crate) fn back(&self, who: ClientNo, resumed: bool) {
        let client = &mut self.lock().presence[who];
        client.resumed += u64::from(resumed);
        client.longest_away = client.longest_away();
        client.away_since = None;
    }

    /// Passes the changes of the pairs' paths to `ask`.
    pub(crate) fn stalls<T>(&self, ask: impl FnOnce(&mut Stalls) -> T) -> T {
        ask(&mut self.lock().stalls)
    }

    /// A call was answered with a value, by this path.
    pub(crate) fn came_by(&self, path: Path) {
        self.lock().directly += u64::from(path == Path::Direct);
    }

    /// Returns the number of values that came by the direct path.
    pub(crate) fn directly(&self) -> u64 {
        self.lock().directly
    }

    /// Returns the number of answered calls.
    pub(crate) fn answered(&self) -> u64 {
        self.lock().answered
    }

    /// Takes the latencies, in microseconds, of the calls answered since the last call of this.
    pub(crate) fn take_latencies(&self) -> Histogram<u64> {
        std::mem::replace(&mut self.lock().latency, latencies())
    }

    /// The rules that were broken; everything must have come to rest by now.
    pub(crate) fn broken(&self) -> Vec<(Rule, String)> {
        let oracle = &mut self.lock().oracle;
        oracle.settle();
        let breaches = oracle.breaches().iter();
        breaches.map(|broken| (broken.rule, broken.what.clone())).collect()
    }

    /// Judges what happened; everything must have come to rest by now.
    pub(crate) fn judge(&self, report: &mut Report) {
        let broken = self.broken();
        let of = |rules: &dyn Fn(Rule) -> bool| -> Vec<String> {
            let broken = broken.iter().filter(|(rule, _)| rules(*rule));
            broken.map(|(rule, what)| format!("{rule:?}: {what}")).collect()
        };
        report.none("calls executed twice", &of(&|rule| rule == Rule::AtMostOnce));
        let lost = of(&|rule| rule == Rule::NothingLost);
        report.none("calls lost while both recover in time", &lost);
        let reports = [Rule::Truthful, Rule::ReportedOnce];
        report.none("calls misreported", &of(&|rule| reports.contains(&rule)));
        report.none("calls executed out of order", &of(&|rule| rule == Rule::Order));
        let told = [&reports[..], &[Rule::AtMostOnce, Rule::NothingLost, Rule::Order]].concat();
        report.none("other rules broken", &of(&|rule| !told.contains(&rule)));

        let inner = self.lock();
        let resumed: u64 = inner.presence.iter().map(|client| client.resumed).sum();
        let away = inner.presence.iter().map(Presence::longest_away).max().unwrap_or_default();
        report.note(format!("{resumed} times resumed, {away:.1?} the longest away"));
        let (seen, failed) = (inner.oracle.summary(), inner.failed);
        report.note(format!("{failed} handlers failed on purpose; {seen:?}"));
    }
}

/// Up to a minute, to a thousandth.
fn latencies() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants, and right")]
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("a histogram")
}
