//! The broker behind its lock: one step at a time, and its outputs carried out in order.

mod clock;
mod closing;
pub(crate) mod connections;
pub(crate) mod requests;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use socketio_p2p_protocol::{
    Broker, BrokerEvent, ClientId, ClientMessage, Code, ConnId, Dialect, Hello, Partner, Presence,
    ReqId, ServerMessage,
    broker::{Broken, Input, Listing, Output},
    peer::v1::{Bridge, Side},
    relay::{SendFailure, is_offence, must_arrive},
};
use tokio::sync::watch;

pub(crate) use self::closing::CLOSE_TIMEOUT;
use self::connections::Connections;
use crate::{
    attach::identity::Hooks,
    connection::{Connection, Route, Way},
    inbound::{answers::Answers, throttle::SignalRate},
    limits::ServerLimits,
    observe::{
        counters::{Gauges, RefusalCounters},
        events::Publisher,
        logged,
    },
    outbound::socket::send_v2,
    tasks::Tasks,
    v1::{self, V1Bridge},
};

/// The state that all parts of a plugin share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Decides all that changes pairings. Never held across an await, nor while a host or a user
    /// is called that may call back.
    broker: Mutex<Broker>,
    connections: Connections<Arc<Connection>>,
    pub(crate) hooks: Hooks,
    pub(crate) limits: ServerLimits,
    pub(crate) counters: RefusalCounters,
    pub(crate) gauges: Gauges,
    pub(crate) events: Publisher,
    /// The time at which the clock reports to the broker: its next deadline, or an earlier time.
    deadline: watch::Sender<Option<Instant>>,
    pub(crate) tasks: Tasks,
    clock: Once,
    last_conn: AtomicU64,
}

/// The work that a step leaves until the broker's lock is released: each part of it may call a host
/// or a user, or takes long.
#[derive(Default)]
struct Afterwards {
    /// Connections to be closed, whose clients are to stay away.
    closing: Vec<ConnId>,
    /// Connections to be ended, whose clients may come back.
    hanging_up: Vec<ConnId>,
    /// Connections of clients that missed a message that they must know.
    unread: Vec<ConnId>,
    /// Invariants of the broker that do not hold.
    broken: Vec<Broken>,
    /// Lists of clients, with the numbers of the requests: they may be long.
    lists: Vec<(ConnId, Option<ReqId>, Listing)>,
}

impl Shared {
    pub(crate) fn new(broker: Broker, hooks: Hooks, limits: ServerLimits) -> Arc<Self> {
        Arc::new(Self {
            broker: Mutex::new(broker),
            connections: Connections::new(),
            hooks,
            limits,
            counters: RefusalCounters::default(),
            gauges: Gauges::default(),
            events: Publisher::new(),
            deadline: watch::channel(None).0,
            tasks: Tasks::default(),
            clock: Once::new(),
            last_conn: AtomicU64::new(0),
        })
    }

    /// Locks the broker, to ask it something.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one step.
    pub(crate) fn step(self: &Arc<Self>, input: Input) {
        self.change(|broker| broker.handle(input, Instant::now()));
    }

    /// Returns the number of a new connection.
    pub(crate) fn next_conn(&self) -> ConnId {
        ConnId(self.last_conn.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives a new connection its name.
    ///
    /// # Errors
    ///
    /// The reason of the broker's refusal.
    pub(crate) fn admit(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        hello: Hello,
    ) -> Result<(), Code> {
        let conn = connection.id;
        self.connections.admit(conn, connection.clone(), || {
            self.change(|broker| broker.admit(conn, hello, Instant::now()))
        })
    }

    /// Returns the connection that has an id at present.
    pub(crate) fn holder(&self, client: &ClientId) -> Option<Arc<Connection>> {
        let conn = self.lock().connection_of(client)?;
        self.connection(conn)
    }

    /// Notes that the socket of a connection can be written to. Returns whether it is still wanted:
    /// it may have been removed meanwhile.
    pub(crate) fn connected(self: &Arc<Self>, conn: ConnId) -> bool {
        let Some(connection) = self.connection(conn) else { return false };
        connection.set_connected();
        self.step(Input::Connected(conn));
        true
    }

    pub(crate) fn received(self: &Arc<Self>, conn: ConnId, message: ClientMessage) {
        self.step(Input::Received(conn, message));
    }

    /// Counts a message of this client that was refused, and removes the client if it was one too
    /// many.
    pub(crate) fn refused(self: &Arc<Self>, from: &Connection, code: Code) {
        self.counters.refused(code);
        if is_offence(code) && from.throttle.strike() {
            logged(
                || tracing::warn!(client = %from.client, %code, "client removed because too many of its messages were refused"),
            );
            self.counters.struck_out();
            self.step(Input::Expel(from.id));
        }
    }

    /// Sends a message to a client, in its dialect.
    pub(crate) fn tell(
        self: &Arc<Self>,
        to: &Connection,
        message: &ServerMessage,
    ) -> Result<(), SendFailure> {
        match to.dialect {
            Dialect::V2 => send_v2(&*to.outlet, message),
            Dialect::V1 => {
                if let ServerMessage::Partner { state, .. } = message {
                    self.tell_bridge(to, *state);
                }
                if let Some((question, ack)) = v1::tell(&*to.outlet, message)? {
                    let answers = to.answers.get_or_init(|| Arc::new(Answers::new()));
                    if answers.expect(question, ack) {
                        let (shared, conn, answers) = (self.clone(), to.id, answers.clone());
                        self.tasks.spawn(async move {
                            answers.attend(|answer| shared.received(conn, answer)).await;
                        });
                    }
                }
                Ok(())
            }
        }
    }

    /// Handles the answers of a v1 client to questions that have come.
    pub(crate) fn take_answers(self: &Arc<Self>, from: &Connection) {
        if let Some(answers) = from.answers.get() {
            answers.take(|answer| self.received(from.id, answer));
        }
    }

    /// Returns the address of the client that caused an event, if it is known and the client is still there.
    fn address_of(&self, broker: &Broker, event: &BrokerEvent) -> Option<SocketAddr> {
        let client = match event {
            BrokerEvent::Connected(client) | BrokerEvent::Back(client) => client,
            BrokerEvent::Registered { source, .. } | BrokerEvent::Refused { source, .. } => source,
            _ => return None,
        };
        self.connection(broker.connection_of(client)?)?.outlet.address()
    }

    /// Waits until the present step, if any, is carried out.
    pub(crate) fn await_present_step(&self) {
        drop(self.lock());
    }

    /// Changes the broker, and carries out all its outputs in order.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Broker) -> T) -> T {
        let mut afterwards = Afterwards::default();
        let changed = {
            let mut broker = self.lock();
            let changed = change(&mut broker);
            while let Some(output) = broker.poll_output() {
                self.carry_out(&mut broker, output, &mut afterwards);
            }
            let next = broker.poll_timeout();
            self.deadline.send_if_modified(|deadline| bring_forward(deadline, next));
            changed
        };
        self.finish(afterwards);
        changed
    }

    fn carry_out(
        self: &Arc<Self>,
        broker: &mut Broker,
        output: Output,
        afterwards: &mut Afterwards,
    ) {
        match output {
            Output::List(conn, req, listing) => afterwards.lists.push((conn, req, listing)),
            Output::Send(conn, message) => {
                let Some(connection) = self.connection(conn) else { return };
                let full = self.tell(&connection, &message) == Err(SendFailure::Full);
                if full && must_arrive(&message) {
                    broker.handle(Input::Disconnected(conn), Instant::now());
                    afterwards.unread.push(conn);
                }
            }
            Output::Route(conn, partner) => self.route(conn, &partner),
            Output::Unroute(conn, reason) => {
                let connection = self.connection(conn);
                let old = connection.and_then(|connection| connection.set_route(None));
                if let Some(Way::Bridged(bridge, _)) = old.as_deref().map(|old| &old.way) {
                    bridge.end(reason);
                }
            }
            Output::RouteInRoom(conn, partner) => self.route_in_room(conn, &partner),
            Output::UnrouteInRoom(conn, pairing) => {
                if let Some(connection) = self.connection(conn) {
                    connection.rooms.remove(pairing);
                }
            }
            Output::Grant { pairing, .. } => {
                // One node: nobody else to ask.
                broker.handle(Input::Granted(pairing, Ok(())), Instant::now());
            }
            Output::Close(conn) => afterwards.closing.push(conn),
            Output::HangUp(conn) => afterwards.hanging_up.push(conn),
            Output::Event(event) => {
                let address = self.address_of(broker, &event);
                self.events.push(event, address);
            }
            Output::Complain(broken) => afterwards.broken.push(broken),
        }
    }

    /// Does what a step left, outside of the broker's lock.
    fn finish(self: &Arc<Self>, afterwards: Afterwards) {
        let Afterwards { closing, hanging_up, unread, broken, lists } = afterwards;
        self.events.publish();
        for broken in broken {
            logged(|| tracing::error!(%broken, "an invariant of the broker does not hold"));
        }
        for conn in unread {
            self.drop_unread(conn);
        }
        for (conn, req, listing) in lists {
            if let Some(connection) = self.connection(conn) {
                // If its queue is full, the client misses a list, nothing more.
                self.tell(&connection, &listing.message(req)).ok();
            }
        }
        for conn in closing {
            if let Some(connection) = self.drop_connection(conn) {
                self.disconnect(connection);
            }
        }
        for conn in hanging_up {
            if let Some(connection) = self.drop_connection(conn) {
                self.hang_up(connection);
            }
        }
    }

    /// Returns whether a connection is known.
    pub(crate) fn has(&self, conn: ConnId) -> bool {
        self.connection(conn).is_some()
    }

    fn connection(&self, conn: ConnId) -> Option<Arc<Connection>> {
        self.connections.get(conn)
    }

    fn route(self: &Arc<Self>, conn: ConnId, partner: &Partner) {
        let (Some(from), Some(to)) = (self.connection(conn), self.connection(partner.conn)) else {
            return;
        };
        let way = self.way(partner, &from, &to);
        let counted = self.gauges.routes.count_in();
        from.set_route(Some(Arc::new(Route::new(partner, [&from, &to], way, counted))));
    }

    /// Adds a route to another member of a room. Both speak v2.
    fn route_in_room(self: &Arc<Self>, conn: ConnId, partner: &Partner) {
        let (Some(from), Some(to)) = (self.connection(conn), self.connection(partner.conn)) else {
            return;
        };
        let counted = self.gauges.routes.count_in();
        let route = Route::new(partner, [&from, &to], Way::Straight, counted);
        from.rooms.insert(Arc::new(route.in_room(SignalRate::new(&self.limits))));
    }

    fn way(&self, partner: &Partner, from: &Connection, to: &Connection) -> Way {
        let dialects = [from.dialect, to.dialect];
        if !Bridge::is_needed(dialects) {
            return Way::Straight;
        }
        let present = to.route().filter(|route| route.verdicts.pairing() == partner.pairing);
        if let Some(Way::Bridged(bridge, side)) = present.as_deref().map(|route| &route.way) {
            // The partner has its route already: this is the other side of its bridge, also when
            // this client is back on another connection.
            bridge.connect(side.other(), from.outlet.clone());
            return Way::Bridged(bridge.clone(), side.other());
        }
        let outlets = [from, to].map(|end| end.outlet.clone());
        let counted = self.gauges.bridges.count_in();
        let bridge = V1Bridge::new(partner.pairing, dialects, outlets, &self.tasks, counted);
        Way::Bridged(bridge, Side::First)
    }

    fn tell_bridge(&self, to: &Connection, presence: Presence) {
        if let Some(Way::Bridged(bridge, side)) = to.route().as_deref().map(|route| &route.way) {
            bridge.partner_is(*side, presence);
        }
    }
}

/// Notes the next deadline of the broker if it is earlier than that for which the clock waits. Returns
/// whether it is: to wake the clock for each later one costs more than to let it report once in vain.
fn bring_forward(deadline: &mut Option<Instant>, next: Option<Instant>) -> bool {
    let is_earlier = next.is_some_and(|next| deadline.is_none_or(|deadline| next < deadline));
    if is_earlier {
        *deadline = next;
    }
    is_earlier
}
