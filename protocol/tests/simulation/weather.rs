//! What applications do, and what goes wrong.

use std::time::Duration;

use serde_json::Value;
use socketio_p2p_protocol::{
    Args, Body, Code, ConnId, Dialect, Frame, Hello, broker, endpoint::Command,
};

use crate::{
    client::Waiting,
    link::{Link, State, Up},
    oracle::{CallNo, Manner, Report},
    server::Server,
    world::{Event, World},
};

impl World {
    /// An application does something, and will again.
    pub(crate) fn act(&mut self, client: usize) {
        if !self.stormy {
            return;
        }
        let after = self.millis(1..60);
        self.after(after, Event::Act(client));
        if self.clients[client].endpoint.is_none() {
            return;
        }
        if self.oracle.partner_of(client).is_none() {
            if self.clients[client].asked == 0 && self.chance(0.3) {
                self.register(client);
            }
            return;
        }
        match self.rng.u32(..3000) {
            0..3 => self.unregister(client),
            3..60 => self.change_mind(client),
            // An application that waits for answers makes no calls without end.
            _ if self.clients[client].waiting.len() > 40 => {}
            _ => {
                for _ in 0..self.rng.usize(1..4) {
                    self.call(client);
                }
            }
        }
    }

    fn register(&mut self, client: usize) {
        let other = self.rng.usize(..self.clients.len());
        let target = self.clients[other].name.parse().expect("a name is an id");
        let call = self.clients[client].next_request();
        let deadline = self.now + Duration::from_secs(12);
        self.command(client, Command::Register { call, target, payload: None, deadline });
    }

    fn unregister(&mut self, client: usize) {
        let call = self.clients[client].next_request();
        let deadline = self.now + Duration::from_secs(5);
        self.command(client, Command::Unregister { call, deadline });
    }

    /// A caller no longer wants to know.
    fn change_mind(&mut self, client: usize) {
        let open = self.clients[client].open.len();
        if open == 0 {
            return;
        }
        let which = self.rng.usize(..open);
        let call = self.clients[client].open.swap_remove(which);
        let waiting = &mut self.clients[client].waiting;
        if let Some(at) = waiting.iter().position(|waiting| waiting.call == call) {
            waiting.remove(at);
            self.oracle.reported(call, Report::NotExecuted);
            self.oracle.forgotten(call);
        } else if self.oracle.is_open(call) {
            self.oracle.forgotten(call);
            self.command(client, Command::Cancel(call as u64));
        }
    }

    /// A call, with whatever it may have.
    fn call(&mut self, client: usize) {
        let acknowledged = self.chance(0.8);
        let impatient = self.chance(0.03);
        let fleeting = self.chance(0.03);
        let patience = if impatient { self.millis(1..500) } else { Duration::from_secs(120) };
        let ttl = fleeting.then(|| self.millis(1..200));
        let excused = impatient || fleeting;
        let size = if self.chance(0.004) { self.rng.usize(..200_000) } else { 0 };
        let call = self.emit(client, Manner { acknowledged, excused }, patience, ttl, size);
        if acknowledged {
            self.clients[client].open.push(call);
        }
    }

    /// Emits something, now or when there is room.
    pub(crate) fn emit(
        &mut self,
        client: usize,
        manner: Manner,
        patience: Duration,
        ttl: Option<Duration>,
        size: usize,
    ) -> CallNo {
        let call = self.oracle.called(client, manner);
        let (pairing, _) = self.oracle.partner_of(client).expect("who calls is paired");
        let deadline = self.now + patience;
        let mut args = vec![Value::from(call)];
        if size > 0 {
            args.push("x".repeat(size).into());
        }
        let expires = ttl.map(|ttl| self.now + ttl);
        if let Some(expires) = expires {
            self.expiries.insert(call, expires);
        }
        let command = Command::Emit {
            call: call as u64,
            pairing,
            event: "call".to_owned(),
            args: Args::from(args),
            reply_by: manner.acknowledged.then_some(deadline),
            expires,
            via: None,
        };
        self.clients[client].waiting.push_back(Waiting { call, command, deadline });
        self.feed(client, socketio_p2p_protocol::endpoint::Input::Timeout);
        call
    }

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
