//! Translation between the packets of v1 clients and the state machines of
//! [`socketio_p2p_protocol::peer::v1`].

mod messages;

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use socketio_p2p_protocol::{
    Args, Code, Dialect, EndReason, Frame, PairingId, Presence, ReqId,
    limits::V1_CALL_TIMEOUT,
    peer::v1::{Bridge, Input, Output, Side, acknowledgement, undelivered},
    relay::{RefusedV1, SendFailure},
    session::Delivery,
};
use tokio::sync::Notify;
use tracing::level_filters::LevelFilter;

use self::messages::ack_with;
pub(crate) use self::messages::{ack, refuse, tell};
use crate::{
    inbound::awaited::{AckKey, Arrivals, Awaited},
    observe::counters::Counted,
    outbound::{
        arguments::Arguments,
        gate::Gate,
        socket::{Acknowledged, Outlet, send_frames},
    },
    tasks::{Tasks, until},
};

/// The side whose client owes an acknowledgement, and the number of the event.
type EventKey = (Side, u64);

impl AckKey for EventKey {}

/// The bridge of a pairing with a v1 client, with its sockets and its deadlines. There is one lock a
/// pairing.
#[derive(Debug)]
pub(crate) struct V1Bridge {
    pairing: PairingId,
    state: Mutex<BridgeState>,
    /// Notified when an acknowledgement may have come, when the next deadline came nearer, and when the pairing
    /// ends.
    arrivals: Arc<Arrivals<EventKey>>,
    /// Notified when something was carried out after a client asked for the end.
    moved: Notify,
    /// Closed while so many events of the v1 client at this side wait that it is not read.
    gates: [Arc<Gate>; 2],
    tasks: Tasks,
    _counted: Counted,
}

struct BridgeState {
    bridge: Bridge,
    first: Arc<dyn Outlet>,
    second: Arc<dyn Outlet>,
    /// The acknowledgements that the v1 clients owe.
    awaited: Awaited<EventKey>,
    /// The deadline for which the task that waits for deadlines has set its timer.
    armed: Option<Instant>,
    ended: bool,
}

impl BridgeState {
    fn outlet(&mut self, side: Side) -> &mut Arc<dyn Outlet> {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }
}

impl V1Bridge {
    /// Creates the bridge of a pairing that begins.
    pub(crate) fn new(
        pairing: PairingId,
        dialects: [Dialect; 2],
        [first, second]: [Arc<dyn Outlet>; 2],
        tasks: &Tasks,
        counted: Counted,
    ) -> Arc<Self> {
        let bridge = Bridge::new(dialects, Instant::now());
        let awaited = Awaited::default();
        let arrivals = awaited.arrivals().clone();
        let state = BridgeState { bridge, first, second, awaited, armed: None, ended: false };
        let bridge = Arc::new(Self {
            pairing,
            state: Mutex::new(state),
            arrivals,
            moved: Notify::new(),
            gates: [Gate::new(), Gate::new()],
            tasks: tasks.clone(),
            _counted: counted,
        });
        tasks.spawn(bridge.clone().attend());
        bridge
    }

    /// Returns the gate before the events of the v1 client at `side`.
    pub(crate) const fn gate(&self, side: Side) -> &Arc<Gate> {
        let [first, second] = &self.gates;
        match side {
            Side::First => first,
            Side::Second => second,
        }
    }

    /// Handles the acknowledgements of the v1 clients that have come.
    pub(crate) fn take_answers(&self) {
        self.carry_out(&mut self.lock(), Instant::now());
    }

    /// Takes the new connection of the v2 client at `side`.
    pub(crate) fn connect(&self, side: Side, outlet: Arc<dyn Outlet>) {
        *self.lock().outlet(side) = outlet;
    }

    /// Notes that the v2 partner of the v1 client at `side` lost its connection, or is back.
    pub(crate) fn partner_is(&self, side: Side, presence: Presence) {
        self.handle(side, Input::Partner(presence));
    }

    /// Takes frames from the v2 client at `from`.
    pub(crate) fn receive(&self, from: Side, frames: Vec<Frame>) {
        let now = Instant::now();
        let mut state = self.lock();
        state.bridge.receive(from, frames, now);
        self.carry_out(&mut state, now);
    }

    /// Takes an event from the v1 client at `from`, and the id of the acknowledgement that it expects.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if the partner does not keep up; [`Code::NotPaired`] if the pairing ended
    /// meanwhile.
    pub(crate) fn emit(
        &self,
        from: Side,
        event: String,
        args: Args,
        ack: Option<ReqId>,
    ) -> Result<(), Code> {
        let now = Instant::now();
        let mut state = self.lock();
        state.bridge.emit(from, event, args, ack, now)?;
        self.carry_out(&mut state, now);
        Ok(())
    }

    /// Notes that the v1 client at `side` asked for the end of the pairing: it emits nothing more.
    pub(crate) fn leave(&self, side: Side) {
        self.lock().bridge.leave(side);
    }

    /// Returns whether the partner of the v1 client at `side` has not taken all that this client emitted.
    pub(crate) fn is_unconfirmed(&self, side: Side) -> bool {
        self.lock().bridge.is_unconfirmed(side)
    }

    /// Waits until it has, or the pairing ends; after [`Self::leave`]. Cancel safe.
    pub(crate) async fn confirmed(&self, side: Side) {
        loop {
            let moved = self.moved.notified();
            if !self.is_unconfirmed(side) {
                return;
            }
            moved.await;
        }
    }

    /// Ends the bridge with its pairing. Each call that is open is answered.
    pub(crate) fn end(&self, reason: EndReason) {
        let now = Instant::now();
        let mut state = self.lock();
        if !std::mem::replace(&mut state.ended, true) {
            state.bridge.ended(reason, now);
            self.carry_out(&mut state, now);
            state.awaited.clear();
            self.arrivals.notify();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BridgeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, side: Side, input: Input) {
        let now = Instant::now();
        let mut state = self.lock();
        state.bridge.handle(side, input, now);
        self.carry_out(&mut state, now);
    }

    /// Handles acknowledgements as they come, and deadlines.
    async fn attend(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                if state.ended {
                    return;
                }
                state.armed = state.bridge.poll_timeout();
                state.armed
            };
            let mut due = pin!(until(next));
            loop {
                let is_due = tokio::select! {
                    biased;
                    () = self.arrivals.wait() => false,
                    () = &mut due => true,
                };
                let now = Instant::now();
                let mut state = self.lock();
                if is_due {
                    state.bridge.timeout(now);
                }
                self.carry_out(&mut state, now);
                if is_due || state.ended || state.armed != next {
                    break;
                }
            }
        }
    }

    /// Carries out what the state machines want, and has them handle the acknowledgements that have come.
    fn carry_out(&self, state: &mut BridgeState, now: Instant) {
        self.carry_out_outputs(state, now);
        while let Some(((side, seq), ack)) = state.awaited.next() {
            state.bridge.handle(side, Input::Acknowledged(seq, ack), now);
            self.carry_out_outputs(state, now);
        }
        for side in Side::BOTH {
            self.gate(side).set_closed(state.bridge.is_full(side));
        }
        if state.bridge.is_left() {
            self.moved.notify_waiters();
        }
        if let Some(next) = state.bridge.poll_timeout_before(state.armed, now) {
            state.armed = Some(next);
            self.arrivals.notify();
        }
    }

    fn carry_out_outputs(&self, state: &mut BridgeState, now: Instant) {
        while let Some((side, output)) = state.bridge.poll_output() {
            match output {
                Output::Send(frame) => {
                    let partner = &**state.outlet(side.other());
                    if send_frames(partner, self.pairing, &[frame]) == Err(SendFailure::Full) {
                        state.bridge.handle(side, Input::Refused, now);
                    }
                }
                Output::Emit(delivery) => {
                    let sent = deliver(&**state.outlet(side), &delivery).map(|ack| {
                        if let Some(ack) = ack {
                            state.awaited.expect((side, delivery.seq), ack);
                        }
                    });
                    state.bridge.handle(side, Input::Emitted(delivery, sent), now);
                }
                Output::Acknowledge(id, outcome) => {
                    let outlet = &**state.outlet(side);
                    let sent = match acknowledgement(&outcome) {
                        Ok(args) => ack_with(outlet, Some(id), Arguments::Args(args)),
                        Err(failed) => ack(outlet, Some(id), &[failed]),
                    };
                    if let Err(failure) = sent {
                        self.log(|| format!("no acknowledgement at {side:?}: {failure:?}"));
                    }
                    if sent == Err(SendFailure::Arguments) {
                        state.bridge.handle(side, Input::Unacknowledged(id), now);
                    }
                }
                Output::Undelivered => {
                    let told =
                        refuse(&**state.outlet(side), None, &RefusedV1::emit("", &undelivered()));
                    if let Err(failure) = told {
                        self.log(|| format!("a refusal was not sent at {side:?}: {failure:?}"));
                    }
                }
                Output::Abandoned(seq) => state.awaited.forget((side, seq)),
                Output::Complain(violation) => {
                    self.log(|| format!("frame dropped at {side:?}: {violation}"));
                }
            }
        }
    }

    /// Logs something outside of all locks: an application's subscriber may call the plugin.
    ///
    /// The partner can cause these at any rate: without a subscriber for them they cost nothing.
    fn log(&self, line: impl FnOnce() -> String) {
        if LevelFilter::current() < LevelFilter::DEBUG {
            return;
        }
        let (pairing, line) = (self.pairing, line());
        self.tasks.spawn(async move { tracing::debug!(%pairing, "{line}") });
    }
}

/// Puts an event into the queue of a v1 client. Returns its acknowledgement, if one is wanted.
fn deliver(outlet: &dyn Outlet, delivery: &Delivery) -> Result<Option<Acknowledged>, SendFailure> {
    let Delivery { event, args, wants_reply, .. } = delivery;
    let args = Arguments::Args(args);
    if *wants_reply {
        outlet.emit_with_ack(event, args, V1_CALL_TIMEOUT).map(Some)
    } else {
        outlet.emit(event, args).map(|()| None)
    }
}

impl std::fmt::Debug for BridgeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BridgeState").field("ended", &self.ended).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use socketio_p2p_protocol::{Body, limits::PENDING_CALLS};

    use super::*;
    use crate::outbound::mock::{Unmetered, shared};

    #[tokio::test]
    async fn one_task_waits_for_all_acknowledgements_of_a_pairing() {
        let shared = shared();
        let outlet = || Arc::new(Unmetered { owes: true, ..Unmetered::default() });
        let outlets: [Arc<dyn Outlet>; 2] = [outlet(), outlet()];
        let dialects = [Dialect::V1, Dialect::V2];
        let counted = shared.gauges.bridges.count_in();
        let tasks = Tasks::default();
        let bridge = V1Bridge::new(PairingId::new(1, 2), dialects, outlets, &tasks, counted);

        for seq in 1..=PENDING_CALLS as u64 {
            let body = Body::Emit { event: "e".into(), args: Args::default(), wants_reply: true };
            let frame = Frame { seq, ack: 0, got: 0, ttl: None, body: Arc::new(body) };
            bridge.receive(Side::Second, vec![frame]);
        }

        assert_eq!((bridge.lock().awaited.len(), tasks.len()), (PENDING_CALLS, 1));
        bridge.end(EndReason::Unregistered);
        assert_eq!(bridge.lock().awaited.len(), 0);
    }
}
