//! Three clients and a broker in memory, with virtual time. All messages pass as JSON, where one
//! text can be replaced by that of another version.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Broker, BrokerConfig, Client, ClientConfig, ClientEvent, Code, ConnId, Dialect, Frame, Hello,
    ListPolicy, PairingId, Refusal, ResumeToken, ServerMessage, broker,
    client::{Answer, Command, Input, Output},
    frame,
    session::{CallId, EmitOptions},
    wire,
};

pub(crate) const CALL_TIME: Duration = Duration::from_secs(10);

/// A place on the wire: the event, the key, and the text that this version puts there.
pub(crate) type Place = (String, &'static str, String);

/// The change of one place, and a record of all.
#[derive(Default)]
pub(crate) struct Skew {
    pub(crate) place: Option<Place>,
    pub(crate) text: String,
    pub(crate) seen: BTreeSet<Place>,
    pub(crate) changed: usize,
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

pub(crate) struct Node {
    pub(crate) conn: Option<ConnId>,
    pub(crate) client: Client,
    last_call: CallId,
    pub(crate) answers: BTreeMap<CallId, Vec<Answer>>,
    events: Vec<ClientEvent>,
    pub(crate) reconnects: usize,
    pub(crate) losses: usize,
    pub(crate) closed: bool,
    /// True if the node consents to registrations.
    pub(crate) consents: bool,
}

pub(crate) struct World {
    broker: Broker,
    now: Instant,
    pub(crate) nodes: [Node; 3],
    last_conn: u64,
    routes: BTreeMap<ConnId, (PairingId, ConnId)>,
    to_server: VecDeque<(ConnId, String, Vec<Value>)>,
    to_nodes: VecDeque<(ConnId, String, Vec<Value>)>,
    pub(crate) skew: Skew,
    /// Number of batches that the server refuses next, for congestion.
    pub(crate) congested: usize,
}

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const C: usize = 2;

impl World {
    pub(crate) fn new(skew: Skew) -> Self {
        let now = Instant::now();
        let node = || Node {
            conn: None,
            client: Client::new(ClientConfig::default(), now),
            last_call: 0,
            answers: BTreeMap::new(),
            events: Vec::new(),
            reconnects: 0,
            losses: 0,
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

    /// Ends a connection. The server notices it, the client does not yet.
    pub(crate) fn cut(&mut self, at: usize) {
        self.nodes[at].losses += 1;
        let conn = self.nodes[at].conn.take().unwrap();
        self.broker(broker::Input::Disconnected(conn));
    }

    /// The client notices that its connection ended.
    pub(crate) fn notice(&mut self, at: usize) {
        self.feed(at, Input::Lost);
    }

    pub(crate) fn broker(&mut self, input: broker::Input) {
        self.broker.handle(input, self.now);
        while let Some(output) = self.broker.poll_output() {
            match output {
                broker::Output::Send(conn, message) => self.send(conn, &message),
                broker::Output::List(conn, req, list) => self.send(conn, &list.message(req)),
                broker::Output::Route(conn, partner) => {
                    self.routes.insert(conn, (partner.pairing, partner.conn));
                }
                broker::Output::Unroute(conn, _) => {
                    self.routes.remove(&conn);
                }
                broker::Output::Grant { pairing, .. } => {
                    self.broker.handle(broker::Input::Granted(pairing, Ok(())), self.now);
                }
                broker::Output::Close(_) | broker::Output::HangUp(_) | broker::Output::Event(_) => {
                }
                broker::Output::Complain(broken) => panic!("{broken}"),
            }
        }
    }

    pub(crate) fn send(&mut self, conn: ConnId, message: &ServerMessage) {
        let (event, args) = message.to_event().unwrap();
        self.to_nodes.push_back((conn, event.to_owned(), args));
    }

    pub(crate) fn feed(&mut self, at: usize, input: Input) {
        self.nodes[at].client.handle(input, self.now);
        self.carry_out(at);
    }

    /// Delivers all messages that are under way.
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
        // A later version may send an unknown event at any time.
        self.read(at, "P2P_NOVEL", vec![json!({ "req": 1 })]);
        self.read(at, event, args);
    }

    fn read(&mut self, at: usize, event: &str, mut args: Vec<Value>) {
        let input = if event == wire::FRAME {
            let pairing = args[0].as_str().unwrap().parse().unwrap();
            Input::Frames(pairing, frame::batch_from_value(args.remove(1)).unwrap().frames)
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

    pub(crate) fn pass_time(&mut self, time: Duration) {
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

    pub(crate) fn command(
        &mut self,
        at: usize,
        command: impl FnOnce(CallId, Instant) -> Command,
    ) -> CallId {
        let node = &mut self.nodes[at];
        node.last_call += 1;
        let call = node.last_call;
        node.answers.insert(call, Vec::new());
        self.feed(at, Input::Command(command(call, self.now + CALL_TIME)));
        call
    }

    pub(crate) fn register(&mut self, at: usize, target: &str) -> CallId {
        let target = target.parse().unwrap();
        self.command(at, |call, deadline| Command::Register {
            call,
            target,
            payload: None,
            deadline,
        })
    }

    pub(crate) fn unregister(&mut self, at: usize) -> CallId {
        self.command(at, |call, deadline| Command::Unregister { call, deadline })
    }

    pub(crate) fn call(&mut self, at: usize, event: &str, bytes: usize) -> CallId {
        let pairing = self.nodes[at].client.pairing().map_or(PairingId::new(0, 0), |p| p.id);
        self.command(at, |call, deadline| Command::Emit {
            call,
            pairing,
            event: event.to_owned(),
            args: vec![json!("x".repeat(bytes))].into(),
            options: EmitOptions { reply_by: Some(deadline), ..EmitOptions::default() },
        })
    }

    pub(crate) fn answer(&self, at: usize, call: CallId) -> &Answer {
        match &self.nodes[at].answers[&call][..] {
            [answer] => answer,
            answers => panic!("{} answers to a call", answers.len()),
        }
    }
}
