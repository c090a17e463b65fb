//! The signals of a direct connection: simple-peer's JSON, and what is refused of it.
//!
//! ```json
//! {"type":"offer","sdp":"v=0…"}
//! {"type":"candidate","candidate":{"candidate":"candidate:…","sdpMid":"0","sdpMLineIndex":0}}
//! ```
//!
//! Two lines of the description are ours: `a=x-udp-buffer:4194304`, the bytes that the sender's UDP socket
//! can hold, and `a=x-channel-window:1048576`, those that it keeps unread of each raw channel. Others
//! ignore them, as they have to ignore every attribute that they do not know (RFC 8866).
//!
//! Everything in here comes from a stranger. The protocol crate reads it, and lets pass descriptions of one
//! data channel and candidates of a known form. Of these only what a data channel needs goes on: a
//! description without candidates, which take the same way as trickled ones, and candidates for UDP
//! with an address one can send to. A TCP candidate would have webrtc connect to wherever it points.

use std::net::IpAddr;

use serde_json::{Value, json};
use socketio_p2p_protocol::{Signal, Step, signal};

use super::error::SignalError;
use super::inbox;

/// The length of a message that a partner takes who does not name it: RFC 8841.
const DEFAULT_MAX_MESSAGE: usize = 64 << 10;

/// The attribute that says how much the sender's UDP socket holds.
const UDP_BUFFER: &str = "a=x-udp-buffer:";
/// The attribute that says how much the sender keeps unread of each raw channel.
const WINDOW: &str = "a=x-channel-window:";

/// What a step of the partner comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    Offer(Description),
    Answer(Description),
    Candidate(Candidate),
    /// Nothing to do: the end of the candidates, or one that this end has no use for.
    Nothing,
}

/// What a partner's description holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Description {
    /// For webrtc: without candidates.
    pub(crate) sdp: String,
    /// Those that stood in it.
    pub(crate) candidates: Vec<Candidate>,
    /// The longest message that the partner takes, in bytes.
    pub(crate) max_message: usize,
    /// The partner's UDP buffer in bytes; 0 if it did not say.
    pub(crate) udp_buffer: usize,
    /// What it keeps unread of each raw channel, in bytes; 0 if it did not say.
    pub(crate) window: usize,
}

/// A candidate that can be tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Candidate {
    /// As in SDP, without `a=`.
    pub(crate) line: String,
    /// Whether its address is a name of multicast DNS.
    pub(crate) is_local_name: bool,
}

/// Reads a signal, in any of simple-peer's shapes.
pub(crate) fn read(value: &Value) -> Result<Step, SignalError> {
    match Signal::from_value(value) {
        Ok(signal) => Ok(signal.step),
        Err(signal::SignalError::TooLarge) => Err(SignalError::TooLarge),
        Err(signal::SignalError::Media) => Err(SignalError::Unsupported),
        Err(_) => Err(SignalError::Malformed),
    }
}

impl Asked {
    /// What a data channel can do of it.
    pub(crate) fn of(step: &Step) -> Result<Self, SignalError> {
        match step {
            Step::Offer(sdp) => Ok(Self::Offer(Description::of(sdp.as_str())?)),
            Step::Answer(sdp) => Ok(Self::Answer(Description::of(sdp.as_str())?)),
            Step::Candidate(candidate) => {
                Ok(Candidate::parse(candidate.as_str()).map_or(Self::Nothing, Self::Candidate))
            }
            Step::End => Ok(Self::Nothing),
            Step::Renegotiate(_) | Step::Other => Err(SignalError::Unsupported),
        }
    }
}

impl Description {
    fn of(sdp: &str) -> Result<Self, SignalError> {
        let mut description = Self {
            sdp: String::with_capacity(sdp.len()),
            candidates: Vec::new(),
            max_message: DEFAULT_MAX_MESSAGE,
            udp_buffer: 0,
            window: 0,
        };
        for line in sdp.lines() {
            if line.starts_with("a=candidate:") {
                description.candidates.extend(Candidate::parse(line));
                continue;
            }
            if let Some(size) = line.strip_prefix(UDP_BUFFER) {
                description.udp_buffer = size.trim().parse().unwrap_or(0);
                continue;
            }
            if let Some(size) = line.strip_prefix(WINDOW) {
                description.window = size.trim().parse().unwrap_or(0);
                continue;
            }
            if let Some(size) = line.strip_prefix("a=max-message-size:") {
                let size = size.trim().parse().map_err(|_| SignalError::Malformed)?;
                description.max_message = if size == 0 { usize::MAX } else { size };
            }
            description.sdp.push_str(line);
            description.sdp.push_str("\r\n");
        }
        Ok(description)
    }
}

impl Candidate {
    /// `foundation component transport priority address port "typ" type …`, if it can be tried.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim().trim_start_matches("a=").trim_start_matches("candidate:");
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [foundation, component, transport, priority, address, port, "typ", kind, ..] =
            words[..]
        else {
            return None;
        };
        let is_local_name = is_local_name(address);
        let usable = foundation.len() <= 32
            && component == "1"
            && transport.eq_ignore_ascii_case("udp")
            && priority.parse::<u32>().is_ok()
            && (is_local_name || address.parse().is_ok_and(is_reachable))
            && port.parse::<u16>().is_ok_and(|port| port != 0)
            && ["host", "srflx", "prflx", "relay"].contains(&kind)
            && (!is_local_name || kind == "host");
        usable.then(|| Self { line: format!("candidate:{}", words.join(" ")), is_local_name })
    }
}

fn is_local_name(address: &str) -> bool {
    let name = address.strip_suffix(".local").unwrap_or_default();
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_reachable(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

/// This end's offer or answer. webrtc's own candidates follow one by one.
pub(crate) fn description(kind: &str, sdp: &str, udp_buffer: usize) -> Value {
    let window = inbox::WINDOW;
    let sdp = format!("{sdp}{UDP_BUFFER}{udp_buffer}\r\n{WINDOW}{window}\r\n");
    json!({ "type": kind, "sdp": sdp })
}

/// One of this end's candidates, or nothing for an address that no partner can use.
pub(crate) fn candidate(line: &str, mid: Option<&str>, index: Option<u16>) -> Option<Value> {
    Candidate::parse(line).map(|candidate| {
        json!({
            "type": "candidate",
            "candidate": {
                "candidate": candidate.line,
                "sdpMid": mid.filter(|mid| !mid.is_empty()).unwrap_or("0"),
                "sdpMLineIndex": index.unwrap_or(0),
            },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 00\r\n\
        a=max-message-size:262144\r\na=candidate:1 1 udp 5 10.0.0.1 4000 typ host\r\n";

    fn asked(signal: &Value) -> Result<Asked, SignalError> {
        Asked::of(&read(signal)?)
    }

    #[test]
    fn a_description_of_one_data_channel_is_taken_and_its_candidates_apart() {
        let asked = asked(&description("offer", SDP, 7));

        let Ok(Asked::Offer(offer)) = asked else { panic!("{asked:?}") };
        assert_eq!((offer.max_message, offer.udp_buffer), (262_144, 7));
        assert_eq!(offer.window, inbox::WINDOW);
        assert_eq!(offer.candidates[0].line, "candidate:1 1 udp 5 10.0.0.1 4000 typ host");
        assert!(!offer.sdp.contains("candidate"));
    }

    #[test]
    fn a_description_with_media_or_two_sections_is_more_than_a_data_channel() {
        let audio = SDP.replace("application 9 UDP/DTLS/SCTP webrtc-datachannel", "audio 9 RTP 0");
        let second = format!("{SDP}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");

        for sdp in [&audio, &second] {
            let signal = json!({ "type": "offer", "sdp": sdp });
            assert_eq!(asked(&signal), Err(SignalError::Unsupported));
        }
    }

    #[test]
    fn a_request_to_renegotiate_is_refused() {
        for signal in [
            json!({ "type": "renegotiate", "renegotiate": true }),
            json!({ "type": "transceiverRequest", "transceiverRequest": { "kind": "audio" } }),
        ] {
            assert_eq!(asked(&signal), Err(SignalError::Unsupported));
        }
    }

    #[test]
    fn only_candidates_that_can_be_tried_are_taken() {
        for line in [
            "candidate:1 1 tcp 5 10.0.0.1 9 typ host tcptype passive",
            "candidate:1 1 udp 5 0.0.0.0 9 typ host",
            "candidate:1 1 udp 5 224.0.0.1 9 typ host",
            "candidate:1 1 udp 5 ::ffff:255.255.255.255 9 typ host",
            "candidate:1 1 udp 5 example.org 9 typ host",
            "candidate:1 1 udp 5 a.b.local 9 typ host",
            "candidate:1 2 udp 5 10.0.0.1 9 typ host",
            "candidate:1 1 udp 5 10.0.0.1 0 typ host",
            "",
        ] {
            let signal = json!({ "candidate": { "candidate": line } });
            assert_eq!(asked(&signal), Ok(Asked::Nothing), "{line}");
        }
        let line = "candidate:1 1 UDP 5 4f8a-11.local 9 typ host generation 0";
        let expected = Candidate { line: line.to_owned(), is_local_name: true };
        let signal = json!({ "candidate": { "candidate": line } });
        assert_eq!(asked(&signal), Ok(Asked::Candidate(expected)));
    }

    #[test]
    fn a_length_that_is_none_is_malformed() {
        let signal = json!({ "type": "answer", "sdp": SDP.replace("262144", "-1") });
        assert_eq!(asked(&signal), Err(SignalError::Malformed));
    }
}
