//! Emits and results of the application, checked before they enter the session.

use std::time::Instant;

use serde_json::Value;

use super::{Output, PathPolicy, Peer, session};
use crate::{
    Args, Body, Cause, Code, Outcome, Path, Refusal,
    limits::{CHUNK_BYTES, EVENT_NAME_BYTES, Limits, VALUE_BYTES},
    session::{CallId, EmitOptions},
    wire::{self, Shape},
};

/// Bytes of a relayed message beside the arguments that it carries: names, numbers, punctuation.
pub(super) const FRAME_OVERHEAD: usize = 1024;

/// Levels around the arguments of a frame: the arguments of the event, the batch and the frame.
const LEVELS: usize = 3;

/// Bytes of a relayed message beside the size of its one frame. Every frame that is accepted with
/// [`FRAME_OVERHEAD`] fits.
const MESSAGE_OVERHEAD: usize = FRAME_OVERHEAD - Body::FRAME - EVENT_NAME_BYTES;

impl Peer {
    /// Gives up what was accepted under the limits of an earlier connection and cannot be relayed
    /// under the present ones.
    pub(super) fn give_up_unfit(&mut self, former: Limits, now: Instant) {
        let Limits { frame_bytes, json_depth, .. } = self.limits;
        if frame_bytes < former.frame_bytes || json_depth < former.json_depth {
            let bytes = frame_bytes.saturating_sub(MESSAGE_OVERHEAD);
            let depth = json_depth.saturating_sub(LEVELS);
            self.session(session::Input::Narrowed { bytes, depth }, now);
        }
    }

    pub(super) fn emit(
        &mut self,
        call: CallId,
        event: String,
        args: Args,
        options: EmitOptions,
        now: Instant,
    ) {
        let EmitOptions { reply_by, expires, via } = options;
        let checked = if self.has_path(via) {
            wire::check_event(&event).map_err(Cause::Code).and_then(|()| self.check_args(&args))
        } else {
            Err(Cause::Code(Code::NoRoute))
        };
        let checked = checked.and_then(|()| match reply_by {
            Some(reply_by) if reply_by <= now => Err(Cause::Code(Code::Timeout)),
            _ if expires.is_some_and(|at| at <= now) => Err(Cause::Code(Code::Expired)),
            _ if !self.takes_emits() => Err(Cause::Code(Code::Congested)),
            _ => Ok(()),
        });
        if let Err(cause) = checked {
            let outcome = Outcome::NotExecuted(cause);
            return self.outputs.push_back(Output::Resolved(call, outcome));
        }
        self.session(session::Input::Emit { call, event, args, options }, now);
        if !options.wants_reply() {
            self.outputs.push_back(Output::Sent(call));
        }
    }

    /// Returns true if an emit can ever take the path that it is meant to take.
    fn has_path(&self, via: Option<Path>) -> bool {
        if self.config.policy == PathPolicy::DirectOnly
            && (self.direct.is_none() || via == Some(Path::Relay))
        {
            return false; // The relay only carries answers.
        }
        via.is_none_or(|path| self.session.has(path))
    }

    pub(super) fn finished(&mut self, seq: u64, result: Result<Args, Refusal>, now: Instant) {
        let result = result.and_then(|args| match self.check_args(&args) {
            Ok(()) => Ok(args),
            // The handler ran: neither code may say that it did not.
            Err(cause) if cause.code() == Some(Code::TooLarge) => {
                Err(Refusal::new(Code::TooLarge, &format!("the reply is too large: {cause}")))
            }
            Err(_) => Err(Refusal::new(Code::HandlerFailed, "the reply cannot be read")),
        });
        self.session(session::Input::Finished(seq, result), now);
    }

    /// Checks that the relay takes frames with these arguments, and that the partner can read them.
    fn check_args(&self, args: &Args) -> Result<(), Cause> {
        let Limits { frame_bytes, json_depth, .. } = self.limits;
        let Shape { depth, doubtful, .. } = Shape::of(args.as_json());
        // A server that takes less than a chunk takes no parts either.
        let one_frame = frame_bytes.saturating_sub(FRAME_OVERHEAD);
        let has_session = self.info.partner_protocol > 1;
        let most = match one_frame {
            // A v1 partner gets it in one event.
            CHUNK_BYTES.. if has_session => VALUE_BYTES,
            less => less,
        };
        if depth + LEVELS > json_depth {
            return Err(Cause::TooDeep { depth, limit: json_depth.saturating_sub(LEVELS) });
        }
        if args.footprint() > most {
            return Err(Cause::TooLarge { bytes: args.footprint(), limit: most });
        }
        if doubtful && args.parse::<Vec<Value>>().is_err() {
            return Err(Cause::Code(Code::BadArgs));
        }
        Ok(())
    }
}
