//! A server in memory: carries out what the broker says, and finds every broken rule.
//!
//! It is not the simulator's server, which carries outputs on to clients, bridges and a network and knows only what these
//! can see: here each single output of the broker is compared with what a model of the specification foretells.

mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, BrokerEvent, BrokerStats, ClientId, ClientMessage, ConnId, Dialect,
    ListPolicy, PairingId, PairingInfo, Partner, Presence, ReqId, ResumeToken, ServerMessage,
    Welcome,
    broker::{Hello, Input, Output},
};

use super::{
    model::{Conn, Model, Shown},
    requests::Said,
};

type Pairings = BTreeMap<ClientId, (PairingId, ClientId)>;

pub(super) struct Host {
    broker: Broker,
    config: BrokerConfig,
    model: Model,
    pub(super) now: Instant,
    conns: BTreeMap<ConnId, Conn>,
    routes: BTreeMap<ConnId, Partner>,
    /// Asked for and not answered, as far as the host knows.
    pub(super) grants: Vec<PairingId>,
    /// Questions to clients, under the broker's numbers: to whom.
    asked: BTreeMap<ReqId, ConnId>,
    /// Requests of clients that were not answered.
    pending: BTreeSet<(ConnId, ReqId)>,
    /// Pairings that the application was told of, and whether they last.
    pairings: BTreeMap<PairingId, (ClientId, ClientId, bool)>,
    /// The messages of this step about requests and pairings.
    said: Vec<(ClientId, Said)>,
    /// The pairings before the present step.
    before: Pairings,
}

impl Host {
    pub(super) fn new(config: BrokerConfig) -> Self {
        Self {
            broker: Broker::new(config),
            config,
            model: Model::new(config),
            now: Instant::now(),
            conns: BTreeMap::new(),
            routes: BTreeMap::new(),
            grants: Vec::new(),
            asked: BTreeMap::new(),
            pending: BTreeSet::new(),
            pairings: BTreeMap::new(),
            said: Vec::new(),
            before: BTreeMap::new(),
        }
    }

    pub(super) fn dialect(&self, conn: ConnId) -> Option<Dialect> {
        Some(self.conns.get(&conn)?.dialect)
    }

    pub(super) fn last_ended(&self, conn: ConnId) -> Option<PairingId> {
        self.conns.get(&conn)?.ended
    }

    /// The numbers of what a client was asked on this connection.
    pub(super) fn asked_of(&self, conn: ConnId) -> Vec<ReqId> {
        let asked = self.asked.iter().filter(|(_, target)| **target == conn);
        asked.map(|(req, _)| *req).collect()
    }

    pub(super) fn admit(&mut self, conn: ConnId, client: ClientId, dialect: Dialect, shown: Shown) {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&conn.0.to_be_bytes());
        let token = ResumeToken::new(token);
        let shown = self.model.token(&client, shown);
        let foretold = self.model.admit(conn, &client, dialect, shown, token);
        let hello = Hello::new(client.clone(), dialect, token).resume(shown);

        let admitted = self.broker.admit(conn, hello, self.now);

        assert_eq!(admitted, foretold.map(drop));
        if let Ok(resumes) = foretold {
            let new = Conn {
                client,
                dialect,
                token,
                resumes,
                announced: false,
                welcomed: false,
                dismissed: false,
                partner: None,
                ended: None,
            };
            self.conns.insert(conn, new);
        }
        self.carry_out(None);
    }

    /// A client says something; its requests have to be answered.
    pub(super) fn say(&mut self, conn: ConnId, message: ClientMessage) {
        let (req, at_once) = match &message {
            ClientMessage::Register { req, .. } | ClientMessage::Unregister { req } => {
                (*req, false)
            }
            ClientMessage::List { req } => (*req, true),
            ClientMessage::Ping { req } => (Some(*req), true),
            _ => (None, false),
        };
        self.ask(conn, req);
        self.handle(Input::Received(conn, message));
        if at_once && let Some(req) = req {
            assert!(!self.pending.contains(&(conn, req)), "answered at once");
        }
    }

    pub(super) fn forbid(&mut self, conn: ConnId, req: Option<ReqId>, target: ClientId) {
        self.ask(conn, req);
        self.handle(Input::Forbidden(conn, req, target));
        assert!(req.is_none_or(|req| !self.pending.contains(&(conn, req))), "answered at once");
    }

    fn ask(&mut self, conn: ConnId, req: Option<ReqId>) {
        if let Some(req) = req
            && self.conns.contains_key(&conn)
        {
            self.pending.insert((conn, req));
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        let owner = match &input {
            Input::Connected(conn)
            | Input::Disconnected(conn)
            | Input::Expel(conn)
            | Input::Received(conn, _)
            | Input::Forbidden(conn, ..) => self.conns.get(conn).map(|conn| conn.client.clone()),
            _ => None,
        };
        self.model.foretell(&input, owner.as_ref(), self.now);
        match &input {
            Input::Connected(conn) | Input::Received(conn, _) | Input::Forbidden(conn, ..) => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.announced = true;
                }
            }
            Input::Disconnected(conn) => self.forget(*conn),
            _ => {}
        }
        self.broker.handle(input.clone(), self.now);
        self.carry_out(Some(&input));
        match input {
            Input::Timeout => {
                let due = self.broker.poll_timeout();
                assert!(due.is_none_or(|due| due > self.now), "what was due is done");
                assert!(due.is_some() || self.pending.is_empty(), "answered at its deadline");
            }
            Input::ShutDown => self.assert_empty(),
            _ => {}
        }
    }

    /// Time passes, and the host's timers are exact.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.broker.poll_timeout()
            && due <= until
        {
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    /// In the end all requests are answered; and when all have left, nothing is left.
    pub(super) fn end(mut self) {
        self.pass(Duration::from_secs(60));
        assert!(self.pending.is_empty(), "every request is answered");
        while let Some((&conn, _)) = self.conns.first_key_value() {
            self.handle(Input::Disconnected(conn));
        }
        self.pass(self.config.grace);
        self.assert_empty();
    }

    fn assert_empty(&self) {
        assert_eq!(self.broker.stats(), BrokerStats::default());
        assert_eq!(self.broker.poll_timeout(), None);
        assert!(self.conns.is_empty() && self.routes.is_empty() && self.pending.is_empty());
        assert!(self.pairings.values().all(|(.., lasts)| !lasts));
    }

    fn forget(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        self.routes.remove(&conn);
        self.pending.retain(|(asker, _)| *asker != conn);
    }

    fn carry_out(&mut self, input: Option<&Input>) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Send(conn, message) => self.told(conn, message),
                Output::List(conn, req, listing) => self.told(conn, listing.message(req)),
                Output::Route(conn, partner) => {
                    assert!(self.conns[&conn].announced, "only who is there is relayed");
                    if let Some(before) = self.routes.insert(conn, partner.clone()) {
                        // Anew only when an end is back on another connection.
                        assert_eq!(before.pairing, partner.pairing);
                        assert_ne!(before.conn, partner.conn);
                    }
                }
                Output::Unroute(conn, _) => {
                    // It went with its connection; and there is none between two that were away.
                    let may_miss = !self.conns.contains_key(&conn)
                        || self.conns.values().any(|conn| conn.resumes);
                    assert!(self.routes.remove(&conn).is_some() || may_miss, "{conn} had a route");
                }
                // The input contains no joins.
                Output::RouteInRoom(..) | Output::UnrouteInRoom(..) => {}
                Output::Grant { pairing, source, target } => {
                    self.model.requests.grant(pairing, &source, &target);
                    self.grants.push(pairing);
                }
                Output::Close(conn) | Output::HangUp(conn) => {
                    assert!(self.conns.contains_key(&conn), "closed once");
                    if matches!(input, Some(Input::ShutDown)) {
                        let mut open = self.pending.iter().filter(|(asker, _)| *asker == conn);
                        assert_eq!(open.next(), None, "answered before the end");
                    }
                    self.forget(conn);
                }
                Output::Event(event) => self.published(&event),
                Output::Complain(broken) => panic!("{broken}"),
            }
        }
        // Who leaves closes its connection itself.
        if let Some(Input::Received(conn, ClientMessage::Leave)) = input {
            self.forget(*conn);
        }
        let (mut said, mut foretold) =
            (std::mem::take(&mut self.said), self.model.requests.take_foretold());
        said.sort();
        foretold.sort();
        assert_eq!(said, foretold, "said and foretold");
        self.check();
    }

    fn published(&mut self, event: &BrokerEvent) {
        self.model.hear(event);
        match event {
            BrokerEvent::Paired { pairing, source, target } => {
                let new = (source.clone(), target.clone(), true);
                assert_eq!(self.pairings.insert(*pairing, new), None, "a number of its own");
            }
            BrokerEvent::Unpaired { pairing, source, target, .. } => {
                let ended = (source.clone(), target.clone(), false);
                let before = self.pairings.insert(*pairing, ended);
                assert_eq!(before, Some((source.clone(), target.clone(), true)), "ends once");
            }
            _ => {}
        }
    }

    fn told(&mut self, to: ConnId, message: ServerMessage) {
        let now_paired = self.broker.pairing_of(&self.conns[&to].client);
        let now_paired = now_paired.map(|(pairing, partner)| (pairing, partner.clone()));
        let conn = self.conns.get_mut(&to).expect("nothing is sent to a connection that is gone");
        assert!(!conn.dismissed, "it was told that it is removed, and nothing after that");
        assert!(conn.announced, "nothing is sent before it can be written to");
        let is_welcome = matches!(message, ServerMessage::Welcome(_));
        let is_v2 = conn.dialect == Dialect::V2;
        assert_eq!(is_welcome, is_v2 && !std::mem::replace(&mut conn.welcomed, true));
        match message {
            ServerMessage::Welcome(welcome) => {
                let Welcome { client_id, resume, resumed, pairing, ended, .. } = welcome;
                assert_eq!((&client_id, resumed), (&conn.client, conn.resumes));
                assert_eq!(resume, (!self.config.grace.is_zero()).then_some(conn.token));
                let pairing = pairing.map(|info| (info.id, info.partner));
                assert_eq!(pairing.as_ref(), self.before.get(&client_id));
                if let Some(ended) = ended {
                    let (source, target, lasts) = &self.pairings[&ended.pairing];
                    assert!(resumed && !lasts && [source, target].contains(&&client_id));
                }
            }
            ServerMessage::Register { req, source, .. } => {
                self.model.requests.asked(&conn.client, !is_v2, req, &source);
                assert_eq!(self.asked.insert(req, to), None, "a number of its own");
            }
            ServerMessage::Registered { req, pairing } => {
                let PairingInfo { id, partner, initiator, .. } = pairing;
                let client = conn.client.clone();
                assert_eq!(now_paired, Some((id, partner)));
                self.said.push((client.clone(), Said::Paired(req, id)));
                self.answered(to, req);
                // Told before the application is, or again.
                if let Some((source, ..)) = self.pairings.get(&id) {
                    assert_eq!(initiator, *source == client);
                }
            }
            ServerMessage::Disconnect { pairing, reason, req } => {
                self.said.push((conn.client.clone(), Said::Ended(pairing, reason)));
                conn.ended = Some(pairing);
                conn.partner = None;
                // A v1 client is answered apart from this, when its partner knows as well.
                self.answered(to, req.filter(|_| is_v2));
            }
            ServerMessage::Partner { pairing, state } => {
                let own = self.before.get(&conn.client).map(|(own, _)| *own);
                assert_eq!(own, Some(pairing), "of its own pairing");
                let before = conn.partner.replace((pairing, state));
                let was_away = before == Some((pairing, Presence::Away));
                assert_eq!(was_away, state == Presence::Back, "away, then back");
            }
            // The input contains no joins.
            ServerMessage::Joined { .. }
            | ServerMessage::Member { .. }
            | ServerMessage::Exited { .. } => unreachable!("nobody joins a room"),
            ServerMessage::Clients { req, clients } => {
                assert!(match self.config.list {
                    ListPolicy::V1Only => !is_v2,
                    ListPolicy::All => true,
                    ListPolicy::Nobody => false,
                });
                assert!(clients.is_sorted_by(|one, next| one.id < next.id));
                self.answered(to, req);
            }
            ServerMessage::Unregistered { req } => {
                assert!(!is_v2, "in v2 the end of the pairing is the answer");
                self.answered(to, req);
            }
            ServerMessage::RegisterFailed { req, refusal, .. } => {
                self.said.push((conn.client.clone(), Said::No(req, refusal.code)));
                self.answered(to, req);
            }
            ServerMessage::Error { req, .. } => self.answered(to, req),
            ServerMessage::Target { .. } => unreachable!("nothing is watched"),
            ServerMessage::Line { .. } => unreachable!("nobody waits in line"),
            ServerMessage::Pong { req } => self.answered(to, Some(req)),
            ServerMessage::EndedWhileAway => assert!(!is_v2 && now_paired.is_none()),
            ServerMessage::SignalRefused { .. } => unreachable!("the broker forwards none"),
            ServerMessage::Farewell { .. } => conn.dismissed = true,
            ServerMessage::Withdrawn { req, .. } => assert!(!is_v2 || req.is_some()),
        }
    }

    /// Only what was asked is answered, once.
    fn answered(&mut self, conn: ConnId, req: Option<ReqId>) {
        if let Some(req) = req {
            assert!(self.pending.remove(&(conn, req)), "{req} waits for an answer");
        }
    }
}
