//! Two clients and a broker, connected in memory, with virtual time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Broker, BrokerConfig, Client, ClientConfig, ClientEvent, ClientMessage, ConnId, Dialect,
    EndReason, Frame, Hello, Outcome, PairingId, ResumeToken, ServerMessage, broker,
    client::{Answer, Command, Input, Output},
    session::{CallId, EmitOptions},
    wire,
};

/// A client whose handler answers `x` with `[x, its name]`, after a nested call if `x` is a number
/// of levels above 0.
struct Node {
    name: &'static str,
    conn: ConnId,
    client: Client,
    answers: Vec<(CallId, Answer)>,
    events: Vec<ClientEvent>,
    delivered: Vec<Value>,
    /// Handlers that wait for a nested call, by the number of that call.
    nested: Vec<(CallId, PairingId, u64, Value)>,
    last_call: CallId,
    /// Emits that wait for room.
    waiting: VecDeque<Command>,
}

struct World {
    broker: Broker,
    now: Instant,
    nodes: [Node; 2],
    routes: Vec<(ConnId, PairingId, ConnId)>,
    to_server: VecDeque<(ConnId, String, Value)>,
    /// Texts on their way to a node, as they stand on the wire.
    to_nodes: [VecDeque<(String, Value)>; 2],
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let node = |name, conn| Node {
            name,
            conn: ConnId(conn),
            client: Client::new(ClientConfig::default(), now),
            answers: Vec::new(),
            events: Vec::new(),
            delivered: Vec::new(),
            nested: Vec::new(),
            last_call: 1_000_000,
            waiting: VecDeque::new(),
        };
        let mut world = Self {
            broker: Broker::new(BrokerConfig::new(7)),
            now,
            nodes: [node("a", 0), node("b", 1)],
            routes: Vec::new(),
            to_server: VecDeque::new(),
            to_nodes: Default::default(),
        };
        for (name, conn) in [("a", ConnId(0)), ("b", ConnId(1))] {
            let token = ResumeToken::new([conn.0 as u8; 16]);
            let hello = Hello::new(name.parse().unwrap(), Dialect::V2, token);
            world.broker.admit(conn, hello, now).unwrap();
            world.tell_broker(broker::Input::Connected(conn));
        }
        world.run();
        world
    }

    fn paired() -> Self {
        let mut world = Self::new();
        world.command(0, |deadline| Command::Register {
            call: 1,
            target: "b".parse().unwrap(),
            payload: None,
            deadline,
        });
        world.run();
        assert!(matches!(world.nodes[0].answers[..], [(1, Answer::Registered(_))]));
        world.nodes[0].answers.clear();
        world
    }

    fn command(&mut self, at: usize, command: impl FnOnce(Instant) -> Command) {
        let deadline = self.now + Duration::from_secs(10);
        let command = command(deadline);
        self.nodes[at].client.handle(Input::Command(command), self.now);
    }

    fn call(&mut self, at: usize, call: CallId, value: Value) {
        let reply_by = Some(self.now + Duration::from_secs(10));
        let pairing = self.nodes[at].client.pairing().map_or(PairingId::new(0, 0), |p| p.id);
        self.nodes[at].waiting.push_back(Command::Emit {
            call,
            pairing,
            event: "echo".to_owned(),
            args: vec![value].into(),
            options: EmitOptions { reply_by, expires: None, via: None },
        });
    }

    fn tell_broker(&mut self, input: broker::Input) {
        self.broker.handle(input, self.now);
        while let Some(output) = self.broker.poll_output() {
            match output {
                broker::Output::Send(conn, message) => {
                    let (event, args) = message.to_event().expect("a v2 client understands it");
                    self.to_nodes[conn.0 as usize].push_back((event.to_owned(), json!(args)));
                }
                broker::Output::Route(conn, partner) => {
                    self.routes.push((conn, partner.pairing, partner.conn));
                }
                broker::Output::Unroute(conn, _) => self.routes.retain(|(c, ..)| *c != conn),
                broker::Output::Grant { pairing, .. } => {
                    let granted = broker::Input::Granted(pairing, Ok(()));
                    self.broker.handle(granted, self.now);
                }
                broker::Output::Close(_) | broker::Output::HangUp(_) | broker::Output::Event(_) => {
                }
                broker::Output::Complain(broken) => panic!("{broken}"),
                broker::Output::List(..) => unreachable!("no client asks for the list"),
            }
        }
    }

    /// Carries out everything that can happen now, until nothing can.
    fn run(&mut self) {
        loop {
            let mut busy = false;
            while let Some((conn, event, args)) = self.to_server.pop_front() {
                busy = true;
                self.serve(conn, &event, args);
            }
            for at in 0..2 {
                busy |= self.run_node(at);
            }
            if !busy {
                return;
            }
        }
    }

    fn serve(&mut self, conn: ConnId, event: &str, args: Value) {
        if event == wire::FRAME {
            let pairing: PairingId = args[0].as_str().unwrap().parse().unwrap();
            let route = self.routes.iter().find(|(from, id, _)| *from == conn && *id == pairing);
            if let Some((_, _, to)) = route {
                self.to_nodes[to.0 as usize].push_back((event.to_owned(), args));
            }
            return;
        }
        let Value::Array(args) = args else { panic!("arguments are an array") };
        let message = wire::client_message(event, args).unwrap();
        self.tell_broker(broker::Input::Received(conn, message));
    }

    fn run_node(&mut self, at: usize) -> bool {
        let mut busy = false;
        let now = self.now;
        while let Some((event, args)) = self.to_nodes[at].pop_front() {
            busy = true;
            let input = if event == wire::FRAME {
                let pairing = args[0].as_str().unwrap().parse().unwrap();
                let frames = socketio_p2p_protocol::frame::batch_from_text(&args[1].to_string());
                Input::Frames(pairing, frames.unwrap().frames)
            } else {
                let args = args.as_array().unwrap().clone();
                Input::Received(wire::server_message(&event, args).unwrap())
            };
            self.nodes[at].client.handle(input, now);
        }
        while self.nodes[at].client.takes_emits()
            && let Some(command) = self.nodes[at].waiting.pop_front()
        {
            busy = true;
            self.nodes[at].client.handle(Input::Command(command), now);
        }
        while let Some(output) = self.nodes[at].client.poll_output() {
            busy = true;
            self.carry_out(at, output);
        }
        busy
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        let node = &mut self.nodes[at];
        let conn = node.conn;
        match output {
            Output::Send(message) => {
                let (event, args) = ClientMessage::to_event(&message).unwrap();
                self.to_server.push_back((conn, event.to_owned(), json!(args)));
            }
            Output::SendFrames(pairing, frames) => {
                let frames: Vec<_> = frames.iter().map(Frame::to_value).collect();
                let args = json!([pairing, frames]);
                self.to_server.push_back((conn, wire::FRAME.to_owned(), args));
            }
            Output::Answered(call, answer) => {
                let nested = node.nested.iter().position(|(own, ..)| *own == call);
                let Some(nested) = nested else {
                    return node.answers.push((call, answer));
                };
                let (_, pairing, seq, value) = node.nested.swap_remove(nested);
                let Answer::Outcome(Outcome::Replied(inner, _)) = answer else {
                    panic!("the nested call failed: {answer:?}");
                };
                let inner: Vec<Value> = inner.parse().unwrap();
                self.finish(at, pairing, seq, json!([value, inner[0]]));
            }
            Output::Ask { question, .. } => {
                node.client.handle(Input::Answer(question, Ok(())), self.now);
            }
            Output::Deliver(pairing, _, delivery) => {
                let value = delivery.args.parse::<Vec<Value>>().unwrap().remove(0);
                node.delivered.push(value.clone());
                match value["levels"].as_u64() {
                    Some(levels @ 1..) => {
                        node.last_call += 1;
                        let call = node.last_call;
                        node.nested.push((call, pairing, delivery.seq, value));
                        self.call(at, call, json!({ "levels": levels - 1 }));
                    }
                    _ => {
                        let value = json!([value, node.name]);
                        self.finish(at, pairing, delivery.seq, value);
                    }
                }
            }
            Output::Event(event) => node.events.push(event),
            Output::Complain(complaint) => panic!("{} complains: {complaint:?}", node.name),
            Output::Close => {}
            Output::Signal(..) | Output::Link(..) => panic!("nobody allows a direct path here"),
            Output::Reconnect { .. } => panic!("no connection is lost here"),
        }
    }

    fn finish(&mut self, at: usize, pairing: PairingId, seq: u64, value: Value) {
        let input = Input::Finished(pairing, seq, Ok(vec![value].into()));
        self.nodes[at].client.handle(input, self.now);
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let due = [
                self.broker.poll_timeout(),
                self.nodes[0].client.poll_timeout(),
                self.nodes[1].client.poll_timeout(),
            ];
            let Some(due) = due.into_iter().flatten().min().filter(|due| *due <= until) else {
                break;
            };
            self.now = self.now.max(due);
            self.tell_broker(broker::Input::Timeout);
            for node in &mut self.nodes {
                node.client.handle(Input::Timeout, self.now);
            }
            self.run();
        }
        self.now = until;
    }
}

#[test]
fn two_thousand_calls_each_way_are_all_answered_right() {
    const CALLS: u64 = 2000;
    let mut world = World::paired();
    for call in 0..CALLS {
        world.call(0, call, json!({ "n": call }));
        world.call(1, call, json!({ "n": call }));
    }

    world.run();
    world.pass(Duration::from_secs(1));

    for (at, partner) in [(0, "b"), (1, "a")] {
        let node = &world.nodes[at];
        assert_eq!(node.answers.len() as u64, CALLS);
        for (call, answer) in &node.answers {
            let Answer::Outcome(Outcome::Replied(args, _)) = answer else {
                panic!("{call}: {answer:?}");
            };
            let value: Vec<Value> = args.parse().unwrap();
            assert_eq!(value, [json!([{ "n": call }, partner])]);
        }
        let order: Vec<_> = node.delivered.iter().map(|v| v["n"].as_u64().unwrap()).collect();
        assert!(order.is_sorted(), "as sent");
    }
}

#[test]
fn handlers_may_call_back_ten_deep() {
    let mut world = World::paired();
    for call in 0..20 {
        world.call(0, call, json!({ "levels": 10 }));
    }

    world.run();

    let node = &world.nodes[0];
    assert_eq!(node.answers.len(), 20);
    for (_, answer) in &node.answers {
        let Answer::Outcome(Outcome::Replied(args, _)) = answer else {
            panic!("{answer:?}");
        };
        let mut value = args.parse::<Vec<Value>>().unwrap().remove(0);
        for level in (0..=10).rev() {
            assert_eq!(value[0]["levels"], level);
            value = value[1].take();
        }
        assert_eq!(value, "b", "the innermost handler is the partner's");
    }
}

#[test]
fn idle_endpoints_stay_connected_by_their_heartbeats() {
    let mut world = World::paired();

    world.pass(Duration::from_secs(60));

    for node in &world.nodes {
        assert!(node.client.pairing().is_some());
        assert!(!node.events.contains(&ClientEvent::Disconnected));
    }
}

#[test]
fn an_unregister_frees_both_and_answers_what_was_under_way() {
    let mut world = World::paired();
    world.command(0, |deadline| Command::Unregister { call: 5, deadline });
    world.call(0, 6, json!("too late or not"));

    world.run();

    let node = &world.nodes[0];
    assert_eq!(node.answers.len(), 2, "{:?}", node.answers);
    for node in &world.nodes {
        let ends = node.events.iter().filter(|event| {
            matches!(event, ClientEvent::Unpaired { reason: EndReason::Unregistered, .. })
        });
        assert_eq!(ends.count(), 1);
        assert_eq!(node.client.pairing(), None);
    }
    assert!(world.routes.is_empty());
}

#[test]
fn a_server_message_survives_the_wire() {
    let pong = ServerMessage::Pong { req: 3 };
    let (event, args) = pong.to_event().unwrap();

    assert_eq!(wire::server_message(event, args), Ok(pong));
}
