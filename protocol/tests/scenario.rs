//! A broker among named clients, for tests that read like the specification.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, BrokerEvent, ClientId, ClientMessage, Code, ConnId, Dialect, EndReason,
    Hello, ListPolicy, PairingId, Partner, ReqId, ResumeToken, ServerMessage,
    broker::{Input, Output},
    wire::PROTOCOL,
};

pub(crate) const NODE: u64 = 0xabc;

pub(crate) fn name(text: &str) -> ClientId {
    text.parse().unwrap()
}

/// The token that the n-th connection is given.
pub(crate) fn token(conn: u64) -> ResumeToken {
    let mut bytes = [0xaa; 16];
    bytes[..8].copy_from_slice(&conn.to_be_bytes());
    ResumeToken::new(bytes)
}

pub(crate) fn pairing(serial: u64) -> PairingId {
    PairingId::new(NODE, serial)
}

/// A broker whose outputs are carried out at once: messages are kept for the clients that
/// they are for, routes are noted, and grants are given unless [`Scenario::hold_grants`].
pub(crate) struct Scenario {
    pub(crate) broker: Broker,
    pub(crate) now: Instant,
    hold_grants: bool,
    /// Set if clients allow a direct path from now on.
    pub(crate) direct: bool,
    /// The version that the next v2 client speaks.
    pub(crate) protocol: u8,
    conns: BTreeMap<String, ConnId>,
    last_conn: u64,
    last_req: ReqId,
    mail: BTreeMap<ConnId, Vec<ServerMessage>>,
    /// The numbers under which targets were asked, by target and source.
    asked: BTreeMap<(String, String), ReqId>,
    pub(crate) grants: Vec<PairingId>,
    pub(crate) routes: BTreeMap<ConnId, Partner>,
    pub(crate) room_routes: BTreeMap<(ConnId, PairingId), Partner>,
    pub(crate) unrouted: Vec<(ConnId, EndReason)>,
    pub(crate) closed: Vec<ConnId>,
    pub(crate) hung_up: Vec<ConnId>,
    pub(crate) events: Vec<BrokerEvent>,
}

impl Scenario {
    /// A pairing does not outlive a connection here; see [`Self::with_grace`].
    pub(crate) fn new(list: ListPolicy) -> Self {
        let mut config = BrokerConfig::new(NODE);
        config.list = list;
        config.grace = Duration::ZERO;
        Self::with_config(config)
    }

    pub(crate) fn with_config(config: BrokerConfig) -> Self {
        Self {
            broker: Broker::new(config),
            now: Instant::now(),
            hold_grants: false,
            direct: false,
            protocol: PROTOCOL,
            conns: BTreeMap::new(),
            last_conn: 0,
            last_req: 100,
            mail: BTreeMap::new(),
            asked: BTreeMap::new(),
            grants: Vec::new(),
            routes: BTreeMap::new(),
            room_routes: BTreeMap::new(),
            unrouted: Vec::new(),
            closed: Vec::new(),
            hung_up: Vec::new(),
            events: Vec::new(),
        }
    }

    /// V2 clients that have been welcomed.
    pub(crate) fn with_clients<const N: usize>(names: [&str; N]) -> Self {
        let mut scenario = Self::new(ListPolicy::default());
        for name in names {
            scenario.connect(name, Dialect::V2);
        }
        scenario
    }

    pub(crate) fn with_v1_clients<const N: usize>(names: [&str; N]) -> Self {
        let mut scenario = Self::new(ListPolicy::default());
        for name in names {
            scenario.connect(name, Dialect::V1);
        }
        scenario
    }

    /// From here on grants are answered by the test.
    pub(crate) fn holding_grants(mut self) -> Self {
        self.hold_grants = true;
        self
    }

    pub(crate) fn admit(&mut self, client: &str, dialect: Dialect) -> Result<ConnId, Code> {
        self.admit_with(client, dialect, None)
    }

    /// A connection that shows the token of an earlier one.
    pub(crate) fn admit_with(
        &mut self,
        client: &str,
        dialect: Dialect,
        resume: Option<ResumeToken>,
    ) -> Result<ConnId, Code> {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let hello = Hello::new(name(client), dialect, token(conn.0));
        let hello = hello.protocol(self.protocol).direct(self.direct).resume(resume);
        self.broker.admit(conn, hello, self.now)?;
        self.conns.insert(client.to_owned(), conn);
        self.carry_out();
        Ok(conn)
    }

    /// The token that a client was told last.
    pub(crate) fn token_of(&self, client: &str) -> ResumeToken {
        token(self.conn(client).0)
    }

    /// Admits and connects; what the broker says on that occasion is not kept.
    pub(crate) fn connect(&mut self, client: &str, dialect: Dialect) -> ConnId {
        let conn = self.admit(client, dialect).unwrap();
        self.handle(Input::Connected(conn));
        self.told(client);
        conn
    }

    pub(crate) fn conn(&self, client: &str) -> ConnId {
        self.conns[client]
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.broker.handle(input, self.now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Send(conn, message) => {
                    if let ServerMessage::Register { req, source, .. } = &message {
                        let target = self.conns.iter().find(|(_, other)| **other == conn);
                        let key = (target.unwrap().0.clone(), source.to_string());
                        self.asked.insert(key, *req);
                    }
                    self.mail.entry(conn).or_default().push(message);
                }
                Output::List(conn, req, listing) => {
                    self.mail.entry(conn).or_default().push(listing.message(req));
                }
                Output::Route(conn, partner) => {
                    // Anew only when an end is back on another connection.
                    if let Some(before) = self.routes.insert(conn, partner.clone()) {
                        assert_eq!(before.pairing, partner.pairing);
                        assert_ne!(before.conn, partner.conn);
                    }
                }
                Output::Unroute(conn, reason) => {
                    self.routes.remove(&conn);
                    self.unrouted.push((conn, reason));
                }
                Output::RouteInRoom(conn, partner) => {
                    self.room_routes.insert((conn, partner.pairing), partner);
                }
                Output::UnrouteInRoom(conn, pairing) => {
                    assert!(self.room_routes.remove(&(conn, pairing)).is_some());
                }
                Output::Grant { pairing, .. } if self.hold_grants => self.grants.push(pairing),
                Output::Grant { pairing, .. } => {
                    self.broker.handle(Input::Granted(pairing, Ok(())), self.now);
                }
                Output::Close(conn) => {
                    self.routes.remove(&conn);
                    self.closed.push(conn);
                }
                Output::HangUp(conn) => {
                    self.routes.remove(&conn);
                    self.hung_up.push(conn);
                }
                Output::Event(event) => self.events.push(event),
                Output::Complain(broken) => panic!("{broken}"),
            }
        }
    }

    pub(crate) fn say(&mut self, client: &str, message: ClientMessage) {
        self.handle(Input::Received(self.conn(client), message));
    }

    pub(crate) fn register(&mut self, source: &str, target: &str) -> ReqId {
        self.last_req += 1;
        let req = self.last_req;
        let message = ClientMessage::Register {
            req: Some(req),
            target: name(target),
            payload: None,
            consent_time: None,
            wait: None,
        };
        self.say(source, message);
        req
    }

    /// The number under which `target` was asked by `source`.
    pub(crate) fn asked(&self, target: &str, source: &str) -> Option<ReqId> {
        let key = (target.to_owned(), source.to_owned());
        self.asked.get(&key).copied()
    }

    pub(crate) fn accept(&mut self, target: &str, source: &str) {
        let req = self.asked(target, source);
        self.say(target, ClientMessage::Accept { req });
    }

    pub(crate) fn decline(&mut self, target: &str, source: &str) {
        let req = self.asked(target, source);
        self.say(target, ClientMessage::Decline { req, reason: None });
    }

    /// Yes, as a v1 client says it by event: not to whom.
    pub(crate) fn accept_by_event(&mut self, target: &str) {
        self.say(target, ClientMessage::Accept { req: None });
    }

    pub(crate) fn decline_by_event(&mut self, target: &str) {
        let reason = None;
        self.say(target, ClientMessage::Decline { req: None, reason });
    }

    pub(crate) fn pair(&mut self, source: &str, target: &str) -> PairingId {
        self.register(source, target);
        self.accept(target, source);
        self.told(source);
        self.told(target);
        self.pairing_of(source).unwrap()
    }

    pub(crate) fn unregister(&mut self, client: &str) -> ReqId {
        self.last_req += 1;
        let req = Some(self.last_req);
        self.say(client, ClientMessage::Unregister { req });
        self.last_req
    }

    pub(crate) fn disconnect(&mut self, client: &str) {
        self.routes.remove(&self.conn(client));
        self.handle(Input::Disconnected(self.conn(client)));
    }

    /// Lets time pass, with a [`Input::Timeout`] whenever one is due.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.broker.poll_timeout()
            && due <= until
        {
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    /// Takes the messages to a client since the last call.
    pub(crate) fn told(&mut self, client: &str) -> Vec<ServerMessage> {
        let conn = self.conn(client);
        self.mail.remove(&conn).unwrap_or_default()
    }

    /// The codes of the refusals that a client has been told since, and the numbers they answer.
    pub(crate) fn refusals_to(&mut self, client: &str) -> Vec<(Option<ReqId>, Code)> {
        let told = self.told(client).into_iter();
        told.filter_map(|message| match message {
            ServerMessage::RegisterFailed { req, refusal, .. } => Some((req, refusal.code)),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn refusal_to(&mut self, client: &str) -> Option<Code> {
        self.refusals_to(client).last().map(|(_, code)| *code)
    }

    /// Takes the reasons for which the pairings of a client ended, as it was told since the last call.
    pub(crate) fn ends_told_to(&mut self, client: &str) -> Vec<EndReason> {
        let told = self.told(client).into_iter();
        told.filter_map(|message| match message {
            ServerMessage::Disconnect { reason, .. } => Some(reason),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn target_of(&self, client: &str) -> Option<&str> {
        let (_, partner) = self.broker.pairing_of(&name(client))?;
        Some(partner.as_str())
    }

    pub(crate) fn pairing_of(&self, client: &str) -> Option<PairingId> {
        self.broker.pairing_of(&name(client)).map(|(id, _)| id)
    }
}
