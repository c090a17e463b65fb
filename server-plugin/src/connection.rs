//! A client's connection: its socket, its dialect, and where what it says is relayed to.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use socketio_p2p_protocol::{ClientId, ConnId, Dialect, ServerMessage};

use crate::{
    counters::Counted,
    legacy,
    relay::Route,
    server::Shared,
    slot::Slot,
    socket::{Arguments, Outlet, SendFailure},
    throttle::Throttle,
};

pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) client: ClientId,
    pub(crate) dialect: Dialect,
    /// Whether a v2 client takes attachments.
    pub(crate) binary: bool,
    pub(crate) outlet: Box<dyn Outlet>,
    pub(crate) throttle: Throttle,
    /// Whether the host said so: before that its socket is not connected, and not gone either.
    connected: AtomicBool,
    /// Written only by carrying out the broker's outputs; all that the hot path asks.
    route: Slot<Route>,
    _counted: Counted,
}

impl Connection {
    pub(crate) fn new(
        id: ConnId,
        client: ClientId,
        dialect: Dialect,
        binary: bool,
        outlet: Box<dyn Outlet>,
        throttle: Throttle,
        counted: Counted,
    ) -> Self {
        Self {
            id,
            client,
            dialect,
            binary,
            outlet,
            throttle,
            connected: AtomicBool::new(false),
            route: Slot::empty(),
            _counted: counted,
        }
    }

    pub(crate) fn set_connected(&self) {
        self.connected.store(true, Ordering::Release);
    }

    pub(crate) fn was_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Where what this client says goes, if it is paired.
    pub(crate) fn route(&self) -> Option<Arc<Route>> {
        self.route.read()
    }

    pub(crate) fn set_route(&self, route: Option<Arc<Route>>) -> Option<Arc<Route>> {
        self.route.replace(route)
    }

    /// Tells the client something, in its dialect.
    pub(crate) fn send(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        message: &ServerMessage,
    ) -> Result<(), SendFailure> {
        match self.dialect {
            Dialect::V1 => legacy::send(shared, self, message),
            Dialect::V2 => self.send_v2(message),
        }
    }

    pub(crate) fn send_v2(&self, message: &ServerMessage) -> Result<(), SendFailure> {
        let Some((event, args)) = message.to_event() else {
            return Ok(());
        };
        self.outlet.emit(event, Arguments::Values(&args))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("client", &self.client)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
