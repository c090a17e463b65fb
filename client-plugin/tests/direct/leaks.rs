//! The remainder of closed connections: counted for the whole process, hence one test and
//! a process of its own.

mod pair;

use std::time::Instant;

use socketio_p2p_client::direct::{DirectEnd, DirectEvent};
use tokio_util::task::TaskTracker;

use pair::{PATIENCE, apart, config, connect};

const CYCLES: usize = 50;
/// Rounds of that many, at most.
const ROUNDS: usize = 4;
/// The memory that may remain of a closed connection, in bytes: the allocator's and the runtime's own noise.
const REMAINDER: usize = 8 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_closed_connections_leave_no_task_no_socket_and_no_memory() {
    for _ in 0..CYCLES {
        cycle().await; // until the allocator has what it needs
    }
    // A leak grows in every round; an allocator that wants more now and then does not.
    let mut grown = Vec::new();
    for _ in 0..ROUNDS {
        let before = (tasks().await, descriptors(), resident());
        for _ in 0..CYCLES {
            cycle().await;
        }
        let after = (tasks().await, descriptors(), resident());
        assert_eq!((after.0, after.1), (before.0, before.1), "tasks and descriptors");
        grown.push(after.2.saturating_sub(before.2));
        if grown.last().is_some_and(|grown| *grown < 2 * CYCLES * REMAINDER) {
            return;
        }
    }
    panic!("resident bytes grew in each round: {grown:?}");
}

async fn cycle() {
    let tracker = TaskTracker::new();
    let (mut a, mut b) = apart(&config(), &tracker);
    connect(&mut a, &mut b).await;
    for _ in 0..8 {
        a.connection.send(vec![1; 16 << 10]).await.unwrap();
    }
    for _ in 0..8 {
        b.message().await;
    }
    let raw = b.connection.open("raw", Default::default()).await.unwrap();
    let partner = a.channel().await;
    partner.send("x").await.unwrap();
    raw.recv().await.unwrap();
    drop(partner); // A channel that is dropped while its connection closes is left to nobody.
    // The partner leaves once it has read that this end does.
    let ((), end) = tokio::join!(a.connection.close(), b.event());
    assert!(matches!(end, DirectEvent::Closed(DirectEnd::Partner)), "{end:?}");
    tracker.close();
    tracker.wait().await;
}

/// The runtime counts a task a moment longer than its tracker.
async fn tasks() -> usize {
    let metrics = tokio::runtime::Handle::current().metrics();
    let patience = Instant::now();
    while metrics.num_alive_tasks() > 0 && patience.elapsed() < PATIENCE {
        tokio::task::yield_now().await;
    }
    metrics.num_alive_tasks()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
