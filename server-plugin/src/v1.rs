//! Translation between the packets of v1 clients and the state machines of
//! [`socketio_p2p_protocol::peer::v1`].

mod messages;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use socketio_p2p_protocol::{
    Args, Code, Dialect, EndReason, Frame, PairingId, Presence, ReqId,
    limits::V1_CALL_TIMEOUT,
    peer::v1::{Bridge, Input, NoAck, Output, Side, acknowledgement, undelivered},
    relay::SendFailure,
    session::Delivery,
};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::messages::ack_with;
pub(crate) use self::messages::{ack, refuse, refuse_with, tell};
use crate::{
    inbound::answers::Answers,
    observe::counters::Counted,
    outbound::{
        arguments::Arguments,
        gate::Gate,
        socket::{Outlet, send_frames},
    },
    tasks::{Tasks, until},
};

/// The bridge of a pairing with a v1 end, with its sockets and its deadlines. There is one lock a
/// pairing.
#[derive(Debug)]
pub(crate) struct V1Bridge {
    pairing: PairingId,
    state: Mutex<BridgeState>,
    /// Notified when the next deadline came nearer, and when the pairing ends.
    changed: Notify,
    /// Notified when something was carried out after a client asked for the end.
    moved: Notify,
    /// Closed while so many events of the v1 end at this side wait that it is not read.
    gates: [Arc<Gate>; 2],
    /// The acknowledgements that the v1 end at each side owes.
    answers: [Answers; 2],
    tasks: Tasks,
    _counted: Counted,
}

struct BridgeState {
    bridge: Bridge,
    first: Arc<dyn Outlet>,
    second: Arc<dyn Outlet>,
    /// The tasks that wait for acknowledgements, by the side and the number of the event. A task ends when
    /// its entry is dropped.
    awaited: BTreeMap<(Side, u64), DropGuard>,
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
        let state = BridgeState {
            bridge,
            first,
            second,
            awaited: BTreeMap::new(),
            armed: None,
            ended: false,
        };
        let bridge = Arc::new(Self {
            pairing,
            state: Mutex::new(state),
            changed: Notify::new(),
            moved: Notify::new(),
            gates: [Gate::new(), Gate::new()],
            answers: Default::default(),
            tasks: tasks.clone(),
            _counted: counted,
        });
        tasks.spawn(bridge.clone().keep_deadlines());
        bridge
    }

    /// Returns the gate before the events of the v1 end at `side`.
    pub(crate) const fn gate(&self, side: Side) -> &Arc<Gate> {
        let [first, second] = &self.gates;
        match side {
            Side::First => first,
            Side::Second => second,
        }
    }

    /// Handles the acknowledgements of the v1 end at `side` that have come.
    pub(crate) fn take_answers(&self, side: Side) {
        self.answers[side as usize].take();
    }

    /// Takes the new connection of the v2 end at `side`.
    pub(crate) fn connect(&self, side: Side, outlet: Arc<dyn Outlet>) {
        *self.lock().outlet(side) = outlet;
    }

    /// Notes that the v2 partner of the v1 end at `side` lost its connection, or is back.
    pub(crate) fn partner_is(self: &Arc<Self>, side: Side, presence: Presence) {
        self.handle(side, Input::Partner(presence));
    }

    /// Takes frames from the v2 end at `from`.
    pub(crate) fn receive(self: &Arc<Self>, from: Side, frames: Vec<Frame>) {
        let now = Instant::now();
        let mut state = self.lock();
        state.bridge.receive(from, frames, now);
        self.carry_out(&mut state, now);
    }

    /// Takes an event from the v1 end at `from`, and the id of the acknowledgement that it expects.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if the partner does not keep up; [`Code::NotPaired`] if the pairing ended
    /// meanwhile.
    pub(crate) fn emit(
        self: &Arc<Self>,
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

    /// Notes that the v1 end at `side` asked for the end of the pairing: it emits nothing more.
    pub(crate) fn leave(&self, side: Side) {
        self.lock().bridge.leave(side);
    }

    /// Returns whether the partner of the v1 end at `side` has not taken all that this end emitted.
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
    pub(crate) fn end(self: &Arc<Self>, reason: EndReason) {
        let now = Instant::now();
        let mut state = self.lock();
        if !std::mem::replace(&mut state.ended, true) {
            state.bridge.ended(reason, now);
            self.carry_out(&mut state, now);
            state.awaited.clear();
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BridgeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(self: &Arc<Self>, side: Side, input: Input) {
        let now = Instant::now();
        let mut state = self.lock();
        state.bridge.handle(side, input, now);
        self.carry_out(&mut state, now);
    }

    async fn keep_deadlines(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                if state.ended {
                    return;
                }
                state.armed = state.bridge.poll_timeout();
                state.armed
            };
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = until(next) => {
                    let now = Instant::now();
                    let mut state = self.lock();
                    state.bridge.timeout(now);
                    self.carry_out(&mut state, now);
                }
            }
        }
    }

    fn carry_out(self: &Arc<Self>, state: &mut BridgeState, now: Instant) {
        while let Some((side, output)) = state.bridge.poll_output() {
            match output {
                Output::Send(frame) => {
                    let partner = &**state.outlet(side.other());
                    if send_frames(partner, self.pairing, &[frame]) == Err(SendFailure::Full) {
                        state.bridge.handle(side, Input::Refused, now);
                    }
                }
                Output::Emit(delivery) => {
                    let sent = self.deliver(side, &**state.outlet(side), &delivery);
                    let of = (side, delivery.seq);
                    let sent = sent.map(|task| state.awaited.extend(task.map(|task| (of, task))));
                    state.bridge.handle(side, Input::Emitted(delivery, sent), now);
                }
                Output::Acknowledge(id, outcome) => {
                    let outlet = &**state.outlet(side);
                    let sent = match acknowledgement(&outcome) {
                        Ok(args) => ack_with(outlet, Some(id), Arguments::Args(args)),
                        Err(failed) => ack(outlet, Some(id), &[failed]),
                    };
                    if let Err(failure) = sent {
                        self.log(format!("no acknowledgement at {side:?}: {failure:?}"));
                    }
                    if sent == Err(SendFailure::Arguments) {
                        state.bridge.handle(side, Input::Unacknowledged(id), now);
                    }
                }
                Output::Undelivered => {
                    let told = refuse(&**state.outlet(side), None, &undelivered());
                    if let Err(failure) = told {
                        self.log(format!("a refusal was not sent at {side:?}: {failure:?}"));
                    }
                }
                Output::Abandoned(seq) => drop(state.awaited.remove(&(side, seq))),
                Output::Complain(violation) => {
                    self.log(format!("frame dropped at {side:?}: {violation}"));
                }
            }
        }
        for side in Side::BOTH {
            self.gate(side).set_closed(state.bridge.is_full(side));
        }
        if state.bridge.is_left() {
            self.moved.notify_waiters();
        }
        let next = state.bridge.poll_timeout();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.changed.notify_one();
        }
    }

    /// Logs something outside of all locks: an application's subscriber may call the plugin.
    fn log(&self, line: String) {
        let pairing = self.pairing;
        self.tasks.spawn(async move { tracing::debug!(%pairing, "{line}") });
    }

    /// Puts an event into the queue of the v1 end at `side`. If an acknowledgement is wanted, a task waits for
    /// it as long as what is returned is not dropped.
    fn deliver(
        self: &Arc<Self>,
        side: Side,
        outlet: &dyn Outlet,
        delivery: &Delivery,
    ) -> Result<Option<DropGuard>, SendFailure> {
        let Delivery { seq, event, args, wants_reply } = delivery;
        let args = Arguments::Args(args);
        if !wants_reply {
            return outlet.emit(event, args).map(|()| None);
        }
        let ack = outlet.emit_with_ack(event, args, V1_CALL_TIMEOUT)?;
        let (bridge, seq) = (self.clone(), *seq);
        let answers = &self.answers[side as usize];
        let answer = answers.expect(async move { bridge.acknowledged(side, seq, ack.await) });
        let unwanted = CancellationToken::new();
        let guard = unwanted.clone().drop_guard();
        self.tasks.spawn(async move {
            unwanted.run_until_cancelled(answer.handled()).await;
        });
        Ok(Some(guard))
    }

    fn acknowledged(self: &Arc<Self>, side: Side, seq: u64, ack: Result<Args, NoAck>) {
        self.lock().awaited.remove(&(side, seq));
        self.handle(side, Input::Acknowledged(seq, ack));
    }
}

impl std::fmt::Debug for BridgeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BridgeState").field("ended", &self.ended).finish_non_exhaustive()
    }
}
