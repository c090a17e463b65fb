//! Clients that come, pair, talk and leave: nothing of them stays.
//!
//! The server is a process of its own, so its memory is the plugin's, the libraries' below it and
//! the allocator's, not that of the clients. The slope is that of a straight line through the
//! samples of the second half: in the first half caches and the allocator's arenas still fill.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use socketio_p2p_client::{Incoming, P2pBuilderExt as _, P2pClient, P2pClientExt as _, PathPolicy};
use tokio::task::JoinSet;

use super::remote::{self, Remote};
use super::{Report, failures, within};

/// Cycles at the same time.
const WORKERS: u64 = 8;

/// Samples of the memory in a whole run.
const SAMPLES: u64 = 400;

/// The longest time that one cycle may take: only one that hangs waits for it.
const PATIENCE: Duration = Duration::from_secs(300);

/// No connection is lost here, so it is never waited for.
const GRACE: Duration = Duration::from_secs(15);

/// The size of a run.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// The number of times that two clients come and go.
    #[arg(long, default_value_t = 200_000)]
    pub(crate) cycles: u64,
    /// Bytes that the server may grow by in each cycle.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) slope: f64,
}

/// The memory of the server and of this process after so many cycles.
#[derive(Clone, Copy, Debug)]
struct Sample {
    cycles: f64,
    server: f64,
    clients: f64,
}

/// Lets clients come and go, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { cycles, slope: goal } = settings;
    let mut report = Report::new("churn", format!("--cycles {cycles} --slope {goal}"));
    let server = Arc::new(Remote::start(GRACE).await?);
    let files = server.files()?;
    let next = Arc::new(AtomicU64::new(0));
    let samples = Arc::new(Mutex::new(Vec::new()));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (server, next, samples) = (server.clone(), next.clone(), samples.clone());
        workers.spawn(async move {
            let url = server.url();
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= cycles {
                    return anyhow::Ok(());
                }
                within(PATIENCE, "a cycle", cycle(&url, number)).await??;
                if number % (cycles / SAMPLES).max(1) == 0 {
                    let sample = Sample {
                        cycles: number as f64,
                        server: server.memory()?,
                        clients: remote::memory(std::process::id(), "VmRSS:")?,
                    };
                    samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
                }
            }
        });
    }
    let mut ended = Vec::new();
    while let Some(worker) = workers.join_next().await {
        ended.push(worker?);
    }

    let samples = std::mem::take(&mut *samples.lock().unwrap_or_else(PoisonError::into_inner));
    let mut server = Arc::into_inner(server).ok_or_else(|| anyhow::anyhow!("still in use"))?;
    let (left, files_left) = server.leftovers(files).await?;
    ended.push(server.end().await);

    let of_server = slope(&samples, |sample| sample.server);
    let of_clients = slope(&samples, |sample| sample.clients);
    if let [first, .., last] = &samples[..] {
        let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
        report.note(format!(
            "the server's memory grows from {:.1} to {:.1} MiB, that of the clients' process from \
             {:.1} to {:.1} MiB ({of_clients:.1} bytes a cycle)",
            mib(first.server),
            mib(last.server),
            mib(first.clients),
            mib(last.clients),
        ));
    }
    let done = next.load(Relaxed).saturating_sub(WORKERS);
    report.at_least("cycles", done as f64, cycles as f64);
    report.at_most("objects left on the server", left as f64, 0.0);
    report.at_most("open files left on the server", files_left as f64, 0.0);
    report.at_most("bytes of the server, a cycle", of_server, goal);
    report.none("what did not end well", &failures(ended));
    Ok(report)
}

/// Two clients come, pair, talk and leave.
async fn cycle(url: &str, number: u64) -> Result<()> {
    let connect = |end: &str| {
        let builder = url.p2p(format!("{end}-{number}")).path_policy(PathPolicy::RelayOnly);
        builder.on2("echo", async |incoming: Incoming| Ok(incoming.args::<u64>()?)).connect()
    };
    let (a, b): (P2pClient, P2pClient) = tokio::try_join!(connect("a"), connect("b"))?;
    a.register_target(b.id()).await?;
    let reply = a.emit2("echo", number).await?;
    ensure!(reply == number, "{reply} for {number}");
    tokio::join!(a.close(), b.close());
    Ok(())
}

/// Bytes a cycle, by the least squares through the second half of the samples.
fn slope(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let half = &samples[samples.len() / 2..];
    let count = half.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| half.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|sample| sample.cycles), mean(&of));
    let (mut over, mut under) = (0.0, 0.0);
    for sample in half {
        over += (sample.cycles - x) * (of(sample) - y);
        under += (sample.cycles - x).powi(2);
    }
    if under == 0.0 { 0.0 } else { over / under }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_second_half() {
        let sample = |cycles: u32| {
            let cycles = f64::from(cycles);
            let server = if cycles < 50.0 { 1000.0 * cycles } else { 70_000.0 + 3.0 * cycles };
            Sample { cycles, server, clients: 7.0 }
        };
        let samples: Vec<_> = (0..100).map(sample).collect();

        assert!((slope(&samples, |sample| sample.server) - 3.0).abs() < 1e-6);
        assert!(slope(&samples, |sample| sample.clients).abs() < 1e-6);
    }
}
