//! An endpoint's pairing: its session, what goes through it, and frames that travel together.

use std::{collections::VecDeque, time::Instant};

use serde_json::Value;

use super::{Answer, Complaint, Endpoint, EndpointEvent, Output, Paired, Tie};
use crate::{
    Args, Cause, Code, EndReason, Frame, Outcome, PairingId, PairingInfo, Path, Refusal, Session,
    limits::{BATCH_BYTES, BATCH_FRAMES, CHUNK_BYTES, Limits, VALUE_BYTES},
    session::{self, CallId},
    wire::{self, Shape},
};

/// Bytes of a relayed message beside the arguments that it carries: names, numbers, punctuation.
const FRAME_OVERHEAD: usize = 1024;

impl Endpoint {
    /// Sends the frames that were collected, as far as the pace allows.
    pub(super) fn flush(&mut self) {
        let Some(pairing) = self.pairing().map(|info| info.id) else {
            return self.queue.clear();
        };
        while !self.queue.is_empty() && self.pace.next_at(self.now).is_none() {
            let mut bytes = 0;
            let fits = self.queue.iter().take(BATCH_FRAMES).take_while(|frame| {
                bytes += frame.body.size();
                bytes <= BATCH_BYTES
            });
            // One that does not fit goes alone.
            let count = fits.count().max(1);
            let frames: Vec<_> = self.queue.drain(..count).collect();
            let bytes = frames.iter().map(|frame| frame.body.size()).sum();
            self.pace.spend(bytes, self.now);
            self.outputs.push_back(Output::SendFrames(pairing, frames));
        }
    }

    pub(super) fn session(&mut self, input: session::Input, now: Instant) {
        let Some(paired) = &mut self.paired else {
            return;
        };
        let pairing = paired.info.id;
        paired.session.handle(input, now);
        while let Some(output) = self.paired.as_mut().and_then(|p| p.session.poll_output()) {
            match output {
                session::Output::Send(Path::Relay, frame) => self.queue.push_back(frame),
                session::Output::Send(Path::Direct, frame) => self.send_directly(frame),
                session::Output::Deliver(delivery) => {
                    if let Some(Paired { info, .. }) = &self.paired {
                        let from = info.partner.clone();
                        self.outputs.push_back(Output::Deliver(pairing, from, delivery));
                    }
                }
                session::Output::Resolved(call, outcome) => {
                    self.answer(call, Answer::Outcome(outcome));
                }
                session::Output::Violation(violation) => {
                    self.outputs.push_back(Output::Complain(Complaint::Partner(violation)));
                }
            }
        }
    }

    pub(super) fn frames(&mut self, pairing: PairingId, frames: Vec<Frame>, now: Instant) {
        if self.pairing().is_some_and(|info| info.id == pairing) {
            for frame in frames {
                self.session(session::Input::Received(Path::Relay, frame), now);
            }
        }
    }

    pub(super) fn finished(
        &mut self,
        pairing: PairingId,
        seq: u64,
        result: Result<Args, Refusal>,
        now: Instant,
    ) {
        if self.paired.as_ref().is_none_or(|paired| !paired.is(pairing)) {
            return;
        }
        let result = result.and_then(|args| match self.check_args(&args) {
            Ok(()) => Ok(args),
            // The handler ran: neither code may say that it did not.
            Err(Code::TooLarge) => Err(Refusal::new(Code::TooLarge, "the reply is too large")),
            Err(_) => Err(Refusal::new(Code::HandlerFailed, "the reply cannot be read")),
        });
        self.session(session::Input::Finished(seq, result), now);
    }

    /// Whether the relay takes frames with these arguments, and the partner can read them.
    fn check_args(&self, args: &Args) -> Result<(), Code> {
        let Limits { frame_bytes, json_depth, .. } = self.limits;
        let Shape { depth, doubtful } = Shape::of(args.as_json());
        // A server that takes less than a chunk takes no parts either.
        let one_frame = frame_bytes.saturating_sub(FRAME_OVERHEAD);
        let has_session = self.pairing().is_none_or(|info| info.partner_protocol > 1);
        let most = match one_frame {
            // A v1 partner gets it in one event.
            CHUNK_BYTES.. if has_session => VALUE_BYTES,
            less => less,
        };
        // Around the arguments there are those of the event, the batch and the frame.
        if depth + 3 > json_depth || args.footprint() > most {
            return Err(Code::TooLarge);
        }
        if doubtful && args.parse::<Vec<Value>>().is_err() {
            return Err(Code::BadArgs);
        }
        Ok(())
    }

    pub(super) fn emit(
        &mut self,
        (call, pairing): (CallId, PairingId),
        event: String,
        args: Args,
        (reply_by, expires, via): (Option<Instant>, Option<Instant>, Option<Path>),
        now: Instant,
    ) {
        let checked = match &self.paired {
            None => Err(Code::NotPaired),
            Some(present) if !present.is(pairing) => Err(Code::StalePairing),
            Some(present) if !self.has_way(present, via) => Err(Code::NoRoute),
            Some(_) => wire::check_event(&event).and_then(|()| self.check_args(&args)),
        };
        let checked = checked.and_then(|()| match reply_by {
            Some(deadline) if deadline <= now => Err(Code::Timeout),
            _ if expires.is_some_and(|at| at <= now) => Err(Code::Expired),
            _ if !self.takes_emits() => Err(Code::Congested),
            _ => Ok(()),
        });
        if let Err(code) = checked {
            return self.answer(call, Answer::Outcome(Outcome::NotExecuted(Cause::Code(code))));
        }
        let waits = reply_by.map(|deadline| (call, deadline));
        self.session(session::Input::Emit { event, args, call: waits, expires, via }, now);
        if reply_by.is_none() {
            self.answer(call, Answer::Sent);
        }
    }

    pub(super) fn paired(&mut self, info: PairingInfo, now: Instant) {
        if self.pairing() == Some(&info) {
            return; // The answer to a wish that was fulfilled already.
        }
        if self.is_granted_anew(&info, now) {
            return;
        }
        self.unpaired(EndReason::Replaced, now);
        let session = match info.partner_protocol {
            1 => Session::with_v1_partner(),
            _ => Session::new(),
        };
        let (tie, former) = (Tie::Known, VecDeque::new());
        self.paired =
            Some(Paired { info: info.clone(), session, direct: None, told: None, tie, former });
        self.open_path(now);
        if let Some(paired) = &mut self.paired {
            paired.told = paired.session.path();
        }
        self.event(EndpointEvent::Paired(info));
        self.try_direct(now);
    }

    pub(super) fn unpaired(&mut self, reason: EndReason, now: Instant) {
        self.session(session::Input::Ended(reason), now);
        self.end_direct(now);
        if let Some(Paired { info, .. }) = self.paired.take() {
            self.queue.clear();
            self.event(EndpointEvent::Unpaired { pairing: info, reason });
        }
    }
}
