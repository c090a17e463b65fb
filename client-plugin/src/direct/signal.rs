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
//! Everything in here comes from a stranger. Only what a data channel needs passes: a description
//! with one application section and without candidates (these take the same way as trickled ones),
//! and candidates for UDP with an address one can send to. A TCP candidate would have webrtc connect
//! to wherever it points.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::error::SignalError;
use super::inbox;

/// The longest description that is looked at, in bytes. simple-peer's has about 500.
const MAX_SDP: usize = 16 << 10;
/// The longest candidate that is looked at, in bytes.
const MAX_CANDIDATE: usize = 512;
/// The length of a message that a partner takes who does not name it: RFC 8841.
const DEFAULT_MAX_MESSAGE: usize = 64 << 10;

/// The attribute that says how much the sender's UDP socket holds.
const UDP_BUFFER: &str = "a=x-udp-buffer:";
/// The attribute that says how much the sender keeps unread of each raw channel.
const WINDOW: &str = "a=x-channel-window:";

/// What a signal says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
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

impl Signal {
    pub(crate) fn parse(value: &Value) -> Result<Self, SignalError> {
        // simple-peer marks these two by a key, newer versions by the type as well.
        if value.get("renegotiate").is_some() || value.get("transceiverRequest").is_some() {
            return Err(SignalError::Unsupported);
        }
        if let Some(candidate) = value.get("candidate") {
            return Self::candidate(candidate);
        }
        let kind = value.get("type").and_then(Value::as_str).ok_or(SignalError::Malformed)?;
        match kind {
            "offer" => Ok(Self::Offer(Description::parse(value)?)),
            "answer" => Ok(Self::Answer(Description::parse(value)?)),
            "renegotiate" | "transceiverRequest" | "rollback" | "pranswer" => {
                Err(SignalError::Unsupported)
            }
            _ => Err(SignalError::Malformed),
        }
    }

    fn candidate(candidate: &Value) -> Result<Self, SignalError> {
        // An old simple-peer puts the line itself here; `null` ends the candidates.
        let line = match candidate {
            Value::Null => return Ok(Self::Nothing),
            Value::String(line) => line,
            _ => {
                candidate.get("candidate").and_then(Value::as_str).ok_or(SignalError::Malformed)?
            }
        };
        if line.len() > MAX_CANDIDATE {
            return Err(SignalError::TooLarge(MAX_CANDIDATE));
        }
        Ok(Candidate::parse(line).map_or(Self::Nothing, Self::Candidate))
    }
}

impl Description {
    fn parse(value: &Value) -> Result<Self, SignalError> {
        let sdp = value.get("sdp").and_then(Value::as_str).ok_or(SignalError::Malformed)?;
        if sdp.len() > MAX_SDP {
            return Err(SignalError::TooLarge(MAX_SDP));
        }
        let mut description = Self {
            sdp: String::with_capacity(sdp.len()),
            candidates: Vec::new(),
            max_message: DEFAULT_MAX_MESSAGE,
            udp_buffer: 0,
            window: 0,
        };
        let mut sections = 0;
        for line in sdp.lines() {
            if let Some(media) = line.strip_prefix("m=") {
                sections += 1;
                if sections > 1 || !is_data_channel(media) {
                    return Err(SignalError::Unsupported);
                }
            }
            if let Some(candidate) = line.strip_prefix("a=candidate:") {
                if candidate.len() <= MAX_CANDIDATE {
                    description.candidates.extend(Candidate::parse(candidate));
                }
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
        if sections == 0 {
            return Err(SignalError::Malformed);
        }
        Ok(description)
    }
}

/// Whether a media line is that of a data channel: `application 9 UDP/DTLS/SCTP webrtc-datachannel`.
fn is_data_channel(media: &str) -> bool {
    let mut words = media.split_ascii_whitespace();
    words.next() == Some("application")
        && words.next().is_some_and(|port| port != "0")
        && words.next().is_some_and(|protocol| protocol.ends_with("DTLS/SCTP"))
        && words.next() == Some("webrtc-datachannel")
        && words.next().is_none()
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
        a=max-message-size:262144\r\na=candidate:1 1 udp 5 10.0.0.1 4000 typ host\r\n";

    #[test]
    fn a_description_of_one_data_channel_is_taken_and_its_candidates_apart() {
        let signal = Signal::parse(&description("offer", SDP, 7));

        let Ok(Signal::Offer(offer)) = signal else { panic!("{signal:?}") };
        assert_eq!((offer.max_message, offer.udp_buffer), (262_144, 7));
        assert_eq!(offer.window, inbox::WINDOW);
        assert_eq!(offer.candidates[0].line, "candidate:1 1 udp 5 10.0.0.1 4000 typ host");
        assert!(!offer.sdp.contains("candidate"));
    }

    #[test]
    fn a_description_with_media_or_two_sections_or_none_is_refused() {
        let audio = SDP.replace("application 9 UDP/DTLS/SCTP webrtc-datachannel", "audio 9 RTP 0");
        let second = format!("{SDP}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");

        for sdp in [&audio, &second] {
            let signal = Signal::parse(&json!({ "type": "offer", "sdp": sdp }));
            assert_eq!(signal, Err(SignalError::Unsupported));
        }
        let signal = Signal::parse(&json!({ "type": "answer", "sdp": "v=0\r\n" }));
        assert_eq!(signal, Err(SignalError::Malformed));
    }

    #[test]
    fn a_request_to_renegotiate_is_refused() {
        for value in [
            json!({ "type": "renegotiate", "renegotiate": true }),
            json!({ "transceiverRequest": { "kind": "audio" } }),
            json!({ "type": "rollback" }),
        ] {
            assert_eq!(Signal::parse(&value), Err(SignalError::Unsupported));
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
            "candidate:1 1 udp x 10.0.0.1 9 typ host",
            "candidate:1 1 udp",
            "",
        ] {
            let signal = json!({ "candidate": { "candidate": line } });
            assert_eq!(Signal::parse(&signal), Ok(Signal::Nothing), "{line}");
        }
        let line = "candidate:1 1 UDP 5 4f8a-11.local 9 typ host generation 0";
        let signal = Signal::parse(&json!({ "candidate": { "candidate": line } })).unwrap();
        let expected = Candidate { line: line.to_owned(), is_local_name: true };
        assert_eq!(signal, Signal::Candidate(expected));
    }

    #[test]
    fn what_has_none_of_the_shapes_is_malformed() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "type": 1 }),
            json!({ "type": "offer" }),
            json!({ "type": "offer", "sdp": {} }),
            json!({ "candidate": 3 }),
            json!({ "type": "answer", "sdp": SDP.replace("262144", "-1") }),
        ] {
            assert_eq!(Signal::parse(&value), Err(SignalError::Malformed), "{value}");
        }
    }
}
