//! The whole system in virtual time: each next event is drawn from one seed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::{Duration, Instant},
};

use crate::{Args, Code, ConnId, PathPolicy, Refusal, ResumeToken, broker, client::Input};
use fastrand::Rng;

use crate::sim::{
    client::SimClient,
    connection::Connection,
    direct::network::DirectNetwork,
    event::Event,
    flow::Flows,
    legacy::{Legacy, event::LegacyEvent},
    oracle::{CallNo, Oracle, Rule},
    parties::{HOSTILE, Hostile, STRANGER},
    plan::Plan,
    report::{Counts, Trace},
    script::Script,
    server::Server,
    under_test::Application,
};

/// The most events at one moment. More mean that a participant is busy without end.
const CROWD: usize = 100_000;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) server: Server,
    pub(crate) clients: Vec<SimClient>,
    /// V1 clients, whose numbers follow.
    pub(crate) legacies: Vec<Legacy>,
    pub(crate) hostiles: Vec<Hostile>,
    pub(crate) connections: BTreeMap<ConnId, Connection>,
    /// The links between clients.
    pub(crate) direct: DirectNetwork,
    pub(crate) flows: Flows,
    pub(crate) oracle: Oracle,
    /// The times at which the time to live of calls ends.
    pub(crate) expiries: BTreeMap<CallNo, Instant>,
    pub(crate) counts: Counts,
    /// Messages that have arrived on connections from which the server does not read.
    pub(crate) held_back: BTreeMap<ConnId, usize>,
    agenda: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    last_event: u64,
    last_conn: u64,
    pub(crate) last_node: u64,
    pub(crate) server_alarm: Option<Instant>,
    /// The time until which the server cannot be reached.
    pub(crate) down_until: Option<Instant>,
    /// The number of events at the present moment.
    crowd: usize,
    pub(crate) trace: Trace,
    /// The application under test, and the results of its handlers until they are sent.
    pub(crate) application: Option<Box<dyn Application>>,
    /// The script of a test, if it decides what happens.
    pub(crate) script: Option<Box<Script>>,
    pub(crate) results: BTreeMap<CallNo, Result<Args, Refusal>>,
    /// The client whose first life is recorded, and the transcript when that life has ended.
    pub(crate) recording: Option<usize>,
    pub(crate) transcript: Option<String>,
    /// `true` while faults and calls still occur.
    pub(crate) stormy: bool,
    /// `true` while all clients leave for good.
    pub(crate) leaving: bool,
}

impl World {
    /// Returns a world in which nothing happens yet.
    pub(crate) fn empty(plan: Plan, trace: Trace) -> Self {
        let start = Instant::now();
        Self {
            rng: Rng::with_seed(plan.seed),
            now: start,
            start,
            server: Server::new(1, &plan),
            clients: (0..plan.clients).map(SimClient::new).collect(),
            legacies: (0..plan.legacies).map(Legacy::new).collect(),
            hostiles: (0..plan.hostiles).map(|_| Hostile::default()).collect(),
            connections: BTreeMap::new(),
            direct: DirectNetwork::default(),
            flows: Flows::default(),
            oracle: Oracle::default(),
            expiries: BTreeMap::new(),
            counts: Counts::default(),
            held_back: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            last_event: 0,
            last_conn: 0,
            last_node: 1,
            server_alarm: None,
            down_until: None,
            crowd: 0,
            trace,
            application: None,
            script: None,
            results: BTreeMap::new(),
            recording: None,
            transcript: None,
            stormy: true,
            leaving: false,
            plan,
        }
    }

    /// Returns a world in which clients connect, applications act and faults happen.
    pub(crate) fn new(plan: Plan, trace: Trace) -> Self {
        let mut world = Self::empty(plan, trace);
        for client in 0..world.clients.len() {
            world.draw_policy(client);
            world.clients[client].connecting = true;
            let after = world.millis(0..100);
            world.after(after, Event::Connect(client));
            let after = world.millis(50..200);
            world.after(after, Event::Act(client));
        }
        for legacy in 0..world.legacies.len() {
            let after = world.millis(0..100);
            world.after(after, Event::Legacy(legacy, LegacyEvent::Connect));
            let after = world.millis(50..200);
            world.after(after, Event::Legacy(legacy, LegacyEvent::Act));
        }
        for hostile in 0..world.hostiles.len() {
            world.oracle.distrust(HOSTILE + hostile);
            let after = world.millis(50..500);
            world.after(after, Event::Hostile(hostile));
        }
        let after = world.millis(100..400);
        world.after(after, Event::Fault);
        world
    }

    /// Draws whether a client allows direct paths.
    fn draw_policy(&mut self, client: usize) {
        if self.plan.direct > 0.0 {
            let allows = self.rng.f64() < self.plan.direct;
            self.clients[client].direct = allows;
            let only = allows && self.rng.f64() < self.plan.direct_only;
            self.clients[client].config.direct.policy = match (allows, only) {
                (true, true) => PathPolicy::DirectOnly,
                (true, false) => PathPolicy::PreferDirect,
                (false, _) => PathPolicy::RelayOnly,
            };
        }
    }

    pub(crate) fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range))
    }

    pub(crate) fn chance(&mut self, of: f64) -> bool {
        self.rng.f64() < of
    }

    pub(crate) fn after(&mut self, time: Duration, event: Event) {
        self.at(self.now + time, event);
    }

    pub(crate) fn at(&mut self, moment: Instant, event: Event) {
        // Whole microseconds, as transcripts have them.
        let nanos = (moment - self.start).subsec_nanos() % 1_000;
        let moment = moment + Duration::from_nanos(u64::from((1_000 - nanos) % 1_000));
        self.last_event += 1;
        self.agenda.push(Reverse((moment, self.last_event, event)));
    }

    /// Lets happen what happens within this time, or until a rule is broken.
    pub(crate) fn run(&mut self, time: Duration, done: impl Fn(&Self) -> bool) {
        let until = self.now + time;
        while let Some(Reverse((moment, _, _))) = self.agenda.peek()
            && *moment <= until
            && (self.script.is_some() || self.oracle.breach().is_none())
            && !done(self)
        {
            let Some(Reverse((moment, _, event))) = self.agenda.pop() else { return };
            self.crowd = if moment > self.now { 0 } else { self.crowd + 1 };
            if self.crowd > CROWD {
                self.oracle.violate(Rule::Bounded, format!("busy without end: {event:?}"));
            }
            self.now = self.now.max(moment);
            self.counts.steps += 1;
            self.note(|| format!("{event:?}"));
            self.happen(event);
            self.server.check(self.now, &mut self.oracle);
        }
        if !done(self) {
            self.now = self.now.max(until);
        }
    }

    /// Keeps a line for the report of a failure.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        self.trace.note(self.now - self.start, line);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ArriveUp(conn) => self.arrive_up(conn),
            Event::ArriveDown(conn) => self.arrive_down(conn),
            Event::ServerLoses(conn) => {
                let input = broker::Input::Disconnected(conn);
                self.server.handle(input, self.now, &mut self.oracle);
            }
            Event::ClientLoses(conn) => {
                let client =
                    self.connections.get(&conn).map_or(STRANGER, |connection| connection.client);
                if let Some(legacy) = self.legacy_of(client) {
                    self.legacy_loses(legacy, conn);
                } else if self.clients.get(client).is_some_and(|c| c.conn == Some(conn)) {
                    self.feed(client, Input::Lost);
                }
            }
            Event::Connect(client) => self.connect(client),
            Event::Announce(conn) => {
                let input = broker::Input::Connected(conn);
                self.server.handle(input, self.now, &mut self.oracle);
            }
            Event::Link(client, link) => self.link_reports(client, link),
            Event::Join(a, b) => self.join_clients(a, b),
            Event::Act(client) => self.act(client),
            Event::Consent(client, asked, yes) => self.consent(client, asked, yes),
            Event::Finish(client, handled) => self.finish(client, handled),
            Event::Alarm(client) => {
                if self.clients[client].alarm.is_none_or(|alarm| alarm > self.now) {
                    return; // It was set for an earlier moment meanwhile.
                }
                self.clients[client].alarm = None;
                self.expire(client);
                self.feed(client, Input::Timeout);
            }
            Event::ServerAlarm => {
                if self.server_alarm.is_none_or(|alarm| alarm > self.now) {
                    return;
                }
                self.server_alarm = None;
                self.server.handle(broker::Input::Timeout, self.now, &mut self.oracle);
            }
            Event::Fault => self.fault(),
            Event::Legacy(legacy, event) => self.legacy_event(legacy, event),
            Event::Reads(conn) => {
                self.server.pause(conn, false);
            }
            Event::Hostile(hostile) => self.hostile_act(hostile),
            Event::Granted(pairing, yes) => {
                let verdict = if yes { Ok(()) } else { Err(Code::Quota) };
                let input = broker::Input::Granted(pairing, verdict);
                self.server.handle(input, self.now, &mut self.oracle);
            }
        }
        self.serve();
    }

    /// Returns whether the server cannot be reached.
    pub(crate) fn is_down(&self) -> bool {
        self.down_until.is_some_and(|until| self.now < until)
    }

    pub(crate) fn new_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    pub(crate) fn fresh_token(&mut self) -> ResumeToken {
        ResumeToken::new(self.rng.u128(..).to_be_bytes())
    }
}
