//! A client of a room, its application and its handlers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    RoomWorld,
    event::{MEMBERS, RoomEvent, ToClient, ToServer},
};
use crate::{
    Args, Client, ClientConfig, ClientEvent, ClientId, ConnId, Dialect, Hello, Outcome, PairingId,
    Path, ResumeToken, RoomName, broker,
    client::{Answer, Command, Input, Output},
    session::EmitOptions,
    sim::{
        connection,
        oracle::{CallNo, Manner, Report, Rule, Verdict},
    },
};

/// The time in which a client that does not come back at once is away, in milliseconds: up to twice the grace period.
const LONG_ABSENCE: std::ops::Range<u64> = 10_000..30_000;

pub(super) struct Node {
    pub(super) id: ClientId,
    pub(super) client: Client,
    pub(super) conn: Option<ConnId>,
    /// The last arrivals at the server and at the client, which keep the order.
    pub(super) last: [Instant; 2],
    resume: Option<ResumeToken>,
    alarm: Option<Instant>,
    /// The number of attempts to connect that were planned.
    pub(super) attempts: u32,
    direct: bool,
    upgrades: bool,
    /// The calls by the numbers that the client was given, with the ends that made them.
    calls: BTreeMap<u64, CallNo>,
    is_joining: bool,
    /// Whether emits take the direct path, by pairing.
    pub(super) paths: BTreeMap<PairingId, bool>,
    /// The handlers that run.
    running: BTreeSet<(PairingId, u64)>,
}

pub(super) fn room() -> RoomName {
    "lobby".parse().expect("it is a name")
}

fn config(rng: &mut Rng) -> ClientConfig {
    let retry_first = Some(Duration::from_secs(600));
    ClientConfig { seed: rng.u64(..), retry_first, ..ClientConfig::default() }
}

impl Node {
    pub(super) fn new(number: usize, rng: &mut Rng, now: Instant) -> Self {
        Self {
            id: format!("c{number}").parse().expect("it is an id"),
            client: Client::new(config(rng), now),
            conn: None,
            last: [now; 2],
            resume: None,
            alarm: None,
            attempts: 0,
            direct: rng.u8(..4) > 0,
            upgrades: rng.bool(),
            calls: BTreeMap::new(),
            is_joining: false,
            paths: BTreeMap::new(),
            running: BTreeSet::new(),
        }
    }

    pub(super) fn number(id: &ClientId) -> usize {
        id.as_str().trim_start_matches('c').parse().unwrap_or_default()
    }

    pub(super) fn with_conn(nodes: &[Self], conn: ConnId) -> Option<usize> {
        nodes.iter().position(|node| node.conn == Some(conn))
    }
}

impl RoomWorld {
    pub(super) fn connect(&mut self, client: usize, attempt: u32) {
        if self.nodes[client].attempts != attempt || self.nodes[client].conn.is_some() {
            return;
        }
        self.server.last_conn += 1;
        let conn = ConnId(self.server.last_conn);
        let fresh = ResumeToken::new(std::array::from_fn(|_| self.rng.u8(..)));
        let node = &self.nodes[client];
        let hello = Hello::new(node.id.clone(), Dialect::V2, fresh);
        let hello = hello.direct(node.direct).resume(node.resume);
        match self.server.broker.admit(conn, hello, self.now) {
            Ok(()) => {
                self.server.conns.insert(conn, client);
                self.nodes[client].conn = Some(conn);
                self.feed(client, Input::Opened);
                self.serve(Some(broker::Input::Connected(conn)));
            }
            Err(code) => {
                self.serve(None);
                self.feed(client, Input::Rejected(code.into()));
            }
        }
    }

    /// A message of the server arrives.
    pub(super) fn deliver(&mut self, conn: ConnId, down: ToClient) {
        let Some(client) = Node::with_conn(&self.nodes, conn) else { return };
        let input = match down {
            ToClient::Message(message) => Input::Received(message),
            ToClient::Frames(pairing, frames) => {
                let frames = connection::through_the_codec(&frames);
                let (frames, has_unread) = (frames.unwrap_or_default(), false);
                Input::Frames { pairing, frames, has_unread }
            }
            ToClient::Signal(pairing, signal) => Input::Signalled(pairing, signal.to_value()),
        };
        self.feed(client, input);
    }

    pub(super) fn client_loses(&mut self, conn: ConnId) {
        if let Some(client) = Node::with_conn(&self.nodes, conn) {
            self.nodes[client].conn = None;
            self.feed(client, Input::Lost);
        }
    }

    pub(super) fn alarm(&mut self, client: usize) {
        if self.nodes[client].alarm.is_some_and(|alarm| alarm <= self.now) {
            self.nodes[client].alarm = None;
            self.feed(client, Input::Timeout);
        }
    }

    pub(super) fn command(&mut self, client: usize, command: Command) {
        self.feed(client, Input::Command(command));
    }

    pub(super) fn feed(&mut self, client: usize, input: Input) {
        self.nodes[client].client.handle(input, self.now);
        while let Some(output) = self.nodes[client].client.poll_output() {
            self.carry_out(client, output);
        }
        if let Some(next) = self.nodes[client].client.poll_timeout()
            && self.nodes[client].alarm.is_none_or(|alarm| next < alarm)
        {
            self.nodes[client].alarm = Some(next);
            self.at(next, RoomEvent::Alarm(client));
        }
    }

    fn send_up(&mut self, client: usize, up: ToServer) {
        if let Some(conn) = self.nodes[client].conn
            && !self.server.dead.contains(&conn)
        {
            let at = self.in_order(conn, 0);
            self.at(at, RoomEvent::Up(conn, up));
        }
    }

    fn carry_out(&mut self, client: usize, output: Output) {
        match output {
            Output::Send(message) => {
                self.send_up(client, ToServer::Message(connection::client_message(&message)));
            }
            Output::SendFrames(pairing, frames) => {
                self.send_up(client, ToServer::Frames(pairing, frames));
            }
            Output::Signal(pairing, signal) => {
                self.send_up(client, ToServer::Signal(pairing, signal));
            }
            Output::Link(link, command) => self.command_link(client, link, command),
            Output::Answered(call, answer) => self.answered(client, call, answer),
            Output::Deliver(pairing, from, delivery) => {
                let call = delivery.args.parse::<Vec<Value>>().ok();
                let call = call.and_then(|args| usize::try_from(args.first()?.as_u64()?).ok());
                let (at, source) =
                    (self.end(client, pairing), self.end(Node::number(&from), pairing));
                self.oracle.executed(call.unwrap_or(usize::MAX), at, source, pairing);
                self.nodes[client].running.insert((pairing, delivery.seq));
                let call = call.filter(|_| delivery.wants_reply);
                self.after(0..30, RoomEvent::Finish(client, pairing, delivery.seq, call));
            }
            Output::Event(event) => self.hear(client, event),
            Output::Reconnect { resume, after } => {
                if let Some(conn) = self.nodes[client].conn.take() {
                    self.after(1..3_000, RoomEvent::Gone(conn));
                }
                self.nodes[client].resume = resume;
                self.nodes[client].attempts += 1;
                let attempt = self.nodes[client].attempts;
                if self.stormy && self.chance(0.05) {
                    self.after(LONG_ABSENCE, RoomEvent::Connect(client, attempt));
                } else {
                    self.at(self.now + after, RoomEvent::Connect(client, attempt));
                }
            }
            Output::Close => self.closed(client),
            Output::Complain(complaint) => {
                self.note(|| format!("{client} complains: {complaint:?}"));
                if let crate::client::Complaint::Partner(violation) = complaint {
                    self.oracle.violate(Rule::Bounded, format!("{client}: {violation}"));
                }
            }
            _ => {}
        }
    }

    /// A client has closed. Another begins in its place, unless all leave.
    fn closed(&mut self, client: usize) {
        if let Some(conn) = self.nodes[client].conn.take() {
            self.after(10..100, RoomEvent::Gone(conn));
        }
        self.drop_links(client);
        if self.is_ending {
            return;
        }
        let next = Node::new(client, &mut self.rng, self.now);
        let node = &mut self.nodes[client];
        let (attempts, last) = (node.attempts + 1, node.last);
        *node = Node { attempts, last, ..next };
        self.after(100..1_000, RoomEvent::Connect(client, attempts));
    }

    fn hear(&mut self, client: usize, event: ClientEvent) {
        self.note(|| format!("{client} hears {event:.160?}"));
        match event {
            ClientEvent::Joined(state) => {
                for info in state.members {
                    self.paired(client, &info);
                }
            }
            ClientEvent::MemberJoined { pairing, .. } => self.paired(client, &pairing),
            ClientEvent::MemberLeft { pairing, reason, .. } => {
                let end = self.end(client, pairing.id);
                self.oracle.unpaired(end, pairing.id, reason);
                self.nodes[client].paths.remove(&pairing.id);
            }
            ClientEvent::MemberPath { member, path, .. } => {
                let infos = self.nodes[client].client.members(&self.room);
                for info in infos.into_iter().flatten().filter(|info| info.partner == member) {
                    let is_direct = path == Some(Path::Direct);
                    self.nodes[client].paths.insert(info.id, is_direct);
                    self.counts.direct += usize::from(is_direct);
                }
            }
            ClientEvent::Resumed(_) => self.counts.resumed += 1,
            ClientEvent::Restarted(_) => self.counts.restarted += 1,
            _ => {}
        }
    }

    fn paired(&mut self, client: usize, info: &crate::PairingInfo) {
        let end = self.end(client, info.id);
        let other = self.end(Node::number(&info.partner), info.id);
        self.oracle.paired(end, other, info.id);
    }

    /// The application does something.
    pub(super) fn act(&mut self, client: usize) {
        let room = self.room.clone();
        self.after(20..400, RoomEvent::Act(client));
        match self.nodes[client].client.members(&room) {
            None if !self.nodes[client].is_joining && !self.is_ending => {
                self.last_call += 1;
                self.nodes[client].is_joining = true;
                let (call, deadline) = (self.last_call, self.now + Duration::from_secs(15));
                let upgrades = self.nodes[client].upgrades;
                let most = Some(MEMBERS);
                self.command(client, Command::Join { call, room, most, upgrades, deadline });
            }
            Some(members) if self.stormy => match self.rng.u16(..600) {
                0 => {
                    self.last_call += 1;
                    let (call, deadline) = (self.last_call, self.now + Duration::from_secs(5));
                    self.command(client, Command::Exit { call, room, deadline });
                }
                1 => self.command(client, Command::Close),
                2..20 => self.command(client, Command::Upgrade(room)),
                // To all, or to one a few times.
                20..200 => {
                    for info in members {
                        self.speak(client, info.id);
                    }
                }
                _ if !members.is_empty() => {
                    let to = members[self.rng.usize(..members.len())].id;
                    for _ in 0..self.rng.u8(1..5) {
                        self.speak(client, to);
                    }
                }
                _ => {}
            },
            Some(_) => self.command(client, Command::Upgrade(room)),
            None => {}
        }
    }

    fn speak(&mut self, client: usize, to: PairingId) {
        let manner = Manner { acknowledged: self.rng.u8(..3) > 0, excused: false };
        if self.nodes[client].client.takes_emits_of(to) {
            self.call(client, to, manner, Duration::from_secs(60));
        }
    }

    pub(super) fn call(
        &mut self,
        client: usize,
        pairing: PairingId,
        manner: Manner,
        patience: Duration,
    ) -> CallNo {
        let end = self.end(client, pairing);
        let number = self.oracle.called(end, manner);
        self.last_call += 1;
        let call = self.last_call;
        self.nodes[client].calls.insert(call, number);
        let reply_by = manner.acknowledged.then(|| self.now + patience);
        let padding = if self.rng.u8(..40) == 0 { "x".repeat(40_000) } else { String::new() };
        let args = Args::from(vec![json!(number), json!(padding)]);
        let options = EmitOptions { reply_by, expires: None, via: None };
        let event = "call".to_owned();
        self.command(client, Command::Emit { call, pairing, event, args, options });
        number
    }

    /// A handler returns.
    pub(super) fn finish(
        &mut self,
        client: usize,
        pairing: PairingId,
        seq: u64,
        call: Option<CallNo>,
    ) {
        if self.nodes[client].running.remove(&(pairing, seq)) {
            if let Some(call) = call {
                self.oracle.returned(call, Verdict::Value);
            }
            let value = Args::from(vec![json!(call)]);
            self.feed(client, Input::Finished(pairing, seq, Ok(value)));
        }
    }

    fn answered(&mut self, client: usize, call: u64, answer: Answer) {
        let Some(number) = self.nodes[client].calls.get(&call).copied() else {
            self.nodes[client].is_joining &= answer == Answer::Exited;
            return;
        };
        let report = match answer {
            Answer::Outcome(Outcome::Replied(args, _)) => {
                match args.parse::<Vec<Value>>().ok() == Some(vec![json!(number)]) {
                    true => Report::Value,
                    false => Report::WrongValue,
                }
            }
            Answer::Outcome(Outcome::Failed(_)) => Report::Failed,
            Answer::Outcome(Outcome::NotExecuted(_)) => Report::NotExecuted,
            Answer::Outcome(Outcome::Unknown(_)) => Report::Unknown,
            _ => return, // It was sent, and wants no reply.
        };
        self.oracle.reported(number, report);
    }
}
