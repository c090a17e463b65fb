//! The reply to an emit.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use socketio_p2p_protocol::{Args, Cause, Code, Outcome, Path, client::Answer};

use crate::api::{args, error::EmitError};

/// The reply to an emit, from [`Emit2::with_reply`](crate::Emit2::with_reply).
#[derive(Clone, Debug)]
pub struct Reply {
    event: Box<str>,
    args: Args,
    path: Path,
}

impl Reply {
    /// Returns the reply to this event, or the error if there is none.
    pub(crate) fn of(event: Box<str>, answer: Answer) -> Result<Self, EmitError> {
        match answer {
            Answer::Outcome(Outcome::Replied(args, path)) => Ok(Self { event, args, path }),
            Answer::Outcome(Outcome::Failed(refusal)) => Err(EmitError::Failed { event, refusal }),
            Answer::Outcome(Outcome::NotExecuted(cause)) => {
                Err(EmitError::NotExecuted { event, cause })
            }
            Answer::Outcome(Outcome::Unknown(cause)) => Err(EmitError::Unknown { event, cause }),
            // The client answers an emit with no other.
            _ => Err(EmitError::Unknown { event, cause: Cause::Code(Code::Closed) }),
        }
    }

    /// Deserialises the arguments: all of them into a tuple, or the first one into any other type. `Bytes`
    /// and `Vec<u8>` take a blob, and a list of numbers.
    ///
    /// # Errors
    ///
    /// [`EmitError::Reply`] if they have another shape, or if there are none.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, EmitError> {
        let mismatch = |reason| EmitError::Reply { event: self.event.clone(), reason };
        args::decode(&self.args).map_err(mismatch)
    }

    /// Returns the arguments as JSON values, with placeholders for blobs.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        self.args.parse().unwrap_or_default()
    }

    /// Returns the blobs that the placeholders stand for.
    #[must_use]
    pub fn blobs(&self) -> &[Bytes] {
        self.args.blobs()
    }

    /// Returns the path on which the reply arrived.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }
}
