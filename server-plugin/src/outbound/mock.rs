//! Sockets for tests that are about connections, not about what is sent.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, Dialect, Hello, ResumeToken, relay::SendFailure,
};

use super::{
    arguments::Arguments,
    socket::{Acknowledged, Outlet},
    stream_handle::StreamHandle,
};
use crate::{
    attach::identity::Hooks, connection::Connection, inbound::throttle::Throttle,
    limits::ServerLimits, step::Shared,
};

/// An action that a test has done at a certain moment.
pub(crate) type Action = Box<dyn FnOnce() + Send>;

/// A socket without a metered stream, whose polls may have one.
#[derive(Default)]
pub(crate) struct Unmetered {
    pub(crate) polls: bool,
    /// The stream of its last poll.
    pub(crate) poll: Mutex<Option<Arc<StreamHandle>>>,
    /// The stream of its websocket.
    pub(crate) websocket: Option<Arc<StreamHandle>>,
    /// The number of times that it was told to leave the namespace.
    pub(crate) left: AtomicUsize,
    /// Done when it is told so for the first time.
    pub(crate) on_leave: Mutex<Option<Action>>,
    pub(crate) gone: AtomicBool,
    /// `true` if it takes events that want acknowledgements. They never come.
    pub(crate) owes: bool,
}

impl Outlet for Unmetered {
    fn emit(&self, _: &str, _: Arguments<'_>) -> Result<(), SendFailure> {
        Ok(())
    }

    fn emit_with_ack(
        &self,
        _: &str,
        _: Arguments<'_>,
        _: Duration,
    ) -> Result<Acknowledged, SendFailure> {
        match self.owes {
            true => Ok(Box::pin(std::future::pending())),
            false => Err(SendFailure::Gone),
        }
    }

    fn ack(&self, _: i64, _: Arguments<'_>) -> Result<(), SendFailure> {
        Ok(())
    }

    fn disconnect(&self) -> Result<(), SendFailure> {
        self.left.fetch_add(1, Ordering::Relaxed);
        let action = self.on_leave.lock().unwrap().take();
        if let Some(action) = action {
            action();
        }
        Ok(())
    }

    fn stream(&self) -> Option<Arc<StreamHandle>> {
        self.websocket.clone()
    }

    fn poll_stream(&self) -> Option<Arc<StreamHandle>> {
        self.poll.lock().unwrap().clone().filter(|stream| stream.waits())
    }

    fn polls(&self) -> bool {
        self.polls
    }

    fn is_connected(&self) -> bool {
        true
    }

    fn is_flushed(&self) -> bool {
        true
    }

    fn is_overfull(&self) -> bool {
        false
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    fn takes_attachments(&self) -> bool {
        true
    }
}

/// Returns the state of a plugin without clients.
pub(crate) fn shared() -> Arc<Shared> {
    let broker = Broker::new(BrokerConfig::new(1));
    Shared::new(broker, Hooks::default(), ServerLimits::default())
}

/// Returns a connection of the client `A` that is to be admitted, and its claims.
pub(crate) fn connecting(
    shared: &Arc<Shared>,
    dialect: Dialect,
    outlet: Arc<dyn Outlet>,
) -> (Arc<Connection>, Hello) {
    connecting_as("A", shared, dialect, outlet)
}

/// The same of the client of this name.
pub(crate) fn connecting_as(
    name: &str,
    shared: &Arc<Shared>,
    dialect: Dialect,
    outlet: Arc<dyn Outlet>,
) -> (Arc<Connection>, Hello) {
    let (id, counted) = (shared.next_conn(), shared.gauges.connections.count_in());
    let throttle = Throttle::new(&shared.limits);
    let client = || name.parse().unwrap();
    let connection = Connection::new((id, client()), dialect, false, outlet, throttle, counted);
    (Arc::new(connection), Hello::new(client(), dialect, ResumeToken::new([0; 16])))
}
