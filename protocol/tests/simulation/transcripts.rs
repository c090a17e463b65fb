//! Transcripts: what one process records, another replays.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use socketio_p2p_protocol::sim::{self, Plan, ReplayErrorKind};

/// Enough for a client to be paired, to lose its connection and to come back.
const LINES: usize = 1_500;

fn recorded(seed: u64) -> String {
    sim::record(Plan::new(seed), 0, LINES).expect("there is a client 0")
}

fn recorded_peer(seed: u64, end: usize) -> String {
    sim::record_peer(seed, end).expect("there are the ends 0 and 1")
}

/// Replays a transcript in another process: returns true on success, and the output.
fn replayed_elsewhere(name: &str, transcript: &str) -> (bool, String) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, transcript).unwrap();
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--exact", "transcripts::replay_file", "--nocapture"]).env("SIM_TRANSCRIPT", &file);
    let output = test.output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

/// Replays the transcript in the file `SIM_TRANSCRIPT`.
#[test]
fn replay_file() {
    let Some(file) = env::var_os("SIM_TRANSCRIPT") else { return };
    let lines =
        sim::replay(&fs::read_to_string(file).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    println!("{lines} lines replayed");
}

#[test]
fn a_transcript_replays_to_the_same_outputs_in_another_process() {
    for seed in 1..=8 {
        let peers = [0, 1].map(|end| recorded_peer(seed, end));
        for (of, transcript) in [recorded(seed)].into_iter().chain(peers).enumerate() {
            let (same, printed) =
                replayed_elsewhere(&format!("same-{seed}-{of}.jsonl"), &transcript);

            assert!(same, "seed {seed}: {printed}");
            let lines = transcript.lines().count();
            assert!(printed.contains(&format!("{lines} lines replayed")), "{printed}");
        }
    }
}

#[test]
fn a_planted_difference_fails_with_its_line_and_the_output() {
    let transcript = recorded(3);
    let mut lines: Vec<_> = transcript.lines().map(str::to_owned).collect();
    let is_frames = |line: &String| line.contains(r#""out":"frames""#);
    let at = lines.iter().position(is_frames).expect("frames are sent");
    let sent: Value = serde_json::from_str(&lines[at]).unwrap();
    let mut planted = sent.clone();
    planted["frames"] = json!([]);
    lines[at] = planted.to_string();

    let (same, printed) = replayed_elsewhere("different.jsonl", &lines.join("\n"));

    assert!(!same);
    let difference = format!("line {}: expected {planted}, got {sent}", at + 1);
    assert!(printed.contains(&difference), "{printed}");
}

#[test]
fn an_output_too_few_or_too_many_is_a_difference() {
    let transcript = recorded(3);
    let lines: Vec<_> = transcript.lines().collect();
    let at = lines.iter().position(|line| line.contains(r#""out":"message""#)).unwrap();

    let mut missing = lines.clone();
    missing.remove(at);
    let error = sim::replay(&missing.join("\n")).unwrap_err();
    assert_eq!(error.line, at + 1);

    let mut doubled = lines;
    doubled.insert(at, doubled[at]);
    let error = sim::replay(&doubled.join("\n")).unwrap_err();
    assert_eq!(error.line, at + 2);
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let of_both = ["", "{", "[]", r#"{"at":1,"in":"nothing"}"#, r#"{"in":"timeout"}"#];
    let of_client = [r#"{"at":1,"in":"rejected"}"#];
    let of_peer = [
        r#"{"at":1,"in":"opened"}"#,
        r#"{"at":1,"in":"server","event":"nothing"}"#,
        r#"{"at":1,"in":"link","link":"1-1/9","event":"opened"}"#,
        r#"{"at":1,"in":"signal","signal":{"type":"offer"}}"#,
        r#"{"at":1,"in":"emit","call":1,"event":"e"}"#,
        r#"{"at":1,"in":"ended"}"#,
    ];
    for (transcript, lines) in [(recorded(1), &of_client[..]), (recorded_peer(1, 1), &of_peer)] {
        let header = transcript.lines().next().unwrap();
        for line in of_both.iter().chain(lines) {
            let error = sim::replay(&format!("{header}\n{line}\n")).unwrap_err();

            assert_eq!(error.line, 2, "{line}");
            assert!(matches!(error.kind, ReplayErrorKind::Malformed(_)), "{line}: {error}");
        }
    }
    assert_eq!(sim::replay("").unwrap_err().line, 1);
    assert_eq!(sim::replay(r#"{"transcript":2,"of":"client","config":{}}"#).unwrap_err().line, 1);
    assert_eq!(sim::record_peer(1, 2), None, "a pairing has two ends");
}

#[test]
fn a_transcript_holds_no_resume_token() {
    let transcript = recorded(2);

    // The n-th token is written as the number n.
    let shown = transcript.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let token =
            [&line["resume"], &line["args"][0]["resume"]].into_iter().find_map(Value::as_str);
        token.map(str::to_owned)
    });
    let shown: Vec<_> = shown.collect();
    assert!(!shown.is_empty());
    for token in shown {
        assert!(u128::from_str_radix(&token, 16).unwrap() < 1_000, "{token}");
    }
}

/// Returns the kinds of the lines of both ends: the input or output, and the event, the command or the
/// path that tells its kind.
fn kinds(seed: u64) -> BTreeSet<String> {
    let kind = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = ["in", "out"].into_iter().find_map(|key| line[key].as_str())?.to_owned();
        let detail = ["event", "command", "path"].into_iter().find_map(|key| line[key].as_str());
        let detail = detail.filter(|_| ["link", "server", "path"].contains(&name.as_str()));
        Some(detail.map_or(name.clone(), |detail| format!("{name} {detail}")))
    };
    let both = [0, 1].map(|end| recorded_peer(seed, end)).concat();
    both.lines().filter_map(kind).collect()
}

#[test]
fn the_transcripts_of_peers_show_direct_links_from_their_offers_to_their_ends() {
    let of_each = "link offer,link described,link gathered,link answer,link accept,link add,link opened,\
        link send,link received,link restart,link closed,link close,signal,path direct,frames,emit,deliver,\
        finished,resolved,sent,complain,network-changed,addresses-changed,server answered,server lost,\
        server welcomed,server known,server forgotten,server partner,partner,register,server granted,\
        reasserted,server ended,ended";
    let of_some = "path relay,relay-refused,cancel,server not-granted";
    let seen: Vec<_> = (1..=8).map(kinds).collect();

    for kind in of_each.split(',') {
        let without = seen.iter().position(|seen| !seen.contains(kind));
        assert_eq!(without, None, "{kind}");
    }
    for kind in of_some.split(',') {
        assert!(seen.iter().any(|seen| seen.contains(kind)), "{kind}");
    }
}

/// The committed transcripts, also for clients in other languages. After a change of behaviour that is
/// wanted, record them again: see `TRANSCRIPTS.md`.
#[test]
fn the_committed_transcripts_replay() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "jsonl")).collect();
    for of in ["client", "peer"] {
        let is_of = |file: &&PathBuf| {
            let header = fs::read_to_string(file).unwrap();
            header.lines().next().unwrap().contains(&format!(r#""of":"{of}""#))
        };
        assert!(files.iter().filter(is_of).count() >= 2, "{of}");
    }
    for file in files {
        let transcript = fs::read_to_string(&file).unwrap();

        let lines =
            sim::replay(&transcript).unwrap_or_else(|error| panic!("{}: {error}", file.display()));

        assert_eq!(lines, transcript.lines().count());
    }
}
