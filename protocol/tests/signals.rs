//! Signals: the shapes of simple-peer, read with limits and written back.

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Candidate, Sdp, Signal, SignalError, Step, WhyAnew,
    limits::{CANDIDATE_BYTES, CANDIDATES, SDP_BYTES},
};

use crate::directs::{candidate, sdp, sdp_text};

fn read(value: &Value) -> Result<Step, SignalError> {
    Signal::from_value(value).map(|signal| signal.step)
}

fn read_sdp(text: &str) -> Result<Sdp, SignalError> {
    text.parse()
}

#[test]
fn what_simple_peer_emits_is_read() {
    // As 9.11.1 emits it in Chromium.
    let text = "candidate:3412 1 udp 2113937151 5f7b1a2e-0c5f.local 54321 typ host generation 0 ufrag aB3+ network-cost 999";

    let host = read(&json!({
        "type": "candidate",
        "candidate": { "candidate": text, "sdpMLineIndex": 0, "sdpMid": "0" },
    }));

    let Ok(Step::Candidate(host)) = host else { panic!("{host:?}") };
    assert_eq!((host.as_str(), host.mid(), host.index()), (text, Some("0"), Some(0)));
    assert_eq!((host.address(), host.ufrag()), ("5f7b1a2e-0c5f.local", Some("aB3+")));
    let offer = json!({ "type": "offer", "sdp": sdp_text(7, "aB3+") });
    assert_eq!(read(&offer), Ok(Step::Offer(sdp(7, "aB3+"))));
    let answer = json!({ "type": "answer", "sdp": sdp_text(7, "aB3+") });
    assert_eq!(read(&answer), Ok(Step::Answer(sdp(7, "aB3+"))));
}

#[test]
fn a_candidate_is_read_without_its_type_as_well() {
    let text = candidate(1, None).as_str().to_owned();

    for inner in [
        json!({ "candidate": text, "sdpMid": "0", "sdpMLineIndex": 0 }),
        json!({ "candidate": format!("a={text}"), "sdpMid": "0", "sdpMLineIndex": 0 }),
    ] {
        let step = read(&json!({ "candidate": inner }));
        assert_eq!(step, Ok(Step::Candidate(candidate(1, None))));
    }
    let bare = read(&json!({ "candidate": { "candidate": text, "sdpMid": null } }));
    assert_eq!(bare, Ok(Step::Candidate(Candidate::new(&text, None, None).unwrap())));
    // As an old simple-peer sends it.
    assert_eq!(read(&json!({ "candidate": text })), bare);
}

#[test]
fn the_end_of_the_candidates_is_read_in_all_its_spellings() {
    assert_eq!(read(&json!({ "type": "end" })), Ok(Step::End));
    // JSON makes the first of werift's undefined.
    assert_eq!(read(&json!({ "type": "candidate" })), Ok(Step::End));
    for end in [
        json!(null),
        json!(""),
        json!({}),
        json!({ "sdpMid": "0", "sdpMLineIndex": 0 }),
        json!({ "candidate": null, "sdpMid": "0" }),
        json!({ "candidate": "", "sdpMid": "0" }),
    ] {
        assert_eq!(read(&json!({ "type": "candidate", "candidate": end })), Ok(Step::End));
        assert_eq!(read(&json!({ "candidate": end })), Ok(Step::End), "{end}");
    }
}

#[test]
fn what_simple_peer_says_about_media_is_no_error() {
    let renegotiate = json!({ "type": "renegotiate", "renegotiate": true });
    assert_eq!(read(&renegotiate), Ok(Step::Renegotiate(None)));
    let request =
        json!({ "type": "transceiverRequest", "transceiverRequest": { "kind": "audio" } });
    assert_eq!(read(&request), Ok(Step::Other));
}

#[test]
fn a_signal_carries_the_number_of_its_attempt() {
    for step in [
        Step::Offer(sdp(7, "abcd")),
        Step::Answer(sdp(7, "abcd")),
        Step::Candidate(candidate(1, Some("abcd"))),
        Step::End,
        Step::Renegotiate(Some(WhyAnew::Silent)),
    ] {
        let signal = Signal::new(3, step);
        let value = signal.to_value();

        assert_eq!(value["attempt"], 3);
        assert_eq!(Signal::from_value(&value), Ok(signal));
    }
}

#[test]
fn what_is_no_signal_is_refused() {
    for value in [
        json!(null),
        json!("offer"),
        json!([]),
        json!({}),
        json!({ "type": "offer" }),
        json!({ "type": "offer", "sdp": 7 }),
        json!({ "type": 7, "candidate": null }),
        json!({ "sdp": sdp_text(7, "abcd") }),
        json!({ "type": "end", "attempt": -1 }),
        json!({ "type": "end", "attempt": u64::MAX }),
        json!({ "type": "end", "attempt": "1" }),
    ] {
        assert_eq!(Signal::from_value(&value), Err(SignalError::Shape), "{value}");
    }
}

#[test]
fn a_description_without_one_data_channel_section_is_refused() {
    const DATA: &str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel";
    let text = sdp_text(7, "abcd");
    assert_eq!(read_sdp(&format!("{text}{DATA}\r\n")), Err(SignalError::Media));
    assert_eq!(read_sdp(&format!("{text}nonsense\r\n")), Err(SignalError::Sdp));
    for media in [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "m=application 9 UDP/BFCP *",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    ] {
        assert_eq!(read_sdp(&text.replace(DATA, media)), Err(SignalError::Media), "{media}");
    }
}

#[test]
fn media_beside_the_data_of_an_offer_carry_nothing_in_their_places() {
    let (session, data) = sdp_text(7, "abcd")
        .split_at_checked(sdp_text(7, "abcd").find("m=").unwrap())
        .map(|(session, data)| {
            (session.replace("BUNDLE 0", "BUNDLE a d v"), data.replace("mid:0", "mid:d"))
        })
        .unwrap();
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:of\r\na=mid:a\r\n\
        a=candidate:1 1 udp 5 10.0.0.1 4000 typ host\r\n";
    let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=max-message-size:7\r\n";

    let offer = read_sdp(&format!("{session}{audio}{data}{video}")).unwrap();

    assert_eq!((offer.mid(), offer.index(), offer.ufrag()), ("d", 1, "abcd"));
    assert!(offer.candidates().is_empty());
    let for_stack = offer.without_candidates();
    assert!(for_stack.contains("a=group:BUNDLE d\r\n") && !for_stack.contains("m=audio"));
    assert!(!for_stack.contains("m=video") && !for_stack.contains("a=mid:a"));
    let named = |mid: Option<&str>, index| {
        let line = "candidate:1 1 udp 5 10.0.0.1 4000 typ host";
        offer.concerns(&Candidate::new(line, mid, index).unwrap())
    };
    assert!(named(Some("d"), None) && named(None, Some(1)) && named(None, None));
    // The first of the bundle has the address of all.
    assert!(named(Some("a"), None) && named(None, Some(0)));
    assert!(!named(Some("v"), None) && !named(None, Some(2)));

    let own = sdp_text(9, "mine").replace("mid:0", "mid:d").replace("BUNDLE 0", "BUNDLE d");
    let own = Sdp::own(&own, 1, 2).unwrap();
    let answer = own.clone().answering(&offer).unwrap();

    let sections: Vec<_> = answer.as_str().lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        sections,
        [
            "m=audio 0 UDP/TLS/RTP/SAVPF 111 63",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "m=video 0 UDP/TLS/RTP/SAVPF 96",
        ]
    );
    assert_eq!((answer.mid(), answer.index(), answer.ufrag()), ("d", 1, "mine"));
    assert_eq!(answer.channel_window(), 2);
    assert!(answer.as_str().contains("a=group:BUNDLE d\r\n"));

    // The first of the bundle has the address of the data, if it can be taken.
    let audio = format!("{audio}a=rtpmap:63 red/48000/2\r\na=rtpmap:111 opus/48000/2\r\n");
    let offer = read_sdp(&format!("{session}{audio}{data}{video}")).unwrap();
    let answer = own.clone().answering(&offer).unwrap();

    let (session, sections) = answer.as_str().split_once("m=").unwrap();
    assert!(session.contains("a=group:BUNDLE a d\r\n"), "{session}");
    let first = sections.split("m=").next().unwrap();
    let lines: Vec<_> = first.lines().collect();
    assert_eq!(lines[0], "audio 9 UDP/TLS/RTP/SAVPF 111");
    for line in ["a=rtpmap:111 opus/48000/2", "a=inactive", "a=rtcp-mux", "a=mid:a"] {
        assert!(lines.contains(&line), "{line}: {first}");
    }
    assert!(lines.contains(&"a=ice-ufrag:mine") && !first.contains("candidate"), "{first}");
    assert!(sections.contains("video 0 "), "{sections}");
    assert_eq!(own.clone().answering(&sdp(7, "abcd")), Ok(own));
}

#[test]
fn a_data_channel_section_may_be_for_its_bundle_only() {
    // As Firefox writes it with the policy "max-bundle".
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 109\r\na=mid:a\r\n";
    let text = sdp_text(7, "abcd").replace("BUNDLE 0", "BUNDLE a 0").replace(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
        &format!("{audio}m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=bundle-only\r\n"),
    );

    let offer = read_sdp(&text).unwrap();

    assert_eq!((offer.index(), offer.mid(), offer.ufrag()), (1, "0", "abcd"));
    let for_stack = offer.without_candidates();
    assert!(for_stack.contains("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert!(!for_stack.contains("bundle-only") && !for_stack.contains("m=audio"));
    // The line of another section counts for that one only.
    let other = text.replace("a=bundle-only\r\n", "") + "m=audio 0 X 1\r\na=bundle-only\r\n";
    assert_eq!(read_sdp(&other), Err(SignalError::Media));
}

#[test]
fn a_description_that_lacks_what_a_connection_needs_is_refused() {
    let text = sdp_text(7, "abcd");
    for line in ["v=0", "o=", "m=", "a=ice-ufrag", "a=ice-pwd", "a=fingerprint"] {
        let without: Vec<_> = text.lines().filter(|other| !other.starts_with(line)).collect();
        assert_eq!(read_sdp(&without.join("\r\n")), Err(SignalError::Sdp), "{line}");
    }
    assert_eq!(read_sdp(""), Err(SignalError::Sdp));
    assert_eq!(read_sdp(&text.replace("s=-", "s=\0")), Err(SignalError::Sdp));
    // Some write lines that end with a line feed only.
    assert!(read_sdp(&text.replace("\r\n", "\n")).is_ok());
}

#[test]
fn a_description_has_a_largest_size() {
    let text = sdp_text(7, "abcd");
    let line = format!("a={}\r\n", candidate(1, None).as_str());

    assert!(line.len() * 3 * CANDIDATES < SDP_BYTES);
    let long = format!("{text}a={}\r\n", "x".repeat(SDP_BYTES));
    assert_eq!(read_sdp(&long), Err(SignalError::TooLarge));
}

#[test]
fn a_description_with_many_candidates_keeps_those_of_servers() {
    let host = candidate(1, None);
    let relayed = Candidate::new(&host.as_str().replace("typ host", "typ relay"), None, None);
    let relayed = relayed.unwrap();
    let lines = format!("a={}\r\n", host.as_str()).repeat(3 * CANDIDATES);
    let text = format!("{}{lines}a={}\r\n", sdp_text(7, "abcd"), relayed.as_str());

    let sdp = read_sdp(&text).unwrap();

    assert_eq!(sdp.candidates().len(), CANDIDATES + 1);
    assert_eq!(sdp.candidates().last(), Some(&relayed));
}

#[test]
fn what_an_end_states_in_lines_of_its_own_counts_only_in_its_own_description() {
    let own = Sdp::own(&sdp_text(7, "abcd"), 212_992, 1 << 20).unwrap();
    let lines: Vec<_> = own.as_str().lines().filter(|line| line.starts_with("a=x-")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((own.udp_buffer(), own.channel_window()), (212_992, 1 << 20));
    assert!(own.takes_pieces());

    // libdatachannel repeats them in its answer.
    let echo: Sdp = format!("{}{}\r\n", sdp_text(8, "efgh"), lines.join("\r\n")).parse().unwrap();

    assert_eq!((echo.udp_buffer(), echo.channel_window()), (0, 0));
    assert!(!echo.takes_pieces());
}

#[test]
fn any_length_of_the_longest_message_can_be_stated() {
    let limit = |line: &str| {
        let text = sdp_text(7, "abcd");
        let without: Vec<_> =
            text.lines().filter(|line| !line.starts_with("a=max-message-size")).collect();
        let sdp: Sdp = format!("{}\r\n{line}", without.join("\r\n")).parse().unwrap();
        assert!(sdp.without_candidates().contains("a=max-message-size:262144\r\n"), "{line}");
        sdp.max_message()
    };

    assert_eq!(limit(""), 65_536, "RFC 8841");
    assert_eq!(limit("a=max-message-size:0\r\n"), usize::MAX);
    assert_eq!(limit("a=max-message-size:1073741823\r\n"), 1_073_741_823);
    assert_eq!(limit("a=max-message-size:99999999999999999999999\r\n"), usize::MAX);
}

#[test]
fn a_candidate_that_cannot_be_read_is_refused() {
    for text in [
        "candidate",
        "candidate:",
        "candidate:1 1 udp 1 127.0.0.1 1 typ",
        "candidate:1 1 udp 1 127.0.0.1 1 typ elsewhere",
        "candidate:1 1 udp 1 127.0.0.1 70000 typ host",
        "candidate:1 1 sctp 1 127.0.0.1 1 typ host",
        "candidate:1 1 udp -1 127.0.0.1 1 typ host",
        "candidate:1 1 udp 1  1 typ host",
        "candidate:1 1 udp 1 127.0.0.1 1 typ host ufrag",
        "candidate:1 1 udp 1 127.0.0.1 1 typ host\r\na=x",
        "udp:1 1 udp 1 127.0.0.1 1 typ host",
    ] {
        assert_eq!(Candidate::new(text, None, None), Err(SignalError::Candidate), "{text}");
    }
    let long = format!("candidate:1 1 udp 1 {} 1 typ host", "x".repeat(CANDIDATE_BYTES));
    assert_eq!(Candidate::new(&long, None, None), Err(SignalError::TooLarge));
    for value in [
        json!({ "candidate": 1 }),
        json!({ "candidate": [] }),
        json!({ "candidate": { "candidate": {} } }),
    ] {
        assert_eq!(read(&value), Err(SignalError::Candidate), "{value}");
    }
}

#[test]
fn the_type_decides_what_a_signal_is() {
    let of = |kind: &str| json!({ "type": kind, "candidate": { "candidate": 7 }, "sdp": sdp_text(7, "abcd") });

    assert_eq!(read(&of("pranswer")), Err(SignalError::Unknown));
    assert_eq!(read(&of("offer")), Ok(Step::Offer(sdp(7, "abcd"))), "its other fields are ignored");
    assert_eq!(read(&of("end")), Ok(Step::End));
    assert_eq!(read(&of("transceiverRequest")), Ok(Step::Other));
    assert_eq!(read(&of("candidate")), Err(SignalError::Candidate));
}
