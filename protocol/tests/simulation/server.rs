//! The server: a broker, the relay's table of routes, and what it believes of its clients.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, BrokerEvent, ClientId, ClientMessage, Code, ConnId, EndReason, Frame,
    Hello, PairingId, Partner, ServerMessage, broker,
};

use crate::oracle::{Oracle, Rule};

/// What the server wants done.
#[derive(Debug)]
pub(crate) enum Act {
    Tell(ConnId, ServerMessage),
    Relay(ConnId, PairingId, Vec<Frame>),
    Close(ConnId),
}

pub(crate) struct Server {
    pub(crate) broker: Broker,
    routes: BTreeMap<ConnId, Partner>,
    /// The connections of each pairing, since it began.
    members: BTreeMap<PairingId, BTreeSet<ConnId>>,
    known: BTreeSet<ClientId>,
    paired: BTreeSet<PairingId>,
    /// Since when a client is away.
    away: BTreeMap<ClientId, Instant>,
    /// Whom the end of which pairing was told.
    told: BTreeSet<(ConnId, PairingId)>,
    pub(crate) acts: VecDeque<Act>,
    /// Relays messages whatever pairing they name: a fault to be caught.
    pub(crate) skips_pairing_ids: bool,
}

/// For how long a pairing outlives a connection here.
pub(crate) const GRACE: Duration = Duration::from_secs(15);

impl Server {
    pub(crate) fn new(node: u64) -> Self {
        let mut config = BrokerConfig::new(node);
        config.grace = GRACE;
        Self {
            broker: Broker::new(config),
            routes: BTreeMap::new(),
            members: BTreeMap::new(),
            known: BTreeSet::new(),
            paired: BTreeSet::new(),
            away: BTreeMap::new(),
            told: BTreeSet::new(),
            acts: VecDeque::new(),
            skips_pairing_ids: false,
        }
    }

    pub(crate) fn admit(
        &mut self,
        conn: ConnId,
        hello: Hello,
        now: Instant,
        oracle: &mut Oracle,
    ) -> Result<(), Code> {
        let admitted = self.broker.admit(conn, hello, now);
        self.carry_out(now, oracle);
        admitted
    }

    pub(crate) fn handle(&mut self, input: broker::Input, now: Instant, oracle: &mut Oracle) {
        if let broker::Input::Disconnected(conn) = input {
            self.routes.remove(&conn);
        }
        self.broker.handle(input, now);
        self.carry_out(now, oracle);
    }

    fn carry_out(&mut self, now: Instant, oracle: &mut Oracle) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                broker::Output::Send(conn, message) => {
                    if let ServerMessage::Disconnect { pairing, .. } = message
                        && !self.told.insert((conn, pairing))
                    {
                        oracle.violate(Rule::ToldOnce, format!("{conn} hears twice of {pairing}"));
                    }
                    self.acts.push_back(Act::Tell(conn, message));
                }
                broker::Output::Route(conn, partner) => {
                    let members = self.members.entry(partner.pairing).or_default();
                    members.extend([conn, partner.conn]);
                    self.routes.insert(conn, partner);
                }
                broker::Output::Unroute(conn, _) => {
                    self.routes.remove(&conn);
                }
                broker::Output::Grant { pairing, .. } => {
                    self.broker.handle(broker::Input::Granted(pairing, Ok(())), now);
                }
                broker::Output::Close(conn) => {
                    self.routes.remove(&conn);
                    self.acts.push_back(Act::Close(conn));
                }
                broker::Output::Event(event) => self.note(event, now, oracle),
            }
        }
    }

    fn note(&mut self, event: BrokerEvent, now: Instant, oracle: &mut Oracle) {
        let right = match event {
            BrokerEvent::Connected(id) => self.known.insert(id),
            BrokerEvent::Disconnected(id) => {
                self.away.remove(&id);
                self.known.remove(&id)
            }
            BrokerEvent::Away(id) => self.away.insert(id, now).is_none(),
            BrokerEvent::Back(id) => self.away.remove(&id).is_some(),
            BrokerEvent::Paired { pairing, .. } => self.paired.insert(pairing),
            BrokerEvent::Unpaired { pairing, reason, .. } => {
                oracle.ended(pairing, reason);
                self.paired.remove(&pairing)
            }
            _ => true,
        };
        if !right {
            oracle.violate(Rule::Counters, "an event that undoes or repeats another");
        }
    }

    pub(crate) fn received(
        &mut self,
        conn: ConnId,
        message: ClientMessage,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        self.handle(broker::Input::Received(conn, message), now, oracle);
    }

    /// Relays frames, unless they are refused: `congested` plays a partner whose queue is full.
    pub(crate) fn relay(
        &mut self,
        from: ConnId,
        pairing: PairingId,
        frames: Vec<Frame>,
        congested: bool,
        oracle: &mut Oracle,
    ) {
        let code = match self.routes.get(&from) {
            None => Code::NotPaired,
            Some(route) if route.pairing != pairing && !self.skips_pairing_ids => {
                Code::StalePairing
            }
            Some(_) if congested => Code::Congested,
            Some(route) => {
                let to = route.conn;
                if !self.members.get(&pairing).is_some_and(|members| members.contains(&to)) {
                    oracle.violate(Rule::NoStranger, format!("{to} gets frames of {pairing}"));
                }
                self.acts.push_back(Act::Relay(to, pairing, frames));
                return;
            }
        };
        let refusal = code.into();
        let error = ServerMessage::Error { refusal, req: None, pairing: Some(pairing) };
        self.acts.push_back(Act::Tell(from, error));
    }

    /// The rules that can be seen from here at any moment.
    pub(crate) fn check(&self, now: Instant, oracle: &mut Oracle) {
        // Who is on its way back when its grace is over has a moment more.
        const ON_ITS_WAY: Duration = Duration::from_secs(1);
        for (id, since) in &self.away {
            if now > *since + GRACE + ON_ITS_WAY {
                oracle.violate(Rule::ToldOnce, format!("the place of {id} is kept too long"));
            }
        }
        let stats = self.broker.stats();
        if stats.pairings != self.paired.len() {
            oracle.violate(Rule::Counters, format!("{stats:?}, {} are paired", self.paired.len()));
        }
        if stats.clients < self.known.len() {
            oracle.violate(Rule::Counters, format!("{stats:?}, {} are known", self.known.len()));
        }
        for (conn, partner) in &self.routes {
            let back = self.routes.get(&partner.conn);
            if back.is_some_and(|back| back.pairing != partner.pairing) {
                oracle.violate(Rule::Mutual, format!("{conn} is routed to {partner:?}, not back"));
            }
        }
    }

    /// Whether nothing is left of anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.broker.stats() == <_>::default()
            && self.broker.poll_timeout().is_none()
            && self.routes.is_empty()
    }
}

impl Server {
    /// All pairings end with the server, and nobody is told by it.
    pub(crate) fn forget_all(&mut self, oracle: &mut Oracle) {
        for pairing in &self.paired {
            oracle.ended(*pairing, EndReason::Disconnected);
        }
    }
}
