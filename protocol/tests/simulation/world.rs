//! Everything together, in virtual time: what happens next is drawn from one seed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::{Duration, Instant},
};

use fastrand::Rng;
use socketio_p2p_protocol::{
    Code, ConnId, Dialect, PairingId, ResumeToken, broker, endpoint::Input,
};

use crate::{
    client::{Client, Handled},
    hostile::{HOSTILE, Hostile},
    legacy::Legacy,
    link::{self, Down, Link, State, Up},
    oracle::{CallNo, ClientNo, Oracle, Rule},
    plan::Plan,
    report::{Counts, Trace},
    server::{Act, Server},
};

/// The number of whoever got in under somebody else's name.
pub(crate) const STRANGER: ClientNo = ClientNo::MAX;

/// What happens at a moment.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Event {
    ArriveUp(ConnId),
    ArriveDown(ConnId),
    /// The server notices that a connection is gone.
    ServerLoses(ConnId),
    /// The client notices it.
    ClientLoses(ConnId),
    Connect(usize),
    /// The host announces a connection to the broker.
    Announce(ConnId),
    /// An application does something.
    Act(usize),
    /// A handler is done.
    Finish(usize, Handled),
    Alarm(usize),
    ServerAlarm,
    Fault,
    /// Whoever keeps no rule does something.
    Hostile(usize),
    LegacyConnect(usize),
    LegacyAct(usize),
    LegacyFinish(usize, Handled),
    /// A v1 client whose queue was full reads on.
    Reads(ConnId),
    /// The arbiter of pairings says yes or no.
    Granted(PairingId, bool),
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) server: Server,
    pub(crate) clients: Vec<Client>,
    /// V1 clients, whose numbers follow.
    pub(crate) legacies: Vec<Legacy>,
    pub(crate) hostiles: Vec<Hostile>,
    pub(crate) links: BTreeMap<ConnId, Link>,
    pub(crate) oracle: Oracle,
    /// When calls with a time to live are of no use any more.
    pub(crate) expiries: BTreeMap<CallNo, Instant>,
    pub(crate) counts: Counts,
    agenda: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    last_event: u64,
    last_conn: u64,
    pub(crate) last_node: u64,
    server_alarm: Option<Instant>,
    pub(crate) trace: Trace,
    /// Whether faults and calls still come.
    pub(crate) stormy: bool,
    /// Whether everybody goes for good.
    pub(crate) leaving: bool,
}

impl World {
    pub(crate) fn new(plan: Plan, trace: Trace) -> Self {
        let start = Instant::now();
        let mut world = Self {
            rng: Rng::with_seed(plan.seed),
            now: start,
            start,
            server: Server::new(1, &plan),
            clients: (0..plan.clients).map(Client::new).collect(),
            legacies: (0..plan.legacies).map(Legacy::new).collect(),
            hostiles: (0..plan.hostiles).map(|_| Hostile::default()).collect(),
            links: BTreeMap::new(),
            oracle: Oracle::default(),
            expiries: BTreeMap::new(),
            counts: Counts::default(),
            agenda: BinaryHeap::new(),
            last_event: 0,
            last_conn: 0,
            last_node: 1,
            server_alarm: None,
            trace,
            stormy: true,
            leaving: false,
            plan,
        };
        for client in 0..world.clients.len() {
            world.clients[client].connecting = true;
            let after = world.millis(0..100);
            world.after(after, Event::Connect(client));
            let after = world.millis(50..200);
            world.after(after, Event::Act(client));
        }
        for legacy in 0..world.legacies.len() {
            let after = world.millis(0..100);
            world.after(after, Event::LegacyConnect(legacy));
            let after = world.millis(50..200);
            world.after(after, Event::LegacyAct(legacy));
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
        self.last_event += 1;
        self.agenda.push(Reverse((moment, self.last_event, event)));
    }

    /// Lets happen what happens within this time, or until a rule is broken.
    pub(crate) fn run(&mut self, time: Duration, done: impl Fn(&Self) -> bool) {
        let until = self.now + time;
        while let Some(Reverse((moment, _, _))) = self.agenda.peek()
            && *moment <= until
            && self.oracle.violation().is_none()
            && !done(self)
        {
            let Some(Reverse((moment, _, event))) = self.agenda.pop() else { return };
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
                let client = self.links.get(&conn).map_or(STRANGER, |link| link.client);
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
            Event::Act(client) => self.act(client),
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
            Event::LegacyConnect(legacy) => self.legacy_connect(legacy),
            Event::LegacyAct(legacy) => self.legacy_act(legacy),
            Event::LegacyFinish(legacy, handled) => self.legacy_finish(legacy, handled),
            Event::Reads(conn) => {
                self.server.pause(conn, false, self.now, &mut self.oracle);
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

    /// Carries out what the server wants.
    pub(crate) fn serve(&mut self) {
        while let Some(act) = self.server.acts.pop_front() {
            match act {
                Act::Tell(conn, message) => {
                    let is_v1 = self.server.dialect(conn) == Some(Dialect::V1);
                    let message = match self.plan.codec && !is_v1 {
                        true => link::server_message(&message),
                        false => message,
                    };
                    self.send_down(conn, Down::Message(message));
                }
                Act::Relay(conn, pairing, frames) => {
                    let frames = match self.plan.codec {
                        true => link::through_the_codec(&frames),
                        false => Some(frames),
                    };
                    let what = frames.map_or(Down::Garbled, |frames| Down::Frames(pairing, frames));
                    self.send_down(conn, what);
                }
                Act::Bridge(conn, pairing, frame) => {
                    let congested = self.stormy && self.chance(self.plan.congestion);
                    if congested {
                        self.counts.faults += 1;
                        self.server.refuse_bridged(conn, pairing, self.now);
                    } else {
                        self.send_down(conn, Down::Frames(pairing, vec![frame]));
                    }
                }
                Act::Emit(conn, pairing, delivery) => {
                    self.send_down(conn, Down::Emit(pairing, delivery));
                }
                Act::Acknowledge(conn, call, outcome) => {
                    self.send_down(conn, Down::Acknowledge(call, outcome));
                }
                Act::Close(conn) => self.close(conn),
                Act::Grant(pairing) => self.grant(pairing),
            }
        }
        if let Some(next) = self.server.poll_timeout()
            && self.server_alarm.is_none_or(|alarm| next < alarm)
        {
            self.server_alarm = Some(next);
            self.at(next, Event::ServerAlarm);
        }
    }

    pub(crate) fn delay(&mut self) -> Duration {
        let (low, high) = self.plan.delay;
        Duration::from_micros(self.rng.u64(low..high))
    }

    pub(crate) fn send_up(&mut self, conn: ConnId, what: Up) {
        let delay = self.delay();
        let link = self.links.get_mut(&conn);
        if let Some(at) = link.and_then(|link| link.send_up(what, self.now, delay)) {
            self.at(at, Event::ArriveUp(conn));
        }
    }

    fn send_down(&mut self, conn: ConnId, what: Down) {
        let delay = self.delay();
        let link = self.links.get_mut(&conn);
        if let Some(at) = link.and_then(|link| link.send_down(what, self.now, delay)) {
            self.at(at, Event::ArriveDown(conn));
        }
    }

    fn arrive_up(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        match link.arrived_up(self.now) {
            Some(Up::Message(message)) => {
                self.note(|| format!("the server hears from {conn}: {message:?}"));
                self.server.received(conn, message, self.now, &mut self.oracle);
            }
            Some(Up::Frames(pairing, frames)) => {
                let congested = self.stormy && self.chance(self.plan.congestion);
                self.counts.faults += usize::from(congested);
                let now = self.now;
                self.server.relay(conn, pairing, frames, congested, now, &mut self.oracle);
            }
            Some(Up::Emit { target, args, call }) => {
                self.server.emit(conn, target, (args, call), self.now, &mut self.oracle);
            }
            Some(Up::Acknowledge { pairing, seq, result }) => {
                let answer = (seq, result);
                self.server.acknowledged(conn, pairing, answer, self.now, &mut self.oracle);
            }
            None => {}
        }
    }

    fn arrive_down(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        let client = link.client;
        let Some(what) = link.arrived_down(self.now) else { return };
        if let Down::Message(message) = &what {
            self.note(|| format!("{client} hears on {conn}: {message:?}"));
        }
        if let Some(hostile) = client.checked_sub(HOSTILE)
            && hostile < self.hostiles.len()
        {
            return self.hostile_hears(hostile, what);
        }
        if let Some(legacy) = self.legacy_of(client) {
            return self.legacy_hears(legacy, conn, what);
        }
        if client >= self.clients.len() {
            // A stranger that got in under somebody's name hears what is not for it.
            if let Down::Frames(pairing, _) = what {
                self.oracle.violate(Rule::NoStranger, format!("a stranger hears {pairing}"));
            }
            return;
        }
        if self.clients[client].conn != Some(conn) {
            return;
        }
        self.feed(
            client,
            match what {
                Down::Message(message) => Input::Received(message),
                Down::Frames(pairing, frames) => Input::Frames(pairing, frames),
                Down::Emit(..) | Down::Acknowledge(..) | Down::Garbled => {
                    Input::Garbled(Code::BadArgs.into())
                }
            },
        );
    }

    pub(crate) fn new_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    pub(crate) fn fresh_token(&mut self) -> ResumeToken {
        ResumeToken::new(self.rng.u128(..).to_be_bytes())
    }

    /// Most pairings are granted soon; in bad weather some never are, or when it is too late.
    fn grant(&mut self, pairing: PairingId) {
        let soon = self.millis(0..200);
        let (after, yes) = match self.rng.u32(..50) {
            0 if self.stormy => (self.millis(9_000..12_000), true),
            1 if self.stormy => (soon, false),
            _ => (soon, true),
        };
        self.after(after, Event::Granted(pairing, yes));
    }

    /// The server closes a connection, after what it said.
    fn close(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if link.state != State::Whole {
            self.cut(conn, true);
            return;
        }
        link.state = State::Closing;
        let last = link.last_down().max(self.now);
        self.at(last, Event::ClientLoses(conn));
    }

    /// A connection ends, and what is under way on it is lost. Each side notices when it does; the
    /// server at once if it was the server.
    pub(crate) fn cut(&mut self, conn: ConnId, by_server: bool) -> bool {
        let Some(link) = self.links.get_mut(&conn) else { return false };
        if matches!(link.state, State::Cut | State::Closing) {
            return false;
        }
        link.state = State::Cut;
        let after = self.millis(0..300);
        self.after(after, Event::ClientLoses(conn));
        if !by_server {
            let after = self.millis(0..300);
            self.after(after, Event::ServerLoses(conn));
        }
        true
    }
}
