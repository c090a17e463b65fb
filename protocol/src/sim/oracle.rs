//! The oracle: it is informed of what happens to paired clients, and records each broken guarantee.
//!
//! The simulator reports to it, and so may a test of the real stack.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use crate::{EndReason, PairingId};

pub use rules::{Breach, CallNo, ClientNo, Manner, Report, Rule, Summary, Verdict};

#[derive(Debug)]
struct CallRecord {
    caller: ClientNo,
    callee: ClientNo,
    pairing: PairingId,
    manner: Manner,
    executed: bool,
    /// The result of its handler, if it was reported.
    verdict: Option<Verdict>,
    reported: Option<Report>,
    /// True after the caller cancelled it.
    forgotten: bool,
}

#[derive(Debug)]
struct PairingRecord {
    ends: [ClientNo; 2],
    /// The peers that know that it began.
    begun: BTreeSet<ClientNo>,
    /// The peers that know that it ended, and the reason each was given.
    over: BTreeMap<ClientNo, EndReason>,
    /// The peers that got the reason from the server.
    told_why: BTreeSet<ClientNo>,
    /// The true reason of its end, if it is known.
    reason: Option<EndReason>,
    /// The name that the server gave it last.
    name: PairingId,
    /// The last call that ran, by caller.
    last: BTreeMap<ClientNo, CallNo>,
}

/// A record of calls, handlers, reports and pairings, and of the rules that they break.
#[derive(Debug, Default)]
pub struct Oracle {
    calls: Vec<CallRecord>,
    pairings: BTreeMap<PairingId, PairingRecord>,
    /// The pairing that each client believes it is in.
    present: BTreeMap<ClientNo, PairingId>,
    /// The first names of pairings that the server granted anew.
    names: BTreeMap<PairingId, PairingId>,
    /// Pairings that ended, and the true reasons.
    ends: BTreeMap<PairingId, EndReason>,
    /// Clients that break the protocol on purpose. Their reports prove nothing.
    distrusted: BTreeSet<ClientNo>,
    breaches: Vec<Breach>,
}

impl Oracle {
    /// Returns the first breach.
    pub fn breach(&self) -> Option<&Breach> {
        self.breaches().first()
    }

    /// Returns all breaches, oldest first.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// Records a breach that the caller found itself.
    pub fn violate(&mut self, rule: Rule, what: impl Into<String>) {
        self.breaches.push(Breach { rule, what: what.into() });
    }

    /// Marks a client that breaks the protocol on purpose. Reports to the others must still be true.
    pub fn distrust(&mut self, client: ClientNo) {
        self.distrusted.insert(client);
    }

    /// Records that a client was informed of its pairing.
    pub fn paired(&mut self, client: ClientNo, partner: ClientNo, id: PairingId) {
        if let Some(other) = self.present.insert(client, id) {
            self.violate(Rule::Exclusive, format!("{client} is paired: {id}, and still: {other}"));
        }
        let mut ends = [client, partner];
        ends.sort_unstable();
        if self.names.contains_key(&id) {
            self.violate(Rule::Mutual, format!("{id} is new to {client}, and not to {partner}"));
        }
        let reason = self.ends.get(&id).copied();
        let pairing = self.pairings.entry(id).or_insert_with(|| PairingRecord {
            ends,
            begun: BTreeSet::new(),
            over: BTreeMap::new(),
            told_why: BTreeSet::new(),
            reason,
            name: id,
            last: BTreeMap::new(),
        });
        let agreed = pairing.ends == ends;
        let first = pairing.begun.insert(client);
        if !agreed {
            self.violate(Rule::Mutual, format!("{id} is one of {ends:?} and of others"));
        }
        if !first {
            self.violate(Rule::ToldOnce, format!("{client} hears twice that {id} begins"));
        }
    }

    /// Records that a client has another name for its pairing, which the server had forgotten and
    /// granted anew.
    pub fn renamed(&mut self, client: ClientNo, name: PairingId) {
        let Some(before) = self.present.insert(client, name) else {
            self.present.remove(&client);
            return self.violate(Rule::Mutual, format!("{client} is not paired: {name}"));
        };
        let first = self.first_name(before);
        if self.first_name(name) == first {
            return;
        }
        if self.pairings.contains_key(&name) {
            let what = format!("{name} is {before} to {client}, and new to its partner");
            self.violate(Rule::Mutual, what);
        }
        self.names.insert(name, first);
        let reason = self.ends.get(&name).copied();
        let Some(pairing) = self.pairings.get_mut(&first) else { return };
        pairing.name = name;
        if std::mem::replace(&mut pairing.reason, reason).is_none() {
            let what = format!("{client} calls {before} {name}, and the server did not forget it");
            self.violate(Rule::Mutual, what);
        }
    }

    /// Returns the name that a pairing had first.
    pub fn first_name(&self, id: PairingId) -> PairingId {
        self.names.get(&id).copied().unwrap_or(id)
    }

    /// Records that a client was informed that its pairing ended.
    pub fn unpaired(&mut self, client: ClientNo, id: PairingId, reason: EndReason) {
        if self.present.get(&client) == Some(&id) {
            self.present.remove(&client);
        }
        let id = self.first_name(id);
        let Some(pairing) = self.pairings.get_mut(&id) else {
            return self
                .violate(Rule::ToldOnce, format!("{client} hears the end of nothing: {id}"));
        };
        if pairing.over.insert(client, reason).is_some() {
            self.violate(Rule::ToldOnce, format!("{client} hears twice that {id} ended"));
        }
    }

    /// Records that the client got the reason from the server, not from the loss of its own session.
    pub fn told_why(&mut self, client: ClientNo, id: PairingId) {
        let id = self.first_name(id);
        if let Some(pairing) = self.pairings.get_mut(&id) {
            pairing.told_why.insert(client);
        }
    }

    /// Records that the server ended a pairing, and the true reason.
    pub fn ended(&mut self, id: PairingId, reason: EndReason) {
        // The clients may not know yet that it began.
        let reason = *self.ends.entry(id).or_insert(reason);
        let first = self.first_name(id);
        if let Some(pairing) = self.pairings.get_mut(&first)
            && pairing.name == id
        {
            pairing.reason = Some(reason);
        }
    }

    /// Records that a client has closed: it is informed of nothing from now on.
    pub fn gone(&mut self, client: ClientNo) {
        let id = self.present.remove(&client).map(|id| self.first_name(id));
        if let Some(pairing) = id.and_then(|id| self.pairings.get_mut(&id)) {
            pairing.over.entry(client).or_insert(EndReason::Disconnected);
        }
    }

    /// Returns the pairing and partner that a client believes it has.
    pub fn partner_of(&self, client: ClientNo) -> Option<(PairingId, ClientNo)> {
        let id = self.present.get(&client)?;
        let ends = self.pairings[&self.first_name(*id)].ends;
        Some((*id, if ends[0] == client { ends[1] } else { ends[0] }))
    }

    /// Returns the pairings, present and past, that do not include a client.
    pub fn foreign(&self, client: ClientNo) -> Vec<PairingId> {
        let foreign = self.pairings.iter().filter(|(_, p)| !p.ends.contains(&client));
        foreign.map(|(id, _)| *id).collect()
    }

    /// Records an emit of a paired client, and returns its number.
    ///
    /// # Panics
    ///
    /// If the client is not paired.
    pub fn called(&mut self, caller: ClientNo, manner: Manner) -> CallNo {
        let (pairing, callee) = self.partner_of(caller).expect("only who is paired calls");
        let pairing = self.first_name(pairing);
        let (executed, verdict, reported, forgotten) = (false, None, None, false);
        let call =
            CallRecord { caller, callee, pairing, manner, executed, verdict, reported, forgotten };
        self.calls.push(call);
        self.calls.len() - 1
    }

    /// Records that a handler of `at` started, in this pairing, for a call that came from `source`.
    pub fn executed(&mut self, number: CallNo, at: ClientNo, source: ClientNo, pairing: PairingId) {
        if self.distrusted.contains(&source) {
            // It may send anything, but only inside its own pairing.
            if self.partner_of(at) != Some((pairing, source)) {
                self.violate(Rule::NoStranger, format!("{at} runs what {source} says"));
            }
            return;
        }
        let pairing = self.first_name(pairing);
        let Some(call) = self.calls.get_mut(number) else {
            return self.violate(Rule::NoStranger, format!("{at} runs what nobody called"));
        };
        let mine = (call.callee, call.pairing) == (at, pairing);
        let again = mine && std::mem::replace(&mut call.executed, true);
        let last = match self.pairings.get_mut(&pairing) {
            Some(pairing) if mine && !again => pairing.last.insert(source, number),
            _ => None,
        };
        let rule = if !mine {
            Rule::NoStranger
        } else if call.caller != source {
            Rule::TrueSource
        } else if again {
            Rule::AtMostOnce
        } else if call.reported == Some(Report::NotExecuted) {
            Rule::Truthful
        } else if last.is_some_and(|last| last > number) {
            Rule::Order
        } else {
            return;
        };
        let what =
            format!("{number} runs at {at}, from {source}, in {pairing}, after {last:?}: {call:?}");
        self.violate(rule, what);
    }

    /// Records the result of the handler of a call.
    pub fn returned(&mut self, number: CallNo, verdict: Verdict) {
        if let Some(call) = self.calls.get_mut(number) {
            call.verdict.get_or_insert(verdict);
        }
    }

    /// Records that a call found no handler.
    pub fn unhandled(&mut self, number: CallNo) {
        self.excuse(number);
    }

    /// Records that a call may fail although both peers are well.
    pub fn excuse(&mut self, number: CallNo) {
        if let Some(call) = self.calls.get_mut(number) {
            call.manner.excused = true;
        }
    }

    /// Records the report that the caller of a call got.
    pub fn reported(&mut self, number: CallNo, report: Report) {
        let call = &mut self.calls[number];
        let before = call.reported.replace(report);
        let trusted = !self.distrusted.contains(&call.callee);
        if before.is_some() {
            let what = format!("before that {before:?}: {number}: {call:?}");
            self.violate(Rule::ReportedOnce, what);
        }
        if trusted {
            self.check_report(number, report);
        }
    }

    fn check_report(&mut self, number: CallNo, report: Report) {
        let call = &self.calls[number];
        let (executed, verdict) = (call.executed, call.verdict);
        let truthful = match report {
            Report::Value => executed && verdict != Some(Verdict::Failed),
            Report::Failed => executed && verdict != Some(Verdict::Value),
            Report::NotExecuted => !executed,
            Report::Unknown => true,
            Report::WrongValue => false,
        };
        if !truthful {
            self.violate(Rule::Truthful, format!("{number}: {call:?}"));
        }
    }

    /// Records that the caller cancelled a call.
    pub fn forgotten(&mut self, number: CallNo) {
        self.calls[number].forgotten = true;
    }

    /// Returns true while a call waits for its report.
    pub fn is_open(&self, number: CallNo) -> bool {
        let call = &self.calls[number];
        call.reported.is_none() && !call.forgotten
    }

    /// Checks what must be true when nothing is under way any more.
    pub fn settle(&mut self) {
        let mut found = Vec::new();
        for (number, call) in self.calls.iter().enumerate() {
            let pairing = &self.pairings[&call.pairing];
            let over = !pairing.over.is_empty() || pairing.reason.is_some();
            let seen = || format!("{number}: {call:?}");
            if call.manner.acknowledged && call.reported.is_none() && !call.forgotten {
                found.push((Rule::ReportedOnce, seen()));
            }
            let distrusted = self.distrusted.contains(&call.callee);
            if over || distrusted || call.manner.excused || call.forgotten {
                continue;
            }
            let lost = match call.reported {
                Some(report) => matches!(report, Report::NotExecuted | Report::Unknown),
                None => !call.manner.acknowledged && !call.executed,
            };
            if lost {
                found.push((Rule::NothingLost, seen()));
            }
        }
        for (id, pairing) in &self.pairings {
            let heard: Vec<_> = pairing.over.iter().collect();
            if let Some(reason) = pairing.reason {
                for end in pairing.begun.iter().filter(|end| !pairing.over.contains_key(end)) {
                    let what = format!("{end} does not hear that {id} ended: {reason}");
                    found.push((Rule::ToldOnce, what));
                }
                // A peer whose own session was lost does not get the reason, nor one that goes on
                // without the server: its application or the loss of the direct path ends the pairing.
                let may_not_know = |end: &ClientNo| !pairing.told_why.contains(end);
                let own = [EndReason::Disconnected, EndReason::Unregistered];
                let wrong = |(end, told): (&ClientNo, &EndReason)| {
                    *told != reason && !(own.contains(told) && may_not_know(end))
                };
                if pairing.over.iter().any(wrong) {
                    let what = format!("{id} ended: {reason}, but they hear {heard:?}");
                    found.push((Rule::ToldOnce, what));
                }
            } else if !heard.is_empty() && heard.len() < pairing.begun.len() {
                found.push((Rule::Mutual, format!("{id} is over for {heard:?} only")));
            }
        }
        for (rule, what) in found {
            self.violate(rule, what);
        }
    }

    /// Checks that each end of a pairing that a client was informed of was recorded with [`Self::ended`].
    pub fn check_ends(&mut self) {
        let heard = |(_, pairing): &(&PairingId, &PairingRecord)| !pairing.over.is_empty();
        let without = self.pairings.iter().filter(heard).find(|(_, p)| p.reason.is_none());
        if let Some((id, pairing)) = without {
            let what = format!("{id} did not end, but they hear {:?}", pairing.over);
            self.violate(Rule::Lasting, what);
        }
    }

    /// Returns the report that the caller got, if any.
    pub fn report_of(&self, number: CallNo) -> Option<Report> {
        self.calls[number].reported
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Returns the totals.
    pub fn summary(&self) -> Summary {
        let reported = |report| self.calls.iter().filter(|c| c.reported == Some(report)).count();
        Summary {
            calls: self.calls.len(),
            executed: self.calls.iter().filter(|call| call.executed).count(),
            values: reported(Report::Value),
            not_executed: reported(Report::NotExecuted),
            unknown: reported(Report::Unknown),
            pairings: self.pairings.len(),
        }
    }
}
