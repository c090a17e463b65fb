//! Random histories of a broker, compared step by step with a small model of the rules.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    time::{Duration, Instant},
};

use proptest::prelude::*;
use socketio_p2p_protocol::{
    Broker, BrokerConfig, ClientId, ClientMessage, Code, ConnId, Dialect, EndReason, Hello,
    PairingId, Partner, ReqId, ResumeToken, ServerMessage,
    broker::{Input, Output},
    limits::{INBOX_REQUESTS, REGISTER_TIMEOUT},
};

const CLIENTS: usize = 6;

/// The way in which a client answers: v1 by acknowledgement, v1 by event, or v2.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Acknowledging,
    Eventing,
    Ours,
}

const KINDS: [Kind; CLIENTS] =
    [Kind::Acknowledging, Kind::Eventing, Kind::Eventing, Kind::Ours, Kind::Ours, Kind::Ours];

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect(usize),
    /// The host announces the connection.
    Announce(usize),
    Disconnect(usize),
    Register(usize, usize),
    /// The answer to the n-th question of a client.
    Answer(usize, usize, bool),
    Unregister(usize),
    /// A v1 client confirms the end of its last pairing.
    Confirm(usize),
    /// The answer to the n-th grant.
    Grant(usize, bool),
    /// The answer to a grant that was answered, or gave up, before.
    LateGrant(bool),
    Unpair(usize),
    Kick(usize),
    Pass(u64),
}

fn some_step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        2 => client.clone().prop_map(Step::Connect),
        1 => client.clone().prop_map(Step::Announce),
        1 => client.clone().prop_map(Step::Disconnect),
        8 => (client.clone(), client.clone()).prop_map(|(source, target)| Step::Register(source, target)),
        8 => (client.clone(), 0..4_usize, prop::bool::weighted(0.8)).prop_map(|(c, n, yes)| Step::Answer(c, n, yes)),
        2 => client.clone().prop_map(Step::Unregister),
        1 => client.clone().prop_map(Step::Confirm),
        4 => (0..3_usize, prop::bool::weighted(0.8)).prop_map(|(n, yes)| Step::Grant(n, yes)),
        1 => any::<bool>().prop_map(Step::LateGrant),
        1 => client.clone().prop_map(Step::Unpair),
        1 => client.prop_map(Step::Kick),
        2 => prop_oneof![0..100_u64, 1_000..12_000_u64].prop_map(Step::Pass),
    ]
}

/// The messages to a client, as far as the model predicts them.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Said {
    Paired(Option<ReqId>, PairingId),
    No(ReqId, Code),
    Ended(PairingId, EndReason),
}

#[derive(Clone, Copy, Debug)]
struct Request {
    source: usize,
    req: ReqId,
    target: usize,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Grant {
    request: Request,
    /// The target's own number, if its request crossed.
    crossing: Option<ReqId>,
    deadline: Instant,
}

/// The rules of PROTOCOL.md.
#[derive(Default)]
struct Model {
    connected: BTreeSet<usize>,
    waiting: Vec<Request>,
    granting: BTreeMap<PairingId, Grant>,
    /// Agreed in this step; the broker has yet to name them.
    agreed: Option<Grant>,
    paired: BTreeMap<usize, (usize, PairingId)>,
    foretold: Vec<(usize, Said)>,
}

impl Model {
    fn is_busy(&self, client: usize) -> bool {
        let holds = |grant: &Grant| [grant.request.source, grant.request.target].contains(&client);
        self.paired.contains_key(&client) || self.granting.values().any(holds)
    }

    fn no(&mut self, client: usize, req: ReqId, code: Code) {
        self.foretold.push((client, Said::No(req, code)));
    }

    fn refuse(&mut self, code: Code, which: impl Fn(&Request) -> bool) {
        let (refused, kept) = self.waiting.iter().partition(|request| which(request));
        self.waiting = kept;
        for Request { source, req, .. } in refused {
            self.no(source, req, code);
        }
    }

    fn register(
        &mut self,
        source: usize,
        req: ReqId,
        target: usize,
        open: &[Question],
        now: Instant,
    ) {
        if let Some((partner, pairing)) = self.paired.get(&source)
            && *partner == target
        {
            let said = Said::Paired(Some(req), *pairing);
            return self.foretold.push((source, said));
        }
        let crossing =
            self.waiting.iter().position(|other| other.source == target && other.target == source);
        let deadline = now + REGISTER_TIMEOUT;
        let refusal = if source == target {
            Code::SelfTarget
        } else if !self.connected.contains(&target) {
            Code::Offline
        } else if self.is_busy(source) {
            Code::SourceBusy
        } else if self.is_busy(target) {
            Code::TargetBusy
        } else if let Some(at) = crossing {
            let request = self.waiting.remove(at);
            let crossing = Some(req);
            self.agreed = Some(Grant { request, crossing, deadline });
            return;
        } else if self.waiting.iter().any(|other| other.source == source) {
            Code::SourceBusy
        } else if self.places_taken(target, open, now) >= INBOX_REQUESTS {
            Code::Congested
        } else {
            self.waiting.push(Request { source, req, target, deadline });
            return;
        };
        self.no(source, req, refusal);
    }

    /// By requests that wait, and by questions that are open though their request is gone.
    fn places_taken(&self, target: usize, open: &[Question], now: Instant) -> usize {
        let waiting = self.waiting.iter().filter(|request| request.target == target);
        let gone = open.iter().filter(|question| {
            let is_its = |r: &Request| {
                (r.source, r.req, r.target) == (question.source, question.req, target)
            };
            question.deadline > now && !self.waiting.iter().any(is_its)
        });
        waiting.count() + gone.count()
    }

    fn answer(&mut self, target: usize, source: usize, req: ReqId, yes: bool, now: Instant) {
        let asked = |r: &Request| (r.source, r.req, r.target) == (source, req, target);
        let Some(at) = self.waiting.iter().position(asked) else {
            return;
        };
        let request = self.waiting.remove(at);
        let code = match yes {
            false => Code::Declined,
            true if self.is_busy(source) => Code::SourceBusy,
            true if self.is_busy(target) => Code::TargetBusy,
            true => {
                let deadline = now + REGISTER_TIMEOUT;
                let crossing = None;
                self.agreed = Some(Grant { request, crossing, deadline });
                return;
            }
        };
        self.no(source, req, code);
    }

    fn granted(&mut self, pairing: PairingId, verdict: Result<(), Code>) {
        let Some(Grant { request, crossing, .. }) = self.granting.remove(&pairing) else {
            return;
        };
        let Request { source, req, target, .. } = request;
        if let Err(code) = verdict {
            self.no(source, req, code);
            if let Some(req) = crossing {
                self.no(target, req, code);
            }
            return;
        }
        self.foretold.push((source, Said::Paired(Some(req), pairing)));
        self.foretold.push((target, Said::Paired(crossing, pairing)));
        self.paired.insert(source, (target, pairing));
        self.paired.insert(target, (source, pairing));
        for end in [source, target] {
            self.refuse(Code::SourceBusy, |request| request.source == end);
            self.refuse(Code::TargetBusy, |request| request.target == end);
        }
    }

    /// Ends whatever pairing a client is in, granted or not.
    fn free(&mut self, client: usize, reason: EndReason, code: Code) {
        let holds = |grant: &Grant| [grant.request.source, grant.request.target].contains(&client);
        let granting = self.granting.iter().find(|(_, grant)| holds(grant));
        if let Some((&pairing, _)) = granting {
            self.granted(pairing, Err(code));
        }
        if let Some((partner, pairing)) = self.paired.remove(&client) {
            self.paired.remove(&partner);
            for end in [client, partner] {
                self.foretold.push((end, Said::Ended(pairing, reason)));
            }
        }
    }

    fn unregister(&mut self, client: usize) {
        self.refuse(Code::Cancelled, |request| request.source == client);
        self.free(client, EndReason::Unregistered, Code::Cancelled);
    }

    /// Gone; what is foretold to it is never sent.
    fn disconnect(&mut self, client: usize) {
        self.refuse(Code::Cancelled, |request| request.source == client);
        self.refuse(Code::Offline, |request| request.target == client);
        self.free(client, EndReason::Disconnected, Code::Offline);
        self.connected.remove(&client);
        self.foretold.retain(|(to, _)| *to != client);
    }

    fn kick(&mut self, client: usize) {
        self.refuse(Code::Forbidden, |request| request.source == client);
        self.free(client, EndReason::Kicked, Code::Offline);
        self.refuse(Code::Offline, |request| request.target == client);
        self.connected.remove(&client);
    }

    fn expire(&mut self, now: Instant) {
        self.refuse(Code::Timeout, |request| request.deadline <= now);
        let due =
            |(pairing, grant): (&PairingId, &Grant)| (grant.deadline <= now).then_some(*pairing);
        for pairing in self.granting.iter().filter_map(due).collect::<Vec<_>>() {
            self.granted(pairing, Err(Code::Timeout));
        }
    }
}

/// The questions that a client has not answered.
#[derive(Clone, Copy)]
struct Question {
    number: ReqId,
    source: usize,
    req: ReqId,
    deadline: Instant,
}

struct History {
    broker: Broker,
    model: Model,
    now: Instant,
    conns: BTreeMap<usize, ConnId>,
    last_conn: u64,
    last_req: ReqId,
    questions: [Vec<Question>; CLIENTS],
    unregisters: BTreeSet<(ConnId, ReqId)>,
    ended: [Option<PairingId>; CLIENTS],
    routes: BTreeMap<ConnId, Partner>,
    grants: Vec<PairingId>,
    old_grants: Vec<PairingId>,
}

fn name(client: usize) -> ClientId {
    client.to_string().parse().unwrap()
}

fn number(client: &ClientId) -> usize {
    client.as_str().parse().unwrap()
}

impl History {
    fn new() -> Self {
        let mut config = BrokerConfig::new(1);
        config.grace = Duration::ZERO; // Being away is simulated elsewhere.
        Self {
            broker: Broker::new(config),
            model: Model::default(),
            now: Instant::now(),
            conns: BTreeMap::new(),
            last_conn: 0,
            last_req: 1000,
            questions: Default::default(),
            unregisters: BTreeSet::new(),
            ended: [None; CLIENTS],
            routes: BTreeMap::new(),
            grants: Vec::new(),
            old_grants: Vec::new(),
        }
    }

    fn next_req(&mut self) -> ReqId {
        self.last_req += 1;
        self.last_req
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Connect(client) => self.connect(client),
            Step::Announce(client) => {
                if let Some(conn) = self.conns.get(&client) {
                    self.model.connected.insert(client);
                    self.handle(Input::Connected(*conn));
                }
            }
            Step::Disconnect(client) => {
                if let Some(conn) = self.conns.remove(&client) {
                    self.model.disconnect(client);
                    self.questions[client].clear();
                    self.handle(Input::Disconnected(conn));
                }
            }
            Step::Register(source, target) => {
                let req = self.next_req();
                let open = self.questions[target].clone();
                let register =
                    ClientMessage::Register { req: Some(req), target: name(target), payload: None };
                self.say(source, register, |model, now| {
                    model.register(source, req, target, &open, now);
                });
            }
            Step::Answer(client, which, yes) => self.answer(client, which, yes),
            Step::Unregister(client) => {
                let req = self.next_req();
                if let Some(conn) = self.conns.get(&client) {
                    self.unregisters.insert((*conn, req));
                }
                let message = ClientMessage::Unregister { req: Some(req) };
                self.say(client, message, |model, _| model.unregister(client));
            }
            Step::Confirm(client) => {
                if let Some(pairing) = self.ended[client] {
                    self.say(client, ClientMessage::Released { pairing }, |_, _| ());
                }
            }
            Step::Grant(which, yes) => {
                if !self.grants.is_empty() {
                    let pairing = self.grants.remove(which % self.grants.len());
                    self.grant(pairing, yes);
                }
            }
            Step::LateGrant(yes) => {
                if let Some(&pairing) = self.old_grants.last() {
                    self.grant(pairing, yes);
                }
            }
            Step::Unpair(client) => {
                if self.model.paired.contains_key(&client) {
                    self.model.free(client, EndReason::Kicked, Code::Offline);
                }
                self.handle(Input::Unpair(name(client)));
            }
            Step::Kick(client) => {
                if self.conns.contains_key(&client) {
                    self.model.kick(client);
                    self.questions[client].clear();
                }
                self.handle(Input::Kick(name(client)));
            }
            Step::Pass(ms) => self.pass(Duration::from_millis(ms)),
        }
    }

    fn connect(&mut self, client: usize) {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let dialect = match KINDS[client] {
            Kind::Ours => Dialect::V2,
            Kind::Acknowledging | Kind::Eventing => Dialect::V1,
        };
        let hello = Hello::new(name(client), dialect, ResumeToken::new([0; 16]));
        let admitted = self.broker.admit(conn, hello, self.now);
        match self.conns.entry(client) {
            Entry::Occupied(_) => assert_eq!(admitted, Err(Code::DuplicateId)),
            Entry::Vacant(free) => {
                assert_eq!(admitted, Ok(()));
                free.insert(conn);
            }
        }
    }

    /// A client that speaks is connected.
    fn say(
        &mut self,
        client: usize,
        message: ClientMessage,
        foretell: impl FnOnce(&mut Model, Instant),
    ) {
        if let Some(conn) = self.conns.get(&client) {
            self.model.connected.insert(client);
            foretell(&mut self.model, self.now);
            self.handle(Input::Received(*conn, message));
        }
    }

    fn answer(&mut self, client: usize, which: usize, yes: bool) {
        let questions = &mut self.questions[client];
        if KINDS[client] != Kind::Ours {
            // It answers in order; what it was asked ten seconds ago, never.
            questions.retain(|question| question.deadline > self.now);
        }
        if questions.is_empty() {
            return;
        }
        let question = questions.remove(which % questions.len());
        let req = (KINDS[client] != Kind::Eventing).then_some(question.number);
        let message = match yes {
            true => ClientMessage::Accept { req },
            false => ClientMessage::Decline { req, reason: None },
        };
        self.say(client, message, |model, now| {
            model.answer(client, question.source, question.req, yes, now);
        });
    }

    fn grant(&mut self, pairing: PairingId, yes: bool) {
        let verdict = if yes { Ok(()) } else { Err(Code::Quota) };
        self.old_grants.push(pairing);
        self.model.granted(pairing, verdict);
        self.handle(Input::Granted(pairing, verdict));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.broker.poll_timeout()
            && due <= until
        {
            self.now = self.now.max(due);
            self.model.expire(self.now);
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    fn handle(&mut self, input: Input) {
        let mut said = Vec::new();
        self.broker.handle(input, self.now);
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Send(conn, message) => {
                    let owner = self.conns.iter().find(|(_, other)| **other == conn);
                    let (&client, _) = owner.expect("nothing is sent to a connection that is gone");
                    said.extend(self.heard(client, conn, message).map(|said| (client, said)));
                }
                Output::List(..) => unreachable!("no client asks for the list"),
                Output::Route(conn, partner) => {
                    assert_eq!(self.routes.insert(conn, partner), None);
                }
                Output::Unroute(conn, _) => assert!(self.routes.remove(&conn).is_some()),
                Output::Grant { pairing, source, target } => {
                    let grant = self.model.agreed.take().expect("both agreed");
                    let ends = (grant.request.source, grant.request.target);
                    assert_eq!((number(&source), number(&target)), ends);
                    self.model.granting.insert(pairing, grant);
                    self.grants.push(pairing);
                }
                Output::Close(conn) | Output::HangUp(conn) => {
                    self.conns.retain(|_, other| *other != conn);
                }
                Output::Event(_) => {}
                Output::Complain(broken) => panic!("{broken}"),
            }
        }
        assert!(self.model.agreed.is_none(), "a grant is asked for");
        said.sort();
        let mut foretold = std::mem::take(&mut self.model.foretold);
        foretold.sort();
        assert_eq!(said, foretold, "said and foretold");
        self.check();
    }

    fn heard(&mut self, client: usize, conn: ConnId, message: ServerMessage) -> Option<Said> {
        match message {
            ServerMessage::Registered { req, pairing } => Some(Said::Paired(req, pairing.id)),
            ServerMessage::RegisterFailed { req, refusal } => {
                Some(Said::No(req.unwrap(), refusal.code))
            }
            ServerMessage::Disconnect { pairing, reason, req } => {
                self.ended[client] = Some(pairing);
                if KINDS[client] == Kind::Ours {
                    req.inspect(|req| assert!(self.unregisters.remove(&(conn, *req))));
                }
                Some(Said::Ended(pairing, reason))
            }
            ServerMessage::Unregistered { req } => {
                assert!(self.unregisters.remove(&(conn, req.unwrap())), "answered once");
                None
            }
            ServerMessage::Error { req, refusal, .. } => {
                assert_eq!(refusal.code, Code::NotPaired);
                assert!(self.unregisters.remove(&(conn, req.unwrap())), "answered once");
                None
            }
            ServerMessage::Register { req, source, .. } => {
                let source = number(&source);
                let waits = |r: &&Request| (r.source, r.target) == (source, client);
                let request = self.model.waiting.iter().find(waits);
                let request = request.expect("only what waits is asked");
                let questions = &mut self.questions[client];
                if KINDS[client] != Kind::Ours {
                    questions.retain(|question| question.deadline > self.now);
                    assert!(questions.is_empty(), "a v1 client is asked one at a time");
                }
                questions.push(Question {
                    number: req,
                    source,
                    req: request.req,
                    deadline: request.deadline,
                });
                None
            }
            ServerMessage::Welcome(_)
            | ServerMessage::Withdrawn { .. }
            | ServerMessage::EndedWhileAway
            | ServerMessage::Farewell { .. } => None,
            other => panic!("{other:?}"),
        }
    }

    /// Exclusive, mutual, and everybody agrees.
    fn check(&self) {
        for client in 0..CLIENTS {
            let id = name(client);
            let pairing = self.broker.pairing_of(&id);
            let pairing = pairing.map(|(pairing, partner)| (number(partner), pairing));
            assert_eq!(pairing, self.model.paired.get(&client).copied(), "{client}");
            let route = self.conns.get(&client).and_then(|conn| self.routes.get(conn));
            let route = route.map(|route| {
                let partner = number(&route.client);
                assert_eq!(Some(&route.conn), self.conns.get(&partner));
                (partner, route.pairing)
            });
            assert_eq!(route, pairing, "the route of {client}");
        }
        for request in &self.model.waiting {
            let target = request.target;
            let questions = self.questions[target].iter();
            let mut open = questions.filter(|question| question.deadline > self.now);
            let asked = match KINDS[target] {
                Kind::Ours => open.any(|question| question.req == request.req),
                _ => self.model.is_busy(target) || open.next().is_some(),
            };
            assert!(asked, "{target} is asked, or the one before");
        }
        let stats = self.broker.stats();
        assert_eq!(stats.clients, self.conns.len());
        assert_eq!(stats.requests, self.model.waiting.len());
        let pairings = self.model.granting.len() + self.model.paired.len() / 2;
        assert_eq!(stats.pairings, pairings);
    }

    /// Checks that each question is answered, at the latest at its deadline, and that then nothing is left.
    fn end(mut self) {
        self.pass(Duration::from_secs(20));
        let present = |(conn, _): &&(ConnId, ReqId)| self.conns.values().any(|other| other == conn);
        assert_eq!(self.unregisters.iter().find(present), None, "every unregister is answered");
        assert!(self.model.waiting.is_empty() && self.model.granting.is_empty());
        for client in 0..CLIENTS {
            self.step(Step::Disconnect(client));
        }
        self.pass(Duration::from_secs(20));
        assert_eq!(self.broker.stats(), <_>::default());
        assert_eq!(self.broker.poll_timeout(), None);
        assert!(self.routes.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn the_broker_does_what_the_rules_foretell(
        at_once in any::<bool>(),
        steps in prop::collection::vec(some_step(), 1..120),
    ) {
        let mut history = History::new();
        for client in 0..CLIENTS {
            history.step(Step::Connect(client));
            history.step(Step::Announce(client));
        }
        for step in steps {
            history.step(step);
            while at_once && !history.grants.is_empty() {
                history.step(Step::Grant(0, true));
            }
        }
        history.end();
    }
}
