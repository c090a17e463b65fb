//! One v1 end: its session, what it sent too fast, and what it could not take yet.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use socketio_p2p_protocol::{
    Args, Cause, Code, EndReason, Frame, Outcome, Path, Session,
    limits::{BACKLOG_BYTES, BACKLOG_EMITS, RETRY_DELAY, V1_CALL_TIMEOUT},
    session::{Delivery, Input, Output},
    wire::v1_failed,
};

use crate::{
    connection::Connection,
    socket::{Acknowledged, Arguments, SendFailure},
};

#[derive(Debug)]
pub(super) struct LegacyEnd {
    connection: Arc<Connection>,
    session: Session,
    /// What the client emitted and its session has not taken.
    backlog: VecDeque<Emit>,
    backlog_bytes: usize,
    /// What the client's queue had no room for, and when it is tried again.
    undelivered: VecDeque<Delivery>,
    retry_at: Option<Instant>,
}

#[derive(Debug)]
struct Emit {
    event: String,
    args: Args,
    call: Option<Call>,
}

impl Emit {
    /// Bytes that it takes in the backlog.
    fn size(&self) -> usize {
        self.args.size() + self.event.len()
    }
}

/// The id of the client's acknowledgement, and when it must have it.
type Call = (u64, Instant);

/// What a v1 end leaves to its bridge.
pub(super) enum Step {
    /// For the other end.
    Frame(Frame),
    /// When this comes, the handler of the emit with this number is done.
    Await(u64, Acknowledged),
}

impl LegacyEnd {
    pub(super) fn new(connection: Arc<Connection>, now: Instant) -> Self {
        let mut session = Session::of_v1_end();
        session.handle(Input::Opened(Path::Relay), now);
        Self {
            connection,
            session,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            undelivered: VecDeque::new(),
            retry_at: None,
        }
    }

    pub(super) fn handle(&mut self, input: Input, now: Instant) {
        self.session.handle(input, now);
    }

    /// The client emits an event.
    pub(super) fn emit(
        &mut self,
        event: String,
        args: Args,
        ack: Option<u64>,
        now: Instant,
    ) -> Result<(), Code> {
        let call = ack.map(|ack| (ack, now + V1_CALL_TIMEOUT));
        let emit = Emit { event, args, call };
        // One that is longer than the backlog may be the only one.
        let too_long = !self.backlog.is_empty() && self.backlog_bytes + emit.size() > BACKLOG_BYTES;
        if self.backlog.len() == BACKLOG_EMITS || too_long {
            return Err(Code::Congested);
        }
        self.backlog_bytes += emit.size();
        self.backlog.push_back(emit);
        Ok(())
    }

    /// The next thing that the bridge has to do.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Step> {
        loop {
            while self.session.has_room()
                && let Some(Emit { event, args, call }) = self.take_from_backlog()
            {
                self.session
                    .handle(Input::Emit { event, args, call, expires: None, via: None }, now);
            }
            match self.session.poll_output()? {
                Output::Send(_, frame) => return Some(Step::Frame(frame)),
                Output::Deliver(delivery) if self.undelivered.is_empty() => {
                    if let Some(step) = self.deliver(delivery, now) {
                        return Some(step);
                    }
                }
                Output::Deliver(delivery) => self.undelivered.push_back(delivery),
                Output::Resolved(call, outcome) => self.answer(call, &outcome),
                Output::Violation(violation) => {
                    tracing::debug!(client = %self.connection.client, %violation, "frame dropped");
                }
            }
        }
    }

    fn take_from_backlog(&mut self) -> Option<Emit> {
        let emit = self.backlog.pop_front()?;
        self.backlog_bytes -= emit.size();
        Some(emit)
    }

    fn deliver(&mut self, delivery: Delivery, now: Instant) -> Option<Step> {
        let Delivery { seq, event, args, reply } = &delivery;
        let outlet = &self.connection.outlet;
        let arguments = Arguments::Args(args);
        let sent = if *reply {
            outlet.emit_with_ack(event, arguments, V1_CALL_TIMEOUT).map(Some)
        } else {
            outlet.emit(event, arguments).map(|()| None)
        };
        match sent {
            Ok(Some(ack)) => return Some(Step::Await(*seq, ack)),
            Ok(None) => self.session.handle(Input::Finished(*seq, Ok(Args::default())), now),
            Err(SendFailure::Full) => {
                self.retry_at.get_or_insert(now + RETRY_DELAY);
                self.undelivered.push_front(delivery);
                self.session.handle(Input::Paused, now);
            }
            Err(failure) => {
                let refusal = Code::from(failure).into();
                self.session.handle(Input::Finished(*seq, Err(refusal)), now);
            }
        }
        None
    }

    /// Tries once more what the client's queue had no room for.
    pub(super) fn retry(&mut self, now: Instant) -> Option<Step> {
        if self.retry_at.is_none_or(|at| now < at) {
            return None;
        }
        while let Some(delivery) = self.undelivered.pop_front() {
            self.retry_at = None;
            let step = self.deliver(delivery, now);
            if self.retry_at.is_some() {
                return None;
            }
            if step.is_some() && !self.undelivered.is_empty() {
                self.retry_at = Some(now);
                return step;
            }
            if step.is_some() {
                self.session.handle(Input::Resumed, now);
                return step;
            }
        }
        self.session.handle(Input::Resumed, now);
        None
    }

    fn answer(&self, ack: u64, outcome: &Outcome) {
        let (code, message) = match outcome {
            Outcome::Replied(args, _) => match self.ack(ack, Arguments::Args(args)) {
                Err(SendFailure::Arguments) => {
                    (Code::BadArgs.as_str(), "the reply cannot be acknowledged".to_owned())
                }
                _ => return,
            },
            Outcome::Failed(refusal) => (refusal.code.as_str(), refusal.message.to_string()),
            Outcome::NotExecuted(cause) | Outcome::Unknown(cause) => {
                (cause.as_str(), cause.to_string())
            }
        };
        self.ack(ack, Arguments::Values(&[v1_failed(code, &message)])).ok();
    }

    fn ack(&self, ack: u64, args: Arguments<'_>) -> Result<(), SendFailure> {
        // Ids of acknowledgements come from the client as `i64`.
        let Ok(ack) = i64::try_from(ack) else { return Ok(()) };
        // If its queue is full it does not read, and gets no answer either.
        self.connection.outlet.ack(ack, args).inspect_err(|failure| {
            tracing::debug!(client = %self.connection.client, ?failure, "no acknowledgement");
        })
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        let expired = |emit: &Emit| emit.call.is_some_and(|(_, deadline)| deadline <= now);
        while let Some(at) = self.backlog.iter().position(expired) {
            self.give_up(at, Cause::Code(Code::Timeout));
        }
        self.session.handle(Input::Timeout, now);
    }

    pub(super) fn end(&mut self, reason: EndReason, now: Instant) {
        self.session.handle(Input::Ended(reason), now);
        while !self.backlog.is_empty() {
            self.give_up(0, Cause::Ended(reason));
        }
        self.undelivered.clear();
        self.retry_at = None;
    }

    /// Takes an emit out of the backlog, and tells whoever waits for its acknowledgement.
    fn give_up(&mut self, at: usize, cause: Cause) {
        if let Some(emit) = self.backlog.remove(at) {
            self.backlog_bytes -= emit.size();
            if let Some((ack, _)) = emit.call {
                self.answer(ack, &Outcome::NotExecuted(cause));
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        // Their deadlines come in their order, but not each has one.
        let waiting = self.backlog.iter().find_map(|emit| emit.call).map(|(_, at)| at);
        [self.session.poll_timeout(), self.retry_at, waiting].into_iter().flatten().min()
    }
}
