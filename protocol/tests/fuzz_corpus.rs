//! Every committed input of the fuzz targets, and some more from a fixed seed, on a stable
//! toolchain.

use std::{fs, path::Path};

use proptest::{
    prelude::Rng,
    test_runner::{RngAlgorithm, TestRng},
};

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library of its own there")]
mod targets;

/// Inputs beside the corpus: messages, and histories, which take longer.
const MESSAGES: usize = 10_000;
const HISTORIES: usize = 300;

/// Of a generated input.
const BYTES: usize = 600;

#[test]
fn client_message() {
    run("client_message", targets::client_message::run, MESSAGES);
}

#[test]
fn server_message() {
    run("server_message", targets::server_message::run, MESSAGES);
}

#[test]
fn frame() {
    run("frame", targets::frame::run, MESSAGES);
}

#[test]
fn pieces() {
    run("pieces", targets::pieces::run, 10 * HISTORIES);
}

#[test]
fn resume_token() {
    run("resume_token", targets::resume_token::run, MESSAGES);
}

#[test]
fn broker() {
    run("broker", targets::broker::run, 40 * HISTORIES);
}

#[test]
fn session() {
    run("session", targets::session::run, HISTORIES);
}

/// The rules that the targets check are worth something: each of these faults breaks one.
#[cfg(feature = "planted-faults")]
#[test]
fn the_corpus_catches_planted_faults() {
    use socketio_p2p_protocol::planted::{Fault, plant};

    let broker = [
        Fault::ForgetPartner,
        Fault::CompareWithoutIncarnation,
        Fault::ResumeWithoutToken,
        Fault::PairTheBusy,
        Fault::ForgetAway,
        Fault::ForgetBack,
        Fault::TellTwice,
    ];
    let session = [
        Fault::WindowEvictsEarly,
        Fault::ReorderOnPathChange,
        Fault::DeliverDuplicates,
        Fault::GuessNotExecuted,
        Fault::ReportTwice,
        Fault::AckUnseen,
        Fault::IgnoreTtl,
        Fault::LoseLastPart,
    ];
    let body = |target| match target {
        "broker" => targets::broker::run,
        _ => targets::session::run,
    };
    let broker = broker.map(|fault| (fault, "broker"));
    let caught = |(fault, target)| {
        plant(Some(fault));
        let caught = |(_, input): &(String, Vec<u8>)| {
            std::panic::catch_unwind(|| body(target)(input)).is_err()
        };
        let caught = corpus(target).iter().any(caught);
        plant(None);
        caught
    };
    let session = session.map(|fault| (fault, "session"));
    let missed = broker.into_iter().chain(session).filter(|planted| !caught(*planted));
    assert_eq!(missed.collect::<Vec<_>>(), []);
}

fn run(target: &str, body: fn(&[u8]), generated: usize) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "no corpus for {target}");
    for (name, input) in &corpus {
        named(name, input, body);
    }
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    for number in 0..generated {
        let seed = &corpus[rng.next_u32() as usize % corpus.len()].1;
        let input = match number % 2 {
            0 => random(&mut rng),
            _ => mutated(seed, &mut rng),
        };
        named(&format!("generated input {number}"), &input, body);
    }
}

/// Runs one input; if it fails, says which.
fn named(name: &str, input: &[u8], body: fn(&[u8])) {
    if let Err(panic) = std::panic::catch_unwind(|| body(input)) {
        eprintln!("failed: {name}: {}", input.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path: &Path| (path.display().to_string(), fs::read(path).unwrap());
    paths.iter().map(|path| read(path)).collect()
}

fn random(rng: &mut TestRng) -> Vec<u8> {
    let mut input = vec![0; rng.next_u32() as usize % BYTES];
    rng.fill_bytes(&mut input);
    input
}

/// One of the corpus with a few bytes changed, left out, or said twice.
fn mutated(seed: &[u8], rng: &mut TestRng) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=rng.next_u32() % 4 {
        if input.is_empty() {
            break;
        }
        let at = rng.next_u32() as usize % input.len();
        let end = input.len().min(at + 1 + rng.next_u32() as usize % 16);
        match rng.next_u32() % 4 {
            0 => input[at] ^= 1 << (rng.next_u32() % 8),
            1 => input[at] = rng.next_u32() as u8,
            2 => drop(input.drain(at..end)),
            _ => input.extend_from_within(at..end),
        }
    }
    input
}
