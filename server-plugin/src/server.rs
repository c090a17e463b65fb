//! The plugin: one broker behind one lock, and carrying out what it says.

mod closing;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dashmap::DashMap;
use socketio_p2p_protocol::{
    Broker, BrokerEvent, BrokerStats, ClientEntry, ClientId, ClientMessage, Code, ConnId, Dialect,
    Hello, PairingId, Partner, ReqId, ResumeToken, ServerMessage,
    broker::{Input, Output},
};
use socketioxide::{
    SocketIoBuilder,
    adapter::{Adapter, LocalAdapter},
    handler::ConnectHandler,
    socket::Socket,
};
use tokio::sync::{broadcast, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admission::{Admission, Identity},
    bridge::{Bridge, Side},
    builder::P2pServerBuilder,
    connection::Connection,
    counters::{Counters, Objects, Stats, Tally},
    events::Events,
    guest::Guest,
    handlers,
    keeper::keep,
    limits::ServerLimits,
    relay::{Route, Way},
    socket::{Departure, Outflow, SendFailure},
    throttle::Throttle,
};

/// How long [`P2pServer::close`] waits for what is under way.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The P2P plugin of a socketioxide server. Cloning it is cheap.
///
/// It lives as long as its namespace; [`Self::close`] ends it.
#[derive(Clone, Debug)]
pub struct P2pServer {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    /// Decides all that changes pairings. Never held across an await, nor while a host or a user
    /// is called that may call back.
    broker: Mutex<Broker>,
    connections: DashMap<ConnId, Arc<Connection>>,
    pub(crate) admission: Admission,
    pub(crate) limits: ServerLimits,
    pub(crate) counters: Tally,
    pub(crate) objects: Objects,
    events: broadcast::Sender<BrokerEvent>,
    last_conn: AtomicU64,
    /// When the broker wants to be told of the time.
    pub(crate) deadline: watch::Sender<Option<Instant>>,
    keeper: Once,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl P2pServer {
    /// Settings for a plugin.
    pub fn builder() -> P2pServerBuilder {
        P2pServerBuilder::default()
    }

    /// A builder of socketioxide with the limits that this plugin advises: messages of at most
    /// 512 KiB on websocket and polling, as much in attachments, 1,024 packets in a socket's queue,
    /// so that a full window fits, and a ping every 6 s, so that a dead connection is noticed
    /// within 10 s.
    #[must_use]
    pub fn socket_io() -> SocketIoBuilder<LocalAdapter> {
        crate::builder::socket_io()
    }

    pub(crate) fn new(broker: Broker, admission: Admission, limits: ServerLimits) -> Self {
        let shared = Shared {
            broker: Mutex::new(broker),
            connections: DashMap::new(),
            admission,
            limits,
            counters: Tally::default(),
            objects: Objects::default(),
            events: broadcast::channel(crate::events::EVENTS).0,
            last_conn: AtomicU64::new(0),
            deadline: watch::channel(None).0,
            keeper: Once::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// An application's connect handler with the plugin around it, for `io.ns`.
    ///
    /// The handler's middleware runs first and may refuse the connection; then the plugin finds
    /// out which client it is, and may refuse it with a CONNECT_ERROR whose message is the code.
    /// A connection without a client id is left alone.
    ///
    /// ```
    /// # use socketioxide::{SocketIo, extract::SocketRef};
    /// # use socketio_p2p_server::P2pServer;
    /// let (layer, io) = SocketIo::new_layer();
    /// let p2p = P2pServer::builder().build();
    /// io.ns("/", p2p.wrap(async |socket: SocketRef| {
    ///     socket.on("my-own-event", async || { /* … */ });
    /// }));
    /// # drop(layer);
    /// ```
    pub fn wrap<A, T, H>(&self, handler: H) -> impl ConnectHandler<A, T>
    where
        A: Adapter,
        T: Send + Sync + 'static,
        H: ConnectHandler<A, T>,
    {
        Guest { shared: self.shared.clone(), handler }
    }

    /// The clients there are, in the order of their names.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientEntry> {
        self.shared.lock().clients()
    }

    /// The partner of a client, and the id of their pairing.
    #[must_use]
    pub fn pairing_of(&self, client: &ClientId) -> Option<(PairingId, ClientId)> {
        self.shared.lock().pairing_of(client).map(|(id, partner)| (id, partner.clone()))
    }

    /// Parts a client from its partner, if it has one. Both are told `kicked`.
    pub fn unpair(&self, client: &ClientId) {
        self.shared.step(Input::Unpair(client.clone()));
    }

    /// Removes a client, if it is there: its pairing ends with `kicked`, its connection is closed.
    pub fn kick(&self, client: &ClientId) {
        self.shared.step(Input::Kick(client.clone()));
    }

    /// What happens from now on. A reader that falls 1,024 events behind is told so.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.shared.events.subscribe(), self.shared.stop.clone())
    }

    /// How many clients, waiting registrations and pairings there are, and what is held for them.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let BrokerStats { clients, away, requests, pairings, .. } = self.shared.lock().stats();
        let Objects { connections, routes, bridges } = &self.shared.objects;
        Stats {
            clients,
            away,
            requests,
            pairings,
            connections: connections.count(),
            routes: routes.count(),
            bridges: bridges.count(),
            tasks: self.shared.tasks.len(),
        }
    }

    /// What was refused since the server began.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters.read()
    }

    /// Ends all pairings with `shutting-down`, closes the connections of all clients, refuses new
    /// ones, and returns when nothing of the plugin runs any more, at the latest after 5 s.
    ///
    /// Connections that are no P2P clients stay.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: calling it again goes on.
    pub async fn close(&self) {
        let shared = &self.shared;
        shared.step(Input::ShutDown);
        shared.stop.cancel();
        shared.tasks.close();
        if tokio::time::timeout(CLOSE_TIMEOUT, shared.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = shared.tasks.len(), "not everything ended in time");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a task that ends with the plugin, at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    pub(crate) fn step(self: &Arc<Self>, input: Input) {
        self.change(|broker| broker.handle(input, Instant::now()));
    }

    /// One change of the broker, all its outputs carried out, in order.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Broker) -> T) -> T {
        let mut closing = Vec::new();
        let changed = {
            let mut broker = self.lock();
            let changed = change(&mut broker);
            while let Some(output) = broker.poll_output() {
                match output {
                    Output::Send(conn, message) => {
                        let Some(connection) = self.connection(conn) else {
                            continue;
                        };
                        let full = connection.send(self, &message) == Err(SendFailure::Full);
                        if full && changes_state(&message) {
                            // It missed something that it must know: what it believes is no
                            // longer true.
                            tracing::warn!(client = %connection.client, "closed: it does not read");
                            self.counters.unread();
                            broker.handle(Input::Disconnected(conn), Instant::now());
                            closing.push(conn);
                        }
                    }
                    Output::Route(conn, partner) => self.route(conn, &partner),
                    Output::Unroute(conn, reason) => {
                        let connection = self.connection(conn);
                        let old = connection.and_then(|connection| connection.set_route(None));
                        if let Some(Way::Bridged(bridge, _)) = old.as_deref().map(|old| &old.way) {
                            bridge.end(self, reason);
                        }
                    }
                    Output::Grant { pairing, .. } => {
                        // One node: nobody else to ask.
                        broker.handle(Input::Granted(pairing, Ok(())), Instant::now());
                    }
                    Output::Close(conn) => closing.push(conn),
                    Output::Event(event) => self.publish(event),
                }
            }
            let next = broker.poll_timeout();
            self.deadline.send_if_modified(|deadline| std::mem::replace(deadline, next) != next);
            changed
        };
        // Outside the lock: the host calls the application's disconnect handler.
        for conn in closing {
            if let Some(connection) = self.drop_connection(conn) {
                self.disconnect(connection);
            }
        }
        changed
    }

    /// Waits until the step that is being taken, if any, is carried out.
    pub(crate) fn await_present_step(&self) {
        drop(self.lock());
    }

    fn connection(&self, conn: ConnId) -> Option<Arc<Connection>> {
        self.connections.get(&conn).map(|connection| connection.clone())
    }

    fn publish(&self, event: BrokerEvent) {
        tracing::info!(?event);
        // Nobody need listen.
        self.events.send(event).ok();
    }

    fn route(self: &Arc<Self>, conn: ConnId, partner: &Partner) {
        let (Some(from), Some(to)) = (self.connection(conn), self.connection(partner.conn)) else {
            return;
        };
        let way = if from.dialect == Dialect::V2 && to.dialect == Dialect::V2 {
            Way::Straight
        } else {
            match to.route().filter(|route| route.pairing == partner.pairing).as_deref() {
                // The other end has its route already: this is the other side of its bridge, also
                // when this end is back on another connection.
                Some(Route { way: Way::Bridged(bridge, side), .. }) => {
                    bridge.connect(side.other(), &from);
                    Way::Bridged(bridge.clone(), side.other())
                }
                _ => {
                    let bridge = Bridge::new(self, partner.pairing, from.clone(), to.clone());
                    Way::Bridged(bridge, Side::First)
                }
            }
        };
        let counted = self.objects.routes.count_in();
        from.set_route(Some(Arc::new(Route::new(partner, to, way, counted))));
    }

    /// Gives a new connection its name, or says why not; none if it is not a client.
    pub(crate) fn admit<A: Adapter>(
        self: &Arc<Self>,
        socket: &Arc<Socket<A>>,
        identity: Identity,
    ) -> Result<(), Code> {
        let Identity { client, dialect, binary, direct, resume } = identity;
        let conn = ConnId(self.last_conn.fetch_add(1, Ordering::Relaxed));
        let hello = Hello::new(client.clone(), dialect, fresh_token()?);
        let hello = hello.direct(direct).resume(resume);
        self.change(|broker| broker.admit(conn, hello, Instant::now()))?;
        self.keeper.call_once(|| {
            self.tasks.spawn(keep(Arc::downgrade(self), self.stop.clone()));
        });
        let outlet = Box::new(Outflow::new(socket, self.limits.queue));
        let throttle = Throttle::new(&self.limits);
        let counted = self.objects.connections.count_in();
        let connection = Connection::new(conn, client, dialect, binary, outlet, throttle, counted);
        let connection = Arc::new(connection);
        self.connections.insert(conn, connection.clone());
        handlers::listen(self, socket, &connection);
        let departure = Departure { shared: Arc::downgrade(self), conn };
        socket.extensions.insert(Arc::new(departure));
        Ok(())
    }

    /// The socket of a connection can be written to. Whether it is still wanted: it may have been
    /// removed meanwhile.
    pub(crate) fn connected(self: &Arc<Self>, conn: ConnId) -> bool {
        let Some(connection) = self.connection(conn) else { return false };
        connection.set_connected();
        self.step(Input::Connected(conn));
        true
    }

    pub(crate) fn received(self: &Arc<Self>, conn: ConnId, message: ClientMessage) {
        self.step(Input::Received(conn, message));
    }

    pub(crate) fn forbidden(self: &Arc<Self>, conn: ConnId, req: Option<ReqId>, to: ClientId) {
        self.step(Input::Forbidden(conn, req, to));
    }
}

/// A token that nobody can guess.
fn fresh_token() -> Result<ResumeToken, Code> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "no randomness: no client can be let in");
        Code::ShuttingDown
    })?;
    Ok(ResumeToken::new(bytes))
}

/// Whether a client that misses this believes what is no longer true.
const fn changes_state(message: &ServerMessage) -> bool {
    !matches!(
        message,
        ServerMessage::Clients { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::SignalRefused { .. }
            | ServerMessage::Error { .. }
    )
}
