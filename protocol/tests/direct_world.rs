//! Two clients, a server that may be restarted, and a network between the two that comes and
//! goes: calls are made all the while, run at most once and in order, and are answered once and
//! truthfully.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Broker, BrokerConfig, Client, ClientConfig, ClientEvent, ClientMessage, ConnId, Dialect,
    EndReason, Frame, Hello, LinkId, Outcome, PairingId, Partner, Path, PathPolicy, ResumeToken,
    Sdp, ServerMessage, broker,
    client::{Answer, Command, Input, Output},
    peer::{LinkCommand, LinkEvent, LinkMessage},
    session::{CallId, EmitOptions},
};

use crate::directs::sdp;

enum Event {
    ToServer(ConnId, FromClient),
    ToClient(ConnId, Box<ServerMessage>),
    Relayed(ConnId, PairingId, Vec<Frame>),
    Forwarded(ConnId, PairingId, Value),
    Connect(usize, Option<ResumeToken>),
    ServerLoses(ConnId),
    Link(usize, LinkId, LinkEvent),
}

enum FromClient {
    Message(ClientMessage),
    Frames(PairingId, Vec<Frame>),
    Signal(PairingId, Value),
}

#[derive(Default)]
struct HostLink {
    own: Option<Sdp>,
    theirs: Option<Sdp>,
    partner: Option<LinkId>,
}

struct Node {
    client: Client,
    conn: Option<ConnId>,
    links: BTreeMap<LinkId, HostLink>,
    events: Vec<ClientEvent>,
    /// Calls, and what became of them.
    calls: BTreeMap<CallId, Option<Answer>>,
    delivered: Vec<CallId>,
    /// Whether it was told to close.
    closes: bool,
}

struct World {
    now: Instant,
    broker: Broker,
    routes: BTreeMap<ConnId, Partner>,
    /// Set while the server runs.
    is_up: bool,
    restarts: u64,
    nodes: [Node; 2],
    queue: BTreeMap<(Instant, u64), Event>,
    held: Vec<(usize, LinkId, LinkId, LinkMessage)>,
    is_cut: bool,
    /// How long a message on a link takes.
    link_delay: u64,
    /// Messages that were sent on links.
    messages: Vec<LinkMessage>,
    serial: u64,
}

fn broker(node: u64) -> Broker {
    Broker::new(BrokerConfig::new(node))
}

impl World {
    fn new(policies: [PathPolicy; 2]) -> Self {
        Self::with_hold(policies, 10)
    }

    /// Ends that do not take a path again for so long after they left it.
    fn with_hold(policies: [PathPolicy; 2], millis: u64) -> Self {
        let now = Instant::now();
        let nodes = policies.map(|policy| {
            let mut config = ClientConfig::default();
            config.direct.policy = policy;
            config.direct.hold = Duration::from_millis(millis);
            Node {
                client: Client::new(config, now),
                conn: None,
                links: BTreeMap::new(),
                events: Vec::new(),
                calls: BTreeMap::new(),
                delivered: Vec::new(),
                closes: false,
            }
        });
        let mut world = Self {
            now,
            broker: broker(1),
            routes: BTreeMap::new(),
            is_up: true,
            restarts: 1,
            nodes,
            queue: BTreeMap::new(),
            held: Vec::new(),
            is_cut: false,
            link_delay: 1,
            messages: Vec::new(),
            serial: 0,
        };
        for (end, policy) in policies.into_iter().enumerate() {
            world.connect(end, None, policy.allows_direct());
        }
        world.pass(10);
        world.register();
        world.pass(15);
        world
    }

    /// Paired, and the direct path carries at both ends.
    fn direct() -> Self {
        let mut world = Self::new([PathPolicy::PreferDirect; 2]);
        world.pass(300);
        world.both_carry();
        world
    }

    /// The paths that an end was told of, with their round-trip times.
    fn paths_of(&self, end: usize) -> Vec<(Option<Path>, Option<Duration>)> {
        let events = self.nodes[end].events.iter();
        events
            .filter_map(|event| match event {
                ClientEvent::Path { path: route, rtt } => Some((*route, *rtt)),
                _ => None,
            })
            .collect()
    }

    #[track_caller]
    fn both_carry(&mut self) {
        for end in 0..2 {
            let last = self.paths_of(end).pop().map(|(route, _)| route);
            assert_eq!(last, Some(Some(Path::Direct)), "end {end}");
        }
    }

    fn later(&mut self, millis: u64, event: Event) {
        self.serial += 1;
        self.queue.insert((self.now + Duration::from_millis(millis), self.serial), event);
    }

    fn connect(&mut self, end: usize, resume: Option<ResumeToken>, direct: bool) {
        self.serial += 1;
        let conn = ConnId(self.serial);
        let name = ["a", "b"][end].parse().unwrap();
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.serial.to_be_bytes());
        let hello = Hello::new(name, Dialect::V2, ResumeToken::new(token));
        let hello = hello.direct(direct).resume(resume);
        let admitted = self.broker.admit(conn, hello, self.now);
        self.serve();
        match admitted {
            Ok(()) => {
                self.nodes[end].conn = Some(conn);
                self.handle(end, Input::Opened);
                self.tell_broker(broker::Input::Connected(conn));
            }
            Err(code) => self.handle(end, Input::Rejected(code.into())),
        }
    }

    fn register(&mut self) {
        let deadline = self.now + Duration::from_secs(8);
        let target = "b".parse().unwrap();
        let call = 0;
        let command = Command::Register { call, target, payload: None, deadline };
        self.handle(0, Input::Command(command));
    }

    fn emit(&mut self, end: usize, via: Option<Path>) {
        self.serial += 1;
        let call = self.serial;
        let Some(pairing) = self.nodes[end].client.pairing().map(|info| info.id) else { return };
        if !self.nodes[end].client.takes_emits() {
            return;
        }
        self.nodes[end].calls.insert(call, None);
        let (event, args) = ("note".to_owned(), vec![json!(call)].into());
        let reply_by = Some(self.now + Duration::from_secs(100));
        let expires = None;
        let command = Command::Emit {
            call,
            pairing,
            event,
            args,
            options: EmitOptions { reply_by, expires, via },
        };
        self.handle(end, Input::Command(command));
    }

    fn tell_broker(&mut self, input: broker::Input) {
        self.broker.handle(input, self.now);
        self.serve();
    }

    fn serve(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                broker::Output::Send(conn, message) => {
                    self.later(3, Event::ToClient(conn, message.into()));
                }
                broker::Output::Route(conn, partner) => {
                    self.routes.insert(conn, partner);
                }
                broker::Output::Unroute(conn, _) => {
                    self.routes.remove(&conn);
                }
                broker::Output::Grant { pairing, .. } => {
                    self.broker.handle(broker::Input::Granted(pairing, Ok(())), self.now);
                }
                broker::Output::Close(conn) | broker::Output::HangUp(conn) => self.drop_conn(conn),
                broker::Output::Event(_) => {}
                broker::Output::Complain(broken) => panic!("{broken}"),
                broker::Output::List(..) => unreachable!("no client asks for the list"),
            }
        }
    }

    /// A connection breaks; both sides notice.
    fn drop_conn(&mut self, conn: ConnId) {
        if let Some(end) = self.nodes.iter().position(|node| node.conn == Some(conn)) {
            self.nodes[end].conn = None;
            self.handle(end, Input::Lost);
        }
    }

    fn lose(&mut self, end: usize) {
        if let Some(conn) = self.nodes[end].conn {
            self.tell_broker(broker::Input::Disconnected(conn));
            self.drop_conn(conn);
        }
    }

    /// The server goes down, with or without saying so, and forgets everything.
    fn go_down(&mut self, says_so: bool) {
        if !std::mem::replace(&mut self.is_up, false) {
            return;
        }
        if says_so {
            // After what it said before.
            let is_said = |event: &Event| matches!(event, Event::ToClient(..));
            let said = self.queue.extract_if(.., |_, event| is_said(event));
            for (_, event) in said.collect::<Vec<_>>() {
                self.happen(event);
            }
            self.broker.handle(broker::Input::ShutDown, self.now);
            while let Some(output) = self.broker.poll_output() {
                if let broker::Output::Send(conn, message) = output
                    && let Some(end) = self.nodes.iter().position(|node| node.conn == Some(conn))
                {
                    self.handle(end, Input::Received(message));
                }
            }
        }
        self.restarts += 1;
        self.broker = broker(self.restarts);
        self.routes.clear();
        self.queue.retain(|_, event| matches!(event, Event::Connect(..) | Event::Link(..)));
        for end in 0..2 {
            if self.nodes[end].conn.take().is_some() {
                self.handle(end, Input::Lost);
            }
        }
    }

    fn handle(&mut self, end: usize, input: Input) {
        self.nodes[end].client.handle(input, self.now);
        self.carry_out(end);
    }

    fn carry_out(&mut self, end: usize) {
        while let Some(output) = self.nodes[end].client.poll_output() {
            let conn = self.nodes[end].conn;
            let mut say = |said| {
                if let Some(conn) = conn {
                    self.later(3, Event::ToServer(conn, said));
                }
            };
            match output {
                Output::Send(message) => say(FromClient::Message(message)),
                Output::SendFrames(pairing, frames) => say(FromClient::Frames(pairing, frames)),
                Output::Signal(pairing, signal) => {
                    say(FromClient::Signal(pairing, signal.to_value()));
                }
                Output::Link(link, command) => self.command(end, link, command),
                Output::Answered(0, _) => {}
                Output::Answered(call, answer) => {
                    let noted = self.nodes[end].calls.get_mut(&call).unwrap();
                    assert!(noted.replace(answer).is_none(), "{call} is answered twice");
                }
                Output::Ask { question, .. } => {
                    self.nodes[end].client.handle(Input::Answer(question, Ok(())), self.now);
                }
                Output::Deliver(pairing, _, delivery) => {
                    let call: [CallId; 1] = delivery.args.parse().unwrap();
                    self.nodes[end].delivered.push(call[0]);
                    let done = Input::Finished(pairing, delivery.seq, Ok(delivery.args));
                    self.nodes[end].client.handle(done, self.now);
                }
                Output::Event(event) => self.nodes[end].events.push(event),
                Output::Complain(complaint) => panic!("end {end}: {complaint:?}"),
                Output::Reconnect { resume } => {
                    self.nodes[end].conn = None;
                    self.later(100, Event::Connect(end, resume));
                }
                Output::Close => {
                    assert!(self.nodes[end].closes, "end {end} gives up");
                    if let Some(conn) = self.nodes[end].conn.take() {
                        self.later(4, Event::ServerLoses(conn));
                    }
                }
            }
        }
    }

    fn command(&mut self, end: usize, link: LinkId, command: LinkCommand) {
        self.serial += 1;
        let ufrag = format!("u{}", self.serial);
        let session = u64::from_str_radix(&link.to_string().replace(['-', '/'], ""), 16).unwrap();
        match command {
            LinkCommand::Offer(attempt) | LinkCommand::Restart(attempt) => {
                let own = sdp(session, &ufrag);
                self.nodes[end].links.entry(link).or_default().own = Some(own.clone());
                self.later(10, Event::Link(end, link, LinkEvent::Described(attempt, own)));
            }
            LinkCommand::Answer(attempt, offer) => {
                let own = sdp(session, &ufrag);
                let host = self.nodes[end].links.entry(link).or_default();
                (host.own, host.theirs) = (Some(own.clone()), Some(offer));
                self.later(10, Event::Link(end, link, LinkEvent::Described(attempt, own)));
            }
            LinkCommand::Accept(answer) => {
                self.nodes[end].links.entry(link).or_default().theirs = Some(answer);
            }
            LinkCommand::Add(_) => {}
            LinkCommand::Send(message) => {
                self.messages.push(message.clone());
                self.channel(end, link, message);
            }
            LinkCommand::Close => {
                self.nodes[end].links.remove(&link);
                self.held.retain(|(from, of, ..)| (*from, *of) != (end, link));
            }
        }
    }

    fn channel(&mut self, end: usize, link: LinkId, message: LinkMessage) {
        let Some(partner) = self.nodes[end].links.get(&link).and_then(|host| host.partner) else {
            return;
        };
        if self.is_cut {
            self.held.push((end, link, partner, message));
        } else {
            self.later(
                self.link_delay,
                Event::Link(1 - end, partner, LinkEvent::Received(message)),
            );
        }
    }

    fn join_links(&mut self) {
        if self.is_cut {
            return;
        }
        for (end, _, partner, message) in std::mem::take(&mut self.held) {
            self.later(
                self.link_delay,
                Event::Link(1 - end, partner, LinkEvent::Received(message)),
            );
        }
        let [first, second] = &self.nodes;
        let fitting = first.links.iter().find_map(|(a, one)| {
            let fits = |other: &HostLink| {
                let strangers = one.partner.is_some() || other.partner.is_some();
                one.own.is_some()
                    && one.own == other.theirs
                    && one.theirs == other.own
                    && !strangers
            };
            second.links.iter().find(|(_, other)| fits(other)).map(|(b, _)| (*a, *b))
        });
        if let Some((a, b)) = fitting {
            for (end, link, partner) in [(0, a, b), (1, b, a)] {
                self.nodes[end].links.get_mut(&link).unwrap().partner = Some(partner);
                self.later(5, Event::Link(end, link, LinkEvent::Opened));
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let end_of =
            |nodes: &[Node; 2], conn| nodes.iter().position(|node| node.conn == Some(conn));
        match event {
            Event::ToServer(conn, FromClient::Message(message)) => {
                self.tell_broker(broker::Input::Received(conn, message));
            }
            Event::ToServer(conn, FromClient::Frames(pairing, frames)) => {
                match self.routes.get(&conn).filter(|partner| partner.pairing == pairing) {
                    Some(partner) => {
                        let to = partner.conn;
                        self.later(3, Event::Relayed(to, pairing, frames));
                    }
                    None => self.refuse(conn, pairing),
                }
            }
            Event::ToServer(conn, FromClient::Signal(pairing, signal)) => {
                match self.routes.get(&conn).filter(|partner| partner.pairing == pairing) {
                    Some(partner) => {
                        assert!(partner.direct, "a signal where none is allowed");
                        let to = partner.conn;
                        self.later(3, Event::Forwarded(to, pairing, signal));
                    }
                    None => {
                        let refusal = socketio_p2p_protocol::Code::StalePairing.into();
                        let pairing = Some(pairing);
                        let error = ServerMessage::SignalRefused { refusal, pairing };
                        self.later(3, Event::ToClient(conn, error.into()));
                    }
                }
            }
            Event::ToClient(conn, message) => {
                if let Some(end) = end_of(&self.nodes, conn) {
                    self.handle(end, Input::Received(*message));
                }
            }
            Event::Relayed(conn, pairing, frames) => {
                if let Some(end) = end_of(&self.nodes, conn) {
                    self.handle(end, Input::Frames(pairing, frames));
                }
            }
            Event::Forwarded(conn, pairing, signal) => {
                if let Some(end) = end_of(&self.nodes, conn) {
                    self.handle(end, Input::Signalled(pairing, signal));
                }
            }
            Event::Connect(end, resume) if self.is_up => self.connect(end, resume, true),
            Event::Connect(end, _) => {
                self.handle(end, Input::Rejected(socketio_p2p_protocol::Code::Offline.into()));
            }
            Event::ServerLoses(conn) => self.tell_broker(broker::Input::Disconnected(conn)),
            Event::Link(end, link, event) => self.handle(end, Input::Link(link, event)),
        }
    }

    fn refuse(&mut self, conn: ConnId, pairing: PairingId) {
        let refusal = socketio_p2p_protocol::Code::StalePairing.into();
        let error = ServerMessage::Error { refusal, req: None, pairing: Some(pairing) };
        self.later(3, Event::ToClient(conn, error.into()));
    }

    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 200_000, "somebody is busy without end");
            self.join_links();
            let event = self.queue.first_key_value().map(|((at, _), _)| *at);
            let ends = self.nodes.iter().filter_map(|node| node.client.poll_timeout());
            let due = ends.chain(self.broker.poll_timeout()).min();
            let next = [event, due].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if event == Some(next)
                && let Some((_, event)) = self.queue.pop_first()
            {
                self.happen(event);
            } else {
                for end in 0..2 {
                    self.handle(end, Input::Timeout);
                }
                self.tell_broker(broker::Input::Timeout);
            }
        }
        self.now = until;
    }

    fn unpaired(&self) -> Vec<EndReason> {
        let events = self.nodes.iter().flat_map(|node| &node.events);
        events
            .filter_map(|event| match event {
                ClientEvent::Unpaired { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }

    /// Returns the paths by which the calls of an end were answered.
    fn routes_of(&self, end: usize) -> Vec<Path> {
        let calls = self.nodes[end].calls.values();
        calls
            .map(|answer| match answer {
                Some(Answer::Outcome(Outcome::Replied(_, route))) => *route,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// Checks the rules of every history.
    fn check(&self) {
        for node in &self.nodes {
            let mut last = Some(Path::Relay);
            for event in &node.events {
                match event {
                    ClientEvent::Paired(_) => last = Some(Path::Relay),
                    ClientEvent::Path { path: route, .. } => {
                        assert_ne!(std::mem::replace(&mut last, *route), *route, "no change");
                    }
                    _ => {}
                }
            }
        }
        for (end, node) in self.nodes.iter().enumerate() {
            let delivered = &node.delivered;
            assert!(delivered.windows(2).all(|two| two[0] < two[1]), "end {end}: order, or twice");
            let partner = &self.nodes[1 - end];
            for (call, answer) in &node.calls {
                let ran = partner.delivered.contains(call);
                match answer {
                    Some(Answer::Outcome(Outcome::Replied(..))) => assert!(ran),
                    Some(Answer::Outcome(Outcome::NotExecuted(_))) => assert!(!ran, "{call} ran"),
                    Some(Answer::Outcome(Outcome::Unknown(_))) => {}
                    other => panic!("{call}: {other:?}"),
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Emit(usize, Option<Path>),
    Cut(bool),
    /// The connection of an end to the partner fails, noticed by it alone.
    Fail(usize),
    Lose(usize),
    GoDown(bool),
    ComeUp,
}

fn some_step() -> impl Strategy<Value = Step> {
    let end = || 0..2_usize;
    let via =
        prop_oneof![4 => Just(None), 1 => Just(Some(Path::Relay)), 1 => Just(Some(Path::Direct))];
    prop_oneof![
        10 => (end(), via).prop_map(|(end, via)| Step::Emit(end, via)),
        6 => prop_oneof![4 => 1..20_u64, 2 => 20..1_500_u64, 1 => 1_500..20_000_u64].prop_map(Step::Pass),
        2 => any::<bool>().prop_map(Step::Cut),
        1 => end().prop_map(Step::Fail),
        1 => end().prop_map(Step::Lose),
        1 => any::<bool>().prop_map(Step::GoDown),
        2 => Just(Step::ComeUp),
    ]
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.pass(millis),
            Step::Emit(end, via) => self.emit(end, via),
            Step::Cut(is_cut) => self.is_cut = is_cut,
            Step::Fail(end) => {
                if let Some(link) = self.nodes[end].links.keys().next_back().copied() {
                    self.handle(end, Input::Link(link, LinkEvent::Closed));
                }
            }
            Step::Lose(end) => self.lose(end),
            Step::GoDown(says_so) => self.go_down(says_so),
            Step::ComeUp => self.is_up = true,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(if cfg!(debug_assertions) { 300 } else { 5_000 })
    })]

    #[test]
    fn calls_run_at_most_once_in_order_and_are_answered_truthfully(
        steps in prop::collection::vec(some_step(), 0..80)
    ) {
        let mut world = World::new([PathPolicy::PreferDirect; 2]);
        for step in steps {
            world.step(step);
        }

        world.is_up = true;
        world.is_cut = false;
        world.pass(200_000);

        world.check();
        let [a, b] = &world.nodes;
        prop_assert_eq!(
            a.client.pairing().map(|info| info.id),
            b.client.pairing().map(|info| info.id)
        );
        if a.client.pairing().is_none() {
            world.register();
            world.pass(1_000);
        }
        world.both_carry();
        let before = world.nodes[0].calls.len();
        world.emit(0, None);
        world.emit(1, Some(Path::Relay));
        world.pass(1_000);
        prop_assert_eq!(world.nodes[0].calls.len(), before + 1);
        world.check();
    }
}

#[test]
fn the_relay_carries_at_once_and_the_direct_path_as_soon_as_it_is_open() {
    let mut world = World::new([PathPolicy::PreferDirect; 2]);
    world.emit(0, None);
    world.pass(300);
    world.emit(0, None);
    world.pass(100);

    assert_eq!(world.routes_of(0), [Path::Relay, Path::Direct]);
}

#[test]
fn an_emit_may_be_told_which_way_to_go() {
    let mut world = World::direct();

    world.emit(0, Some(Path::Relay));
    world.emit(0, Some(Path::Direct));
    world.pass(100);

    assert_eq!(world.nodes[1].delivered.len(), 2);
    world.check();
}

#[test]
fn an_emit_by_a_path_that_is_not_there_is_not_executed() {
    let mut world = World::direct();
    let link = *world.nodes[0].links.keys().next().unwrap();
    world.handle(0, Input::Link(link, LinkEvent::Closed));

    world.emit(0, Some(Path::Direct));

    let answer = world.nodes[0].calls.values().next().unwrap();
    let Some(Answer::Outcome(outcome)) = answer else { panic!("{answer:?}") };
    assert_eq!(outcome, &crate::sessions::not_executed(socketio_p2p_protocol::Code::NoRoute));
    world.check();
}

#[test]
fn a_call_under_way_when_the_path_is_cut_takes_the_relay() {
    let mut world = World::direct();

    world.is_cut = true;
    world.emit(0, None);
    world.pass(1_200);

    assert_eq!(world.routes_of(0), [Path::Relay]);
}

#[test]
fn paired_clients_talk_on_while_the_server_is_away_and_assert_their_pairing_when_it_is_back() {
    for says_so in [false, true] {
        let mut world = World::direct();
        let old = world.nodes[0].client.pairing().unwrap().id;

        world.go_down(says_so);
        world.pass(30_000);
        world.emit(0, None);
        world.pass(100);
        assert_eq!(world.routes_of(0), [Path::Direct]);
        world.is_up = true;
        world.pass(5_000);

        assert_eq!(world.unpaired(), []);
        let ids = [0, 1].map(|end| world.nodes[end].client.pairing().unwrap().id);
        assert!(ids[0] == ids[1] && ids[0] != old);
        for node in &world.nodes {
            let again = |event: &&ClientEvent| matches!(event, ClientEvent::Reasserted(_));
            assert_eq!(node.events.iter().filter(again).count(), 1);
        }
        // And the relay can be used as before.
        world.is_cut = true;
        world.emit(1, None);
        world.pass(1_200);
        assert_eq!(world.routes_of(1), [Path::Relay]);
    }
}

#[test]
fn the_last_path_that_is_told_is_the_one_that_carries() {
    let routes = |world: &World| {
        let paths = world.paths_of(0).into_iter();
        paths.map(|(route, _)| route).collect::<Vec<_>>()
    };
    let mut world = World::new([PathPolicy::PreferDirect; 2]);
    assert_eq!(routes(&world), [], "the relay carries from the beginning");
    world.is_cut = true;
    world.lose(0);
    assert_eq!(routes(&world), [None]);
    world.pass(1_000);
    assert_eq!(routes(&world), [None, Some(Path::Relay)]);

    let mut world = World::direct();
    world.lose(0);
    world.pass(50);
    assert_eq!(routes(&world), [Some(Path::Direct)]);
    let link = *world.nodes[0].links.keys().next().unwrap();
    world.handle(0, Input::Link(link, LinkEvent::Closed));
    assert_eq!(routes(&world), [Some(Path::Direct), None]);
    world.pass(100);
    assert_eq!(routes(&world), [Some(Path::Direct), None, Some(Path::Relay)]);
}

#[test]
fn the_round_trip_of_the_relay_is_told_also_when_the_connection_is_closed() {
    let mut world = World::direct();
    world.pass(10_000);
    let link = *world.nodes[0].links.keys().next().unwrap();

    world.handle(0, Input::Link(link, LinkEvent::Closed));

    let relay = (Some(Path::Relay), Some(Duration::from_millis(12)));
    assert_eq!(world.paths_of(0).pop(), Some(relay));
}

#[test]
fn what_names_the_former_pairing_is_carried_out() {
    let mut world = World::direct();
    let pairing = world.nodes[0].client.pairing().unwrap().id;
    world.go_down(false);
    world.is_up = true;
    world.pass(5_000);
    assert_ne!(world.nodes[0].client.pairing().unwrap().id, pairing);

    world.nodes[0].calls.insert(7, None);
    let (event, args) = ("note".to_owned(), vec![json!(7)].into());
    let reply_by = Some(world.now + Duration::from_secs(10));
    let (expires, via) = (None, None);
    let command = Command::Emit {
        call: 7,
        pairing,
        event,
        args,
        options: EmitOptions { reply_by, expires, via },
    };
    world.handle(0, Input::Command(command));
    world.pass(100);

    assert_eq!(world.routes_of(0), [Path::Direct]);
}

#[test]
fn without_the_server_the_pairing_ends_with_the_direct_path() {
    let mut world = World::direct();
    world.go_down(true);
    world.pass(1_000);

    world.is_cut = true;
    world.pass(12_000);

    assert_eq!(world.unpaired(), [EndReason::Disconnected; 2]);
}

#[test]
fn one_that_only_lost_its_connection_talks_on_within_its_grace() {
    let mut world = World::direct();
    world.lose(0);
    world.is_up = false;
    world.emit(0, None);
    world.emit(1, None);
    world.pass(2_000);
    world.is_up = true;
    world.pass(1_000);

    assert_eq!(world.unpaired(), []);
    assert_eq!((world.routes_of(0), world.routes_of(1)), (vec![Path::Direct], vec![Path::Direct]));
}

#[test]
fn one_that_stays_away_for_too_long_is_parted_from_its_partner() {
    let mut world = World::direct();
    world.lose(0);
    world.is_up = false;
    world.pass(20_000);
    world.is_up = true;
    world.pass(20_000);

    assert_eq!(world.unpaired(), [EndReason::Disconnected; 2]);
}

#[test]
fn under_relay_only_nothing_is_signalled() {
    let mut world = World::new([PathPolicy::RelayOnly, PathPolicy::PreferDirect]);

    world.pass(5_000);
    world.emit(1, None);
    world.pass(100);

    assert!(world.nodes.iter().all(|node| node.links.is_empty()));
    assert_eq!(world.routes_of(1), [Path::Relay]);
}

#[test]
fn under_direct_only_an_emit_waits_for_the_direct_path() {
    let mut world = World::new([PathPolicy::DirectOnly, PathPolicy::PreferDirect]);
    assert!(!world.nodes[0].client.takes_emits());
    world.emit(1, None);
    world.pass(300);
    world.emit(0, None);
    world.pass(100);

    assert_eq!(world.routes_of(0), [Path::Direct]);
    assert_eq!(world.routes_of(1), [Path::Relay], "its answers do not");
}

#[test]
fn under_direct_only_the_partner_is_answered_where_there_can_be_no_direct_path() {
    let mut world = World::new([PathPolicy::DirectOnly, PathPolicy::RelayOnly]);

    world.emit(1, None);
    world.emit(1, None);
    world.pass(100);

    assert_eq!(world.routes_of(1), [Path::Relay; 2]);
}

#[test]
fn under_direct_only_no_emit_may_take_the_relay() {
    let mut world = World::new([PathPolicy::DirectOnly, PathPolicy::PreferDirect]);
    world.pass(300);
    assert!(world.nodes[0].client.takes_emits());

    world.emit(0, Some(Path::Relay));

    let answer = world.nodes[0].calls.values().next().unwrap().clone();
    let no_route = crate::sessions::not_executed(socketio_p2p_protocol::Code::NoRoute);
    assert_eq!(answer, Some(Answer::Outcome(no_route)));
}

#[test]
fn an_emit_may_be_told_to_take_a_direct_path_that_is_held_back() {
    let mut world = World::with_hold([PathPolicy::PreferDirect; 2], 10_000);
    world.pass(300);
    world.both_carry();
    world.is_cut = true;
    world.pass(1_000);
    world.is_cut = false;
    world.pass(500);

    world.emit(0, None);
    world.pass(50);
    world.emit(0, Some(Path::Direct));
    world.pass(50);

    assert_eq!(world.paths_of(0).pop().unwrap().0, Some(Path::Relay));
    assert_eq!(world.routes_of(0), [Path::Relay; 2], "both are answered");
}

#[test]
fn under_direct_only_an_emit_is_refused_where_there_can_be_no_direct_path() {
    let mut world = World::new([PathPolicy::DirectOnly, PathPolicy::RelayOnly]);
    world.pass(100);

    world.emit(0, None);

    let answer = world.nodes[0].calls.values().next().unwrap().clone();
    let no_route = crate::sessions::not_executed(socketio_p2p_protocol::Code::NoRoute);
    assert_eq!(answer, Some(Answer::Outcome(no_route)));
}

#[test]
fn who_is_in_a_pairing_that_the_server_forgot_says_what_the_server_would_say() {
    let mut world = World::direct();
    world.go_down(true);
    let deadline = world.now + Duration::from_secs(8);
    let mut ask = |target: &str, call| {
        world.nodes[0].calls.insert(call, None);
        let target = target.parse().unwrap();
        let command = Command::Register { call, target, payload: None, deadline };
        world.handle(0, Input::Command(command));
        world.nodes[0].calls[&call].clone()
    };

    assert!(matches!(ask("b", 1), Some(Answer::Registered(_))));
    let Some(Answer::Refused(refusal)) = ask("c", 2) else { panic!() };
    assert_eq!(refusal.code, socketio_p2p_protocol::Code::SourceBusy);

    world.nodes[0].calls.insert(3, None);
    world.handle(0, Input::Command(Command::Unregister { call: 3, deadline }));
    assert_eq!(world.nodes[0].calls[&3], Some(Answer::Unregistered));
    assert_eq!(world.unpaired(), [EndReason::Unregistered]);
}

/// A world in which one end has just emitted 40 events that want no reply, and the ways to end it.
fn with_last_words(policy: PathPolicy, end: usize) -> World {
    let mut world = World::new([policy; 2]);
    world.pass(300);
    if policy == PathPolicy::PreferDirect {
        world.both_carry();
        // The end of the pairing would overtake them.
        world.link_delay = 20;
    }
    let pairing = world.nodes[end].client.pairing().unwrap().id;
    for call in 1_000..1_040 {
        world.nodes[end].calls.insert(call, None);
        let (event, args) = ("note".to_owned(), vec![json!(call)].into());
        let (reply_by, expires, via) = (None, None, None);
        let command = Command::Emit {
            call,
            pairing,
            event,
            args,
            options: EmitOptions { reply_by, expires, via },
        };
        world.handle(end, Input::Command(command));
    }
    world
}

#[test]
fn what_was_emitted_before_unregister_arrives() {
    for policy in [PathPolicy::PreferDirect, PathPolicy::RelayOnly] {
        for end in 0..2 {
            let mut world = with_last_words(policy, end);

            world.nodes[end].calls.insert(1, None);
            let deadline = world.now + Duration::from_secs(5);
            let command = Command::Unregister { call: 1, deadline };
            world.handle(end, Input::Command(command));
            world.pass(1_000);

            assert_eq!(world.nodes[1 - end].delivered.len(), 40, "{policy:?}, end {end}");
            assert_eq!(world.nodes[end].calls[&1], Some(Answer::Unregistered));
            assert_eq!(world.unpaired(), [EndReason::Unregistered; 2]);
        }
    }
}

#[test]
fn what_was_emitted_before_close_arrives() {
    for policy in [PathPolicy::PreferDirect, PathPolicy::RelayOnly] {
        for end in 0..2 {
            let mut world = with_last_words(policy, end);

            world.nodes[end].closes = true;
            world.handle(end, Input::Command(Command::Close));
            world.pass(1_000);

            assert_eq!(world.nodes[1 - end].delivered.len(), 40, "{policy:?}, end {end}");
            assert_eq!(world.unpaired(), [EndReason::Disconnected; 2]);
        }
    }
}

#[test]
fn frames_share_messages_on_the_direct_path_and_blobs_travel_as_they_are() {
    let mut world = World::direct();
    world.messages.clear();
    let pairing = world.nodes[0].client.pairing().unwrap().id;
    for call in 1..=4 {
        world.nodes[0].calls.insert(call, None);
        let mut args = socketio_p2p_protocol::Args::from(vec![json!(call)]);
        if call == 3 {
            let json = r#"[3,{"_placeholder":true,"num":0}]"#.to_owned();
            args = socketio_p2p_protocol::Args::from_text(json, vec![vec![7; 100].into()]).unwrap();
        }
        let (reply_by, expires, via) = (None, None, None);
        let event = "note".to_owned();
        let command = Command::Emit {
            call,
            pairing,
            event,
            args,
            options: EmitOptions { reply_by, expires, via },
        };
        world.nodes[0].client.handle(Input::Command(command), world.now);
    }

    world.carry_out(0);

    let [LinkMessage::Text(two), LinkMessage::Binary(one), LinkMessage::Text(last)] =
        &world.messages[..]
    else {
        panic!("{:?}", world.messages);
    };
    assert!(two.starts_with('[') && last.starts_with('{'));
    assert!(one.ends_with(&[7; 100]) && one.len() < 250);
}
