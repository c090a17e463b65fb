//! The return of stock clients after planned restarts of their server: all of them, and as soon as
//! their own backoff lets them.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::kinds::{Kind, RESTARTED};
use super::site::Site;
use super::{Crew, PATIENCE, RECOVERY, Report, at_most, failures, within};

/// The time beyond the backoff in which all are to be back.
const ALLOWED: Duration = Duration::from_secs(1);

/// The size of a run.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Clients, in pairs.
    #[arg(long, default_value_t = 50)]
    pub(crate) clients: usize,
    /// Restarts.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: u32,
    /// The first wait of the clients' backoff, in milliseconds: by default the libraries' default.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) delay: u64,
    /// The longest one.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) delay_max: u64,
    /// Judge only counts, not times.
    #[arg(long)]
    pub(crate) counts_only: bool,
}

/// Restarts the server some times, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { clients, rounds, delay, delay_max, counts_only } = settings;
    let mut report = Report::new(
        "restart",
        format!(
            "--clients {clients} --rounds {rounds} --delay {delay} --delay-max {delay_max}{}",
            if counts_only { " --counts-only" } else { "" }
        ),
    );
    let backoff = [delay, delay_max].map(Duration::from_millis);
    let mut site = Site::start().await?;
    let kinds: Vec<Kind> = RESTARTED.into_iter().cycle().take(clients).collect();
    let mut crew = Crew::start(&site.url(), &kinds, backoff, 0)?;
    let first =
        within(PATIENCE, "the first pairings", crew.is(|ledger| ledger.paired() == clients));
    if let Err(error) = first.await.and_then(|all| all) {
        return Err(error.context(crew.ledger().missing()));
    }

    let (mut fewest, mut slowest, mut slowest_paired) = (clients, 0.0_f64, 0.0_f64);
    let mut ended = Vec::new();
    for _ in 0..rounds {
        site.restart(true).await?;
        let since = Instant::now();
        ended.push(at_most(RECOVERY, crew.is(|ledger| ledger.up() == clients)).await);
        let up = since.elapsed().as_secs_f64();
        ended.push(at_most(RECOVERY, crew.is(|ledger| ledger.paired() == clients)).await);
        let paired = since.elapsed().as_secs_f64();
        report.note(format!("back after {up:.2} s, paired again after {paired:.2} s"));
        fewest = fewest.min(crew.ledger().paired());
        (slowest, slowest_paired) = (slowest.max(up), slowest_paired.max(paired));
    }
    ended.push(site.end().await.map(|_| ()));
    let ledger = crew.end(&mut ended).await;

    let goal = (backoff[1] + ALLOWED).as_secs_f64();
    report.at_least("clients back and paired again", fewest as f64, clients as f64);
    ledger.judge_returns(&mut report);
    report.time("seconds until all are back", slowest, (!counts_only).then_some(goal));
    report.time("seconds until all are paired again", slowest_paired, None);
    report.none("what did not end in time", &failures(ended));
    Ok(report)
}
