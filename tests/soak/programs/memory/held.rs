//! Pairs of v1 clients of which one calls thousands of times in one loop, while the other does not read.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::hog::{Dialect, End, Receive, Send};
use crate::programs::remote::Remote;
use crate::programs::within;

/// Pairs, in each of which one client calls the other.
const PAIRS: usize = 64;

/// Calls that a client makes in one loop, and the characters of each.
const CALLS: u64 = 3_000;
const CALL_BYTES: usize = 200;

/// The longest time for which nothing is read. A websocket that takes nothing for 10 s is ended.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// Bytes that the system keeps of what a client has not read. All beyond that is held by the server, or
/// not read by it.
const RECEIVE_BUFFER: u32 = 16 * 1024;

/// The longest time until all are paired, and until all calls are answered afterwards.
const PATIENCE: Duration = Duration::from_secs(300);

/// Pongs that wait until a client may send: one for each ping.
const PONGS: usize = 64;

/// What the bursts cost.
pub(super) struct Held {
    /// The most memory of the server until the receivers went on, in bytes.
    pub(super) held: f64,
    /// The most memory of the server at all, in bytes.
    pub(super) peak: f64,
    /// The calls that were not answered, and everything else that is wrong.
    pub(super) wrong: Vec<String>,
}

/// Lets all call, holds the receivers back for so long, and lets them go on.
pub(super) async fn run(server: &Remote, hold: Duration) -> Result<Held> {
    let connecting = (0..PAIRS).map(|number| Pair::connect(server.address, number));
    let pairs = within(PATIENCE, "the pairings", try_join_all(connecting)).await??;

    let go_on = CancellationToken::new();
    let mut running = JoinSet::new();
    for pair in pairs {
        running.spawn(pair.run(go_on.clone()));
    }
    sleep(hold.min(LONGEST_HOLD)).await;
    let held = server.peak()?;
    go_on.cancel();

    let mut wrong = Vec::new();
    let ending = async {
        while let Some(ended) = running.join_next().await {
            wrong.extend(ended?.err().map(|error| format!("{error:#}")));
        }
        anyhow::Ok(())
    };
    let ended = within(PATIENCE, "the answers", ending).await.and_then(|ended| ended);
    wrong.extend(ended.err().map(|error| format!("{error:#}")));
    Ok(Held { held, peak: server.peak()?, wrong })
}

struct Pair {
    number: usize,
    caller: End,
    receiver: End,
}

impl Pair {
    async fn connect(server: SocketAddr, number: usize) -> Result<Self> {
        let name = |end| format!("held-{number}-{end}");
        let mut caller = End::connect(server, name("a"), Dialect::V1).await?;
        let mut receiver =
            End::connect_narrow(server, name("b"), Dialect::V1, RECEIVE_BUFFER).await?;
        caller.register(&receiver.name).await?;
        // Before its question the server says that it knows of no pairing.
        let question = loop {
            let event = receiver.hear("42").await?;
            if let Some((id, _)) = numbered(&event) {
                break id.to_owned();
            }
        };
        receiver.say(format!("43{question}[true]")).await?;
        caller.paired().await?;
        Ok(Self { number, caller, receiver })
    }

    /// Calls in one loop; the receiver reads, and answers, from `go_on` on.
    async fn run(self, go_on: CancellationToken) -> Result<()> {
        let Self { number, caller, receiver } = self;
        let target = receiver.name.clone();
        let answered = async {
            let mut answered = 0;
            call(caller, &target, &mut answered)
                .await
                .with_context(|| format!("pair {number}: {answered} of {CALLS} calls are answered"))
        };
        let answering = async {
            go_on.cancelled().await;
            answer(receiver).await.with_context(|| format!("pair {number}: the receiver"))
        };
        tokio::select! {
            answered = answered => answered,
            Err(error) = answering => Err(error),
        }
    }
}

/// Makes all calls, and counts the right answers until all are answered.
async fn call(caller: End, target: &str, answered: &mut u64) -> Result<()> {
    let (pong, pongs) = mpsc::channel(PONGS);
    tokio::select! {
        Err(error) = burst(caller.send, target, pongs) => Err(error),
        done = count(caller.receive, &pong, answered) => done,
    }
}

/// Sends all calls, then pongs as long as the connection lasts. A page sends its pongs in the same way: behind
/// what it sent before.
async fn burst(mut send: Send, target: &str, mut pongs: mpsc::Receiver<()>) -> Result<()> {
    let filler = "x".repeat(CALL_BYTES);
    for number in 0..CALLS {
        let emit = json!({ "targetClientId": target, "event": "call", "args": [number, filler] });
        let packet = format!(r#"42{number}["P2P_EMIT_ACKNOWLEDGE",{emit}]"#);
        send.feed(Message::text(packet)).await?;
    }
    send.flush().await?;
    while let Some(()) = pongs.recv().await {
        send.send(Message::text("3")).await?;
    }
    Ok(())
}

async fn count(mut receive: Receive, pong: &mpsc::Sender<()>, answered: &mut u64) -> Result<()> {
    while *answered < CALLS {
        let text = read(&mut receive).await?;
        if text == "2" {
            pong.try_send(()).context("too many pings")?;
        } else if let Some(answer) = text.strip_prefix("43") {
            let expected = format!("{answered}[{answered}]");
            ensure!(answer == expected, "the answer {answer} comes instead of {expected}");
            *answered += 1;
        } else {
            bail!("{text} comes");
        }
    }
    Ok(())
}

/// Reads the calls in their order, and answers each with its number.
async fn answer(mut receiver: End) -> Result<()> {
    let mut ran = 0_u64;
    loop {
        let text = read(&mut receiver.receive).await?;
        if text == "2" {
            receiver.say("3".to_owned()).await?;
            continue;
        }
        let Some((id, event)) = numbered(&text) else { bail!("{text} comes") };
        let event: Value = serde_json::from_str(event)?;
        ensure!(event[0] == "call" && event[1] == ran, "call {ran} is missed: {:.60}", text);
        receiver.say(format!("43{id}[{ran}]")).await?;
        ran += 1;
    }
}

async fn read(receive: &mut Receive) -> Result<String> {
    loop {
        if let Message::Text(text) = receive.next().await.context("the connection ended")?? {
            return Ok(text.to_string());
        }
    }
}

/// Returns the acknowledgement id of an event, and its text.
fn numbered(packet: &str) -> Option<(&str, &str)> {
    let event = packet.strip_prefix("42")?;
    let id = event.find('[').filter(|digits| *digits > 0)?;
    Some(event.split_at(id))
}
