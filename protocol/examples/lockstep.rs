//! Compares the TypeScript client with the Rust crate, output by output: the simulator records clients and
//! both ends of pairings, and reads session descriptions; a Node process replays each transcript as it is recorded.
//!
//! ```text
//! cargo run -p socketio-p2p-protocol --features sim --example lockstep -- 200000
//! cargo run -p socketio-p2p-protocol --features sim --example lockstep -- 200000 --seed 7
//! cargo run -p socketio-p2p-protocol --features sim --example lockstep -- 200000 --planted
//! ```
//!
//! The first argument is the least number of steps: inputs, each with the comparison of all outputs that follow. A
//! difference is printed with its seed, and the program fails. With `--planted` it fails unless each of the planted
//! differences is found; with fewer steps than 200,000 those are left out that matter rarely. Build the Node
//! program before: `npm run build` in `client-plugin/js`.

#[path = "lockstep/descriptions.rs"]
mod descriptions;

use std::{
    env,
    error::Error,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use socketio_p2p_protocol::sim::{self, Plan};

const USAGE: &str = "usage: lockstep STEPS [--seed SEED] [--planted]";
const PROGRAM: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../client-plugin/js/build/test/lockstep.js");

/// Lines of a client's transcript: it is paired, loses its connection and comes back.
const LINES: usize = 3_000;

/// Steps in which a difference is found that matters rarely.
const RARE: u64 = 200_000;

/// The other implementation, at the ends of two pipes.
struct Other {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Other {
    fn start(args: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut node = Command::new("node");
        node.arg(PROGRAM).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = node.spawn()?;
        let stdin = process.stdin.take().ok_or("no stdin")?;
        let stdout = BufReader::new(process.stdout.take().ok_or("no stdout")?);
        Ok(Self { process, stdin, stdout })
    }

    /// Returns the next answer.
    fn answer(&mut self) -> Result<Value, Box<dyn Error>> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(serde_json::from_str(&line).map_err(|_| format!("no answer of Node: {line:?}"))?)
    }

    /// Begins the replay of a transcript.
    fn send(&mut self, transcript: &str) -> Result<(), Box<dyn Error>> {
        self.stdin.write_all(transcript.as_bytes())?;
        self.stdin.write_all(b"\n")?;
        Ok(self.stdin.flush()?)
    }

    fn end(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.stdin);
        self.process.wait()?;
        Ok(())
    }
}

/// Records the transcripts of a seed: of a client, which may watch others or wait in line, or of both ends of a
/// pairing, in peace or in a rough run; with each client's, that of session descriptions.
fn record(seed: u64) -> Vec<String> {
    let of_client = || {
        let plan = Plan::new(seed);
        let plan = match seed / 4 % 3 {
            0 => plan,
            1 => plan.with_watches(),
            _ => plan.with_lines(),
        };
        let client = (seed / 4) as usize % plan.clients.max(1);
        sim::record(plan, client, LINES)
    };
    match seed % 4 {
        0 => (0..2).filter_map(|end| sim::record_peer(seed, end)).collect(),
        1 => of_client().into_iter().chain([descriptions::record(seed)]).collect(),
        _ => sim::record_rough_peers(seed),
    }
}

/// The result of a comparison.
struct Compared {
    steps: u64,
    /// The first difference, and the seed of its run.
    difference: Option<(u64, Value)>,
}

/// Compares at least so many steps, or up to the first difference.
///
/// While Node replays a transcript, the next is recorded.
fn compare(
    other: &mut Other,
    mut recorded: impl Iterator<Item = (u64, String)>,
    least: u64,
) -> Result<Compared, Box<dyn Error>> {
    let mut compared = Compared { steps: 0, difference: None };
    let mut under_way = None;
    while compared.steps < least {
        let next = recorded.next();
        if let Some(seed) = under_way {
            let answer = other.answer()?;
            compared.steps += answer["steps"].as_u64().ok_or("an answer without steps")?;
            if answer.get("line").is_some() {
                compared.difference = Some((seed, answer));
                break;
            }
        }
        let Some((seed, transcript)) = next else { break };
        under_way = Some(seed);
        other.send(&transcript)?;
    }
    Ok(compared)
}

/// Looks for each planted difference, in the same runs.
fn find_planted(
    mut recorded: impl Iterator<Item = (u64, String)>,
    least: u64,
) -> Result<(), Box<dyn Error>> {
    let mut other = Other::start(&["--list"])?;
    let names = other.answer()?;
    other.end()?;
    let rare = if least < RARE { &Value::Null } else { &names["rare"] };
    let names = [&names["soon"], rare].into_iter().filter_map(Value::as_array).flatten();
    let names: Vec<_> = names.filter_map(Value::as_str).collect();
    let mut found = 0;
    // A run is recorded when it is needed first.
    let mut known = Vec::new();
    for name in &names {
        let mut other = Other::start(&["--planted", name])?;
        let mut at = 0;
        let runs = std::iter::from_fn(|| {
            if at == known.len() {
                known.push(recorded.next()?);
            }
            at += 1;
            known.get(at - 1).cloned()
        });
        let Compared { steps, difference } = compare(&mut other, runs, least)?;
        other.end()?;
        found += usize::from(difference.is_some());
        println!("{} after {steps} steps: {name}", difference.map_or("MISSED", |_| "found"));
    }
    println!("{found} of {} planted differences found", names.len());
    if found == names.len() && found > 0 { Ok(()) } else { Err("not all were found".into()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let (steps, first, is_planted) = match *args {
        [steps] => (steps, fresh(), false),
        [steps, "--seed", seed] => (steps, seed.parse()?, false),
        [steps, "--planted"] => (steps, fresh(), true),
        [steps, "--seed", seed, "--planted"] => (steps, seed.parse()?, true),
        _ => return Err(USAGE.into()),
    };
    let steps = steps.parse()?;
    println!("first seed {first}");
    let recorded = (first..).flat_map(|seed| record(seed).into_iter().map(move |it| (seed, it)));
    if is_planted {
        return find_planted(recorded, steps);
    }
    let start = Instant::now();
    let mut other = Other::start(&[])?;
    let Compared { steps, difference } = compare(&mut other, recorded, steps)?;
    other.end()?;
    match difference {
        None => {
            println!("{steps} steps compared, 0 differences, in {:.1?}", start.elapsed());
            Ok(())
        }
        Some((seed, difference)) => Err(format!("seed {seed} differs: {difference}").into()),
    }
}
