//! What the guarantees allow to be seen of clients that are paired and talk, whoever plays them:
//! the simulation and the soak on the real stack tell it what happens, and it says what must not.

use std::collections::{BTreeMap, BTreeSet};

use socketio_p2p_protocol::{EndReason, PairingId};

/// Which client.
pub(crate) type ClientNo = usize;

/// Which call: they are numbered as they are made.
pub(crate) type CallNo = usize;

/// What a caller was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Report {
    /// The value that the handler returned.
    Value,
    /// A value, but not that of this call.
    WrongValue,
    /// The handler ran and failed.
    Failed,
    /// No handler ran, and none will.
    NotExecuted,
    /// That cannot be known.
    Unknown,
}

/// What a handler came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It returned a value.
    Value,
    /// It failed.
    Failed,
}

/// What was found to be broken.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Rule {
    /// A client is in at most one pairing.
    Exclusive,
    /// Both ends of a pairing agree.
    Mutual,
    /// Nobody hears anything from whom it is not paired with.
    NoStranger,
    /// What comes is from whom it says.
    TrueSource,
    /// What comes is what was sent.
    Intact,
    /// A handler runs at most once an emit.
    AtMostOnce,
    /// Every call is reported, once.
    ReportedOnce,
    /// What is reported is true.
    Truthful,
    /// Nothing is lost while both recover within the grace period.
    NothingLost,
    /// As sent, a pairing and direction.
    Order,
    /// What has a time to live does not run after it.
    InTime,
    /// A pairing lasts until somebody ends it, or one of its ends is away for too long.
    Lasting,
    /// The end of a pairing is told, once, and why.
    ToldOnce,
    /// Counters are equal to objects.
    Counters,
    /// Nothing grows beyond its limits.
    Bounded,
    /// When the faults have ended, everything goes on.
    Progress,
    /// When everybody has left, nothing is left.
    NothingLeft,
    /// Whatever comes, nothing panics.
    NoPanic,
}

/// A broken rule, and how.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) what: String,
}

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Whether a reply is wanted.
    pub(crate) acknowledged: bool,
    /// Whether it may come to nothing although both ends are well: it has a time to live, a short
    /// deadline, or a caller who changes its mind.
    pub(crate) excused: bool,
}

#[derive(Debug)]
struct Call {
    caller: ClientNo,
    callee: ClientNo,
    pairing: PairingId,
    manner: Manner,
    executed: bool,
    /// What its handler came to, where that was told.
    verdict: Option<Verdict>,
    reported: Option<Report>,
    /// Nobody wants to know any more.
    forgotten: bool,
}

#[derive(Debug)]
struct Pairing {
    ends: [ClientNo; 2],
    /// Which ends have heard of it, and of its end.
    begun: BTreeSet<ClientNo>,
    over: BTreeMap<ClientNo, EndReason>,
    /// Which ends were told why by whoever knows it.
    told_why: BTreeSet<ClientNo>,
    /// Why it ended, where that is known for certain.
    reason: Option<EndReason>,
    /// The last call that ran, by its caller.
    last: BTreeMap<ClientNo, CallNo>,
}

/// How much was seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Summary {
    pub(crate) calls: usize,
    pub(crate) executed: usize,
    pub(crate) values: usize,
    pub(crate) not_executed: usize,
    pub(crate) unknown: usize,
    pub(crate) pairings: usize,
}

impl Summary {
    pub(crate) fn add(&mut self, other: Self) {
        let Self { calls, executed, values, not_executed, unknown, pairings } = other;
        self.calls += calls;
        self.executed += executed;
        self.values += values;
        self.not_executed += not_executed;
        self.unknown += unknown;
        self.pairings += pairings;
    }
}

/// Knows what was called, what ran and who was told what.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    calls: Vec<Call>,
    pairings: BTreeMap<PairingId, Pairing>,
    /// The pairing that each client believes to be in.
    present: BTreeMap<ClientNo, PairingId>,
    /// Pairings that certainly ended, and why.
    ends: BTreeMap<PairingId, EndReason>,
    /// Clients that keep no rule: what they say and do proves nothing.
    distrusted: BTreeSet<ClientNo>,
    violations: Vec<Violation>,
}

impl Oracle {
    /// The first broken rule.
    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.violations().first()
    }

    /// All of them.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) fn violate(&mut self, rule: Rule, what: impl Into<String>) {
        self.violations.push(Violation { rule, what: what.into() });
    }

    /// A client keeps no rule. What others are told of it is true all the same.
    pub(crate) fn distrust(&mut self, client: ClientNo) {
        self.distrusted.insert(client);
    }

    /// A client hears that it is paired.
    pub(crate) fn paired(&mut self, client: ClientNo, partner: ClientNo, id: PairingId) {
        if let Some(other) = self.present.insert(client, id) {
            self.violate(Rule::Exclusive, format!("{client} is paired: {id}, and still: {other}"));
        }
        let mut ends = [client, partner];
        ends.sort_unstable();
        let reason = self.ends.get(&id).copied();
        let pairing = self.pairings.entry(id).or_insert_with(|| Pairing {
            ends,
            begun: BTreeSet::new(),
            over: BTreeMap::new(),
            told_why: BTreeSet::new(),
            reason,
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

    /// A client hears that its pairing ended.
    pub(crate) fn unpaired(&mut self, client: ClientNo, id: PairingId, reason: EndReason) {
        if self.present.get(&client) == Some(&id) {
            self.present.remove(&client);
        }
        let Some(pairing) = self.pairings.get_mut(&id) else {
            return self
                .violate(Rule::ToldOnce, format!("{client} hears the end of nothing: {id}"));
        };
        if pairing.over.insert(client, reason).is_some() {
            self.violate(Rule::ToldOnce, format!("{client} hears twice that {id} ended"));
        }
    }

    /// What a client heard of an end came from whoever knows why, and not from the loss of its own
    /// session.
    pub(crate) fn told_why(&mut self, client: ClientNo, id: PairingId) {
        if let Some(pairing) = self.pairings.get_mut(&id) {
            pairing.told_why.insert(client);
        }
    }

    /// A pairing certainly ended, and why.
    pub(crate) fn ended(&mut self, id: PairingId, reason: EndReason) {
        // Its beginning may not have been heard of yet.
        let reason = *self.ends.entry(id).or_insert(reason);
        if let Some(pairing) = self.pairings.get_mut(&id) {
            pairing.reason = Some(reason);
        }
    }

    /// A client that is gone hears nothing any more.
    pub(crate) fn gone(&mut self, client: ClientNo) {
        if let Some(id) = self.present.remove(&client)
            && let Some(pairing) = self.pairings.get_mut(&id)
        {
            pairing.over.entry(client).or_insert(EndReason::Disconnected);
        }
    }

    /// The partner of a client, as it believes.
    pub(crate) fn partner_of(&self, client: ClientNo) -> Option<(PairingId, ClientNo)> {
        let id = self.present.get(&client)?;
        let ends = self.pairings[id].ends;
        Some((*id, if ends[0] == client { ends[1] } else { ends[0] }))
    }

    /// Pairings, present and past, that a client has no part in.
    pub(crate) fn foreign(&self, client: ClientNo) -> Vec<PairingId> {
        let foreign = self.pairings.iter().filter(|(_, p)| !p.ends.contains(&client));
        foreign.map(|(id, _)| *id).collect()
    }

    /// A client emits something that is meant for its partner.
    pub(crate) fn called(&mut self, caller: ClientNo, manner: Manner) -> CallNo {
        let (pairing, callee) = self.partner_of(caller).expect("only who is paired calls");
        let (executed, verdict, reported, forgotten) = (false, None, None, false);
        let call = Call { caller, callee, pairing, manner, executed, verdict, reported, forgotten };
        self.calls.push(call);
        self.calls.len() - 1
    }

    /// A handler of `at` runs, in this pairing, for what came from `source`.
    pub(crate) fn executed(
        &mut self,
        number: CallNo,
        at: ClientNo,
        source: ClientNo,
        pairing: PairingId,
    ) {
        if self.distrusted.contains(&source) {
            // It may say anything, but not outside of its pairing.
            if self.partner_of(at) != Some((pairing, source)) {
                self.violate(Rule::NoStranger, format!("{at} runs what {source} says"));
            }
            return;
        }
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

    /// The handler that ran for a call is done.
    pub(crate) fn returned(&mut self, number: CallNo, verdict: Verdict) {
        if let Some(call) = self.calls.get_mut(number) {
            call.verdict.get_or_insert(verdict);
        }
    }

    /// There was no handler for a call.
    pub(crate) fn unhandled(&mut self, number: CallNo) {
        if let Some(call) = self.calls.get_mut(number) {
            call.manner.excused = true;
        }
    }

    /// The caller learns what became of its call.
    pub(crate) fn reported(&mut self, number: CallNo, report: Report) {
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

    /// The caller does not want to know any more.
    pub(crate) fn forgotten(&mut self, number: CallNo) {
        self.calls[number].forgotten = true;
    }

    /// Whether a call waits for its report.
    pub(crate) fn is_open(&self, number: CallNo) -> bool {
        let call = &self.calls[number];
        call.reported.is_none() && !call.forgotten
    }

    /// Everything has come to rest: what must have happened by now?
    pub(crate) fn settle(&mut self) {
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
                // An end whose own session was lost does not learn why.
                let may_not_know = |end: &ClientNo| !pairing.told_why.contains(end);
                let wrong = |(end, told): (&ClientNo, &EndReason)| {
                    *told != reason && !(*told == EndReason::Disconnected && may_not_know(end))
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

    /// Who knows all ends of pairings for certain: has each that was heard of been one?
    pub(crate) fn check_ends(&mut self) {
        let heard = |(_, pairing): &(&PairingId, &Pairing)| !pairing.over.is_empty();
        let without = self.pairings.iter().filter(heard).find(|(_, p)| p.reason.is_none());
        if let Some((id, pairing)) = without {
            let what = format!("{id} did not end, but they hear {:?}", pairing.over);
            self.violate(Rule::Lasting, what);
        }
    }

    /// What the caller was told, if anything.
    pub(crate) fn report_of(&self, number: CallNo) -> Option<Report> {
        self.calls[number].reported
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn summary(&self) -> Summary {
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
