//! The server: a broker, the relay's table of routes, and the observer of both.

pub(crate) mod acts;
mod bridged;
mod requests;
mod v1_ends;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use serde_json::Value;

use self::{acts::Act, bridged::Bridged};
use crate::{
    Broker, BrokerConfig, Code, ConnId, Dialect, DuplicatePolicy, Frame, Hello, PairingId,
    ResumeToken, ServerMessage,
    broker::{Input, Output},
    limits::{RELAYED_FRAME_BYTES, SIGNAL_BYTES, SIGNAL_WINDOW, SIGNALS},
    peer::v1::{self, Side},
    relay::{self, HeldRequests, Message, Named, Refused, Route, SendFailure},
    wire::SIGNAL,
};

use crate::sim::{
    oracle::{ClientNo, Oracle, Rule},
    parties::HOSTILE,
    plan::Plan,
    watch::{GRACE, ServerObserver, Who},
};

pub(crate) struct Server {
    pub(crate) broker: Broker,
    routes: BTreeMap<ConnId, Routed>,
    bridges: BTreeMap<PairingId, Bridged>,
    /// V1 clients whose queue is full.
    full: BTreeSet<ConnId>,
    /// Requests of v1 clients that wait.
    held: BTreeMap<ConnId, HeldRequests>,
    watch: ServerObserver,
    pub(crate) acts: VecDeque<Act>,
    duplicates: DuplicatePolicy,
    plan: Plan,
    /// Set if grants take their time.
    distant_grants: bool,
    /// Set if messages are read from their text.
    codec: bool,
    /// The times of the signals of each client, within [`SIGNAL_WINDOW`].
    signals: BTreeMap<ClientNo, VecDeque<Instant>>,
}

/// A route, its partner's connection, and the sender's side of the bridge, if there is one.
#[derive(Debug)]
struct Routed {
    route: Route,
    to: ConnId,
    side: Option<Side>,
}

impl Server {
    pub(crate) fn new(node: u64, plan: &Plan) -> Self {
        let mut config = BrokerConfig::new(node);
        config.grace = GRACE;
        config.duplicates = plan.duplicates;
        config.list = plan.list;
        if let Some((messages, bytes)) = plan.pace() {
            config.limits = config.limits.with_rates(messages, bytes);
        }
        Self {
            broker: Broker::new(config),
            routes: BTreeMap::new(),
            bridges: BTreeMap::new(),
            full: BTreeSet::new(),
            held: BTreeMap::new(),
            watch: ServerObserver::default(),
            acts: VecDeque::new(),
            duplicates: plan.duplicates,
            plan: plan.clone(),
            distant_grants: plan.distant_grants,
            codec: plan.codec,
            signals: BTreeMap::new(),
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
        let hello = Hello::new(who.id.clone(), who.dialect, fresh);
        let hello = hello.direct(who.direct).resume(shown);
        let admitted = self.broker.admit(conn, hello, now);
        if admitted.is_ok() {
            self.watch.admitted(conn, who);
        }
        self.carry_out(oracle, now);
        self.watch.end();
        admitted
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant, oracle: &mut Oracle) {
        self.handle_unheld(input, now, oracle);
        self.release(now, oracle);
    }

    fn handle_unheld(&mut self, input: Input, now: Instant, oracle: &mut Oracle) {
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
            self.held.remove(&conn);
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
                Output::List(conn, req, listing) => {
                    self.acts.push_back(Act::Tell(conn, listing.message(req)));
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
                // Nobody joins a room here.
                Output::RouteInRoom(..) | Output::UnrouteInRoom(..) => {}
                Output::Grant { pairing, .. } if self.distant_grants => {
                    self.watch.grant_asked(pairing);
                    self.acts.push_back(Act::Grant(pairing));
                }
                Output::Grant { pairing, .. } => {
                    self.broker.handle(Input::Granted(pairing, Ok(())), now);
                }
                Output::Close(conn) | Output::HangUp(conn) => {
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
        let refused = match self.admit_frames(from, pairing, &frames) {
            Ok((_, Some(side))) => {
                self.receive(pairing, side, frames, now, oracle);
                return;
            }
            Ok(_) if congested => {
                Refused { refusal: Code::from(SendFailure::Full).into(), pairing: Some(pairing) }
            }
            Ok((to, None)) => {
                if !self.watch.is_member(to, pairing) {
                    oracle.violate(Rule::NoStranger, format!("{to} gets frames of {pairing}"));
                }
                self.acts.push_back(Act::Relay(to, pairing, frames));
                return;
            }
            Err(refused) => refused,
        };
        self.strike(from, refused.refusal.code, oracle);
        self.acts.push_back(Act::Tell(from, refused.of_frame()));
    }

    /// Counts a strike for a refusal, if it is the client's fault. An honest client never has one.
    fn strike(&self, from: ConnId, code: Code, oracle: &mut Oracle) {
        let is_honest = self.watch.who(from).is_some_and(|who| who.number < HOSTILE);
        if is_honest && relay::is_offence(code) {
            oracle.violate(Rule::Bounded, format!("{from} gets a strike: {code}"));
        }
    }

    /// Forwards a signal, unless it is refused: `congested` plays a partner whose queue is full.
    pub(crate) fn signal(
        &mut self,
        from: ConnId,
        pairing: PairingId,
        signal: Value,
        congested: bool,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        let refused = match self.admit_signal(from, pairing, &signal, now) {
            Ok(_) if congested => {
                Refused { refusal: Code::from(SendFailure::Full).into(), pairing: Some(pairing) }
            }
            Ok(to) => {
                if !self.watch.is_member(to, pairing) {
                    oracle.violate(Rule::NoStranger, format!("{to} gets a signal of {pairing}"));
                }
                return self.acts.push_back(Act::Signal(to, pairing, signal));
            }
            Err(refused) => refused,
        };
        self.strike(from, refused.refusal.code, oracle);
        self.acts.push_back(Act::Tell(from, refused.of_signal()));
    }

    fn admit_signal(
        &mut self,
        from: ConnId,
        pairing: PairingId,
        signal: &Value,
        now: Instant,
    ) -> Result<ConnId, Refused> {
        let routed = self.routes.get(&from);
        let route = routed.map(|routed| &routed.route);
        let text = format!(r#"["{SIGNAL}","{pairing}",{signal}]"#);
        let message = Message::read(&text, SIGNAL_BYTES)?;
        let route = relay::admit(route, Named::Json(message.pairing))?;
        let who = self.watch.who(from).map_or(ClientNo::MAX, |who| who.number);
        let signals = self.signals.entry(who).or_default();
        relay::admit_signal(route, || {
            while signals.pop_front_if(|at| *at + SIGNAL_WINDOW <= now).is_some() {}
            signals.push_back(now);
            signals.len() <= SIGNALS as usize
        })?;
        routed.map(|routed| routed.to).ok_or_else(|| Code::NotPaired.into())
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
        self.release(now, oracle);
    }

    /// Returns the time at which something is due, or `None`.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let bridges = self.bridges.values().filter_map(|bridged| bridged.bridge.poll_timeout());
        let held = self.held.values().filter_map(HeldRequests::poll_timeout);
        bridges.chain(held).chain(self.broker.poll_timeout()).min()
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
            && self.held.is_empty()
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
