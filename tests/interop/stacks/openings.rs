//! The time that an opening takes, with our end and with an end of the same stack.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socketio_p2p_client::direct::{DirectConfig, DirectConnection, DirectEvent};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::interop::Failed;
use crate::interop::bare::Stack;
use crate::interop::direct::{PATIENCE, Partner};
use crate::interop::partners::Of;

/// The median of an opening, unless the stack takes longer with itself.
pub(super) const GOAL: Duration = Duration::from_millis(150);

/// Opens a connection with our end.
pub(super) async fn with_us(stack: &mut Stack, role: &str) -> Result<Duration, Failed> {
    let since = Instant::now();
    let bare = stack.connect(role).await?;
    let time = since.elapsed();
    bare.connection.close().await;
    Ok(time)
}

/// Opens a connection between two programs of a stack.
pub(super) async fn with_itself(a: &mut Stack, b: &mut Stack) -> Result<Duration, Failed> {
    let (a, b) = (a.alone(), b.alone());
    let since = Instant::now();
    b.tell(json!({ "connect": "answer" })).await?;
    a.tell(json!({ "connect": "offer" })).await?;
    timeout(PATIENCE, carry_until_open(a, b)).await??;
    let time = since.elapsed();
    a.tell(json!({ "close": true })).await?;
    b.tell(json!({ "close": true })).await?;
    Ok(time)
}

async fn carry_until_open(a: &mut Partner, b: &mut Partner) -> Result<(), Failed> {
    let (mut a_is_open, mut b_is_open) = (false, false);
    while !a_is_open || !b_is_open {
        let (line, is_open, other) = tokio::select! {
            line = a.line() => (line?, &mut a_is_open, &mut *b),
            line = b.line() => (line?, &mut b_is_open, &mut *a),
        };
        match line["event"].as_str() {
            Some("connect") => *is_open = true,
            Some("error") => return Err(line.to_string().into()),
            Some(_) => {}
            None if is_end_of_candidates(&line["signal"]) => {}
            None => other.tell(json!({ "signal": without_candidates(&line["signal"]) })).await?,
        }
    }
    Ok(())
}

/// Returns a signal as our end sends it, whose descriptions are without candidates: those follow. libdatachannel may
/// find those in a description too early.
fn without_candidates(signal: &Value) -> Value {
    let mut signal = signal.clone();
    if let Some(sdp) = signal["sdp"].as_str() {
        let lines = sdp.lines().filter(|line| {
            !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates")
        });
        signal["sdp"] = lines.map(|line| format!("{line}\r\n")).collect::<String>().into();
    }
    signal
}

/// Our end sends none either, and some programs do not take one.
fn is_end_of_candidates(signal: &Value) -> bool {
    let text = signal["candidate"]["candidate"].as_str();
    signal["type"] == "candidate" && text.is_none_or(str::is_empty)
}

/// Opens a connection between two ends of ours.
pub(super) async fn of_ours() -> Result<Duration, Failed> {
    let tasks = TaskTracker::new();
    let since = Instant::now();
    let mut a = DirectConnection::offer(DirectConfig::default(), &tasks);
    let mut b = DirectConnection::answer(DirectConfig::default(), &tasks);
    let (mut a_is_open, mut b_is_open) = (false, false);
    let opening = async {
        while !a_is_open || !b_is_open {
            let (event, is_open, other) = tokio::select! {
                event = a.1.recv() => (event, &mut a_is_open, &b.0),
                event = b.1.recv() => (event, &mut b_is_open, &a.0),
            };
            match event {
                Some(DirectEvent::Signal(signal)) => other.signal(signal)?,
                Some(DirectEvent::Open) => *is_open = true,
                event => return Err(Failed::from(format!("{event:?}"))),
            }
        }
        Ok(())
    };
    timeout(PATIENCE, opening).await??;
    let time = since.elapsed();
    tokio::join!(a.0.close(), b.0.close());
    Ok(time)
}

/// Times of one stack.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) offers: Vec<Duration>,
    pub(super) answers: Vec<Duration>,
    pub(super) with_itself: Vec<Duration>,
}

impl Times {
    /// Measures a stack, in each role and with itself in turn.
    pub(super) async fn measure(of: Of, stack: &mut Stack, tries: usize) -> Result<Self, Failed> {
        let mut other = of.start().await?;
        let mut times = Self::default();
        // The first of each also waits for what a program loads then.
        for number in 0..=tries {
            let with_itself = with_itself(stack, &mut other).await?;
            let (mut offer, mut answer) = (None, None);
            for &role in of.roles() {
                let time = if role == "offer" { &mut offer } else { &mut answer };
                *time = Some(with_us(stack, role).await?);
            }
            if number > 0 {
                times.with_itself.push(with_itself);
                times.offers.extend(offer);
                times.answers.extend(answer);
            }
        }
        other.end().await?;
        Ok(times)
    }

    /// Measures two ends of ours.
    pub(super) async fn measure_ours(tries: usize) -> Result<Self, Failed> {
        let mut times = Self::default();
        for _ in 0..tries {
            times.offers.push(of_ours().await?);
            times.answers.push(of_ours().await?);
        }
        Ok(times)
    }

    /// Returns whether the median of each role is the goal's at most, or what the stack takes with itself.
    pub(super) fn reach_the_goal(&self) -> bool {
        let goal = median(&self.with_itself).unwrap_or_default().max(GOAL);
        [&self.offers, &self.answers]
            .into_iter()
            .filter_map(|times| median(times))
            .all(|it| it <= goal)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = |times: &[Duration]| {
            let (Some(median), Some(least), Some(most)) =
                (median(times), times.iter().min(), times.iter().max())
            else {
                return "–".to_owned();
            };
            let [median, least, most] = [median, *least, *most].map(|time| time.as_millis());
            format!("{median} ms ({least} to {most})")
        };
        let [offers, answers, with_itself] =
            [&self.offers, &self.answers, &self.with_itself].map(|times| column(times));
        let met = if self.reach_the_goal() { "met" } else { "MISSED" };
        write!(f, "{offers} | {answers} | {with_itself} | {met}")
    }
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied()
}
