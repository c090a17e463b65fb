//! Session descriptions, read and answered: a transcript of `descriptions`.
//!
//! Each is written from a seed as browsers and other stacks write them, often with a fault. What this crate
//! reads of a description is one output, and what an answer to it contains is another.

use serde_json::{Value, json};
use socketio_p2p_protocol::{Sdp, SignalError};

/// Descriptions of a transcript.
const COUNT: usize = 50;

/// The largest number that both implementations represent exactly. A larger one counts as this one.
const EXACT: usize = (1 << 53) - 1;

/// Numbers of a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Returns a number below this one.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// A section of a description.
struct Section {
    lines: Vec<String>,
    mid: String,
    is_data: bool,
    /// True if a browser can take it.
    is_usable: bool,
}

/// Returns the transcript of a seed.
pub(crate) fn record(seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let mut lines = vec![json!({ "transcript": 1, "of": "descriptions", "config": {} })];
    for _ in 0..COUNT {
        let (offer, answer) = description(&mut numbers);
        let read: Result<Sdp, SignalError> = offer.parse();
        lines.push(json!({ "at": 0, "in": "description", "sdp": offer }));
        lines.push(match &read {
            Ok(sdp) => json!({ "out": "read", "sdp": fields(sdp) }),
            Err(error) => json!({ "out": "unreadable", "why": name(*error) }),
        });
        if let (Ok(sdp), Some(answer)) = (read, answer) {
            lines.push(json!({ "at": 0, "in": "answer", "sdp": answer, "offer": offer }));
            lines.push(json!({ "out": "answered", "sections": answered(&sdp) }));
        }
        lines.push(json!({ "due": null }));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn fields(sdp: &Sdp) -> Value {
    let candidates: Vec<_> = sdp.candidates().iter().map(|it| it.as_str()).collect();
    json!({
        "session": sdp.session(),
        "ufrag": sdp.ufrag(),
        "mid": sdp.mid(),
        "index": sdp.index(),
        "candidates": candidates,
        "max_message": sdp.max_message().min(EXACT),
        "udp_buffer": sdp.udp_buffer().min(EXACT),
        "channel_window": sdp.channel_window().min(EXACT),
        "takes_pieces": sdp.takes_pieces(),
    })
}

const fn name(error: SignalError) -> &'static str {
    match error {
        SignalError::TooLarge => "too-large",
        SignalError::Media => "media",
        SignalError::Sdp => "sdp",
        _ => "other",
    }
}

/// Returns the sections of this crate's answer to an offer: kind, name, and what becomes of it.
fn answered(offer: &Sdp) -> Vec<String> {
    let mid = offer.mid();
    let own = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:mine\r\n\
         a=ice-pwd:secret\r\na=fingerprint:sha-256 00\r\na=setup:active\r\na=mid:{mid}\r\n"
    );
    let answer = own.parse::<Sdp>().and_then(|own| own.answering(offer));
    let answer = answer.map_or_else(|error| name(error).to_owned(), |it| it.as_str().to_owned());
    summary(&answer)
}

/// Returns the bundle and the sections of an answer.
fn summary(answer: &str) -> Vec<String> {
    let mut sections = answer.split("m=");
    let session = sections.next().unwrap_or_default();
    let bundle = session.lines().find(|line| line.starts_with("a=group:BUNDLE"));
    let sections = sections.map(|section| {
        let mut words = section.split(' ');
        let kind = words.next().unwrap_or_default();
        let state = match (words.next(), section.contains("a=inactive")) {
            (Some("0"), _) => "rejected",
            (_, true) => "inactive",
            (_, false) => "active",
        };
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
        format!("{kind} {} {state}", mid.unwrap_or_default())
    });
    bundle.map(ToOwned::to_owned).into_iter().chain(sections).collect()
}

/// Writes an offer, and unless it is spoilt the answer with which a browser would take all that it can.
fn description(numbers: &mut Numbers) -> (String, Option<String>) {
    let end = if numbers.one_in(6) { "\n" } else { "\r\n" };
    let mut sections: Vec<_> = (0..numbers.below(3)).map(|at| media(numbers, at)).collect();
    let at = numbers.below(sections.len() + 1);
    sections.insert(at, data(numbers, "d"));
    if numbers.one_in(12) {
        let at = numbers.below(sections.len() + 1);
        let other = data(numbers, "e");
        sections.insert(at, other);
    }
    let all: Vec<_> = sections.iter().map(|section| &*section.mid).collect();
    let bundle = if numbers.one_in(4) { vec!["d"] } else { all };
    let bundle = format!("a=group:BUNDLE {}", bundle.join(" "));
    let session = format!("o=- {} 2 IN IP4 127.0.0.1", numbers.one_of(&["7", "8", "", "+9 x"]));
    let mut lines = vec!["v=0".to_owned(), session, "s=-".into(), "t=0 0".into(), bundle.clone()];
    lines.extend(sections.iter().flat_map(|section| section.lines.clone()));
    let faults = numbers.below(3).saturating_sub(1);
    for _ in 0..faults {
        spoil(&mut lines, numbers);
    }
    let mut answer = format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{bundle}\r\n");
    for Section { lines, mid, is_data, is_usable } in &sections {
        let line = lines.first().map(String::as_str).unwrap_or_default();
        let kind = line.split(' ').next().unwrap_or_default();
        let port = if *is_usable { "9" } else { "0" };
        let rest =
            if *is_data { "UDP/DTLS/SCTP webrtc-datachannel" } else { "UDP/TLS/RTP/SAVPF 1" };
        let direction = if *is_data { "" } else { "a=recvonly\r\n" };
        answer +=
            &format!("{kind} {port} {rest}\r\n{direction}a=mid:{mid}\r\na=ice-ufrag:mine\r\n");
    }
    let offer = lines.join(end) + if numbers.one_in(9) { "" } else { end };
    (offer, (faults == 0).then_some(answer))
}

/// Removes a line, repeats one, or changes a character.
fn spoil(lines: &mut Vec<String>, numbers: &mut Numbers) {
    let at = numbers.below(lines.len());
    match numbers.below(3) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(numbers.below(lines.len()), lines[at].clone()),
        _ => {
            let mut chars: Vec<_> = lines[at].chars().collect();
            let place = numbers.below(chars.len().max(1));
            if let Some(char) = chars.get_mut(place) {
                *char = [' ', ':', '0', 'x', '=', '\t', 'é'][numbers.below(7)];
            }
            lines[at] = chars.into_iter().collect();
        }
    }
}

fn candidate(numbers: &mut Numbers) -> String {
    let kind = numbers.one_of(&["host", "srflx", "relay", "prflx", "none"]);
    let port = numbers.one_of(&["4000", "70000", "0"]);
    let address = numbers.one_of(&["10.0.0.1", "a-b.local", "fe80::1"]);
    let transport = numbers.one_of(&["udp", "UDP", "tcp"]);
    format!("a=candidate:1 1 {transport} 2130706431 {address} {port} typ {kind} generation 0")
}

fn data(numbers: &mut Numbers, mid: &str) -> Section {
    let port = numbers.one_of(&["9", "9", "9", "0"]);
    let transport =
        numbers.one_of(&["UDP/DTLS/SCTP", "UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"]);
    let mut lines = vec![format!("m=application {port} {transport} webrtc-datachannel")];
    let is_for_bundle = port == "0" && !numbers.one_in(3) || numbers.one_in(20);
    if is_for_bundle {
        lines.push("a=bundle-only".into());
    }
    let is_usable = transport != "DTLS/SCTP" && (port != "0" || is_for_bundle);
    let ufrag = numbers.one_of(&["abcd", "abcd", "ef+/"]);
    lines.extend([
        format!("a=ice-ufrag:{ufrag}"),
        "a=ice-pwd:secret".into(),
        format!("a=mid:{mid}"),
    ]);
    lines.push("a=fingerprint:sha-256 00:11".into());
    for _ in 0..numbers.below(4) {
        lines.push(candidate(numbers));
    }
    let sizes = ["262144", "0", "1", "18446744073709551616", " 5 ", "-1", "none"];
    if !numbers.one_in(3) {
        lines.push(format!("a=max-message-size:{}", numbers.one_of(&sizes)));
    }
    for attribute in ["x-udp-buffer", "x-channel-window", "x-channel-pieces"] {
        for _ in 0..numbers.below(3) {
            let sizes = ["1", "0", "212992", "+7", "x"];
            let sender = numbers.one_of(&["abcd", "ef+/", "other"]);
            lines.push(format!("a={attribute}:{} {sender}", numbers.one_of(&sizes)));
        }
    }
    Section { lines, mid: mid.into(), is_data: true, is_usable }
}

/// Writes a section of media. The name of each is another.
fn media(numbers: &mut Numbers, at: usize) -> Section {
    let kind = numbers.one_of(&["audio", "video"]);
    let port = numbers.one_of(&["9", "9", "0"]);
    let is_usable = !numbers.one_in(4);
    let mid = format!("m{at}");
    let mut lines =
        vec![format!("m={kind} {port} UDP/TLS/RTP/SAVPF 111 63"), format!("a=mid:{mid}")];
    lines.extend(["a=ice-ufrag:of".into(), "a=max-message-size:7".into(), "a=sendrecv".into()]);
    if is_usable {
        lines.push("a=rtpmap:111 opus/48000/2".into());
    }
    if numbers.one_in(3) {
        lines.push(candidate(numbers));
    }
    Section { lines, mid, is_data: false, is_usable }
}
