//! The same steps against socket.io 4.8.4 in Node and against ours. What is seen of each stands in the table of
//! README.md, with the reason where the two differ.

mod bursts;
mod edge;
mod endings;
mod heartbeats;
mod raw;

use std::fmt::Write as _;

use futures_util::{StreamExt as _, future::LocalBoxFuture, stream::FuturesUnordered};
use socketio_p2p_harness::{Peer, Program, Server, ServerBuilder, StartError};

use crate::interop::stock::script;
use crate::interop::{Failed, Story};

/// A server that is observed.
#[derive(Clone, Copy, Debug)]
enum Side {
    Reference,
    Ours,
}

/// What was seen of a step.
type Seen = Result<String, Failed>;

/// One step of the comparison, which is a row of the table.
struct Step {
    name: &'static str,
    reference: &'static str,
    ours: &'static str,
    /// The reason for the difference, if there is one.
    why: &'static str,
    observe: fn(Side) -> LocalBoxFuture<'static, Seen>,
}

/// All steps, in the order of the table.
const GROUPS: [&[Step]; 4] = [heartbeats::STEPS, bursts::STEPS, edge::STEPS, endings::STEPS];

impl Side {
    fn builder(self) -> ServerBuilder {
        match self {
            Self::Reference => {
                Server::builder().program(Program::new("node").arg(script("reference.mjs")))
            }
            Self::Ours => Server::builder(),
        }
    }

    async fn start(self) -> Result<Server, StartError> {
        self.builder().start().await
    }
}

/// Returns what is written of a step for which both servers have to do the same, and which fails otherwise.
async fn holds(story: impl Future<Output = Story>, seen: &str) -> Seen {
    story.await?;
    Ok(seen.to_owned())
}

/// Returns the reasons for which a client lost its connection, as far as they were reported.
fn losses(peer: &mut Peer) -> Result<Vec<String>, Failed> {
    let events = peer.unread()?;
    let lost = events.iter().filter(|event| event.name() == "disconnected");
    Ok(lost.map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect())
}

/// Takes the steps on both servers, and compares what is seen with the table.
async fn compare(steps: &[Step], at_once: bool) {
    let mut misses = String::new();
    let mut all = FuturesUnordered::new();
    for step in steps {
        for (side, expected) in [(Side::Reference, step.reference), (Side::Ours, step.ours)] {
            all.push(async move {
                let seen = (step.observe)(side).await;
                let seen = seen.unwrap_or_else(|error| format!("failed: {error}"));
                (seen != expected)
                    .then(|| format!("{}\n  {side:?}: {seen}\n  table: {expected}\n", step.name))
            });
        }
        while !at_once && let Some(miss) = all.next().await {
            misses.extend(miss);
        }
    }
    while let Some(miss) = all.next().await {
        misses.extend(miss);
    }
    assert!(misses.is_empty(), "\n{misses}");
}

#[tokio::test]
async fn heartbeats_and_silence_are_as_the_table_says() {
    compare(heartbeats::STEPS, true).await;
}

#[tokio::test]
async fn bursts_are_as_the_table_says() {
    compare(bursts::STEPS, false).await;
}

#[tokio::test]
async fn requests_are_answered_as_the_table_says() {
    compare(edge::STEPS, true).await;
}

#[tokio::test]
async fn connections_end_as_the_table_says() {
    compare(endings::STEPS, false).await;
}

#[test]
fn the_table_of_the_readme_is_the_one_that_is_compared() {
    let mut table = String::from("| step | socket.io 4.8.4 | ours | why |\n|---|---|---|---|\n");
    for Step { name, reference, ours, why, .. } in GROUPS.into_iter().flatten() {
        assert_eq!(reference == ours, why.is_empty(), "{name}");
        let ours = if reference == ours { "the same" } else { ours };
        writeln!(table, "| {name} | {reference} | {ours} | {why} |").unwrap();
    }

    assert!(include_str!("README.md").contains(&table), "README.md should have:\n\n{table}");
}
