//! Records the transcript of a simulated client or peer, or replays one. See `TRANSCRIPTS.md`.
//!
//! ```text
//! cargo run -p socketio-p2p-protocol --features sim --example transcript -- record 7 0 300 > client.jsonl
//! cargo run -p socketio-p2p-protocol --features sim --example transcript -- record-peer 7 0 > peer.jsonl
//! cargo run -p socketio-p2p-protocol --features sim --example transcript -- replay client.jsonl
//! ```

use std::{env, error::Error, fs};

use socketio_p2p_protocol::sim::{self, Plan};

const USAGE: &str = "usage: transcript record SEED CLIENT LINES | transcript record-peer SEED END | \
                     transcript record-rough-peers SEED | \
                     transcript replay FILE";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["record", seed, client, lines] => {
            let (plan, client) = (Plan::new(seed.parse()?), client.parse()?);
            print!("{}", sim::record(plan, client, lines.parse()?).ok_or("no such client")?);
        }
        ["record-peer", seed, end] => {
            print!("{}", sim::record_peer(seed.parse()?, end.parse()?).ok_or("no such end")?);
        }
        ["record-rough-peers", seed] => {
            print!("{}", sim::record_rough_peers(seed.parse()?).join("\n"));
        }
        ["replay", file] => {
            let lines = sim::replay(&fs::read_to_string(file)?)?;
            println!("{lines} lines, no difference");
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
