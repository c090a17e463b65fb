//! The faults.

use std::time::Duration;

use crate::{ClientId, Code, ConnId, Dialect, DuplicatePolicy, broker::Input};

use crate::sim::{
    client::SimClient,
    connection::{Connection, State},
    event::Event,
    parties::STRANGER,
    server::Server,
    watch::Who,
    world::World,
};

impl World {
    /// Injects a fault, and plans the next.
    pub(crate) fn fault(&mut self) {
        if !self.stormy {
            return;
        }
        // An application has few clients and is to get something done.
        let pause = if self.application.is_some() { 100..1_500 } else { 10..110 };
        let after = self.millis(pause) * self.plan.slowness.max(1);
        self.after(after, Event::Fault);
        let happened = if self.chance(self.plan.restarts) {
            self.restart()
        } else if self.plan.direct > 0.0 && self.chance(0.4) {
            self.strike_link()
        } else {
            let standing = self
                .connections
                .iter()
                .filter(|(_, connection)| matches!(connection.state, State::Whole | State::Silent));
            let connections: Vec<ConnId> = standing.map(|(conn, _)| *conn).collect();
            let which = self.rng.usize(..connections.len().max(1));
            connections.get(which).is_some_and(|conn| self.strike(*conn))
        };
        self.counts.faults += usize::from(happened);
    }

    /// Injects a fault into a connection, or into its owner.
    fn strike(&mut self, conn: ConnId) -> bool {
        match self.rng.u32(..100) {
            0..45 => self.cut(conn, false),
            45..53 => self.silence(conn),
            53..75 => self.freeze(conn),
            75..87 => self.steal(conn),
            87..98 => self.meddle(conn),
            _ => self.interfere(conn),
        }
    }

    /// A connection that stands and carries nothing. Either side's own heartbeat misses it, and
    /// the server's may be far slower.
    fn silence(&mut self, conn: ConnId) -> bool {
        let after =
            if self.rng.bool() { self.millis(6_000..10_000) } else { self.millis(10_000..45_000) };
        let Some(connection) = self.connections.get_mut(&conn) else { return false };
        connection.state = State::Silent;
        let client = connection.client;
        self.after(after, Event::ServerLoses(conn));
        if self.legacy_of(client).is_some() {
            let after = self.millis(6_000..45_000);
            self.after(after, Event::ClientLoses(conn));
        }
        true
    }

    fn freeze(&mut self, conn: ConnId) -> bool {
        let until = self.now + self.millis(10..2_000);
        let Some(connection) = self.connections.get_mut(&conn) else { return false };
        connection.freeze(until);
        let client = connection.client;
        if self.legacy_of(client).is_some() {
            // What is for it waits on the server.
            self.server.pause(conn, true);
            self.after(until - self.now, Event::Reads(conn));
        }
        true
    }

    /// A stranger wants the name of a client whose pairing stands.
    fn steal(&mut self, conn: ConnId) -> bool {
        let Some(victim) = self.clients.get(self.connections[&conn].client) else { return false };
        let id: ClientId = victim.name.parse().expect("an id");
        if self.server.broker.pairing_of(&id).is_none() {
            return false; // The name may be free, and then it is anybody's.
        }
        let may_take_over = self.plan.duplicates == DuplicatePolicy::TakeOver;
        if may_take_over && !self.chance(0.1) {
            return false; // Each is the end of a pairing.
        }
        let stranger = self.new_conn();
        let shown = self.chance(0.5).then(|| self.fresh_token());
        let dialect = if shown.is_some() { Dialect::V2 } else { Dialect::V1 };
        let who = Who { number: STRANGER, id, dialect, direct: false };
        let tokens = (shown, self.fresh_token());
        let admitted = self.server.admit(stranger, who, tokens, self.now, &mut self.oracle);
        if admitted != Err(Code::DuplicateId) {
            // It got in: what is meant for its victim is not for it.
            self.connections.insert(stranger, Connection::new(STRANGER, self.now));
            self.after(Duration::ZERO, Event::Announce(stranger));
        }
        true
    }

    /// The host parts two clients, or removes one.
    fn interfere(&mut self, conn: ConnId) -> bool {
        let client = self.connections[&conn].client;
        if client >= self.clients.len() + self.legacies.len() || !self.chance(0.2) {
            return false;
        }
        let id = SimClient::new(client).name.parse().expect("an id");
        let input = match self.rng.u8(..3) {
            0 => Input::Kick(id),
            1 => Input::Expel(conn),
            _ => Input::Unpair(id),
        };
        self.server.handle(input, self.now, &mut self.oracle);
        true
    }

    /// The server ends, with a goodbye or without, and another begins that knows no client.
    fn restart(&mut self) -> bool {
        let goodbye = self.rng.bool();
        self.stop(goodbye);
        if self.plan.direct > 0.0 {
            self.down_until = Some(self.now + self.millis(0..20_000));
        }
        true
    }

    pub(crate) fn stop(&mut self, goodbye: bool) {
        if goodbye {
            self.server.handle(Input::ShutDown, self.now, &mut self.oracle);
            self.serve();
            self.check_that_nobody_is_left();
        }
        let conns: Vec<_> = self.connections.keys().copied().collect();
        for conn in conns {
            self.cut(conn, true);
        }
        self.last_node += 1;
        self.server.crash(&mut self.oracle);
        self.server = Server::new(self.last_node, &self.plan);
    }
}
