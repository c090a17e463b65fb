//! The server of a room: the broker, and the relay as its hot path decides.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use super::{
    RoomWorld,
    event::{RoomEvent, ToClient, ToServer},
    node::Node,
};
use crate::{
    Broker, BrokerConfig, BrokerEvent, ClientId, Code, ConnId, EndReason, PairingId, Partner,
    ServerMessage,
    broker::{Input, Output},
    relay::{Named, Refused, RoomRoutes, Route, admit_any, admit_signal},
    sim::{connection, oracle::Rule},
};

/// A route, and the connection at its end.
#[derive(Debug)]
struct RoomRouted {
    route: Route,
    to: ConnId,
}

impl Borrow<Route> for RoomRouted {
    fn borrow(&self) -> &Route {
        &self.route
    }
}

pub(super) struct RoomServer {
    pub(super) broker: Broker,
    node: u64,
    /// The connections that the server believes to stand, and their clients.
    pub(super) conns: BTreeMap<ConnId, usize>,
    routes: BTreeMap<ConnId, RoomRoutes<Arc<RoomRouted>>>,
    /// Connections over which nothing passes any more.
    pub(super) dead: BTreeSet<ConnId>,
    pub(super) last_conn: u64,
    alarm: Option<Instant>,
    /// The members of pairings that have not ended.
    pairs: BTreeMap<PairingId, BTreeSet<ClientId>>,
}

impl RoomServer {
    pub(super) fn new(node: u64) -> Self {
        Self {
            broker: Broker::new(BrokerConfig::new(node)),
            node,
            conns: BTreeMap::new(),
            routes: BTreeMap::new(),
            dead: BTreeSet::new(),
            last_conn: 0,
            alarm: None,
            pairs: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let routes = self.routes.values().map(RoomRoutes::len).sum::<usize>();
        self.broker.stats() == crate::BrokerStats::default() && self.conns.is_empty() && routes == 0
    }
}

impl RoomWorld {
    /// Feeds the broker, and carries out its outputs.
    pub(super) fn serve(&mut self, input: Option<Input>) {
        if let Some(input) = input {
            self.server.broker.handle(input, self.now);
        }
        while let Some(output) = self.server.broker.poll_output() {
            self.carry_out_server(output);
        }
        let next = self.server.broker.poll_timeout();
        if let Some(next) = next
            && self.server.alarm.is_none_or(|alarm| next < alarm || alarm <= self.now)
        {
            self.server.alarm = Some(next);
            self.at(next, RoomEvent::ServerAlarm);
        }
    }

    fn carry_out_server(&mut self, output: Output) {
        match output {
            Output::Send(conn, message) => {
                self.send_down(conn, ToClient::Message(connection::server_message(&message)));
            }
            Output::RouteInRoom(conn, partner) => {
                let own = self.server.conns.get(&conn).map(|client| self.nodes[*client].id.clone());
                let pair = self.server.pairs.entry(partner.pairing).or_default();
                pair.extend([Some(partner.client.clone()), own].into_iter().flatten());
                let Partner { conn: to, .. } = partner;
                let routed = Arc::new(RoomRouted { route: Route::new(&partner), to });
                self.server.routes.entry(conn).or_default().insert(routed);
            }
            Output::UnrouteInRoom(conn, pairing) => {
                if let Some(routes) = self.server.routes.get_mut(&conn) {
                    routes.remove(pairing);
                }
            }
            Output::Close(conn) | Output::HangUp(conn) => {
                self.server.routes.remove(&conn);
                self.server.conns.remove(&conn);
                self.after(1..50, RoomEvent::Lost(conn));
            }
            Output::Event(BrokerEvent::Left { client, reason, .. }) => {
                let pairs = &mut self.server.pairs;
                for (pairing, _) in pairs.extract_if(.., |_, ends| ends.contains(&client)) {
                    self.oracle.ended(pairing, reason);
                }
            }
            Output::Complain(broken) => self.oracle.violate(Rule::NoPanic, broken.to_string()),
            _ => {}
        }
    }

    /// A message of a client arrives.
    pub(super) fn receive(&mut self, conn: ConnId, up: ToServer) {
        if !self.server.conns.contains_key(&conn) {
            return;
        }
        match up {
            ToServer::Message(message) => self.serve(Some(Input::Received(conn, message))),
            ToServer::Frames(pairing, frames) => {
                let congested = self.stormy && self.chance(self.congestion);
                let to = self.route(conn, pairing, false).and_then(|to| match congested {
                    true => Err(Code::Congested.into()),
                    false => Ok(to),
                });
                self.counts.faults += usize::from(congested);
                match to {
                    Ok(to) => self.send_down(to, ToClient::Frames(pairing, frames)),
                    Err(refused) => {
                        let refused = Refused { pairing: Some(pairing), ..refused };
                        self.send_down(conn, ToClient::Message(refused.of_frame()));
                    }
                }
            }
            ToServer::Signal(pairing, signal) => match self.route(conn, pairing, true) {
                Ok(to) => self.send_down(to, ToClient::Signal(pairing, signal)),
                Err(refused) => self.send_down(conn, ToClient::Message(refused.of_signal())),
            },
        }
    }

    fn route(&self, from: ConnId, pairing: PairingId, signal: bool) -> Result<ConnId, Refused> {
        let routes = self.server.routes.get(&from);
        let find = |named: Named<'_>| routes.and_then(|routes| routes.find(named));
        let routed = admit_any(None, find, Named::Id(pairing))?;
        if signal {
            admit_signal(&routed.route, || true)?;
        }
        match self.server.conns.contains_key(&routed.to) {
            true => Ok(routed.to),
            false => Err(Code::Offline.into()),
        }
    }

    /// The server notices the end of a connection.
    pub(super) fn server_loses(&mut self, conn: ConnId) {
        if self.server.conns.remove(&conn).is_some() {
            self.server.routes.remove(&conn);
            self.serve(Some(Input::Disconnected(conn)));
        }
    }

    /// Another server takes the place of this one, which says goodbye or does not.
    pub(super) fn restart_server(&mut self, says_goodbye: bool) {
        if says_goodbye {
            self.serve(Some(Input::ShutDown));
        }
        let (last_conn, node) = (self.server.last_conn, self.server.node + 1);
        let conns = std::mem::take(&mut self.server.conns);
        for pairing in std::mem::take(&mut self.server.pairs).into_keys() {
            self.oracle.ended(pairing, EndReason::Disconnected);
        }
        for (conn, _) in conns {
            self.after(1..2_000, RoomEvent::Lost(conn));
        }
        self.server = RoomServer { last_conn, ..RoomServer::new(node) };
    }

    /// The host removes a client from the room.
    pub(super) fn remove_from_room(&mut self, client: usize) {
        let (id, room) = (self.nodes[client].id.clone(), self.room.clone());
        self.serve(Some(Input::RemoveFromRoom(id, room)));
    }

    pub(super) fn is_a_member(&self, client: usize) -> bool {
        self.server.broker.members_of(&self.room).contains(&self.nodes[client].id)
    }

    fn send_down(&mut self, conn: ConnId, down: ToClient) {
        if self.server.dead.contains(&conn) {
            return;
        }
        self.note(|| format!("{conn} is sent {down:.120?}"));
        if let ToClient::Message(ServerMessage::Error { refusal, pairing: None, .. }) = &down
            && !matches!(refusal.code, Code::Quota)
        {
            let what = format!("{conn} is refused: {refusal}");
            self.oracle.violate(Rule::Progress, what);
        }
        let at = self.in_order(conn, 1);
        self.at(at, RoomEvent::Down(conn, down));
    }

    /// Returns the time at which a message arrives that is sent now: 0 is the direction to the server.
    pub(super) fn in_order(&mut self, conn: ConnId, direction: usize) -> Instant {
        let delay = std::time::Duration::from_micros(self.rng.u64(500..12_000));
        let Some(client) = Node::with_conn(&self.nodes, conn) else { return self.now + delay };
        let last = &mut self.nodes[client].last[direction];
        *last = (*last).max(self.now + delay);
        *last
    }
}
