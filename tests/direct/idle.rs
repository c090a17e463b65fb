//! The cost of a direct path over which nothing is sent, and the first emit after that: of two clients in this
//! process, and of two whose heartbeats do not become rarer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use socketio_p2p_client::direct::{Fate, UdpFaults, UdpWay};
use socketio_p2p_client::{
    Event, Incoming, P2pBuilderExt as _, P2pClient, P2pClientExt as _, Path, PathConfig,
};
use socketio_p2p_harness::bench::Verdict;

use crate::pair::Contestant;
use crate::part::{Setup, config};
use crate::plan::Extent;
use crate::report::Samples;
use crate::server::Server;

const PACKETS: &str = "idle, packets/s each way";
const BYTES: &str = "idle, bytes/s each way, with headers";
const FIRST: &str = "first emit after idling, us";
const STEADY: &str = "the same with steady heartbeats, us";

/// Time until the heartbeats are as rare as they become.
const SETTLING: Duration = Duration::from_secs(8);
/// Bytes of IPv4 and UDP before a datagram.
const HEADERS: u64 = 28;
const CLIENTS: Contestant = Contestant::Clients(Setup::OneThread);

/// Counts what leaves.
#[derive(Debug, Default)]
struct Meter {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl UdpFaults for Meter {
    fn fate(&self, way: UdpWay, len: usize) -> Fate {
        if way == UdpWay::Leaving {
            self.packets.fetch_add(1, Relaxed);
            self.bytes.fetch_add(len as u64 + HEADERS, Relaxed);
        }
        Fate::Pass
    }
}

/// Two clients whose path is direct.
struct Idle {
    a: P2pClient,
    b: P2pClient,
    meters: [Arc<Meter>; 2],
    _server: Server,
}

impl Idle {
    async fn open(paths: PathConfig) -> Result<Self> {
        let server = Server::start().await?;
        let meters: [Arc<Meter>; 2] = Default::default();
        let connect = async |id: &str, meter: &Arc<Meter>| {
            let mut direct = config();
            direct.faults = Some(Arc::clone(meter) as _);
            let client = format!("http://{}", server.address).p2p(id).direct(direct).paths(paths);
            let client = client.on2("echo", async |incoming: Incoming| Ok(incoming.into_raw()));
            client.connect().await
        };
        let (a, b) = (connect("A", &meters[0]).await?, connect("B", &meters[1]).await?);
        let mut events = a.events();
        a.register_target(b.id()).await?;
        while !matches!(events.recv().await?, Event::Path { path: Some(Path::Direct), .. }) {}
        Ok(Self { a, b, meters, _server: server })
    }

    async fn emit(&self) -> Result<f64> {
        let began = Instant::now();
        let reply = self.a.emit2("echo", "x").via(Path::Direct).with_reply().await?;
        ensure!(reply.path() == Path::Direct, "a reply took the relay");
        Ok(began.elapsed().as_secs_f64() * 1e6)
    }

    fn counts(&self) -> Vec<[u64; 2]> {
        let count = |meter: &Arc<Meter>| [meter.packets.load(Relaxed), meter.bytes.load(Relaxed)];
        self.meters.iter().map(count).collect()
    }

    async fn close(self) {
        self.a.close().await;
        self.b.close().await;
    }
}

/// Counts for a while, and emits after pauses.
pub(crate) async fn measure(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    let ours = Idle::open(PathConfig::default()).await?;
    let steady = PathConfig::default();
    let steady = Idle::open(steady.heartbeat_idle(steady.heartbeat_interval)).await?;
    for pair in [&ours, &steady] {
        for _ in 0..100 {
            pair.emit().await?;
        }
    }
    for _ in 0..extent.idles {
        tokio::time::sleep(SETTLING).await;
        let (before, began) = (ours.counts(), Instant::now());
        tokio::time::sleep(extent.idle_time).await;
        let seconds = began.elapsed().as_secs_f64();
        for (before, after) in before.into_iter().zip(ours.counts()) {
            into.push(PACKETS, CLIENTS, (after[0] - before[0]) as f64 / seconds);
            into.push(BYTES, CLIENTS, (after[1] - before[1]) as f64 / seconds);
        }
        into.push(FIRST, CLIENTS, ours.emit().await?);
        into.push(STEADY, CLIENTS, steady.emit().await?);
    }
    ours.close().await;
    steady.close().await;

    let most = |what| into.all(what, CLIENTS).and_then(|all| all.iter().copied().reduce(f64::max));
    let ratio = into.ratio((FIRST, CLIENTS), (STEADY, CLIENTS));
    Ok(vec![
        Verdict::at_most(format!("{PACKETS}, the most"), most(PACKETS), 2.0),
        Verdict::at_most(format!("{BYTES}, the most"), most(BYTES), 300.0),
        Verdict::at_most("first emit after idling: ours / steady", ratio, 1.1),
    ])
}
