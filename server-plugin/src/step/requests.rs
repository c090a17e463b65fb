//! The requests of clients: the quotas that they count towards, and those that wait.

use std::sync::Arc;

use socketio_p2p_protocol::{
    ClientId, ClientMessage, Code, Refusal, ReqId,
    broker::Input,
    peer::v1::Side,
    relay::{HeldRequests, refuse_request},
    wire::{LIST, REGISTER, WATCH},
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

/// Hands a request to the broker, if it is within its quota and allowed.
pub(crate) fn carry_out(shared: &Arc<Shared>, from: &Connection, request: ClientMessage) {
    let throttle = &from.throttle;
    let over_quota = match &request {
        ClientMessage::Register { req, target, .. } => {
            let is_over =
                !throttle.admits_registration() && !shared.lock().waits_for(&from.client, target);
            is_over.then(|| (REGISTER, *req, Some(target.clone())))
        }
        ClientMessage::List { req } if !throttle.admits_list() => Some((LIST, *req, None)),
        _ => None,
    };
    if let Some((event, req, target)) = over_quota {
        return refuse(shared, from, Some(event), Code::RateLimited.into(), req, target);
    }
    if let ClientMessage::Watch { req, target } = &request
        && !shared.hooks.may_watch(&from.client, target)
    {
        return refuse(shared, from, Some(WATCH), Code::Forbidden.into(), Some(*req), None);
    }
    if let ClientMessage::Register { req, target, .. } = &request
        && !shared.hooks.authorize(&from.client, target)
    {
        return shared.forbidden(from.id, *req, target.clone());
    }
    shared.received(from.id, request);
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

/// Answers a request that is not carried out. `target` is that of a registration, as far as it is known.
pub(crate) fn refuse(
    shared: &Arc<Shared>,
    from: &Connection,
    event: Option<&str>,
    refusal: Refusal,
    req: Option<ReqId>,
    target: Option<ClientId>,
) {
    let code = refusal.code;
    let message = refuse_request(event, from.dialect, refusal, req, target);
    // If its queue is full, the client does not read; it misses a refusal, nothing more.
    shared.tell(from, &message).ok();
    shared.refused(from, code);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use socketio_p2p_protocol::{Broker, BrokerConfig, Dialect};

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
