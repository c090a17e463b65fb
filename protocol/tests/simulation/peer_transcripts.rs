//! Transcripts of a peer: what one process records, another replays; and each shows a direct link
//! from its offer to its end.

use std::collections::BTreeSet;

use serde_json::Value;
use socketio_p2p_protocol::sim::{self, ReplayErrorKind};

use crate::transcripts::replayed_elsewhere;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;

fn recorded(seed: u64, end: usize) -> String {
    sim::record_peer(seed, end).expect("there are the ends 0 and 1")
}

/// Returns the kinds of the lines: `in` or `out`, its value, and the event or the command if that is
/// of a link or of the server.
fn kinds(transcript: &str) -> BTreeSet<String> {
    let kind = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = ["in", "out"].into_iter().find_map(|key| line[key].as_str())?.to_owned();
        let detail = match name.as_str() {
            "link" => line["event"].as_str().or(line["command"].as_str()),
            "server" => line["event"].as_str(),
            "path" => line["path"].as_str(),
            _ => None,
        };
        Some(detail.map_or(name.clone(), |detail| format!("{name} {detail}")))
    };
    transcript.lines().filter_map(kind).collect()
}

#[test]
fn a_transcript_of_a_peer_replays_to_the_same_outputs_in_another_process() {
    for (seed, end) in SEEDS.flat_map(|seed| [(seed, 0), (seed, 1)]) {
        let transcript = recorded(seed, end);

        let (same, printed) = replayed_elsewhere(&format!("peer-{seed}-{end}.jsonl"), &transcript);

        assert!(same, "seed {seed}, end {end}: {printed}");
        let lines = transcript.lines().count();
        assert!(printed.contains(&format!("{lines} lines replayed")), "{printed}");
    }
}

#[test]
fn each_transcript_of_a_peer_shows_the_life_of_a_direct_link() {
    let of_both = [
        "link described",
        "link gathered",
        "link opened",
        "link received",
        "link closed",
        "link accept",
        "link add",
        "link answer",
        "link restart",
        "link send",
        "link close",
        "path direct",
        "server answered",
        "signal",
        "frames",
        "emit",
        "deliver",
        "finished",
        "resolved",
        "sent",
        "complain",
        "ended",
    ];
    for seed in SEEDS {
        let seen = [0, 1].map(|end| kinds(&recorded(seed, end)));

        let both = &seen[0] | &seen[1];
        let missing = of_both.iter().find(|kind| !both.contains(**kind));
        assert_eq!(missing, None, "seed {seed}");
        assert!(seen[0].contains("link offer"), "seed {seed}: the initiator offers");
    }
}

#[test]
fn the_transcripts_of_peers_show_each_event_of_the_server() {
    let transcripts = SEEDS.flat_map(|seed| [recorded(seed, 0), recorded(seed, 1)]);
    let seen: BTreeSet<String> = transcripts.flat_map(|transcript| kinds(&transcript)).collect();

    let events =
        ["lost", "welcomed", "known", "forgotten", "partner", "granted", "not-granted", "ended"];
    for event in events {
        assert!(seen.contains(&format!("server {event}")), "{event}");
    }
    for kind in ["register", "reasserted", "partner", "path relay", "relay-refused", "cancel"] {
        assert!(seen.contains(kind), "{kind}");
    }
    for kind in ["network-changed", "addresses-changed"] {
        assert!(seen.contains(kind), "{kind}");
    }
}

#[test]
fn a_planted_difference_in_a_transcript_of_a_peer_is_named() {
    let transcript = recorded(3, 0);
    let lines: Vec<_> = transcript.lines().collect();
    let at = lines.iter().position(|line| line.contains(r#""command":"restart""#)).unwrap();
    let planted = lines[at].replace("restart", "close");
    let mut different = lines.clone();
    different[at] = &planted;

    let error = sim::replay(&different.join("\n")).unwrap_err();

    assert_eq!(error.line, at + 1);
    let ReplayErrorKind::Differs { expected, got } = error.kind else { panic!("{error}") };
    assert_eq!(expected, serde_json::from_str::<Value>(&planted).unwrap());
    assert_eq!(got, Some(serde_json::from_str(lines[at]).unwrap()));
}

#[test]
fn a_line_of_a_peer_that_cannot_be_read_is_named() {
    let header = recorded(1, 1).lines().next().unwrap().to_owned();
    for line in [
        r#"{"at":1,"in":"opened"}"#,
        r#"{"at":1,"in":"server","event":"nothing"}"#,
        r#"{"at":1,"in":"link","link":"1-1/9","event":"opened"}"#,
        r#"{"at":1,"in":"signal","signal":{"type":"offer"}}"#,
        r#"{"at":1,"in":"emit","call":1,"event":"e"}"#,
        r#"{"at":1,"in":"ended"}"#,
    ] {
        let error = sim::replay(&format!("{header}\n{line}\n")).unwrap_err();

        assert_eq!(error.line, 2, "{line}");
        assert!(matches!(error.kind, ReplayErrorKind::Malformed(_)), "{line}: {error}");
    }
    assert_eq!(sim::record_peer(1, 2), None, "a pairing has two ends");
}
