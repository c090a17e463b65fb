//! What was called, what ran and what the callers were told, until it is judged.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use socketio_p2p_client::{EmitError, PairingId};

use super::Report;

/// Which client, of those that talk: 2n and 2n + 1 are a pair.
pub(crate) type Number = usize;

/// What the caller was told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    Replied,
    Failed,
    NotExecuted(&'static str),
    Unknown(&'static str),
    /// A reply, but not that of this call.
    Misrouted,
}

impl From<EmitError> for Told {
    fn from(error: EmitError) -> Self {
        match error.executed() {
            Some(true) => Self::Failed,
            Some(false) => Self::NotExecuted(error.code()),
            None => Self::Unknown(error.code()),
        }
    }
}

/// The name of a call: its caller, and the how manieth of its calls it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CallName {
    pub(crate) caller: Number,
    pub(crate) index: usize,
}

#[derive(Debug)]
struct Call {
    pairing: Option<PairingId>,
    ran: u32,
    told: Option<Told>,
}

/// Everything that happened to the clients that talk.
#[derive(Debug)]
pub(crate) struct History(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    clients: Vec<Client>,
    ended: HashSet<PairingId>,
    answered: u64,
    latency: Histogram<u64>,
    /// What happened that no rule allows, in words.
    strange: Vec<String>,
    unordered: Vec<String>,
}

#[derive(Debug, Default)]
struct Client {
    calls: Vec<Call>,
    /// The last call of this client that ran.
    last_ran: Option<usize>,
    away_since: Option<Instant>,
    longest_away: Duration,
    resumed: u64,
}

impl History {
    /// Of so many clients.
    pub(crate) fn of(clients: usize) -> Self {
        let clients = std::iter::repeat_with(Client::default).take(clients).collect();
        Self(Mutex::new(Inner {
            clients,
            ended: HashSet::new(),
            answered: 0,
            latency: latencies(),
            strange: Vec::new(),
            unordered: Vec::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call is made, by a client that believes to be in this pairing.
    pub(crate) fn called(&self, caller: Number, pairing: Option<PairingId>) -> CallName {
        let calls = &mut self.lock().clients[caller].calls;
        calls.push(Call { pairing, ran: 0, told: None });
        CallName { caller, index: calls.len() - 1 }
    }

    /// A handler of this client started, for a call that came from `source`.
    pub(crate) fn ran(&self, at: Number, source: Option<Number>, name: CallName) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let partner = at ^ 1;
        let call = inner.clients.get_mut(name.caller).and_then(|caller| {
            let call = caller.calls.get_mut(name.index)?;
            if caller.last_ran.is_some_and(|last| last >= name.index) && call.ran == 0 {
                inner.unordered.push(format!("{name:?} ran after {:?}", caller.last_ran));
            }
            caller.last_ran = caller.last_ran.max(Some(name.index));
            Some(call)
        });
        match call {
            Some(call) if name.caller == partner && source == Some(partner) => call.ran += 1,
            _ => inner.strange.push(format!("{name:?} ran at {at}, as a call of {source:?}")),
        }
    }

    /// The caller learns what became of its call.
    pub(crate) fn told(&self, name: CallName, told: Told, took: Duration) {
        let mut inner = self.lock();
        let call = &mut inner.clients[name.caller].calls[name.index];
        if let Some(before) = call.told.replace(told) {
            inner.strange.push(format!("{name:?} was told twice, first {before:?}"));
        }
        inner.answered += 1;
        // Longer ones count as the longest.
        inner.latency.saturating_record(took.as_micros() as u64);
    }

    /// Something came that nobody of these sent.
    pub(crate) fn strange(&self, what: String) {
        self.lock().strange.push(what);
    }

    /// A client lost its connection.
    pub(crate) fn away(&self, who: Number) {
        self.lock().clients[who].away_since.get_or_insert_with(Instant::now);
    }

    /// A client has another connection, and the same session if it was `resumed`.
    pub(crate) fn back(&self, who: Number, resumed: bool) {
        let client = &mut self.lock().clients[who];
        client.resumed += u64::from(resumed);
        if let Some(since) = client.away_since.take() {
            client.longest_away = client.longest_away.max(since.elapsed());
        }
    }

    /// A client hears that its pairing ended. Nobody of these ends one, so that is right only if
    /// one of the two was away for at least `excuse`.
    pub(crate) fn unpaired(&self, who: Number, pairing: PairingId, why: &str, excuse: Duration) {
        let mut inner = self.lock();
        let longest = [who, who ^ 1].map(|end| {
            let end = &inner.clients[end];
            let now = end.away_since.map(|since| since.elapsed());
            end.longest_away.max(now.unwrap_or_default())
        });
        if longest.iter().all(|away| *away < excuse) {
            inner.strange.push(format!("{who}: {pairing} ended: {why}, away for {longest:?}"));
        }
        inner.ended.insert(pairing);
    }

    /// How many calls were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.lock().answered
    }

    /// How long the calls took, in microseconds, that were answered since this was asked last.
    pub(crate) fn take_latencies(&self) -> Histogram<u64> {
        std::mem::replace(&mut self.lock().latency, latencies())
    }

    /// Judges what happened; every call must have been answered by now.
    pub(crate) fn judge(&self, report: &mut Report) {
        let inner = self.lock();
        let (mut twice, mut lost, mut misreported) = (Vec::new(), Vec::new(), Vec::new());
        let (mut replied, mut failed, mut excused) = (0, 0, 0);
        for (caller, client) in inner.clients.iter().enumerate() {
            for (index, call) in client.calls.iter().enumerate() {
                let say = || format!("{caller}.{index}: {call:?}");
                if call.ran > 1 {
                    twice.push(say());
                }
                let over = call.pairing.is_none_or(|pairing| inner.ended.contains(&pairing));
                match &call.told {
                    Some(Told::Replied | Told::Failed) if call.ran == 0 => misreported.push(say()),
                    Some(Told::Replied) => replied += 1,
                    Some(Told::Failed) => failed += 1,
                    Some(Told::NotExecuted(_)) if call.ran > 0 => misreported.push(say()),
                    Some(Told::Misrouted) | None => misreported.push(say()),
                    Some(Told::NotExecuted(_) | Told::Unknown(_)) if over => excused += 1,
                    Some(Told::NotExecuted(_) | Told::Unknown(_)) => lost.push(say()),
                }
            }
        }
        report.none("calls executed twice", &twice);
        report.none("calls lost while both recover within grace", &lost);
        report.none("calls misreported", &misreported);
        report.none("calls out of order", &inner.unordered);
        report.none("what no rule allows", &inner.strange);
        let resumed: u64 = inner.clients.iter().map(|client| client.resumed).sum();
        let away = inner.clients.iter().map(|client| client.longest_away).max();
        report.note(format!(
            "{replied} calls replied, {failed} failed in their handler as they should, {excused} \
             excused by the end of their pairing ({} ended); {resumed} times resumed, {away:?} the \
             longest away",
            inner.ended.len()
        ));
    }
}

/// Up to a minute, to a thousandth.
fn latencies() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants, and right")]
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("a histogram")
}
