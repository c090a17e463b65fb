//! The requests of clients: the quotas that they count towards, and those that wait.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use socketio_p2p_protocol::{
    ClientMessage, Code, Refusal, ReqId,
    peer::v1::Side,
    relay::{HeldRequests, refuse_request},
    wire::{LIST, REGISTER},
};

use crate::{
    connection::{Connection, Way},
    observe::logged,
    step::Shared,
    tasks::until,
    v1::{self, V1Bridge},
};

/// The requests of a v1 client that wait until its partner has what the client emitted before them.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    held: HeldRequests,
    /// Set while a task carries out what waits.
    has_task: bool,
}

/// Carries out a request of a v1 client, after those that it sent before.
pub(crate) fn take_v1(shared: &Arc<Shared>, from: &Arc<Connection>, request: ClientMessage) {
    if carry_out_due(shared, from, Some(request)) {
        let (shared, from) = (shared.clone(), from.clone());
        shared.tasks.clone().spawn(async move { release(&shared, &from).await });
    }
}

/// Carries out the requests that need not wait any longer. Returns whether others wait, and no task for them.
fn carry_out_due(
    shared: &Arc<Shared>,
    from: &Arc<Connection>,
    added: Option<ClientMessage>,
) -> bool {
    // Held while they are carried out: the next ones come after them.
    let mut state = from.requests.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(added) = added {
        state.held.push(added);
    } else {
        state.has_task = false;
    }
    loop {
        let bridged = bridge_of(from);
        let is_unconfirmed =
            bridged.as_ref().is_some_and(|(bridge, side)| bridge.is_unconfirmed(*side));
        let Some((request, undelivered)) = state.held.pop(is_unconfirmed, Instant::now()) else {
            break;
        };
        if let Some(undelivered) = undelivered {
            tell(from, &undelivered);
        }
        carry_out(shared, from, request);
    }
    let starts = !state.held.is_empty() && !state.has_task;
    state.has_task |= starts;
    if starts && let Some((bridge, side)) = bridge_of(from) {
        bridge.leave(side);
    }
    starts
}

/// Carries out the requests that wait, each in its time.
async fn release(shared: &Arc<Shared>, from: &Arc<Connection>) {
    loop {
        let deadline =
            from.requests.0.lock().unwrap_or_else(PoisonError::into_inner).held.poll_timeout();
        let confirmed = async {
            if let Some((bridge, side)) = bridge_of(from) {
                bridge.confirmed(side).await;
            }
        };
        tokio::select! {
            () = confirmed => {}
            () = until(deadline) => {}
        }
        if !carry_out_due(shared, from, None) {
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

fn tell(from: &Connection, undelivered: &Refusal) {
    if let Err(failure) = v1::refuse(&*from.outlet, None, undelivered) {
        logged(|| tracing::debug!(client = %from.client, ?failure, "a refusal was not sent"));
    }
}

/// Hands a request to the broker, if it is within its quota and allowed.
pub(crate) fn carry_out(shared: &Arc<Shared>, from: &Connection, request: ClientMessage) {
    let throttle = &from.throttle;
    let over_quota = match &request {
        ClientMessage::Register { req, target, .. } => {
            let is_over =
                !throttle.admits_registration() && !shared.lock().waits_for(&from.client, target);
            is_over.then_some((REGISTER, *req))
        }
        ClientMessage::List { req } if !throttle.admits_list() => Some((LIST, *req)),
        _ => None,
    };
    if let Some((event, req)) = over_quota {
        return refuse(shared, from, Some(event), Code::RateLimited.into(), req);
    }
    if let ClientMessage::Register { req, target, .. } = &request
        && !shared.hooks.authorize(&from.client, target)
    {
        return shared.forbidden(from.id, *req, target.clone());
    }
    shared.received(from.id, request);
}

/// Answers a request that is not carried out.
pub(crate) fn refuse(
    shared: &Arc<Shared>,
    from: &Connection,
    event: Option<&str>,
    refusal: Refusal,
    req: Option<ReqId>,
) {
    let code = refusal.code;
    let message = refuse_request(event, from.dialect, refusal, req);
    // If its queue is full, the client does not read; it misses a refusal, nothing more.
    shared.tell(from, &message).ok();
    shared.refused(from, code);
}
