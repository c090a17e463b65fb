//! One v1 peer of a pairing, without IO: native acknowledgements on its one side, a session on the
//! other.
//!
//! ```text
//!   client's event ──────► backlog ──────► session ──► frame for the partner
//!   client's queue ◄── undelivered ◄────── session ◄── frame of the partner
//! ```
//!
//! A v1 client has native acknowledgements and no session. Its partner must not notice, so the
//! server keeps the session: each event of the client becomes an emit, each emit of the partner an
//! event, and acknowledgements become replies and back. A [`Bridge`] keeps both peers of a pairing.
//!
//! - An event waits in the backlog until the session has room. While the backlog is
//!   [full](V1Peer::is_full), the host does not read from the client. While the client owes answers, which
//!   stand behind its events, more fits. What the host has read already, or must read, is taken up to a
//!   limit and then refused with [`Code::Congested`].
//! - An emit for which the client's queue has no room is tried again after [`RETRY_DELAY`]. The
//!   session pauses meanwhile, so that everything else stays in the partner's window.
//! - An acknowledgement is expected for [`V1_CALL_TIMEOUT`], in both directions, and from the client only
//!   as long as the partner's caller waits.
//!
//! Feed it with [`V1Peer::handle`], carry out what [`V1Peer::poll_output`] returns, and come back
//! with [`Input::Timeout`] when [`V1Peer::poll_timeout`] is due.

mod answers;
mod backlog;
mod bridge;
mod interface;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

pub(crate) use self::answers::{check_attachments, no_bytes};
use self::answers::{check_reply, unacknowledged};
use self::backlog::{Backlog, Emit};
pub use self::{
    answers::{acknowledgement, undelivered},
    bridge::{Bridge, Side},
    interface::{Input, NoAck, Output},
};
use crate::{
    Args, Cause, Code, EndReason, Outcome, Path, Presence, Refusal, ReqId, Session,
    limits::{ACK_DELAY, RESEND_DELAY, RETRY_DELAY, V1_CALL_TIMEOUT},
    planted::{self, Fault},
    relay::SendFailure,
    session::{self, Delivery, EmitOptions},
};

/// One v1 peer of a pairing. See the [module's page](self).
#[derive(Debug)]
pub struct V1Peer {
    session: Session,
    /// Events of the client that the session has not taken.
    backlog: Backlog,
    /// Emits of the partner that the client's queue has not taken.
    undelivered: VecDeque<Delivery>,
    /// Those of them whose callers gave up.
    abandoned: BTreeSet<u64>,
    /// The number of the emit that is handed out and whose result is outstanding.
    handed_out: Option<u64>,
    /// The time of the next attempt, after the client's queue was full.
    retry_at: Option<Instant>,
    paused: bool,
    /// Deadlines of the client's acknowledgements, by the number of the emit. Emits are delivered
    /// in their order, so this is also the order of the deadlines.
    awaited: BTreeMap<u64, Instant>,
    /// Acknowledgements that the session knows nothing of.
    answers: VecDeque<(ReqId, Outcome)>,
    /// Events whose acknowledgements are not expected any more.
    unwanted: VecDeque<u64>,
    /// Set once the client asked for the end of the pairing.
    leaving: bool,
    ended: bool,
    /// The time of the last input.
    now: Instant,
}

impl V1Peer {
    /// Creates the end of a pairing that begins.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let mut session = Session::of_v1_end();
        session.handle(session::Input::Opened(Path::Relay), now);
        Self {
            session,
            backlog: Backlog::default(),
            undelivered: VecDeque::new(),
            abandoned: BTreeSet::new(),
            handed_out: None,
            retry_at: None,
            paused: false,
            awaited: BTreeMap::new(),
            answers: VecDeque::new(),
            unwanted: VecDeque::new(),
            leaving: false,
            ended: false,
            now,
        }
    }

    /// Takes an event that the client emits, and the id of the acknowledgement that it expects.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if the backlog takes no more; [`Code::NotPaired`] after the end, or once the
    /// client has asked for it.
    pub fn emit(
        &mut self,
        event: String,
        args: Args,
        ack: Option<ReqId>,
        now: Instant,
    ) -> Result<(), Code> {
        self.now = now;
        if self.leaving || self.ended {
            return Err(Code::NotPaired);
        }
        let emit = Emit { event, args, call: ack.map(|ack| (ack, now + V1_CALL_TIMEOUT)) };
        if self.backlog.is_empty() && self.session.has_room() {
            self.pass_on(emit, now);
        } else {
            self.backlog.push(emit)?;
            self.empty_backlog(now);
        }
        Ok(())
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = now;
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
        match input {
            Input::Received(frame) => {
                self.session.handle(session::Input::Received(Path::Relay, frame), now);
            }
            Input::Partner(presence) => {
                self.session.handle(session::Input::Closed(Path::Relay), now);
                if presence == Presence::Back {
                    self.session.handle(session::Input::Opened(Path::Relay), now);
                }
            }
            Input::Refused => self.session.handle(session::Input::Refused(Path::Relay), now),
            Input::Emitted(delivery, result) => self.emitted(delivery, result, now),
            Input::Acknowledged(seq, ack) => self.acknowledged(seq, ack, now),
            Input::Unacknowledged(ack) => {
                self.answers.push_back((ack, Outcome::Failed(unacknowledged())));
            }
            Input::Ended(reason) => self.end(reason, now),
            Input::Timeout => self.timeout(now),
        }
        self.empty_backlog(now);
    }

    /// Returns the next action, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some((ack, outcome)) = self.answers.pop_front() {
            return Some(Output::Acknowledge(ack, outcome));
        }
        if let Some(seq) = self.unwanted.pop_front() {
            return Some(Output::Abandoned(seq));
        }
        loop {
            if self.handed_out.is_none()
                && self.retry_at.is_none()
                && let Some(delivery) = self.undelivered.pop_front()
            {
                self.handed_out = Some(delivery.seq);
                return Some(Output::Emit(delivery));
            }
            match self.session.poll_output()? {
                session::Output::Send(_, frame) => return Some(Output::Send(frame)),
                session::Output::Deliver(delivery) => match check_attachments(&delivery.args) {
                    Ok(()) => self.undelivered.push_back(delivery),
                    Err(refusal) => self.finish(delivery.seq, Err(refusal), self.now),
                },
                session::Output::Abandoned(seq) if self.awaited.remove(&seq).is_some() => {
                    return Some(Output::Abandoned(seq));
                }
                session::Output::Abandoned(seq) => self.abandon(seq),
                session::Output::Resolved(ack, outcome) => {
                    return Some(Output::Acknowledge(ack, outcome));
                }
                session::Output::Violation(violation) => return Some(Output::Complain(violation)),
            }
        }
    }

    /// Returns whether so many events of the client wait that nothing should be read from it. More may wait while it
    /// owes answers to its partner: they come behind what it emits, and its partner may wait for them.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.backlog.is_full(!self.awaited.is_empty())
    }

    /// Notes that the client asked for the end of the pairing: it emits nothing more.
    pub const fn leave(&mut self) {
        self.leaving = true;
    }

    /// Returns whether the client asked for the end of the pairing.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Returns true while the partner has not taken all that the client emitted, or not all that it answered is
    /// sent.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        !(self.ended || self.backlog.is_empty() && self.session.is_taken())
    }

    /// Returns true while emits of the partner wait for the client's queue.
    #[must_use]
    pub fn is_handing_out(&self) -> bool {
        self.handed_out.is_some() || !self.undelivered.is_empty()
    }

    /// Returns the next deadline, if it may be before the one that the host has set its timer for: `armed`, which
    /// was the next one then. Most events set deadlines, and comparing all of them takes longer than the rest.
    fn poll_timeout_before(&self, armed: Option<Instant>, now: Instant) -> Option<Instant> {
        const { assert!(ACK_DELAY.as_millis() < RESEND_DELAY.as_millis()) };
        // Of the deadlines that are set from now on, only the next attempt may be sooner than an acknowledgement.
        let is_soon = armed.is_some_and(|at| at <= now + ACK_DELAY);
        if is_soon { self.retry_at } else { self.poll_timeout() }
    }

    /// Returns when [`Input::Timeout`] is due, or `None` if nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let awaited = self.awaited.first_key_value().map(|(_, at)| *at);
        let deadlines =
            [self.session.poll_timeout(), self.retry_at, self.backlog.deadline(), awaited];
        deadlines.into_iter().flatten().min()
    }

    /// Gives the session the events that wait, as far as it has room.
    fn empty_backlog(&mut self, now: Instant) {
        while !self.backlog.is_empty()
            && self.session.has_room()
            && let Some(emit) = self.backlog.pop()
        {
            self.pass_on(emit, now);
        }
    }

    /// Gives the session an event.
    fn pass_on(&mut self, Emit { event, args, call }: Emit, now: Instant) {
        // The id of an acknowledgement that is not wanted does not matter.
        let (call, reply_by) = call.unzip();
        let options = EmitOptions { reply_by, ..EmitOptions::default() };
        let call = call.unwrap_or_default();
        let input = session::Input::Emit { call, event, args, options };
        self.session.handle(input, now);
    }

    fn emitted(&mut self, delivery: Delivery, result: Result<(), SendFailure>, now: Instant) {
        self.handed_out = None;
        if self.ended {
            return;
        }
        let seq = delivery.seq;
        match result {
            Ok(()) if delivery.wants_reply && self.abandoned.remove(&seq) => {
                self.unwanted.push_back(seq);
            }
            Ok(()) if delivery.wants_reply => {
                self.awaited.insert(seq, now + V1_CALL_TIMEOUT);
            }
            Ok(()) => self.finish(seq, Ok(Args::default()), now),
            Err(SendFailure::Full) => {
                self.retry_at = Some(now + RETRY_DELAY);
                if !planted::is(Fault::DropUndelivered) {
                    self.undelivered.push_front(delivery);
                }
                self.paused = true;
                return self.session.handle(session::Input::Paused, now);
            }
            Err(failure) => {
                self.abandoned.remove(&seq);
                let refusal = match failure {
                    SendFailure::Arguments => no_bytes(),
                    failure => Code::from(failure).into(),
                };
                self.finish(seq, Err(refusal), now);
            }
        }
        if self.undelivered.is_empty() && std::mem::take(&mut self.paused) {
            self.session.handle(session::Input::Resumed, now);
        }
    }

    fn acknowledged(&mut self, seq: u64, ack: Result<Args, NoAck>, now: Instant) {
        let result = match ack {
            Ok(reply) => check_reply(reply).map_err(Refusal::from),
            Err(NoAck::Missing) => Err(Code::Timeout.into()),
            // Its handler ran, and what it returned is lost.
            Err(NoAck::Unreadable) => {
                Err(Refusal::new(Code::HandlerFailed, "the acknowledgement cannot be read"))
            }
            Err(NoAck::TooLarge) => Err(Code::TooLarge.into()),
            // The end of the pairing follows, and decides the outcome.
            Err(NoAck::Gone) => return,
        };
        let seq = match self.awaited.first_key_value() {
            Some((first, _)) if planted::is(Fault::AcknowledgeAnother) => *first,
            _ => seq,
        };
        if self.awaited.remove(&seq).is_some() {
            self.finish(seq, result, now);
        }
    }

    /// Notes that no call waits for the acknowledgement of an event that is still to be emitted.
    fn abandon(&mut self, seq: u64) {
        let waits = self.undelivered.iter().any(|delivery| delivery.seq == seq);
        if waits || self.handed_out == Some(seq) {
            self.abandoned.insert(seq);
        }
    }

    fn finish(&mut self, seq: u64, result: Result<Args, Refusal>, now: Instant) {
        self.session.handle(session::Input::Finished(seq, result), now);
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(emit) = self.backlog.pop_expired(now) {
            self.give_up(emit, Cause::Code(Code::Timeout));
        }
        while let Some(entry) = self.awaited.first_entry()
            && *entry.get() <= now
        {
            let (seq, _) = entry.remove_entry();
            self.finish(seq, Err(Code::Timeout.into()), now);
        }
        self.session.handle(session::Input::Timeout, now);
    }

    fn end(&mut self, reason: EndReason, now: Instant) {
        self.ended = true;
        self.session.handle(session::Input::Ended(reason), now);
        while let Some(emit) = self.backlog.pop() {
            self.give_up(emit, Cause::Ended(reason));
        }
        self.undelivered.clear();
        self.abandoned.clear();
        self.awaited.clear();
        self.retry_at = None;
    }

    /// Answers the client, if it expects an acknowledgement of this event.
    fn give_up(&mut self, emit: Emit, cause: Cause) {
        if let Some((ack, _)) = emit.call {
            self.answers.push_back((ack, Outcome::NotExecuted(cause)));
        }
    }
}
