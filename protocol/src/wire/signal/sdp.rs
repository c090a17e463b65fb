//! A session description: the fields that a direct path needs.

use std::{str::FromStr, sync::Arc};

use super::SignalError;
use crate::limits::{CANDIDATES, SDP_BYTES};

/// A session description with one data channel section and nothing else.
///
/// Cloning is cheap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sdp {
    text: Arc<str>,
    session: String,
    ufrag: String,
}

impl Sdp {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the id of the session. It differs between two connections of one end; an ICE restart
    /// keeps it.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Returns the ICE user name. It differs between two attempts: an ICE restart changes it.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }
}

impl FromStr for Sdp {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > SDP_BYTES {
            return Err(SignalError::TooLarge);
        }
        if text.chars().any(|char| char.is_control() && !matches!(char, '\r' | '\n')) {
            return Err(SignalError::Sdp);
        }
        let mut lines = text.lines();
        if lines.next() != Some("v=0") {
            return Err(SignalError::Sdp);
        }
        let (mut session, mut ufrag) = (None, None);
        let (mut has_password, mut has_fingerprint) = (false, false);
        let (mut sections, mut candidates) = (0, 0);
        for line in lines {
            let Some((kind, value)) = line.split_once('=') else {
                return Err(SignalError::Sdp);
            };
            match kind {
                "o" => session = value.split(' ').nth(1).filter(|id| !id.is_empty()),
                "m" if is_data(value) => sections += 1,
                "m" => return Err(SignalError::Media),
                "a" => match value.split_once(':') {
                    Some(("ice-ufrag", value)) => ufrag = Some(value.trim_end()),
                    Some(("ice-pwd", _)) => has_password = true,
                    Some(("fingerprint", _)) => has_fingerprint = true,
                    Some(("candidate", _)) => candidates += 1,
                    _ => {}
                },
                _ => {}
            }
        }
        if candidates > CANDIDATES {
            return Err(SignalError::TooLarge);
        }
        if sections > 1 {
            return Err(SignalError::Media);
        }
        match (session, ufrag) {
            (Some(session), Some(ufrag))
                if sections == 1 && !ufrag.is_empty() && has_password && has_fingerprint =>
            {
                Ok(Self { text: text.into(), session: session.into(), ufrag: ufrag.into() })
            }
            _ => Err(SignalError::Sdp),
        }
    }
}

/// Returns whether a section is `application <port> UDP/DTLS/SCTP webrtc-datachannel`. The port 0
/// would refuse the section.
fn is_data(section: &str) -> bool {
    let fields: Vec<&str> = section.trim_end().split(' ').collect();
    matches!(
        &*fields,
        ["application", port, "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP", "webrtc-datachannel"] if *port != "0"
    )
}
