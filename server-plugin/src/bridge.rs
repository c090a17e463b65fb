//! The session that the server keeps on behalf of a v1 client.
//!
//! A v1 client has native acknowledgements and no session. Its partner must not notice: so the
//! server turns each event that it sends into an `emit`, each `emit` for it into an event, and
//! acknowledgements into replies and back. There is one bridge, and one lock, a pairing; where
//! both ends speak v1 it holds both sessions.

mod end;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use socketio_p2p_protocol::{
    Args, Code, Dialect, EndReason, Frame, PairingId, Path, Presence, Refusal,
    limits::{JSON_DEPTH, VALUE_BYTES},
    session::Input,
    wire,
};
use tokio::sync::Notify;

use self::end::{LegacyEnd, Step};
use crate::{
    connection::Connection,
    counters::Counted,
    keeper::until,
    relay::send_frames,
    server::Shared,
    socket::{NoAck, SendFailure},
};

/// One end of a bridge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    First,
    Second,
}

impl Side {
    const BOTH: [Self; 2] = [Self::First, Self::Second];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Bridge {
    pairing: PairingId,
    state: Mutex<State>,
    /// The next deadline came nearer, or the pairing is over.
    changed: Notify,
    _counted: Counted,
}

#[derive(Debug)]
struct State {
    first: End,
    second: End,
    /// For when the task that waits for deadlines has set its clock.
    armed: Option<Instant>,
    ended: bool,
}

#[derive(Debug)]
enum End {
    V1(Box<LegacyEnd>),
    V2(Arc<Connection>),
}

impl End {
    fn new(connection: Arc<Connection>, now: Instant) -> Self {
        match connection.dialect {
            Dialect::V1 => Self::V1(Box::new(LegacyEnd::new(connection, now))),
            Dialect::V2 => Self::V2(connection),
        }
    }

    fn handle(&mut self, input: Input, now: Instant) {
        if let Self::V1(end) = self {
            end.handle(input, now);
        }
    }

    fn poll(&mut self, now: Instant) -> Option<Step> {
        match self {
            Self::V1(end) => end.retry(now).or_else(|| end.poll(now)),
            Self::V2(_) => None,
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::V1(end) => end.next_deadline(),
            Self::V2(_) => None,
        }
    }
}

impl State {
    const fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        [self.first.next_deadline(), self.second.next_deadline()].into_iter().flatten().min()
    }
}

impl Bridge {
    /// A bridge between two ends of which at least one speaks v1.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        pairing: PairingId,
        first: Arc<Connection>,
        second: Arc<Connection>,
    ) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            first: End::new(first, now),
            second: End::new(second, now),
            armed: None,
            ended: false,
        };
        let bridge = Arc::new(Self {
            pairing,
            state: Mutex::new(state),
            changed: Notify::new(),
            _counted: shared.objects.bridges.count_in(),
        });
        shared.spawn(bridge.clone().keep_deadlines(shared.clone()));
        bridge
    }

    /// The end at `side` has this connection now.
    pub(crate) fn connect(&self, side: Side, connection: &Arc<Connection>) {
        if let End::V2(present) = self.lock().end(side) {
            *present = connection.clone();
        }
    }

    /// The v2 partner of the v1 end at `side` lost its connection, or is back on another.
    pub(crate) fn partner_is(self: &Arc<Self>, shared: &Arc<Shared>, side: Side, state: Presence) {
        let now = Instant::now();
        let mut ends = self.lock();
        let end = ends.end(side);
        end.handle(Input::Closed(Path::Relay), now);
        if state == Presence::Back {
            end.handle(Input::Opened(Path::Relay), now);
        }
        self.pump(shared, &mut ends, now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_deadlines(self: Arc<Self>, shared: Arc<Shared>) {
        loop {
            let next = {
                let mut state = self.lock();
                if state.ended {
                    return;
                }
                state.armed = state.next_deadline();
                state.armed
            };
            tokio::select! {
                biased;
                () = shared.stopped() => return,
                () = self.changed.notified() => {}
                () = until(next) => self.timeout(&shared),
            }
        }
    }

    /// Frames from the v2 end at `side`.
    pub(crate) fn receive(self: &Arc<Self>, shared: &Arc<Shared>, side: Side, frames: Vec<Frame>) {
        let now = Instant::now();
        let mut state = self.lock();
        for frame in frames {
            state.end(side.other()).handle(Input::Received(Path::Relay, frame), now);
        }
        self.pump(shared, &mut state, now);
    }

    /// An event from the v1 end at `side`, and the id of the acknowledgement that it waits for.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if the partner does not keep up, [`Code::NotPaired`] if the pairing
    /// ended meanwhile.
    pub(crate) fn emit(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        side: Side,
        event: String,
        args: Args,
        ack: Option<u64>,
    ) -> Result<(), Code> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.ended {
            return Err(Code::NotPaired);
        }
        if let End::V1(end) = state.end(side) {
            end.emit(event, args, ack, now)?;
        }
        self.pump(shared, &mut state, now);
        Ok(())
    }

    /// The v1 end at `side` acknowledged an event, or did not in time.
    fn finished(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        side: Side,
        seq: u64,
        ack: Result<Args, NoAck>,
    ) {
        let now = Instant::now();
        let result = match ack {
            Ok(reply) => check_reply(reply).map_err(Refusal::from),
            Err(NoAck::Missing) => Err(Code::Timeout.into()),
            // The end of the pairing, which follows, says what became of it.
            Err(NoAck::Gone) => return,
            // Its handler ran, and what it said is lost.
            Err(NoAck::Unreadable) => {
                Err(Refusal::new(Code::HandlerFailed, "the acknowledgement cannot be read"))
            }
        };
        let mut state = self.lock();
        state.end(side).handle(Input::Finished(seq, result), now);
        self.pump(shared, &mut state, now);
    }

    fn timeout(self: &Arc<Self>, shared: &Arc<Shared>) {
        let now = Instant::now();
        let mut state = self.lock();
        for side in Side::BOTH {
            if let End::V1(end) = state.end(side) {
                end.timeout(now);
            }
        }
        self.pump(shared, &mut state, now);
    }

    /// The pairing is over: whoever waits is told.
    pub(crate) fn end(self: &Arc<Self>, shared: &Arc<Shared>, reason: EndReason) {
        let now = Instant::now();
        let mut state = self.lock();
        if std::mem::replace(&mut state.ended, true) {
            return;
        }
        for side in Side::BOTH {
            if let End::V1(end) = state.end(side) {
                end.end(reason, now);
            }
        }
        self.pump(shared, &mut state, now);
        self.changed.notify_one();
    }

    /// Carries out what the two ends say until they say nothing more.
    fn pump(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State, now: Instant) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for side in Side::BOTH {
                while let Some(step) = state.end(side).poll(now) {
                    quiet = false;
                    self.carry_out(shared, state, side, step, now);
                }
            }
        }
        let next = state.next_deadline();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.changed.notify_one();
        }
    }

    fn carry_out(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        state: &mut State,
        side: Side,
        step: Step,
        now: Instant,
    ) {
        match step {
            Step::Frame(frame) => match state.end(side.other()) {
                End::V1(end) => end.handle(Input::Received(Path::Relay, frame), now),
                End::V2(partner) => {
                    if send_frames(partner, self.pairing, &[frame]) == Err(SendFailure::Full) {
                        state.end(side).handle(Input::Refused(Path::Relay), now);
                    }
                }
            },
            Step::Await(seq, ack) => {
                let (bridge, shared) = (self.clone(), shared.clone());
                shared.clone().spawn(async move {
                    let ack = ack.await;
                    bridge.finished(&shared, side, seq, ack);
                });
            }
        }
    }
}

/// Whether the partner can take this reply: a v1 client does not know its limits.
fn check_reply(reply: Args) -> Result<Args, Code> {
    if reply.size() > VALUE_BYTES || wire::depth(reply.as_json()) > JSON_DEPTH {
        return Err(Code::TooLarge);
    }
    Ok(reply)
}
