//! The requests of clients: the quotas that they count towards, and those that wait.

use std::sync::Arc;

use socketio_p2p_protocol::{
    ClientId, ClientMessage, RoomName,
    broker::Input,
    peer::v1::Side,
    relay::{HeldRequests, RefusedRequest, RequestPolicy, SendFailure, admit_request, must_arrive},
};

use super::Shared;
use crate::{
    connection::{Connection, Way},
    inbound::held::Left,
    tasks::until,
    v1::V1Bridge,
};

/// Carries out a request of a v1 client, after those that it sent before.
pub(crate) fn take_v1(shared: &Arc<Shared>, from: &Arc<Connection>, request: ClientMessage) {
    if HeldRequests::passes(&request) {
        return carry_out(shared, from, request);
    }
    from.held.push(request);
    if drain(shared, from) == Left::Unwatched {
        let (shared, from) = (shared.clone(), from.clone());
        shared.tasks.clone().spawn(async move { release(&shared, &from).await });
    }
}

/// Carries out the requests that wait, because the client or the server ends.
pub(crate) fn finish(shared: &Arc<Shared>, from: &Connection) {
    from.held.drain(|| false, |request| carry_out(shared, from, request));
}

/// Carries out the requests that need not wait any longer.
fn drain(shared: &Arc<Shared>, from: &Connection) -> Left {
    let is_unconfirmed =
        || bridge_of(from).is_some_and(|(bridge, side)| bridge.is_unconfirmed(side));
    let left = from.held.drain(is_unconfirmed, |request| {
        // Nobody waits for the rest of one that is gone.
        if shared.has(from.id) {
            carry_out(shared, from, request);
        }
    });
    if left == Left::Unwatched
        && let Some((bridge, side)) = bridge_of(from)
    {
        bridge.leave(side);
    }
    left
}

/// Carries out the requests that wait, each in its time.
async fn release(shared: &Arc<Shared>, from: &Arc<Connection>) {
    loop {
        let deadline = from.held.deadline();
        let confirmed = async {
            if let Some((bridge, side)) = bridge_of(from) {
                bridge.confirmed(side).await;
            }
        };
        tokio::select! {
            () = confirmed => {}
            () = until(deadline) => {}
        }
        from.held.task_ended();
        if drain(shared, from) != Left::Unwatched {
            return;
        }
    }
}

fn bridge_of(from: &Connection) -> Option<(Arc<V1Bridge>, Side)> {
    match &from.route()?.way {
        Way::Bridged(bridge, side) => Some((bridge.clone(), *side)),
        Way::Straight => None,
    }
}

/// Hands a request to the broker, unless it is refused.
pub(crate) fn carry_out(shared: &Arc<Shared>, from: &Connection, request: ClientMessage) {
    match admit_request(from.id, request, &Policy { shared, from }) {
        Ok(input) => shared.step(input),
        Err(refused) => refuse(shared, from, refused),
    }
}

/// The quotas of one client, and the hooks of the application. The broker is not locked while they are asked.
struct Policy<'a> {
    shared: &'a Shared,
    from: &'a Connection,
}

impl RequestPolicy for Policy<'_> {
    fn admits_registration(&self) -> bool {
        self.from.throttle.admits_registration()
    }

    fn admits_list(&self) -> bool {
        self.from.throttle.admits_list()
    }

    fn admits_join(&self) -> bool {
        self.from.throttle.admits_join()
    }

    fn waits_for(&self, target: &ClientId) -> bool {
        self.shared.lock().waits_for(&self.from.client, target)
    }

    fn may_register(&self, target: &ClientId) -> bool {
        self.shared.hooks.authorize(&self.from.client, target)
    }

    fn may_watch(&self, target: &ClientId) -> bool {
        self.shared.hooks.may_watch(&self.from.client, target)
    }

    fn may_join(&self, room: &RoomName) -> bool {
        self.shared.hooks.may_join(&self.from.client, room)
    }
}

impl Shared {
    /// Ends all pairings and connections.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        for connection in self.connections.all() {
            finish(self, &connection);
        }
        self.step(Input::ShutDown);
    }
}

/// Answers a request that is not carried out.
pub(crate) fn refuse(shared: &Arc<Shared>, from: &Connection, refused: RefusedRequest) {
    let code = refused.refusal.code;
    let message = refused.message(from.dialect);
    // A client that does not read misses other refusals, and nothing more.
    if shared.tell(from, &message) == Err(SendFailure::Full) && must_arrive(&message) {
        shared.give_up(from.id);
    }
    shared.refused(from, code);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use socketio_p2p_protocol::{Broker, BrokerConfig, ClientId, Dialect};

    use super::*;
    use crate::{
        attach::identity::Hooks,
        limits::ServerLimits,
        outbound::mock::{Unmetered, connecting},
    };

    #[tokio::test]
    async fn a_hook_that_panics_refuses_and_the_next_request_goes_on() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let authorize = move |_: &ClientId, target: &ClientId| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert_eq!(target.as_str(), "C", "the application's");
            true
        };
        let hooks = Hooks { authorize: Some(Arc::new(authorize)), ..Hooks::default() };
        let broker = Broker::new(BrokerConfig::new(1));
        let shared = Shared::new(broker, hooks, ServerLimits::default());
        let (from, hello) = connecting(&shared, Dialect::V1, Arc::new(Unmetered::default()));
        shared.admit(&from, hello).unwrap();
        for target in ["B", "C"] {
            let (req, target) = (Some(1), target.parse().unwrap());
            let (payload, consent_time, wait) = (None, None, None);
            from.held.push(ClientMessage::Register { req, target, payload, consent_time, wait });
        }

        let left = drain(&shared, &from);

        assert_eq!((left, calls.load(Ordering::Relaxed)), (Left::Nothing, 2));
    }
}
