//! "Versions that differ": whatever text another version puts in the place of a code, a reason, a
//! state or a kind, later frames flow, each call is answered once, and no client reconnects for it.
//!
//! Three clients and a broker in memory, with virtual time. All that they say passes as JSON, and
//! each place of a text that this version knows is changed in turn.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use proptest::prelude::*;
use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Broker, BrokerConfig, Client, ClientConfig, ClientEvent, Code, ConnId, Dialect, Frame, Hello,
    ListPolicy, Outcome, PairingId, Refusal, ResumeToken, ServerMessage, broker,
    client::{Answer, Command, Input, Output},
    frame,
    session::CallId,
    wire::{self, Versions},
};

use crate::clients::{ScriptedClient, welcome};

const CALL_TIME: Duration = Duration::from_secs(10);

/// A place on the wire: the event, the key, and the text that this version puts there.
type Place = (String, &'static str, String);

/// The change of one place, or a record of all.
#[derive(Default)]
struct Skew {
    place: Option<Place>,
    text: String,
    seen: BTreeSet<Place>,
    changed: usize,
}

impl Skew {
    fn pass(&mut self, event: &str, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.pass(event, value)),
            Value::Object(fields) => {
                for key in ["code", "reason", "state", "t"] {
                    let Some(Value::String(text)) = fields.get_mut(key) else { continue };
                    let place = (event.to_owned(), key, text.clone());
                    if self.place.as_ref() == Some(&place) {
                        *text = self.text.clone();
                        self.changed += 1;
                    }
                    self.seen.insert(place);
                }
                // Arguments of emits are the application's.
                for (_, value) in fields.iter_mut().filter(|(key, _)| *key != "a") {
                    self.pass(event, value);
                }
            }
            _ => {}
        }
    }
}

struct Node {
    conn: Option<ConnId>,
    client: Client,
    last_call: CallId,
    answers: BTreeMap<CallId, Vec<Answer>>,
    events: Vec<ClientEvent>,
    reconnects: usize,
    closed: bool,
    /// Its answer to a registration.
    consents: bool,
}

struct World {
    broker: Broker,
    now: Instant,
    nodes: [Node; 3],
    last_conn: u64,
    routes: BTreeMap<ConnId, (PairingId, ConnId)>,
    to_server: VecDeque<(ConnId, String, Vec<Value>)>,
    to_nodes: VecDeque<(ConnId, String, Vec<Value>)>,
    skew: Skew,
    /// Batches that the server refuses, for want of room.
    congested: usize,
}

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

impl World {
    fn new(skew: Skew) -> Self {
        let now = Instant::now();
        let node = || Node {
            conn: None,
            client: Client::new(ClientConfig::default(), now),
            last_call: 0,
            answers: BTreeMap::new(),
            events: Vec::new(),
            reconnects: 0,
            closed: false,
            consents: true,
        };
        let mut config = BrokerConfig::new(7);
        config.list = ListPolicy::All;
        let mut world = Self {
            broker: Broker::new(config),
            now,
            nodes: [node(), node(), node()],
            last_conn: 0,
            routes: BTreeMap::new(),
            to_server: VecDeque::new(),
            to_nodes: VecDeque::new(),
            skew,
            congested: 0,
        };
        for at in [A, B, C] {
            world.connect(at, None);
        }
        world.pass_time(Duration::ZERO);
        world
    }

    fn connect(&mut self, at: usize, resume: Option<ResumeToken>) {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let name = ["a", "b", "c"][at].parse().unwrap();
        let hello = Hello::new(name, Dialect::V2, ResumeToken::new([conn.0 as u8; 16]));
        self.broker.admit(conn, hello.resume(resume), self.now).unwrap();
        self.nodes[at].conn = Some(conn);
        self.broker(broker::Input::Connected(conn));
    }

    fn lose(&mut self, at: usize) {
        let conn = self.nodes[at].conn.take().unwrap();
        self.broker(broker::Input::Disconnected(conn));
        self.feed(at, Input::Lost);
    }

    fn broker(&mut self, input: broker::Input) {
        self.broker.handle(input, self.now);
        while let Some(output) = self.broker.poll_output() {
            match output {
                broker::Output::Send(conn, message) => self.send(conn, &message),
                broker::Output::Route(conn, partner) => {
                    self.routes.insert(conn, (partner.pairing, partner.conn));
                }
                broker::Output::Unroute(conn, _) => {
                    self.routes.remove(&conn);
                }
                broker::Output::Grant { pairing, .. } => {
                    self.broker.handle(broker::Input::Granted(pairing, Ok(())), self.now);
                }
                broker::Output::Close(_) | broker::Output::Event(_) => {}
            }
        }
    }

    fn send(&mut self, conn: ConnId, message: &ServerMessage) {
        let (event, args) = message.to_event().unwrap();
        self.to_nodes.push_back((conn, event.to_owned(), args));
    }

    fn feed(&mut self, at: usize, input: Input) {
        self.nodes[at].client.handle(input, self.now);
        self.carry_out(at);
    }

    /// Carries out everything that can happen now, until nothing can.
    fn run(&mut self) {
        loop {
            if let Some((conn, event, args)) = self.to_server.pop_front() {
                self.serve(conn, &event, args);
            } else if let Some((conn, event, args)) = self.to_nodes.pop_front() {
                if let Some(at) = self.nodes.iter().position(|node| node.conn == Some(conn)) {
                    self.hear(at, &event, args);
                }
            } else {
                return;
            }
        }
    }

    fn serve(&mut self, conn: ConnId, event: &str, mut args: Vec<Value>) {
        args.iter_mut().for_each(|arg| self.skew.pass(event, arg));
        if event == wire::FRAME {
            let pairing = args[0].as_str().unwrap().parse().unwrap();
            let to = self.routes.get(&conn).filter(|(id, _)| *id == pairing).map(|(_, to)| *to);
            let refused = match to {
                None => Some(Code::StalePairing),
                Some(_) if self.congested > 0 => {
                    self.congested -= 1;
                    Some(Code::Congested)
                }
                Some(to) if self.nodes.iter().all(|node| node.conn != Some(to)) => {
                    Some(Code::Offline)
                }
                Some(to) => {
                    self.to_nodes.push_back((to, event.to_owned(), args));
                    None
                }
            };
            if let Some(code) = refused {
                let pairing = Some(pairing);
                self.send(conn, &ServerMessage::Error { refusal: code.into(), req: None, pairing });
            }
            return;
        }
        let message = wire::client_message(event, args).unwrap();
        self.broker(broker::Input::Received(conn, message));
    }

    fn hear(&mut self, at: usize, event: &str, mut args: Vec<Value>) {
        if event != wire::FRAME {
            args.iter_mut().for_each(|arg| self.skew.pass(event, arg));
        }
        // A later version says more than this one knows, at any time.
        self.read(at, "P2P_NOVEL", vec![json!({ "req": 1 })]);
        self.read(at, event, args);
    }

    fn read(&mut self, at: usize, event: &str, mut args: Vec<Value>) {
        let input = if event == wire::FRAME {
            let pairing = args[0].as_str().unwrap().parse().unwrap();
            Input::Frames(pairing, frame::batch_from_value(args.remove(1)).unwrap())
        } else {
            match wire::server_message(event, args) {
                Ok(message) => Input::Received(message),
                Err(error) => Input::Garbled(error),
            }
        };
        self.feed(at, input);
    }

    fn carry_out(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].client.poll_output() {
            let node = &mut self.nodes[at];
            match output {
                Output::Send(message) => {
                    let (event, args) = message.to_event().unwrap();
                    if let Some(conn) = node.conn {
                        self.to_server.push_back((conn, event.to_owned(), args));
                    }
                }
                Output::SendFrames(pairing, frames) => {
                    let frames: Vec<_> = frames.iter().map(Frame::to_value).collect();
                    let args = vec![json!(pairing), json!(frames)];
                    if let Some(conn) = node.conn {
                        self.to_server.push_back((conn, wire::FRAME.to_owned(), args));
                    }
                }
                Output::Answered(call, answer) => {
                    node.answers.entry(call).or_default().push(answer);
                }
                Output::Ask { question, .. } => {
                    let verdict = if node.consents { Ok(()) } else { Err(None) };
                    node.client.handle(Input::Answer(question, verdict), self.now);
                }
                Output::Deliver(pairing, _, delivery) => {
                    let result = match &*delivery.event {
                        "fails" => Err(Refusal::from(Code::HandlerFailed)),
                        _ => Ok(delivery.args),
                    };
                    let input = Input::Finished(pairing, delivery.seq, result);
                    node.client.handle(input, self.now);
                }
                Output::Event(event) => node.events.push(event),
                Output::Complain(_) => {}
                Output::Reconnect { resume } => {
                    node.reconnects += 1;
                    assert!(node.reconnects < 10, "a reconnect loop");
                    if let Some(conn) = node.conn.take() {
                        self.broker(broker::Input::Disconnected(conn));
                    }
                    self.nodes[at].client.handle(Input::Opened, self.now);
                    self.connect(at, resume);
                }
                Output::Close => {
                    node.closed = true;
                    if let Some(conn) = node.conn.take() {
                        self.broker(broker::Input::Disconnected(conn));
                    }
                }
                Output::Signal(..) | Output::Link(..) => unreachable!("no direct path here"),
            }
        }
    }

    fn pass_time(&mut self, time: Duration) {
        self.run();
        let until = self.now + time;
        loop {
            let nodes = self.nodes.iter().map(|node| node.client.poll_timeout());
            let due = nodes.chain([self.broker.poll_timeout()]).flatten().min();
            let Some(due) = due.filter(|due| *due <= until) else { break };
            self.now = self.now.max(due);
            self.broker(broker::Input::Timeout);
            for at in [A, B, C] {
                self.feed(at, Input::Timeout);
            }
            self.run();
        }
        self.now = until;
    }

    fn command(&mut self, at: usize, command: impl FnOnce(CallId, Instant) -> Command) -> CallId {
        let node = &mut self.nodes[at];
        node.last_call += 1;
        let call = node.last_call;
        node.answers.insert(call, Vec::new());
        self.feed(at, Input::Command(command(call, self.now + CALL_TIME)));
        call
    }

    fn register(&mut self, at: usize, target: &str) -> CallId {
        let target = target.parse().unwrap();
        self.command(at, |call, deadline| Command::Register {
            call,
            target,
            payload: None,
            deadline,
        })
    }

    fn unregister(&mut self, at: usize) -> CallId {
        self.command(at, |call, deadline| Command::Unregister { call, deadline })
    }

    fn call(&mut self, at: usize, event: &str, bytes: usize) -> CallId {
        let pairing = self.nodes[at].client.pairing().map_or(PairingId::new(0, 0), |p| p.id);
        self.command(at, |call, deadline| Command::Emit {
            call,
            pairing,
            event: event.to_owned(),
            args: vec![json!("x".repeat(bytes))].into(),
            reply_by: Some(deadline),
            expires: None,
            via: None,
        })
    }

    fn answer(&self, at: usize, call: CallId) -> &Answer {
        match &self.nodes[at].answers[&call][..] {
            [answer] => answer,
            answers => panic!("{} answers to a call", answers.len()),
        }
    }
}

/// A history in which everything is said that has a code, a reason, a state or a kind.
fn history(world: &mut World) {
    let second = Duration::from_secs(1);
    world.command(A, |call, deadline| Command::List { call, deadline });
    world.nodes[C].consents = false;
    world.register(A, "c");
    world.pass_time(second);
    world.register(A, "b");
    world.pass_time(second);
    world.register(C, "a");
    for event in ["echo", "fails", "echo"] {
        world.call(A, event, 10);
        world.call(B, event, 10);
    }
    let given_up = world.call(A, "echo", 600_000);
    world.feed(A, Input::Command(Command::Cancel(given_up)));
    world.nodes[A].answers.remove(&given_up);
    world.call(B, "echo", 100_000);
    world.pass_time(CALL_TIME + second);

    // Frames are refused, and a signal.
    world.congested = 1;
    world.call(A, "echo", 10);
    world.pass_time(second);
    if let Some(conn) = world.nodes[A].conn {
        let refusal = Code::RateLimited.into();
        world.send(conn, &ServerMessage::SignalRefused { refusal, pairing: None });
        world.send(conn, &ServerMessage::Withdrawn { req: Some(77), code: Code::Timeout });
    }
    world.pass_time(second);

    // One end comes back; then it comes back after the end of the pairing.
    world.lose(B);
    world.call(A, "echo", 10);
    world.call(B, "echo", 10);
    world.pass_time(CALL_TIME + second);
    world.broker(broker::Input::Disconnected(world.nodes[A].conn.unwrap()));
    world.nodes[A].conn = None;
    world.unregister(B);
    world.pass_time(second);
    world.feed(A, Input::Lost);
    world.pass_time(second);
    world.unregister(B);
    world.pass_time(second);
}

/// Two clients that are paired anew talk in both directions, as if nothing had been.
fn assert_all_is_well(world: &mut World, of: &str) {
    world.pass_time(2 * CALL_TIME);
    for node in &world.nodes {
        assert!(!node.closed, "{of}");
        for (call, answers) in &node.answers {
            assert_eq!(answers.len(), 1, "{of}: call {call}");
        }
    }
    let reconnects = world.nodes.each_ref().map(|node| node.reconnects);
    assert_eq!(reconnects, [1, 1, 0], "{of}: one for each connection that was lost");
    for at in [A, B] {
        world.unregister(at);
    }
    world.pass_time(CALL_TIME);
    let registered = world.register(A, "b");
    world.pass_time(CALL_TIME);
    assert!(matches!(world.answer(A, registered), Answer::Registered(_)), "{of}");
    let calls: Vec<_> = (0..300).map(|n| (n % 2, world.call(n % 2, "echo", 10))).collect();
    world.pass_time(CALL_TIME);
    for (at, call) in calls {
        let answer = world.answer(at, call);
        assert!(matches!(answer, Answer::Outcome(Outcome::Replied(..))), "{of}: {answer:?}");
    }
}

/// The places of the history, as this version fills them.
fn places() -> BTreeSet<Place> {
    let mut world = World::new(Skew::default());
    history(&mut world);
    assert_all_is_well(&mut world, "nothing is changed");
    world.skew.seen
}

#[test]
fn the_history_has_every_message_with_a_text_and_every_kind_of_frame() {
    let places = places();

    let has =
        |event: &str, key, text: &str| places.contains(&(event.to_owned(), key, text.to_owned()));
    for kind in ["emit", "reply", "part", "drop", "ack"] {
        assert!(has(wire::FRAME, "t", kind), "{kind}");
    }
    assert!(has(wire::FRAME, "code", "handler-failed"));
    assert!(has(wire::WELCOME, "reason", "unregistered"));
    assert!(has(wire::DISCONNECT, "reason", "unregistered"));
    assert!(has(wire::PARTNER, "state", "away") && has(wire::PARTNER, "state", "back"));
    assert!(has(wire::CLIENTS, "state", "free"));
    for code in ["declined", "target-busy"] {
        assert!(has(wire::REGISTER_FAILED, "code", code), "{code}");
    }
    for code in ["congested", "rate-limited", "timeout", "not-paired"] {
        assert!(has(wire::ERROR, "code", code), "{code}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn no_unknown_text_blocks_a_session_or_begins_a_reconnect_loop(text in "novel-.{0,40}") {
        for place in places() {
            let of = format!("{place:?} as {text:?}");
            let skew = Skew { place: Some(place), text: text.clone(), ..Skew::default() };
            let mut world = World::new(skew);

            history(&mut world);
            assert!(world.skew.changed > 0, "{of}");
            world.skew.place = None;

            assert_all_is_well(&mut world, &of);
        }
    }
}

#[test]
fn a_client_whose_server_speaks_another_version_is_refused_and_does_not_reconnect() {
    let newer = vec![json!({ "protocol": 3, "client": { "id": "a" } })];
    let newer = Input::Garbled(wire::server_message(wire::WELCOME, newer).unwrap_err());
    let mut older = welcome();
    older.protocol = 1;
    let older = Input::Received(ServerMessage::Welcome(older));

    for input in [newer, older] {
        // On its first connection, and when it comes back.
        for is_first in [true, false] {
            let mut client = ScriptedClient::with_config(ClientConfig::default());
            if !is_first {
                client.hear(ServerMessage::Welcome(welcome()));
                client.handle(Input::Lost);
                client.handle(Input::Opened);
                client.outputs();
            }

            client.handle(input.clone());

            let refusal = ClientEvent::Refused(Code::UnsupportedProtocol.into());
            let expected =
                [Output::Event(refusal), Output::Event(ClientEvent::Disconnected), Output::Close];
            assert_eq!(client.outputs(), expected, "first: {is_first}");
            client.pass(Duration::from_secs(100));
            assert_eq!(client.outputs(), []);
        }
    }
}

#[test]
fn a_connection_that_is_refused_for_its_version_is_not_tried_again() {
    for code in [Code::UnsupportedProtocol, Code::from("novel")] {
        let mut client = ScriptedClient::with_config(ClientConfig::default());
        client.hear(ServerMessage::Welcome(welcome()));
        client.handle(Input::Lost);
        client.outputs();

        client.handle(Input::Rejected(code));

        let outputs = client.outputs();
        assert!(outputs.contains(&Output::Close), "{code}");
        assert!(!outputs.iter().any(|output| matches!(output, Output::Reconnect { .. })), "{code}");
    }
}

#[test]
fn this_version_speaks_its_own() {
    assert!(Versions::OURS.contains(wire::PROTOCOL.into()));
    assert_eq!(Versions::OURS.common(Versions::OURS), Some(wire::PROTOCOL.into()));
}
