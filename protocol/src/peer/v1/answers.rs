//! What a v1 client and its partner are answered, and what they can take.

use serde_json::Value;

use crate::{
    Args, Code, Outcome, Refusal,
    limits::{JSON_DEPTH, V1_ATTACHMENTS, VALUE_BYTES},
    wire::{self, v1_failed},
};

/// Checks that the partner can take this reply: a v1 client does not know its limits.
pub(super) fn check_reply(reply: Args) -> Result<Args, Code> {
    if reply.size() > VALUE_BYTES || wire::depth(reply.as_json()) > JSON_DEPTH {
        return Err(Code::TooLarge);
    }
    Ok(reply)
}

/// Checks that a v1 client can take the attachments of these arguments.
///
/// # Errors
///
/// [`Code::BadArgs`] if there are too many.
pub(crate) fn check_attachments(args: &Args) -> Result<(), Refusal> {
    if args.blobs().len() <= V1_ATTACHMENTS {
        return Ok(());
    }
    let why = format!("a v1 client takes at most {V1_ATTACHMENTS} attachments");
    Err(Refusal::new(Code::BadArgs, &why))
}

/// Returns the refusal of arguments with bytes for a v1 client whose transport takes none.
pub(crate) fn no_bytes() -> Refusal {
    let why = "bytes reach the partner over a websocket only, and it polls with Engine.IO 3";
    Refusal::new(Code::BadArgs, why)
}

/// Returns what a v1 client gets instead of a reply that its transport does not take.
pub(super) fn unacknowledged() -> Refusal {
    let why = "the reply has bytes, which reach this client over a websocket only: it polls with Engine.IO 3";
    Refusal::new(Code::BadArgs, why)
}

/// Returns the arguments with which a v1 client's event is acknowledged: those of the partner's
/// reply, or else one argument that describes the failure.
///
/// # Errors
///
/// The argument that describes the failure.
pub fn acknowledgement(outcome: &Outcome) -> Result<&Args, Value> {
    match outcome {
        Outcome::Replied(args, _) => check_attachments(args)
            .map(|()| args)
            .map_err(|refusal| v1_failed(refusal.code.as_str(), &refusal.message)),
        Outcome::Failed(refusal) => Err(v1_failed(refusal.code.as_str(), &refusal.message)),
        Outcome::NotExecuted(cause) | Outcome::Unknown(cause) => {
            Err(v1_failed(cause.as_str(), &cause.to_string()))
        }
    }
}

/// Returns the answer to a v1 client that asked for the end of its pairing, and whose partner did not take all
/// that it emitted before.
#[must_use]
pub fn undelivered() -> Refusal {
    let why = "the pairing ended before the partner took everything that was emitted";
    Refusal::new(Code::NotPaired, why)
}
