//! The memory of an open connection, and what remains of closed ones.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use socketio_p2p_harness::bench::Verdict;
use tokio::time::sleep;

use crate::pair::{Contestant, Pair, number};
use crate::part::{Role, Setup};
use crate::plan::Extent;
use crate::report::Samples;

const OPEN: &str = "open and idle, KiB an end";
const TASKS: &str = "left after cycles: tasks";
const FILES: &str = "left after cycles: open files";
const LEFT: &str = "left after cycles: KiB, both ends";
const OURS: Contestant = Contestant::Bare(Setup::Threads);

/// Cycles before anything is counted: until allocator and runtime have what they need.
const WARM_UP: usize = 30;
/// Time for what was closed to be gone.
const SETTLE: Duration = Duration::from_millis(500);
/// The memory that an allocator may keep of a closed connection, in KiB an end: as in the client's
/// own test.
const REMAINDER: f64 = 8.0;

/// Opens and closes, then opens and holds.
pub(crate) async fn measure(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    let mut pair = Pair::start(OURS).await?;
    cycle(&mut pair, WARM_UP).await?;
    let before = look(&mut pair).await?;
    cycle(&mut pair, extent.cycles).await?;
    let after = look(&mut pair).await?;
    for (what, after, before) in [
        (TASKS, after.tasks, before.tasks),
        (FILES, after.files, before.files),
        (LEFT, after.kib, before.kib),
    ] {
        into.push(what, OURS, after - before);
    }
    pair.end_both().await?;

    // In fresh processes: pages that closed connections gave back would hide what open ones take.
    let mut pair = Pair::start(OURS).await?;
    pair.open().await?;
    let before = look(&mut pair).await?;
    for _ in 0..extent.held {
        pair.open().await?;
    }
    let after = look(&mut pair).await?;
    into.push(OPEN, OURS, (after.kib - before.kib) / (2 * extent.held) as f64);
    pair.end_both().await?;

    let of = |what| into.median(what, OURS);
    let remainder = 2.0 * REMAINDER * extent.cycles as f64;
    let cycles = extent.cycles;
    Ok(vec![
        Verdict::at_most("memory of an open, idle connection: KiB an end", of(OPEN), 500.0),
        Verdict::at_most(format!("left after {cycles} cycles: tasks"), of(TASKS), 0.0),
        Verdict::at_most(format!("left after {cycles} cycles: open files"), of(FILES), 0.0),
        Verdict::at_most(
            format!("left after {cycles} cycles: KiB, both ends"),
            of(LEFT),
            remainder,
        ),
    ])
}

async fn cycle(pair: &mut Pair, count: usize) -> Result<()> {
    for _ in 0..count {
        let (of, _) = pair.open().await?;
        pair.close(of).await?;
    }
    Ok(())
}

/// Of both ends together.
struct Look {
    tasks: f64,
    files: f64,
    kib: f64,
}

async fn look(pair: &mut Pair) -> Result<Look> {
    sleep(SETTLE).await;
    let mut look = Look { tasks: 0.0, files: 0.0, kib: pair.kib()? };
    for role in [Role::Offerer, Role::Answerer] {
        let answer = pair.ask(role, json!({ "order": "look" })).await?;
        look.tasks += number(&answer, "tasks")?;
        look.files += number(&answer, "files")?;
    }
    Ok(look)
}
