//! The server: a broker, the relay's table of routes, and the observer of both.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use crate::{
    Args, Broker, BrokerConfig, Cause, ClientMessage, Code, ConnId, Dialect, DuplicatePolicy,
    Frame, Hello, Outcome, PairingId, Partner, ResumeToken, ServerMessage,
    broker::{Input, Output},
    limits::RELAYED_FRAME_BYTES,
    peer::v1::{self, Bridge, NoAck, Side},
    relay::{self, Message, Named, Refused, Route, SendFailure, V1Emit},
    session::Delivery,
};

use crate::sim::{
    client::SimClient,
    hostile::HOSTILE,
    oracle::{CallNo, ClientNo, Oracle, Rule},
    plan::Plan,
    watch::{GRACE, Watch, Who},
};

/// An act of the server.
#[derive(Debug)]
pub(crate) enum Act {
    Tell(ConnId, ServerMessage),
    Relay(ConnId, PairingId, Vec<Frame>),
    Close(ConnId),
    /// Frames for the v2 partner of a v1 client.
    Bridge(ConnId, PairingId, Frame),
    /// An event for a v1 client.
    Emit(ConnId, PairingId, Delivery),
    /// The outcome of its own event.
    Acknowledge(ConnId, CallNo, Outcome),
    /// Ask the arbiter of pairings.
    Grant(PairingId),
}

pub(crate) struct Server {
    pub(crate) broker: Broker,
    routes: BTreeMap<ConnId, Routed>,
    bridges: BTreeMap<PairingId, Bridged>,
    /// V1 clients whose queue is full.
    full: BTreeSet<ConnId>,
    watch: Watch,
    pub(crate) acts: VecDeque<Act>,
    duplicates: DuplicatePolicy,
    /// Set if grants take their time.
    distant_grants: bool,
    /// Set if messages are read from their text.
    codec: bool,
}

/// A route, its partner's connection, and the sender's side of the bridge, if there is one.
#[derive(Debug)]
struct Routed {
    route: Route,
    to: ConnId,
    side: Option<Side>,
}

/// A bridge and the connections of its two sides.
#[derive(Debug)]
struct Bridged {
    bridge: Bridge,
    first: ConnId,
    second: ConnId,
}

impl Bridged {
    const fn conn(&mut self, side: Side) -> &mut ConnId {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }

    /// Carries out the actions of the bridge of this pairing.
    fn pump(
        &mut self,
        pairing: PairingId,
        full: &BTreeSet<ConnId>,
        acts: &mut VecDeque<Act>,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        while let Some((side, output)) = self.bridge.poll_output() {
            let conn = *self.conn(side);
            match output {
                v1::Output::Send(frame) => {
                    acts.push_back(Act::Bridge(*self.conn(side.other()), pairing, frame));
                }
                v1::Output::Emit(delivery) => {
                    let sent = if full.contains(&conn) { Err(SendFailure::Full) } else { Ok(()) };
                    if sent.is_ok() {
                        acts.push_back(Act::Emit(conn, pairing, delivery.clone()));
                    }
                    self.bridge.handle(side, v1::Input::Emitted(delivery, sent), now);
                }
                v1::Output::Acknowledge(ack, outcome) => {
                    acts.push_back(Act::Acknowledge(conn, ack as CallNo, outcome));
                }
                v1::Output::Complain(violation) => {
                    oracle.violate(Rule::Bounded, format!("a bridge complains: {violation}"));
                }
            }
        }
    }
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
            full: BTreeSet::new(),
            watch: Watch::default(),
            acts: VecDeque::new(),
            duplicates: plan.duplicates,
            distant_grants: plan.distant_grants,
            codec: plan.codec,
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
        let gone = match input {
            Input::Disconnected(conn) => Some(conn),
            _ => None,
        };
        match input {
            Input::Granted(pairing, _) => self.watch.grant_answered(pairing),
            Input::Timeout => {
                for bridged in self.bridges.values_mut() {
                    bridged.bridge.timeout(now);
                }
            }
            _ => {}
        }
        self.watch.begin(&input, now);
        self.broker.handle(input, now);
        self.carry_out(oracle, now);
        self.watch.end();
        if let Some(conn) = gone {
            self.routes.remove(&conn);
        }
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
                            let input = v1::Input::Partner(state);
                            self.handle_v1(conn, pairing, input, now, oracle);
                        }
                        message => self.acts.push_back(Act::Tell(conn, message)),
                    }
                }
                Output::Route(conn, partner) => {
                    self.watch.routed(conn, partner.pairing, partner.conn);
                    let side = self.bridge(conn, &partner, now);
                    let routed = Routed { route: Route::new(&partner), to: partner.conn, side };
                    self.routes.insert(conn, routed);
                }
                Output::Unroute(conn, reason) => {
                    if let Some(routed) = self.routes.remove(&conn)
                        && let Some(mut bridged) = self.bridges.remove(&routed.route.pairing())
                    {
                        bridged.bridge.ended(reason, now);
                        let pairing = routed.route.pairing();
                        bridged.pump(pairing, &self.full, &mut self.acts, now, oracle);
                    }
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
                Output::Complain(broken) => oracle.violate(Rule::NoPanic, broken.to_string()),
            }
        }
        for (pairing, bridged) in &mut self.bridges {
            bridged.pump(*pairing, &self.full, &mut self.acts, now, oracle);
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
        let Refused { code, pairing } = match self.admit_frames(from, pairing, &frames) {
            Ok((_, Some(side))) => {
                self.receive(pairing, side, frames, now, oracle);
                return;
            }
            Ok(_) if congested => {
                Refused { code: SendFailure::Full.into(), pairing: Some(pairing) }
            }
            Ok((to, None)) => {
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
            Err(refused) => refused,
        };
        let is_honest = self.watch.who(from).is_some_and(|who| who.number < HOSTILE);
        if is_honest && relay::is_offence(code) {
            oracle.violate(Rule::Bounded, format!("{from} gets a strike: {code}"));
        }
        self.acts.push_back(Act::Tell(from, Refused { code, pairing }.of_frame()));
    }

    /// Returns where the frames go, and the sender's side of the bridge, if there is one.
    fn admit_frames(
        &self,
        from: ConnId,
        pairing: PairingId,
        frames: &[Frame],
    ) -> Result<(ConnId, Option<Side>), Refused> {
        let routed = self.routes.get(&from);
        let route = routed.map(|routed| &routed.route);
        if self.codec {
            let texts: Vec<_> = frames.iter().map(Frame::to_text).collect();
            let text = format!(r#"["P2P_FRAME","{pairing}",[{}]]"#, texts.join(","));
            let message = Message::read(&text, RELAYED_FRAME_BYTES)?;
            relay::admit(route, Named::Json(message.pairing))?;
        } else {
            relay::admit(route, Named::Id(pairing))?;
        }
        routed.map(|routed| (routed.to, routed.side)).ok_or_else(|| Code::NotPaired.into())
    }

    /// Frames from the v2 client at this side of a bridge.
    fn receive(
        &mut self,
        pairing: PairingId,
        from: Side,
        frames: Vec<Frame>,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        if let Some(bridged) = self.bridges.get_mut(&pairing) {
            bridged.bridge.receive(from, frames, now);
            bridged.pump(pairing, &self.full, &mut self.acts, now, oracle);
        }
    }

    /// Returns the time at which something is due, or `None`.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let bridges = self.bridges.values().filter_map(|bridged| bridged.bridge.poll_timeout());
        bridges.chain(self.broker.poll_timeout()).min()
    }

    /// Keeps a session for an end that speaks v1, if there is one. Returns the side of the bridge that
    /// this connection has.
    fn bridge(&mut self, conn: ConnId, partner: &Partner, now: Instant) -> Option<Side> {
        let ends = [self.dialect(conn)?, partner.dialect];
        if !Bridge::is_needed(ends) {
            return None;
        }
        let other = self.routes.get(&partner.conn);
        let other = other.filter(|routed| routed.route.pairing() == partner.pairing);
        if let Some(side) = other.and_then(|routed| routed.side)
            && let Some(bridged) = self.bridges.get_mut(&partner.pairing)
        {
            *bridged.conn(side.other()) = conn;
            return Some(side.other());
        }
        let bridge = Bridge::new(ends, now);
        let bridged = Bridged { bridge, first: conn, second: partner.conn };
        self.bridges.insert(partner.pairing, bridged);
        Some(Side::First)
    }

    /// Handles an event of the v1 client on this connection, which may be paired anew.
    fn handle_v1(
        &mut self,
        conn: ConnId,
        pairing: PairingId,
        input: v1::Input,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        if let Some(routed) = self.routes.get(&conn)
            && let Some(side) = routed.side
            && let Some(bridged) = self.bridges.get_mut(&pairing)
            && *bridged.conn(side) == conn
        {
            bridged.bridge.handle(side, input, now);
            bridged.pump(pairing, &self.full, &mut self.acts, now, oracle);
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
        let emit = V1Emit { target: SimClient::new(target).name, event: "call".to_owned(), args };
        let refused = match self.try_emit(from, emit, call, now) {
            Ok(pairing) => {
                if let Some(bridged) = self.bridges.get_mut(&pairing) {
                    bridged.pump(pairing, &self.full, &mut self.acts, now, oracle);
                }
                return;
            }
            Err(code) => code,
        };
        if relay::is_offence(refused) {
            oracle.violate(Rule::Bounded, format!("{from} gets a strike: {refused}"));
        }
        if let Some(call) = call {
            let outcome = Outcome::NotExecuted(Cause::Code(refused));
            self.acts.push_back(Act::Acknowledge(from, call, outcome));
        }
    }

    fn try_emit(
        &mut self,
        from: ConnId,
        emit: V1Emit,
        call: Option<CallNo>,
        now: Instant,
    ) -> Result<PairingId, Code> {
        let routed = self.routes.get(&from);
        let route = emit.admit(routed.map(|routed| &routed.route), |_| true);
        let pairing = route.map_err(|refusal| refusal.code)?.pairing();
        let side = routed.and_then(|routed| routed.side).ok_or(Code::NotPaired)?;
        let bridged = self.bridges.get_mut(&pairing).ok_or(Code::NotPaired)?;
        let ack = call.map(|call| call as u64);
        bridged.bridge.emit(side, emit.event, emit.args, ack, now)?;
        Ok(pairing)
    }

    /// A v1 client acknowledges an event of a pairing, which may be over.
    pub(crate) fn acknowledged(
        &mut self,
        from: ConnId,
        pairing: PairingId,
        (seq, result): (u64, Result<Args, NoAck>),
        now: Instant,
        oracle: &mut Oracle,
    ) {
        self.handle_v1(from, pairing, v1::Input::Acknowledged(seq, result), now, oracle);
    }

    /// The queue of a v1 client is full, or has room again.
    pub(crate) fn pause(&mut self, conn: ConnId, paused: bool) {
        if paused {
            self.full.insert(conn);
        } else {
            self.full.remove(&conn);
        }
    }

    /// The queue of a v1 client's partner is full.
    pub(crate) fn refuse_bridged(&mut self, to: ConnId, pairing: PairingId, now: Instant) {
        if let Some(side) = self.routes.get(&to).and_then(|routed| routed.side)
            && let Some(bridged) = self.bridges.get_mut(&pairing)
        {
            bridged.bridge.handle(side.other(), v1::Input::Refused, now);
        }
    }

    /// The rules that can be seen from here at any moment.
    pub(crate) fn check(&self, now: Instant, oracle: &mut Oracle) {
        self.watch.check(self.broker.stats(), now, oracle);
        for (conn, routed) in &self.routes {
            let back = self.routes.get(&routed.to);
            if back.is_some_and(|back| back.route.pairing() != routed.route.pairing()) {
                oracle.violate(Rule::Mutual, format!("{conn} is routed to {routed:?}, not back"));
            }
        }
    }

    /// Returns whether nothing is left of any client.
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

    /// Stops it at once, and all pairings with it, without informing a client.
    pub(crate) fn crash(&mut self, oracle: &mut Oracle) {
        self.watch.forget_all(oracle);
    }
}
