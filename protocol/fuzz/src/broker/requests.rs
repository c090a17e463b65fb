//! Requests, grants and pairings: each message about them is predicted by the rules of PROTOCOL.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::{Duration, Instant},
};

use socketio_p2p_protocol::{
    ClientId, ClientMessage, Code, EndReason, PairingId, ReqId,
    limits::{CONSENT_TIME, GRANT_TIMEOUT, INBOX_REQUESTS, LATE_ANSWER_TIME, REPETITIONS},
};

/// A message to a client that the rules predict.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Said {
    Paired(Option<ReqId>, PairingId),
    No(Option<ReqId>, Code),
    Ended(PairingId, EndReason),
}

/// A registration that waits. A client has one at most.
#[derive(Clone, Debug)]
pub(super) struct Request {
    source: ClientId,
    /// Its number, and those of its repetitions, which only a v1 client has.
    reqs: Vec<Option<ReqId>>,
    pub(super) target: ClientId,
    deadline: Instant,
    /// The number under which its target was asked.
    pub(super) asked: Option<ReqId>,
}

/// A question that a client has not answered. It may outlive its request.
struct Question {
    number: ReqId,
    target: ClientId,
    deadline: Instant,
}

/// An agreement that waits for its grant.
struct Grant {
    request: Request,
    /// The target's own number, if its request crossed.
    crossing: Option<Option<ReqId>>,
    deadline: Instant,
}

impl Grant {
    fn holds(&self, client: &ClientId) -> bool {
        [&self.request.source, &self.request.target].contains(&client)
    }
}

#[derive(Default)]
pub(super) struct Requests {
    /// The clients that hear what they are told.
    present: BTreeSet<ClientId>,
    pub(super) waiting: Vec<Request>,
    open: Vec<Question>,
    /// The clients that have named the request that they answered: they name each from then on.
    naming: BTreeSet<ClientId>,
    granting: BTreeMap<PairingId, Grant>,
    /// Agreed in this step; the broker has yet to name them.
    agreed: Option<Grant>,
    pub(super) paired: BTreeMap<ClientId, (PairingId, ClientId)>,
    foretold: Vec<(ClientId, Said)>,
}

impl Requests {
    pub(super) fn is_busy(&self, client: &ClientId) -> bool {
        self.paired.contains_key(client) || self.granting.values().any(|grant| grant.holds(client))
    }

    pub(super) fn has_question(&self, client: &ClientId) -> bool {
        self.open.iter().any(|question| question.target == *client)
    }

    /// The pairings, granted or not.
    pub(super) fn pairings(&self) -> usize {
        self.granting.len() + self.paired.len() / 2
    }

    /// The messages that this step leads to, in some order.
    pub(super) fn take_foretold(&mut self) -> Vec<(ClientId, Said)> {
        assert!(self.agreed.is_none(), "a grant is asked for");
        mem::take(&mut self.foretold)
    }

    fn foretell(&mut self, client: &ClientId, said: Said) {
        if self.present.contains(client) {
            self.foretold.push((client.clone(), said));
        }
    }

    fn refuse(&mut self, code: Code, which: impl Fn(&Request) -> bool) {
        let (refused, kept): (Vec<_>, _) =
            mem::take(&mut self.waiting).into_iter().partition(which);
        self.waiting = kept;
        for request in refused {
            self.answer_no(&request, code);
        }
    }

    /// Each repetition of a request is answered.
    fn answer_no(&mut self, request: &Request, code: Code) {
        for req in &request.reqs {
            self.foretell(&request.source, Said::No(*req, code));
        }
    }

    pub(super) fn is_there(&mut self, client: &ClientId) {
        self.present.insert(client.clone());
    }

    pub(super) fn forbidden(&mut self, source: &ClientId, req: Option<ReqId>) {
        self.foretell(source, Said::No(req, Code::Forbidden));
    }

    /// A client says something. `is_known` tells which clients others see.
    pub(super) fn received(
        &mut self,
        (from, is_v1): (&ClientId, bool),
        message: &ClientMessage,
        is_known: impl Fn(&ClientId) -> bool,
        now: Instant,
    ) {
        match message {
            ClientMessage::Register { req, target, consent_time, .. } => {
                let longest = CONSENT_TIME;
                let shortest = Duration::from_millis(1);
                let time = consent_time.unwrap_or(longest).clamp(shortest, longest);
                self.register((from, is_v1), *req, target, is_known(target), (now, time));
            }
            ClientMessage::Accept { req } => self.answer(from, *req, true, now),
            ClientMessage::Decline { req, .. } => self.answer(from, *req, false, now),
            ClientMessage::Unregister { .. } => {
                self.refuse(Code::Cancelled, |request| request.source == *from);
                self.free(from, EndReason::Unregistered, Code::Cancelled);
            }
            _ => {}
        }
    }

    fn register(
        &mut self,
        (source, is_v1): (&ClientId, bool),
        req: Option<ReqId>,
        target: &ClientId,
        is_known: bool,
        (now, time): (Instant, Duration),
    ) {
        if let Some((pairing, partner)) = self.paired.get(source)
            && partner == target
        {
            let said = Said::Paired(req, *pairing);
            return self.foretell(source, said);
        }
        let crosses = |other: &Request| other.source == *target && other.target == *source;
        let crossing = self.waiting.iter().position(crosses);
        let repeats = self.waiting.iter().position(|other| {
            let is_same = other.source == *source && other.target == *target;
            is_v1 && is_same && other.reqs.len() < REPETITIONS
        });
        let deadline = now + time;
        let is_free_and_away = !self.present.contains(target) && !self.is_busy(target);
        let refusal = if source == target {
            Code::SelfTarget
        } else if !is_known || is_free_and_away {
            Code::Offline
        } else if self.is_busy(source) {
            Code::SourceBusy
        } else if self.is_busy(target) {
            Code::TargetBusy
        } else if let Some(at) = crossing {
            let request = self.waiting.remove(at);
            let deadline = now + GRANT_TIMEOUT;
            self.agreed = Some(Grant { request, crossing: Some(req), deadline });
            return;
        } else if let Some(at) = repeats {
            return self.waiting[at].reqs.push(req);
        } else if self.waiting.iter().any(|other| other.source == *source) {
            Code::SourceBusy
        } else if self.places_taken(target) >= INBOX_REQUESTS {
            Code::Congested
        } else {
            let (source, target) = (source.clone(), target.clone());
            self.waiting.push(Request { source, reqs: vec![req], target, deadline, asked: None });
            return;
        };
        self.foretell(source, Said::No(req, refusal));
    }

    /// By requests that wait, and by questions that are open though their request is gone.
    fn places_taken(&self, target: &ClientId) -> usize {
        let waiting = self.waiting.iter().filter(|request| request.target == *target);
        let gone = self.open.iter().filter(|question| {
            let is_its = |request: &Request| request.asked == Some(question.number);
            question.target == *target && !self.waiting.iter().any(is_its)
        });
        waiting.count() + gone.count()
    }

    /// The broker asks a target: what waits, once, and a v1 client one thing at a time.
    pub(super) fn asked(
        &mut self,
        target: &ClientId,
        is_v1: bool,
        number: ReqId,
        source: &ClientId,
    ) {
        assert!(!is_v1 || !self.has_question(target) && !self.is_busy(target), "one at a time");
        let waits = |r: &&mut Request| r.source == *source && r.target == *target;
        let request = self.waiting.iter_mut().find(waits).expect("only what waits is asked");
        assert_eq!(request.asked.replace(number), None, "asked once");
        // A late answer of a v1 client by event does not name what it answers.
        let is_named = !is_v1 || self.naming.contains(target);
        let longer = if is_named { Duration::ZERO } else { LATE_ANSWER_TIME };
        let deadline = request.deadline + longer;
        self.open.push(Question { number, target: target.clone(), deadline });
    }

    fn answer(&mut self, target: &ClientId, req: Option<ReqId>, yes: bool, now: Instant) {
        let number = match req {
            Some(number) => {
                self.naming.insert(target.clone());
                number
            }
            None if self.naming.contains(target) => return,
            None => match self.open.iter().find(|question| question.target == *target) {
                Some(first) => first.number,
                None => return,
            },
        };
        self.open.retain(|question| (question.number, &question.target) != (number, target));
        let is_it = |r: &Request| r.asked == Some(number) && r.target == *target;
        let Some(at) = self.waiting.iter().position(is_it) else { return };
        let request = self.waiting.remove(at);
        let code = match yes {
            false => Code::Declined,
            true if self.is_busy(&request.source) => Code::SourceBusy,
            true if self.is_busy(target) => Code::TargetBusy,
            true => {
                let deadline = now + GRANT_TIMEOUT;
                self.agreed = Some(Grant { request, crossing: None, deadline });
                return;
            }
        };
        self.answer_no(&request, code);
    }

    /// The broker asks for the grant of what was agreed in this step.
    pub(super) fn grant(&mut self, pairing: PairingId, source: &ClientId, target: &ClientId) {
        let grant = self.agreed.take().expect("both agreed");
        assert_eq!((source, target), (&grant.request.source, &grant.request.target));
        assert!(self.granting.insert(pairing, grant).is_none(), "a number of its own");
    }

    pub(super) fn granted(&mut self, pairing: PairingId, verdict: Result<(), Code>) {
        let Some(Grant { request, crossing, .. }) = self.granting.remove(&pairing) else { return };
        if let Err(code) = verdict {
            self.answer_no(&request, code);
            let target = request.target;
            if let Some(req) = crossing {
                self.foretell(&target, Said::No(req, code));
            }
            return;
        }
        let Request { source, reqs, target, .. } = request;
        for req in reqs {
            self.foretell(&source, Said::Paired(req, pairing));
        }
        self.foretell(&target, Said::Paired(crossing.flatten(), pairing));
        self.paired.insert(source.clone(), (pairing, target.clone()));
        self.paired.insert(target.clone(), (pairing, source.clone()));
        for end in [source, target] {
            self.refuse(Code::SourceBusy, |request| request.source == end);
            self.refuse(Code::TargetBusy, |request| request.target == end);
        }
    }

    /// Ends the pairing that a client is in, granted or not.
    fn free(&mut self, client: &ClientId, reason: EndReason, code: Code) {
        let granting = self.granting.iter().find(|(_, grant)| grant.holds(client));
        if let Some((&pairing, _)) = granting {
            self.granted(pairing, Err(code));
        }
        if let Some((pairing, partner)) = self.paired.remove(client) {
            self.paired.remove(&partner);
            for end in [client, &partner] {
                self.foretell(end, Said::Ended(pairing, reason));
            }
        }
    }

    pub(super) fn unpair(&mut self, client: &ClientId) {
        if self.paired.contains_key(client) {
            self.free(client, EndReason::Kicked, Code::Offline);
        }
    }

    /// A client lost its connection, and may come back: its pairing stays.
    pub(super) fn is_away(&mut self, client: &ClientId) {
        self.present.remove(client);
        self.refuse(Code::Cancelled, |request| request.source == *client);
        self.refuse(Code::Offline, |request| request.target == *client);
        self.open.retain(|question| question.target != *client);
        let granting = self.granting.iter().find(|(_, grant)| grant.holds(client));
        if let Some((&pairing, _)) = granting {
            self.granted(pairing, Err(Code::Offline));
        }
    }

    /// A client is gone for good. It is told, unless its connection is gone as well.
    pub(super) fn is_gone(&mut self, client: &ClientId, reason: EndReason) {
        if reason != EndReason::Disconnected {
            self.refuse(Code::Forbidden, |request| request.source == *client);
            self.refuse(Code::Offline, |request| request.target == *client);
            self.free(client, reason, Code::Offline);
        }
        self.is_away(client);
        self.free(client, reason, Code::Offline);
        self.naming.remove(client);
    }

    pub(super) fn shut_down(&mut self) {
        self.refuse(Code::ShuttingDown, |_| true);
        self.open.clear();
        for pairing in self.granting.keys().copied().collect::<Vec<_>>() {
            self.granted(pairing, Err(Code::ShuttingDown));
        }
        while let Some((client, _)) = self.paired.first_key_value() {
            self.free(&client.clone(), EndReason::ShuttingDown, Code::ShuttingDown);
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.refuse(Code::Timeout, |request| request.deadline <= now);
        self.open.retain(|question| question.deadline > now);
        let due =
            |(pairing, grant): (&PairingId, &Grant)| (grant.deadline <= now).then_some(*pairing);
        for pairing in self.granting.iter().filter_map(due).collect::<Vec<_>>() {
            self.granted(pairing, Err(Code::Timeout));
        }
    }
}
