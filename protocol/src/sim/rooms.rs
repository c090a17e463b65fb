//! A room of ten under faults: clients that join and leave, a server, and the direct links between the clients.
//!
//! To the [`Oracle`] each end of each pairing is a client of its own, so its rules hold for every link of the mesh.

mod event;
mod faults;
mod links;
mod node;
mod server;

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use fastrand::Rng;

use self::{
    event::{CLIENTS, MEMBERS, RoomEvent},
    links::Links,
    node::Node,
    server::RoomServer,
};
use crate::{
    PairingId, RoomName,
    client::Command,
    sim::{
        oracle::{ClientNo, Manner, Oracle, Report, Rule},
        report::{self, Counts, Lived, Observed, Replay, Trace},
    },
};

/// The time with faults, and the time in which everything comes to an end after them.
const STORM: Duration = Duration::from_secs(90);
const CALM: Duration = Duration::from_secs(200);

struct RoomWorld {
    rng: Rng,
    start: Instant,
    now: Instant,
    room: RoomName,
    nodes: Vec<Node>,
    server: RoomServer,
    links: Links,
    oracle: Oracle,
    counts: Counts,
    trace: Trace,
    agenda: BTreeMap<(Instant, u64), RoomEvent>,
    last_event: u64,
    /// The numbers of pairings, by which their ends are told apart.
    pairings: BTreeMap<PairingId, usize>,
    stormy: bool,
    /// True once all leave.
    is_ending: bool,
    /// The probability that the server refuses frames.
    congestion: f64,
    /// The number that a client was given last for a call.
    last_call: u64,
}

/// One history of a room.
pub(crate) fn live_through(seed: u64, trace: Trace) -> Lived {
    let replay = Replay::Test("replay_rooms");
    report::observe((seed, replay), RoomWorld::new(seed, trace), |world| {
        for client in 0..CLIENTS {
            world.after(0..2_000, RoomEvent::Connect(client, 0));
            world.after(500..3_000, RoomEvent::Act(client));
        }
        world.after(2_000..4_000, RoomEvent::Fault);
        world.run(STORM);
        world.stormy = false;
        world.run(CALM);
        world.oracle.settle();
        world.check_room();
        world.everybody_talks();
        world.everybody_leaves();
    })
}

impl Observed for RoomWorld {
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

impl RoomWorld {
    fn new(seed: u64, trace: Trace) -> Self {
        let mut rng = Rng::with_seed(seed);
        let now = Instant::now();
        let nodes = (0..CLIENTS).map(|number| Node::new(number, &mut rng, now)).collect();
        let congestion = [0.0, 0.01, 0.05][rng.usize(..3)];
        Self {
            server: RoomServer::new(rng.u64(..)),
            rng,
            start: now,
            now,
            room: node::room(),
            nodes,
            links: Links::default(),
            oracle: Oracle::default(),
            counts: Counts::default(),
            trace,
            agenda: BTreeMap::new(),
            last_event: 0,
            pairings: BTreeMap::new(),
            stormy: true,
            is_ending: false,
            congestion,
            last_call: 0,
        }
    }

    fn at(&mut self, at: Instant, event: RoomEvent) {
        self.last_event += 1;
        self.agenda.insert((at.max(self.now), self.last_event), event);
    }

    fn after(&mut self, millis: Range<u64>, event: RoomEvent) {
        let after = Duration::from_millis(self.rng.u64(millis));
        self.at(self.now + after, event);
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.f64() < probability
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        self.trace.note(self.now - self.start, line);
    }

    /// Returns the number of this end of a pairing, as the oracle knows it.
    fn end(&mut self, client: usize, pairing: PairingId) -> ClientNo {
        let next = self.pairings.len();
        *self.pairings.entry(pairing).or_insert(next) * CLIENTS + client
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= until
            && self.oracle.breach().is_none()
        {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.counts.steps += 1;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::Connect(client, life) => self.connect(client, life),
            RoomEvent::Up(conn, up) => self.receive(conn, up),
            RoomEvent::Down(conn, down) => self.deliver(conn, down),
            RoomEvent::Gone(conn) => self.server_loses(conn),
            RoomEvent::Lost(conn) => self.client_loses(conn),
            RoomEvent::Alarm(client) => self.alarm(client),
            RoomEvent::ServerAlarm => self.serve(Some(crate::broker::Input::Timeout)),
            RoomEvent::Act(client) => self.act(client),
            RoomEvent::Finish(client, pairing, seq, call) => {
                self.finish(client, pairing, seq, call);
            }
            RoomEvent::Reported(client, link, event) => self.link_reports(client, link, event),
            RoomEvent::Fault => self.fault(),
        }
    }

    /// Checks that all members have a pairing with each other, and agree on it.
    fn check_room(&mut self) {
        let members = self.server.broker.members_of(&self.room);
        if members.len() != MEMBERS {
            let what = format!("the room has the members {members:?}");
            self.oracle.violate(Rule::Progress, what);
        }
        for client in 0..CLIENTS {
            let node = &self.nodes[client];
            let seen = node.client.members(&self.room);
            let is_member = members.contains(&node.id);
            let others = members.iter().filter(|member| **member != node.id);
            let is_right = match &seen {
                Some(seen) => {
                    is_member
                        && seen.len() + 1 == members.len()
                        && others
                            .clone()
                            .all(|other| seen.iter().any(|info| info.partner == *other))
                }
                None => !is_member,
            };
            if !is_right {
                let what = format!("{client} sees {seen:?} of {members:?}");
                self.oracle.violate(Rule::Mutual, what);
            }
            for info in seen.into_iter().flatten() {
                let other = Node::number(&info.partner);
                let theirs = self.nodes[other].client.members(&self.room);
                if !theirs.into_iter().flatten().any(|theirs| theirs.id == info.id) {
                    let what = format!("{client} and {other} do not agree on {}", info.id);
                    self.oracle.violate(Rule::Mutual, what);
                }
                let is_direct = self.nodes[client].paths.get(&info.id) == Some(&true);
                if info.direct != is_direct {
                    let what = format!("{client} sends to {other} directly: {is_direct}");
                    self.oracle.violate(Rule::Direct, what);
                }
            }
        }
    }

    /// Checks that each member can call each other one.
    fn everybody_talks(&mut self) {
        let mut calls = Vec::new();
        for client in 0..CLIENTS {
            let members = self.nodes[client].client.members(&self.room);
            for info in members.into_iter().flatten() {
                let manner = Manner { acknowledged: true, excused: false };
                calls.push(self.call(client, info.id, manner, Duration::from_secs(20)));
            }
        }
        self.run(Duration::from_secs(30));
        for call in calls {
            if self.oracle.report_of(call) != Some(Report::Value) {
                self.oracle.violate(Rule::Progress, format!("{call} gets no value"));
            }
        }
    }

    /// Lets every client leave, and checks that nothing is left.
    fn everybody_leaves(&mut self) {
        if self.oracle.breach().is_some() {
            return;
        }
        self.is_ending = true;
        for client in 0..CLIENTS {
            self.command(client, Command::Close);
        }
        self.run(Duration::from_secs(60));
        if !self.server.is_empty() {
            let stats = self.server.broker.stats();
            self.oracle.violate(Rule::NothingLeft, format!("{stats:?}"));
        }
        if !self.links.is_empty() {
            self.oracle.violate(Rule::NothingLeft, "a link is left");
        }
    }
}
