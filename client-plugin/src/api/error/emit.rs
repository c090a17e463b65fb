//! The error of an emit.

use socketio_p2p_protocol::{
    Cause, Code, Refusal,
    text::{legible, quoted},
};

use crate::api::args::ArgsError;

/// The reason for which [`emit2`](crate::P2pClientExt::emit2) returned no reply. Each call reports its
/// outcome exactly once, and truthfully.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The arguments cannot be serialised. Nothing was sent.
    #[error("the arguments of {} cannot be serialised: {}", quoted(.event), legible(.reason))]
    Args {
        /// The event.
        event: Box<str>,
        /// The place and the reason.
        reason: ArgsError,
    },
    /// No handler ran, and none will.
    #[error("{} was not executed: {}", quoted(.event), why(.cause))]
    NotExecuted {
        /// The event.
        event: Box<str>,
        /// The reason.
        cause: Cause,
    },
    /// The event was sent, and it cannot be known whether a handler ran.
    #[error("the outcome of {} is unknown: {}", quoted(.event), why(.cause))]
    Unknown {
        /// The event.
        event: Box<str>,
        /// The reason.
        cause: Cause,
    },
    /// The partner's handler ran and failed. The code and the text are the handler's own
    /// ([`HandlerError`](crate::HandlerError)).
    #[error("the partner's handler of {} failed: {refusal}", quoted(.event))]
    Failed {
        /// The event.
        event: Box<str>,
        /// The handler's code and text.
        refusal: Refusal,
    },
    /// The partner's handler ran and succeeded, but its reply does not match the type that was asked for.
    #[error("the reply to {} does not match the type: {}", quoted(.event), legible(.reason))]
    Reply {
        /// The event.
        event: Box<str>,
        /// The place, what was found and what was expected.
        reason: ArgsError,
    },
}

impl EmitError {
    /// Returns the event, as it was given.
    #[must_use]
    pub const fn event(&self) -> &str {
        match self {
            Self::Args { event, .. }
            | Self::NotExecuted { event, .. }
            | Self::Unknown { event, .. }
            | Self::Failed { event, .. }
            | Self::Reply { event, .. } => event,
        }
    }

    /// Returns whether a handler ran, or `None` if that cannot be known.
    #[must_use]
    pub const fn executed(&self) -> Option<bool> {
        match self {
            Self::Args { .. } | Self::NotExecuted { .. } => Some(false),
            Self::Unknown { .. } => None,
            Self::Failed { .. } | Self::Reply { .. } => Some(true),
        }
    }

    /// Returns whether the same call can succeed later, without a risk that a handler runs twice. For a
    /// handler that ran and failed, its own code decides. A call whose pairing has ended needs another
    /// pairing.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NotExecuted { cause, .. } => match cause.code() {
                Some(code) => code.is_retryable(),
                None => false,
            },
            Self::Failed { refusal, .. } => refusal.code.is_retryable(),
            Self::Args { .. } | Self::Unknown { .. } | Self::Reply { .. } => false,
        }
    }

    /// Returns the code, or the reason for which the pairing ended, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Args { .. } | Self::Reply { .. } => Code::BadArgs.as_str(),
            Self::NotExecuted { cause, .. } | Self::Unknown { cause, .. } => cause.as_str(),
            Self::Failed { refusal, .. } => refusal.code.as_str(),
        }
    }
}

/// Returns the text of a cause with its code. That of an end tells its reason itself.
fn why(cause: &Cause) -> String {
    match cause {
        Cause::Ended(_) => legible(cause),
        _ => format!("{} ({})", legible(cause), legible(cause.as_str())),
    }
}
