//! A client's connection: its socket, its dialect, and the route to its partner.

use std::{
    borrow::Borrow,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use socketio_p2p_protocol::{
    ClientId, Code, ConnId, Dialect, Partner, Refusal,
    peer::v1::Side,
    relay::{self, Refused},
};

use crate::{
    inbound::{
        answers::Answers,
        held::Held,
        throttle::{SignalRate, Throttle},
    },
    observe::counters::Counted,
    outbound::{gate::Attached, socket::Outlet},
    relay::{
        room_cell::RoomCell,
        route_cell::{Announced, RouteCell},
    },
    v1::V1Bridge,
};

pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) client: ClientId,
    pub(crate) dialect: Dialect,
    /// `true` if a v2 client accepts attachments.
    pub(crate) binary: bool,
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) throttle: Throttle,
    /// The answers that a v1 client owes, once it was asked.
    pub(crate) answers: OnceLock<Arc<Answers>>,
    pub(crate) held: Held,
    /// `true` once the host announced it. Before that its socket is neither connected nor gone.
    connected: AtomicBool,
    /// `true` once its transport was found gone.
    missed: AtomicBool,
    /// Written only when outputs of the broker are carried out, read by the hot path.
    route: RouteCell<Route>,
    /// Beside it, the routes to the other members of its rooms.
    pub(crate) rooms: RoomCell<Route>,
    _counted: Counted,
}

/// The way from a paired client to its partner.
pub(crate) struct Route {
    pub(crate) verdicts: relay::Route,
    pub(crate) partner: Arc<Connection>,
    pub(crate) way: Way,
    pub(crate) announced: Announced,
    /// The rate of signals of a pairing of a room. Those of the others count at the sender.
    pub(crate) signals: Option<SignalRate>,
    /// A v1 sender waits while what it fills is full, as long as it has this route.
    _slowed: Vec<Attached>,
    _counted: Counted,
}

/// Ways of a message to the partner.
pub(crate) enum Way {
    /// The unchanged message: both peers speak v2.
    Straight,
    /// Through the session that the server keeps for a v1 client. The side is the sender's.
    Bridged(Arc<V1Bridge>, Side),
}

impl Route {
    pub(crate) fn new(
        partner: &Partner,
        [from, to]: [&Arc<Connection>; 2],
        way: Way,
        counted: Counted,
    ) -> Self {
        let mut gates = to.outlet.gates();
        if let Way::Bridged(bridge, side) = &way {
            gates.push(bridge.gate(*side).clone());
        }
        let intake = from.outlet.intake();
        let slowed = intake.map(|intake| gates.iter().map(|gate| gate.attach(intake)).collect());
        Self {
            verdicts: relay::Route::new(partner),
            partner: to.clone(),
            way,
            announced: Announced::not_yet(),
            signals: None,
            _slowed: slowed.unwrap_or_default(),
            _counted: counted,
        }
    }

    /// Returns the same route with a rate of signals of its own, as a pairing of a room has it.
    pub(crate) fn in_room(self, signals: SignalRate) -> Self {
        Self { signals: Some(signals), ..self }
    }

    /// Returns the refusal of an admitted message.
    pub(crate) fn refused(&self, code: impl Into<Code>) -> Refused {
        let refusal = Refusal::from(code.into());
        Refused { refusal, pairing: Some(self.verdicts.pairing()) }
    }
}

impl Borrow<relay::Route> for Route {
    fn borrow(&self) -> &relay::Route {
        &self.verdicts
    }
}

impl Connection {
    pub(crate) fn new(
        (id, client): (ConnId, ClientId),
        dialect: Dialect,
        binary: bool,
        outlet: Arc<dyn Outlet>,
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
            answers: OnceLock::new(),
            held: Held::default(),
            connected: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            route: RouteCell::empty(),
            rooms: RoomCell::empty(),
            _counted: counted,
        }
    }

    pub(crate) fn set_connected(&self) {
        self.connected.store(true, Ordering::Release);
    }

    pub(crate) fn was_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Notes that its transport is gone. Returns whether that was so the last time already.
    pub(crate) fn is_missed_again(&self) -> bool {
        self.missed.swap(true, Ordering::Relaxed)
    }

    /// Returns the route to the partner, if the client is paired.
    pub(crate) fn route(&self) -> Option<Arc<Route>> {
        self.route.read()
    }

    /// Handles the client's acknowledgements of its partner's events that have come.
    pub(crate) fn take_answers(&self) {
        if let Some(Way::Bridged(bridge, _)) = self.route().as_deref().map(|route| &route.way) {
            bridge.take_answers();
        }
    }

    pub(crate) fn set_route(&self, route: Option<Arc<Route>>) -> Option<Arc<Route>> {
        self.route.replace(route)
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
