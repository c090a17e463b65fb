//! An ICE candidate: an address at which one peer may be reached.

use serde_json::{Value, json};

use super::SignalError;
use crate::limits::CANDIDATE_BYTES;

/// An address at which one peer may be reached, as a browser writes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    text: String,
    mid: Option<String>,
    index: Option<u16>,
}

impl Candidate {
    /// Reads a candidate with this text, `candidate:…`, of this media section.
    ///
    /// # Errors
    ///
    /// [`SignalError::TooLarge`], or [`SignalError::Candidate`] if it cannot be read.
    pub fn new(text: &str, mid: Option<&str>, index: Option<u16>) -> Result<Self, SignalError> {
        if text.len().max(mid.map_or(0, str::len)) > CANDIDATE_BYTES {
            return Err(SignalError::TooLarge);
        }
        // Some senders write it as a line of an SDP.
        let text = text.strip_prefix("a=").unwrap_or(text).trim_end();
        if !is_candidate(text) || mid.is_some_and(|mid| mid.chars().any(char::is_control)) {
            return Err(SignalError::Candidate);
        }
        Ok(Self { text: text.to_owned(), mid: mid.map(ToOwned::to_owned), index })
    }

    /// Reads the `toJSON` of a browser, or the text alone as an old simple-peer sends it. `None`
    /// stands for the end of the candidates: JSON leaves out what is undefined, and an `RTCIceCandidateInit` without a
    /// text has an empty one.
    pub(super) fn from_value(value: &Value) -> Result<Option<Self>, SignalError> {
        let text = match value {
            Value::Object(fields) => fields.get("candidate").unwrap_or(&Value::Null),
            value => value,
        };
        let text = match text {
            Value::Null => "",
            Value::String(text) => text,
            _ => return Err(SignalError::Candidate),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let mid = value.get("sdpMid").and_then(Value::as_str);
        let index = value.get("sdpMLineIndex").and_then(Value::as_u64);
        Self::new(text, mid, index.and_then(|index| index.try_into().ok())).map(Some)
    }

    pub(super) fn to_value(&self) -> Value {
        json!({ "candidate": self.text, "sdpMLineIndex": self.index, "sdpMid": self.mid })
    }

    /// Returns the text: `candidate:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the name of the media section.
    #[must_use]
    pub fn mid(&self) -> Option<&str> {
        self.mid.as_deref()
    }

    /// Returns the number of the media section.
    #[must_use]
    pub const fn index(&self) -> Option<u16> {
        self.index
    }

    /// Returns the address. It may be a name: `….local` if a browser hides the address.
    #[must_use]
    pub fn address(&self) -> &str {
        self.text.split(' ').nth(4).unwrap_or_default()
    }

    /// Returns the kind: `host`, `srflx`, `prflx` or `relay`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text.split(' ').nth(7).unwrap_or_default()
    }

    /// Returns the user name of the description that the candidate belongs to, if it states one.
    #[must_use]
    pub fn ufrag(&self) -> Option<&str> {
        let mut fields = self.text.split(' ').skip(8);
        fields.find(|field| *field == "ufrag")?;
        fields.next()
    }
}

/// Returns whether a text has the form
/// `candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type> …`
fn is_candidate(text: &str) -> bool {
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return false;
    }
    let fields: Vec<&str> = text.split(' ').collect();
    let [foundation, component, transport, priority, address, port, typ, kind, rest @ ..] =
        &*fields
    else {
        return false;
    };
    foundation.strip_prefix("candidate:").is_some_and(|id| !id.is_empty())
        && component.parse::<u16>().is_ok()
        && ["udp", "tcp"].iter().any(|known| transport.eq_ignore_ascii_case(known))
        && priority.parse::<u32>().is_ok()
        && !address.is_empty()
        && port.parse::<u16>().is_ok()
        && *typ == "typ"
        && ["host", "srflx", "prflx", "relay"].contains(kind)
        && rest.len().is_multiple_of(2)
}
