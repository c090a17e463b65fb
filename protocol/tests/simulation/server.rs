//! The server: a broker, the relay's table of routes, and whoever watches it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, ClientMessage, Code, ConnId, Dialect, DuplicatePolicy, Frame, Hello,
    PairingId, Partner, ResumeToken, ServerMessage,
    broker::{Input, Output},
};

use crate::{
    hostile::HOSTILE,
    oracle::{Oracle, Rule},
    plan::Plan,
    watch::{GRACE, Watch, Who},
};

/// What the server wants done.
#[derive(Debug)]
pub(crate) enum Act {
    Tell(ConnId, ServerMessage),
    Relay(ConnId, PairingId, Vec<Frame>),
    Close(ConnId),
    /// Ask the arbiter of pairings.
    Grant(PairingId),
}

pub(crate) struct Server {
    pub(crate) broker: Broker,
    routes: BTreeMap<ConnId, Partner>,
    watch: Watch,
    pub(crate) acts: VecDeque<Act>,
    duplicates: DuplicatePolicy,
    /// Whether grants take their time.
    distant_grants: bool,
    /// Relays messages whatever pairing they name: a fault to be caught.
    skips_pairing_ids: bool,
}

impl Server {
    pub(crate) fn new(node: u64, plan: &Plan) -> Self {
        let mut config = BrokerConfig::new(node);
        config.grace = GRACE;
        config.duplicates = plan.duplicates;
        if let Some((messages, bytes)) = plan.pace() {
            config.limits = config.limits.with_rates(messages, bytes);
        }
        Self {
            broker: Broker::new(config),
            routes: BTreeMap::new(),
            watch: Watch::default(),
            acts: VecDeque::new(),
            duplicates: plan.duplicates,
            distant_grants: plan.distant_grants,
            skips_pairing_ids: plan.skips_pairing_ids,
        }
    }

    /// A connection that says who it is, shows a token or none, and gets a fresh one.
    pub(crate) fn admit(
        &mut self,
        conn: ConnId,
        who: Who,
        (shown, fresh): (Option<ResumeToken>, ResumeToken),
        now: Instant,
        oracle: &mut Oracle,
    ) -> Result<(), Code> {
        if self.duplicates == DuplicatePolicy::TakeOver {
            self.watch.begin_take_over(who.id.clone());
        }
        let hello = Hello::new(who.id.clone(), who.dialect, fresh).resume(shown);
        let admitted = self.broker.admit(conn, hello, now);
        if admitted.is_ok() {
            self.watch.admitted(conn, who);
        }
        self.carry_out(oracle, now);
        self.watch.end();
        admitted
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant, oracle: &mut Oracle) {
        match input {
            Input::Disconnected(conn) => {
                self.routes.remove(&conn);
            }
            Input::Granted(pairing, _) => self.watch.grant_answered(pairing),
            _ => {}
        }
        self.watch.begin(&input);
        self.broker.handle(input, now);
        self.carry_out(oracle, now);
        self.watch.end();
    }

    fn carry_out(&mut self, oracle: &mut Oracle, now: Instant) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Send(conn, message) => {
                    if let ServerMessage::Disconnect { pairing, .. } = message {
                        self.watch.told_end(conn, pairing, oracle);
                    }
                    self.acts.push_back(Act::Tell(conn, message));
                }
                Output::Route(conn, partner) => {
                    self.watch.routed(conn, partner.pairing, partner.conn);
                    self.routes.insert(conn, partner);
                }
                Output::Unroute(conn, _) => {
                    self.routes.remove(&conn);
                }
                Output::Grant { pairing, .. } if self.distant_grants => {
                    self.watch.grant_asked(pairing);
                    self.acts.push_back(Act::Grant(pairing));
                }
                Output::Grant { pairing, .. } => {
                    self.broker.handle(Input::Granted(pairing, Ok(())), now);
                }
                Output::Close(conn) => {
                    self.routes.remove(&conn);
                    self.acts.push_back(Act::Close(conn));
                }
                Output::Event(event) => self.watch.happened(event, now, oracle),
            }
        }
    }

    pub(crate) fn received(
        &mut self,
        conn: ConnId,
        message: ClientMessage,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        self.handle(Input::Received(conn, message), now, oracle);
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
                if !self.watch.is_member(to, pairing) {
                    oracle.violate(Rule::NoStranger, format!("{to} gets frames of {pairing}"));
                }
                if let [Some(sender), Some(receiver)] = [from, to].map(|conn| self.watch.who(conn))
                {
                    let ends = [sender.number, receiver.number];
                    if ends.iter().all(|end| *end < HOSTILE) {
                        self.watch.relayed(ends, pairing, &frames, oracle);
                    }
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
        self.watch.check(self.broker.stats(), now, oracle);
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

    /// The dialect that a connection speaks.
    pub(crate) fn dialect(&self, conn: ConnId) -> Option<Dialect> {
        self.watch.who(conn).map(|who| who.dialect)
    }

    /// It is gone at once, and all pairings with it; nobody is told.
    pub(crate) fn crash(&mut self, oracle: &mut Oracle) {
        self.watch.forget_all(oracle);
    }
}
