//! What applications do, and what goes wrong.

use std::time::Duration;

use serde_json::Value;
use socketio_p2p_protocol::{Body, Code, ConnId, Dialect, Frame, Hello, broker};

use crate::{
    link::{Link, State, Up},
    server::Server,
    world::{Event, World},
};

impl World {
    /// Something goes wrong, and will again.
    pub(crate) fn fault(&mut self) {
        if !self.stormy {
            return;
        }
        let after = self.millis(10..140);
        self.after(after, Event::Fault);
        self.counts.faults += 1;
        if self.chance(self.plan.restarts) {
            return self.restart();
        }
        let standing = self.links.iter().filter(|(_, link)| link.state != State::Cut);
        let links: Vec<ConnId> = standing.map(|(conn, _)| *conn).collect();
        if links.is_empty() {
            return;
        }
        let conn = links[self.rng.usize(..links.len())];
        match self.rng.u32(..10) {
            0..4 => self.cut(conn, false),
            4 => self.silence(conn),
            5 | 6 => {
                let until = self.now + self.millis(10..2_000);
                if let Some(link) = self.links.get_mut(&conn) {
                    link.freeze(until);
                }
            }
            7 => self.steal(conn),
            8 => self.meddle(conn),
            _ => self.unpair(conn),
        }
    }

    /// A connection that stands and carries nothing. The server's own heartbeat misses it.
    fn silence(&mut self, conn: ConnId) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.state = State::Silent;
            let after = self.millis(6_000..10_000);
            self.after(after, Event::ServerLoses(conn));
        }
    }

    /// A stranger wants the name of a client whose pairing stands.
    fn steal(&mut self, conn: ConnId) {
        let victim = self.links[&conn].client;
        if victim >= self.clients.len() {
            return;
        }
        let id: socketio_p2p_protocol::ClientId = self.clients[victim].name.parse().expect("an id");
        if self.server.broker.pairing_of(&id).is_none() {
            return; // The name may be free, and then it is anybody's.
        }
        let stranger = self.new_conn();
        let shown = self.chance(0.5).then(|| self.fresh_token());
        let dialect = if shown.is_some() { Dialect::V2 } else { Dialect::V1 };
        let hello = Hello::new(id, dialect, self.fresh_token()).resume(shown);
        let admitted = self.server.admit(stranger, hello, self.now, &mut self.oracle);
        if admitted != Err(Code::DuplicateId) {
            // It got in: what it hears then is not for it.
            self.links.insert(stranger, Link::new(usize::MAX, self.now));
            self.after(Duration::ZERO, Event::Announce(stranger));
        }
    }

    /// A connection says things that its client never would: frames of pairings that are not its
    /// own and never were.
    fn meddle(&mut self, conn: ConnId) {
        let foreign = self.oracle.foreign(self.links[&conn].client);
        if foreign.is_empty() {
            return;
        }
        let pairing = foreign[self.rng.usize(..foreign.len())];
        let body = Body::Emit {
            event: "call".to_owned(),
            args: vec![Value::from(u64::MAX)].into(),
            reply: false,
        };
        let frame = Frame { seq: 1, ack: 0, got: 0, ttl: None, body: body.into() };
        self.send_up(conn, Up::Frames(pairing, vec![frame]));
    }

    /// The host parts two clients.
    fn unpair(&mut self, conn: ConnId) {
        let client = self.links[&conn].client;
        if client < self.clients.len() && self.chance(0.02) {
            let id = self.clients[client].name.parse().expect("an id");
            self.server.handle(broker::Input::Unpair(id), self.now, &mut self.oracle);
        }
    }

    /// The server ends, and another begins that knows nobody.
    fn restart(&mut self) {
        let conns: Vec<_> = self.links.keys().copied().collect();
        for conn in conns {
            self.cut(conn, true);
        }
        self.last_node += 1;
        self.server.forget_all(&mut self.oracle);
        let skips = self.server.skips_pairing_ids;
        self.server = Server::new(self.last_node);
        self.server.skips_pairing_ids = skips;
    }
}
