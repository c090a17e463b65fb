//! Signals of a WebRTC negotiation, in the shapes of simple-peer 9.11.1: read once, with limits.
//!
//! | shape | step |
//! |---|---|
//! | `{type: "offer", sdp}` | [`Step::Offer`] |
//! | `{type: "answer", sdp}` | [`Step::Answer`] |
//! | `{type: "candidate", candidate: {candidate, sdpMid, sdpMLineIndex}}`, also without `type` | [`Step::Candidate`] |
//! | `{type: "end"}`, and a candidate whose text is empty | [`Step::End`] |
//! | `{type: "renegotiate", renegotiate: true}` | [`Step::Renegotiate`] |
//! | `{type: "transceiverRequest", transceiverRequest}` | [`Step::Other`] |
//!
//! Ours carry the number of their attempt as well, `attempt`, and `renegotiate` carries `why`;
//! simple-peer ignores both. A signal that it does not know it takes for an error, and destroys
//! itself: so `end` is read and never sent.

mod candidate;
mod sdp;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::{candidate::Candidate, sdp::Sdp};
use super::{Event, SIGNAL, WireError, bad_args};
use crate::PairingId;

/// The largest number of an attempt: JavaScript has no larger integers.
const ATTEMPT_MAX: u64 = (1 << 53) - 1;

/// A step of a negotiation, as it travels.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The number of the attempt that it belongs to; none in those of simple-peer.
    pub attempt: Option<u64>,
    /// What it says.
    pub step: Step,
}

/// What a signal says.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// This is how I would be connected.
    Offer(Sdp),
    /// So let it be.
    Answer(Sdp),
    /// I may be reached there.
    Candidate(Candidate),
    /// I may be reached nowhere else.
    End,
    /// Offer anew; none if it is about media, as with simple-peer.
    Renegotiate(Option<WhyAnew>),
    /// Something about media, which a direct path has none of.
    Other,
}

/// Why an end asks its partner to offer anew.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhyAnew {
    /// No heartbeat returns.
    Silent,
    /// It has closed the connection.
    Closed,
    /// It has other addresses than before, or may be reached again.
    Changed,
}

/// Why a signal is left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// Not of a shape that is known.
    #[error("not a signal")]
    Shape,
    /// An SDP or a candidate longer than it may be, or an SDP with too many candidates.
    #[error("the signal is too large")]
    TooLarge,
    /// The SDP has media, or more than the one data channel section.
    #[error("the session description has more than a data channel")]
    Media,
    /// The SDP cannot be read, or lacks what a connection needs.
    #[error("the session description cannot be read")]
    Sdp,
    /// The candidate cannot be read.
    #[error("the candidate cannot be read")]
    Candidate,
}

impl Signal {
    /// A step of this attempt.
    #[must_use]
    pub const fn new(attempt: u64, step: Step) -> Self {
        Self { attempt: Some(attempt), step }
    }

    /// Reads the second argument of a `P2P_SIGNAL`.
    ///
    /// # Errors
    ///
    /// A [`SignalError`]; nothing depends on a single signal, so it can be left out.
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
    pub fn to_event(&self, pairing: PairingId) -> Event {
        (SIGNAL, vec![json!(pairing), self.to_value()])
    }

    /// As it travels.
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

/// What is in a signal counts, as with simple-peer; its type only tells offers from answers.
fn step(fields: &Map<String, Value>) -> Result<Step, SignalError> {
    let kind = fields.get("type").and_then(Value::as_str);
    if let Some(candidate) = fields.get("candidate") {
        return Ok(Candidate::from_value(candidate)?.map_or(Step::End, Step::Candidate));
    }
    if let Some(sdp) = fields.get("sdp") {
        let sdp = || sdp.as_str().ok_or(SignalError::Shape)?.parse();
        return match kind {
            Some("offer") => Ok(Step::Offer(sdp()?)),
            Some("answer") => Ok(Step::Answer(sdp()?)),
            _ => Err(SignalError::Shape),
        };
    }
    match kind {
        Some("end") => Ok(Step::End),
        Some("renegotiate") => {
            let why = fields.get("why").and_then(|why| WhyAnew::deserialize(why).ok());
            Ok(Step::Renegotiate(why))
        }
        Some("transceiverRequest") => Ok(Step::Other),
        _ => Err(SignalError::Shape),
    }
}
