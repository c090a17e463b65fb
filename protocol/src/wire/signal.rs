//! Signals of a WebRTC negotiation in the shapes of simple-peer 9.11.1, read once and with limits.
//!
//! | shape | step |
//! |---|---|
//! | `{type: "offer", sdp}` | [`Step::Offer`] |
//! | `{type: "answer", sdp}` | [`Step::Answer`] |
//! | `{type: "candidate", candidate: {candidate, sdpMid, sdpMLineIndex}}`, also without `type` | [`Step::Candidate`] |
//! | `{type: "end"}`, and a candidate that is missing, `null` or without a text | [`Step::End`] |
//! | `{type: "renegotiate", renegotiate: true}` | [`Step::Renegotiate`] |
//! | `{type: "transceiverRequest", transceiverRequest}` | [`Step::Other`] |
//!
//! Ours also carry `attempt`, the number of their attempt, and `renegotiate` carries `why`;
//! simple-peer ignores both. A signal of a type that simple-peer does not know destroys its
//! connection: so `end` is read and never sent.

mod candidate;
mod media;
mod sdp;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

pub use self::{candidate::Candidate, sdp::Sdp};
use super::{SIGNAL, WireError, WireEvent, bad_args, labels};
use crate::PairingId;

/// The largest number of an attempt: JavaScript has no larger exact integers.
pub(crate) const ATTEMPT_MAX: u64 = (1 << 53) - 1;

/// A step of a negotiation, with the attempt that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The number of the attempt; `None` in the signals of simple-peer.
    pub attempt: Option<u64>,
    /// The step.
    pub step: Step,
}

/// A step of a negotiation.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Offer of a connection.
    Offer(Sdp),
    /// Answer to an offer.
    Answer(Sdp),
    /// Address of the sender.
    Candidate(Candidate),
    /// End of the sender's addresses.
    End,
    /// Request for a new offer; `None` if it is about media, as in simple-peer.
    Renegotiate(Option<WhyAnew>),
    /// Step about media, which a direct path does not have.
    Other,
}

labels! {
    /// The reason for which a peer asks its partner for a new offer.
    pub WhyAnew {
        /// Its heartbeats do not return.
        Silent = "silent",
        /// It has closed the connection.
        Closed = "closed",
        /// Its addresses have changed, or it can be reached again.
        Changed = "changed",
    }
}

/// The reason for which a signal is left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// It has none of the known shapes.
    #[error("not a signal")]
    Shape,
    /// Its type is unknown: another version may know it.
    #[error("the type of the signal is unknown")]
    Unknown,
    /// The SDP or the candidate is too long.
    #[error("the signal is too large")]
    TooLarge,
    /// The SDP has sections, but not one data channel section.
    #[error("the session description has not one data channel section")]
    Media,
    /// The SDP cannot be read, or lacks a field that a connection needs.
    #[error("the session description cannot be read")]
    Sdp,
    /// The candidate cannot be read.
    #[error("the candidate cannot be read")]
    Candidate,
}

impl Signal {
    /// Returns a step of this attempt.
    #[must_use]
    pub const fn new(attempt: u64, step: Step) -> Self {
        Self { attempt: Some(attempt), step }
    }

    /// Reads the second argument of a `P2P_SIGNAL`.
    ///
    /// # Errors
    ///
    /// A [`SignalError`]. Nothing depends on a single signal, so it can be left out.
    pub fn from_value(value: &Value) -> Result<Self, SignalError> {
        let fields = value.as_object().ok_or(SignalError::Shape)?;
        let attempt = fields.get("attempt").map(|attempt| {
            attempt.as_u64().filter(|number| *number <= ATTEMPT_MAX).ok_or(SignalError::Shape)
        });
        let attempt = attempt.transpose()?;
        Ok(Self { attempt, step: step(fields)? })
    }

    /// Returns the signal as a Socket.IO event, in both directions.
    #[must_use]
    pub fn to_event(&self, pairing: PairingId) -> WireEvent {
        (SIGNAL, vec![json!(pairing), self.to_value()])
    }

    /// Returns the second argument of a `P2P_SIGNAL`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut value = match &self.step {
            Step::Offer(sdp) => json!({ "type": "offer", "sdp": sdp.as_str() }),
            Step::Answer(sdp) => json!({ "type": "answer", "sdp": sdp.as_str() }),
            Step::Candidate(candidate) => {
                json!({ "type": "candidate", "candidate": candidate.to_value() })
            }
            Step::End => json!({ "type": "end" }),
            Step::Renegotiate(None) => json!({ "type": "renegotiate", "renegotiate": true }),
            Step::Renegotiate(why) => {
                json!({ "type": "renegotiate", "renegotiate": true, "why": why })
            }
            Step::Other => json!({}),
        };
        if let Some(attempt) = self.attempt {
            value["attempt"] = attempt.into();
        }
        value
    }
}

/// Reads the arguments of a [`SIGNAL`]: the pairing and the unread signal.
///
/// # Errors
///
/// [`Code::BadArgs`](crate::Code::BadArgs) if an argument is missing or the first is not a pairing id.
pub fn from_args(args: Vec<Value>) -> Result<(PairingId, Value), WireError> {
    let mut args = args.into_iter();
    let (Some(pairing), Some(signal)) = (args.next(), args.next()) else {
        return Err(bad_args("arguments are missing"));
    };
    let pairing = PairingId::deserialize(pairing).map_err(|error| bad_args(&error.to_string()))?;
    Ok((pairing, signal))
}

/// Reads the step. The type decides; without one the fields do, as in simple-peer.
fn step(fields: &Map<String, Value>) -> Result<Step, SignalError> {
    let candidate = |candidate| -> Result<Step, SignalError> {
        Ok(Candidate::from_value(candidate)?.map_or(Step::End, Step::Candidate))
    };
    let sdp = || fields.get("sdp").and_then(Value::as_str).ok_or(SignalError::Shape)?.parse();
    let kind = match fields.get("type") {
        None | Some(Value::Null) => {
            return candidate(fields.get("candidate").ok_or(SignalError::Shape)?);
        }
        Some(kind) => kind.as_str().ok_or(SignalError::Shape)?,
    };
    match kind {
        "offer" => Ok(Step::Offer(sdp()?)),
        "answer" => Ok(Step::Answer(sdp()?)),
        "candidate" => candidate(fields.get("candidate").unwrap_or(&Value::Null)),
        "end" => Ok(Step::End),
        "renegotiate" => {
            let why = fields.get("why").and_then(Value::as_str);
            Ok(Step::Renegotiate(why.map(WhyAnew::from)))
        }
        "transceiverRequest" => Ok(Step::Other),
        _ => Err(SignalError::Unknown),
    }
}
