//! The part of a partner's signals that a data channel needs, and the signals of this side.
//!
//! All signals come from a stranger. The protocol crate reads them; here only what a data channel needs is
//! kept. Candidates are used only for UDP, with an address that one can send to: for a TCP candidate, webrtc
//! would connect to wherever it points.

use std::net::IpAddr;

use socketio_p2p_protocol::{Candidate, Sdp, Signal, SignalError, Step, limits::CHANNEL_WINDOW};

use super::error::DirectSignalError;

/// The request in a signal of the partner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Request {
    Offer(Sdp),
    Answer(Sdp),
    Candidate(Candidate),
    /// No effect: the end of the candidates, or a candidate that is of no use.
    Nothing,
}

impl Request {
    /// Returns what a data channel can do about a signal.
    pub(crate) fn of(step: Step) -> Result<Self, DirectSignalError> {
        match step {
            Step::Offer(sdp) => Ok(Self::Offer(sdp)),
            Step::Answer(sdp) => Ok(Self::Answer(sdp)),
            Step::Candidate(candidate) if is_usable(&candidate) => Ok(Self::Candidate(candidate)),
            Step::Candidate(_) | Step::End => Ok(Self::Nothing),
            Step::Renegotiate(_) | Step::Other => Err(DirectSignalError::Unsupported),
        }
    }
}

/// Returns this side's offer. Its candidates follow one by one.
pub(crate) fn own_offer(sdp: &str, udp_buffer: usize) -> Result<Signal, SignalError> {
    let sdp = Sdp::own(sdp, udp_buffer, CHANNEL_WINDOW)?;
    Ok(Signal { attempt: None, step: Step::Offer(sdp) })
}

/// Returns this side's answer. Its candidates follow one by one.
pub(crate) fn own_answer(sdp: &str, udp_buffer: usize, offer: &Sdp) -> Result<Signal, SignalError> {
    let sdp = Sdp::own(sdp, udp_buffer, CHANNEL_WINDOW)?.answering(offer)?;
    Ok(Signal { attempt: None, step: Step::Answer(sdp) })
}

/// Returns a candidate of this side, or `None` for an address that no partner can use.
pub(crate) fn own_candidate(
    line: &str,
    mid: Option<&str>,
    index: Option<u16>,
) -> Option<Candidate> {
    let mid = mid.filter(|mid| !mid.is_empty()).unwrap_or("0");
    let candidate = Candidate::new(line, Some(mid), Some(index.unwrap_or(0)));
    candidate.ok().filter(is_usable)
}

/// Returns whether a candidate can be tried:
/// `foundation component transport priority address port "typ" type …`.
pub(crate) fn is_usable(candidate: &Candidate) -> bool {
    let words: Vec<&str> = candidate.as_str().split(' ').collect();
    let [foundation, component, transport, _, address, port, _, kind, ..] = words[..] else {
        return false;
    };
    let is_local_name = is_local_name(address);
    foundation.len() <= "candidate:".len() + 32
        && component == "1"
        && transport.eq_ignore_ascii_case("udp")
        && (is_local_name || address.parse().is_ok_and(is_reachable))
        && port != "0"
        && (!is_local_name || kind == "host")
}

/// Returns whether an address is a name of multicast DNS.
pub(crate) fn is_local_name(address: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SDP: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 00\r\n\
        a=max-message-size:262144\r\na=candidate:1 1 udp 5 10.0.0.1 4000 typ host\r\n";

    fn request(signal: &Value) -> Result<Request, DirectSignalError> {
        Request::of(Signal::from_value(signal).unwrap().step)
    }

    #[test]
    fn a_description_states_what_this_end_takes_and_webrtc_gets_it_without_candidates() {
        let offer = own_offer(SDP, 7).unwrap();

        let Ok(Request::Offer(offer)) = request(&offer.to_value()) else { panic!("{offer:?}") };
        assert_eq!((offer.max_message(), offer.udp_buffer()), (262_144, 7));
        assert_eq!(offer.channel_window(), CHANNEL_WINDOW);
        let candidates: Vec<_> = offer.candidates().iter().map(Candidate::as_str).collect();
        assert_eq!(candidates, ["candidate:1 1 udp 5 10.0.0.1 4000 typ host"]);
        let for_webrtc = offer.without_candidates();
        assert!(for_webrtc.contains("a=max-message-size:262144\r\n"));
        assert!(!for_webrtc.contains("candidate") && !for_webrtc.contains("a=x-"));
        assert_eq!(offer.mid(), "0");
    }

    #[test]
    fn a_description_has_one_data_channel_section() {
        let audio = SDP.replace("application 9 UDP/DTLS/SCTP webrtc-datachannel", "audio 9 RTP 0");
        let second = format!("{SDP}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");

        for sdp in [&audio, &second] {
            let signal = json!({ "type": "offer", "sdp": sdp });
            assert_eq!(Signal::from_value(&signal), Err(SignalError::Media));
        }
    }

    #[test]
    fn a_request_to_renegotiate_is_refused() {
        for signal in [
            json!({ "type": "renegotiate", "renegotiate": true }),
            json!({ "type": "transceiverRequest", "transceiverRequest": { "kind": "audio" } }),
        ] {
            assert_eq!(request(&signal), Err(DirectSignalError::Unsupported));
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
            assert_eq!(request(&signal), Ok(Request::Nothing), "{line}");
        }
        let line = "candidate:1 1 UDP 5 4f8a-11.local 9 typ host generation 0";
        let signal = json!({ "candidate": { "candidate": line } });
        let expected = Candidate::new(line, None, None).unwrap();
        assert_eq!(request(&signal), Ok(Request::Candidate(expected)));
    }

    #[test]
    fn a_length_that_is_none_makes_a_description_unreadable() {
        let signal = json!({ "type": "answer", "sdp": SDP.replace("262144", "-1") });
        assert_eq!(Signal::from_value(&signal), Err(SignalError::Sdp));
    }
}
