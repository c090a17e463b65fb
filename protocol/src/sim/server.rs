//! The server: a broker, the relay's table of routes, and whoever watches it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use crate::{
    Args, Broker, BrokerConfig, BrokerEvent, Cause, ClientMessage, Code, ConnId, Dialect,
    DuplicatePolicy, Frame, Hello, Outcome, PairingId, Partner, Refusal, ResumeToken,
    ServerMessage,
    broker::{Input, Output},
    session::Delivery,
};

use crate::sim::{
    bridge::Bridge,
    client::Client,
    hostile::HOSTILE,
    oracle::{CallNo, ClientNo, Oracle, Rule},
    plan::Plan,
    watch::{GRACE, Watch, Who},
};

/// What the server wants done.
#[derive(Debug)]
pub(crate) enum Act {
    Tell(ConnId, ServerMessage),
    Relay(ConnId, PairingId, Vec<Frame>),
    Close(ConnId),
    /// Frames for the v2 partner of a v1 client.
    Bridge(ConnId, PairingId, Frame),
    /// An event for a v1 client.
    Emit(ConnId, PairingId, Delivery),
    /// What its own came to.
    Acknowledge(ConnId, CallNo, Outcome),
    /// Ask the arbiter of pairings.
    Grant(PairingId),
}

pub(crate) struct Server {
    pub(crate) broker: Broker,
    routes: BTreeMap<ConnId, Partner>,
    bridges: BTreeMap<PairingId, Bridge>,
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
            bridges: BTreeMap::new(),
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
            Input::Timeout => {
                for bridge in self.bridges.values_mut() {
                    bridge.timeout(now, &mut self.acts);
                }
            }
            _ => {}
        }
        self.watch.begin(&input, now);
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
                    match message {
                        // It is not told: the session that is kept for it takes note.
                        ServerMessage::Partner { pairing, state }
                            if self.dialect(conn) == Some(Dialect::V1) =>
                        {
                            if let Some(bridge) = self.bridges.get_mut(&pairing) {
                                bridge.partner_is(conn, state, now);
                            }
                        }
                        message => self.acts.push_back(Act::Tell(conn, message)),
                    }
                }
                Output::Route(conn, partner) => {
                    self.watch.routed(conn, partner.pairing, partner.conn);
                    self.bridge(conn, &partner, now);
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
                Output::Event(event) => {
                    if let BrokerEvent::Unpaired { pairing, reason, .. } = event
                        && let Some(bridge) = self.bridges.remove(&pairing)
                    {
                        bridge.end(reason, now, &mut self.acts);
                    }
                    self.watch.happened(event, now, oracle);
                }
            }
        }
        for bridge in self.bridges.values_mut() {
            bridge.pump(now, &mut self.acts, oracle);
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
        now: Instant,
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
                if let Some(bridge) = self.bridges.get_mut(&pairing) {
                    bridge.receive(from, frames, now);
                    bridge.pump(now, &mut self.acts, oracle);
                    return;
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

    /// When something is due, if ever.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let bridges = self.bridges.values().filter_map(Bridge::poll_timeout);
        bridges.chain(self.broker.poll_timeout()).min()
    }

    /// Where one end speaks v1, the server keeps a session for it.
    fn bridge(&mut self, conn: ConnId, partner: &Partner, now: Instant) {
        let [Some(one), Some(other)] = [conn, partner.conn].map(|conn| self.watch.who(conn)) else {
            return;
        };
        let ends = [(one, conn), (other, partner.conn)];
        let ends = ends.map(|(who, conn)| (who.number, conn, who.dialect == Dialect::V1));
        if let Some(bridge) = self.bridges.get_mut(&partner.pairing) {
            for (number, conn, _) in ends {
                bridge.connect(number, conn);
            }
        } else if ends.iter().any(|(_, _, is_v1)| *is_v1) {
            let bridge = Bridge::new(partner.pairing, ends, now);
            self.bridges.insert(partner.pairing, bridge);
        }
    }

    /// A v1 client emits something: to its partner, or not at all.
    pub(crate) fn emit(
        &mut self,
        from: ConnId,
        target: ClientNo,
        (args, call): (Args, Option<CallNo>),
        now: Instant,
        oracle: &mut Oracle,
    ) {
        let route = self.routes.get(&from);
        let route = route.filter(|route| Client::number_of(route.client.as_str()) == Some(target));
        let Some(bridge) = route.and_then(|route| self.bridges.get_mut(&route.pairing)) else {
            if let Some(call) = call {
                let outcome = Outcome::NotExecuted(Cause::Code(Code::NotPaired));
                self.acts.push_back(Act::Acknowledge(from, call, outcome));
            }
            return;
        };
        bridge.emit(from, args, call, now);
        bridge.pump(now, &mut self.acts, oracle);
    }

    /// A v1 client acknowledges an event of a pairing, which may be over.
    pub(crate) fn acknowledged(
        &mut self,
        from: ConnId,
        pairing: PairingId,
        (seq, result): (u64, Result<Args, Refusal>),
        now: Instant,
        oracle: &mut Oracle,
    ) {
        if let Some(bridge) = self.bridges.get_mut(&pairing) {
            bridge.acknowledged(from, seq, result, now);
            bridge.pump(now, &mut self.acts, oracle);
        }
    }

    /// The queue of a v1 client is full, or has room again.
    pub(crate) fn pause(&mut self, conn: ConnId, paused: bool, now: Instant, oracle: &mut Oracle) {
        for bridge in self.bridges.values_mut().filter(|bridge| bridge.is_of(conn)) {
            bridge.pause(conn, paused, now);
            bridge.pump(now, &mut self.acts, oracle);
        }
    }

    /// The queue of a v1 client's partner is full.
    pub(crate) fn refuse_bridged(&mut self, to: ConnId, pairing: PairingId, now: Instant) {
        if let Some(bridge) = self.bridges.get_mut(&pairing) {
            bridge.refused(to, now);
        }
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
            && self.bridges.is_empty()
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
