//! Stock clients in pairs that call each other while their connections suffer and their server is
//! restarted: nothing is lost or out of order while a connection stands, no acknowledgement stays
//! open, nobody is stranded.

mod crew;
mod kinds;
mod ledger;
pub(crate) mod restart;
mod site;

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use socketio_p2p_harness::FaultProxy;
use socketio_p2p_harness::fault_proxy::Schedule;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Report, failures, fresh_seed, within};
use crew::{Command, Crew, Talk};
use site::Site;

/// The longest time until all clients are back and answer when the faults have ended.
const RECOVERY: Duration = Duration::from_secs(120);

/// The longest time that a run may take, in times of its faults: only one that hangs waits for it.
const SLOWNESS: f64 = 20.0;

/// The longest time that the first pairing, or the last answer, takes when nothing is broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// The interval at which the calls are counted.
const LOOK: Duration = Duration::from_millis(50);

/// One fault in so many is a restart of the server, planned or by SIGKILL.
const FAULTS_PER_RESTART: u64 = 20;

/// The backoff of the clients.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// The size of a run.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// The seed of the faults, restarts and calls [default: a fresh one].
    #[arg(long, default_value_t = fresh_seed(), hide_default_value = true)]
    pub(crate) seed: u64,
    /// Pairs that talk at the same time.
    #[arg(long, default_value_t = 20)]
    pub(crate) pairs: usize,
    /// Acknowledged calls, at least.
    #[arg(long, default_value_t = 500_000)]
    pub(crate) calls: u64,
    /// Faults, at least, restarts included.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) faults: u64,
    /// Faults a second.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) rate: f64,
    /// Characters of the largest call or reply.
    #[arg(long, default_value_t = 48 * 1024)]
    pub(crate) largest: usize,
}

/// Runs until there were enough calls and faults, lets everything heal, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { seed, pairs, calls, faults, rate, largest } = settings;
    let mut report = Report::new(
        "stock",
        format!(
            "--seed {seed} --pairs {pairs} --calls {calls} --faults {faults} --rate {rate} \
             --largest {largest}"
        ),
    );
    let mut site = Site::start().await?;
    let mut proxy = FaultProxy::start(site.address(), seed).await?;
    let mut crew = Crew::start(&proxy.url(), &kinds::spread(2 * pairs), BACKOFF, seed)?;
    // As many calls as come to an end together with the faults, which keep clients from half of them.
    let rate_of_each = 2.0 * calls as f64 * rate / faults as f64 / (2 * pairs) as f64;
    crew.order(&Command::Talk(Talk { rate: rate_of_each, burst: 8, largest })).await;
    crew.order(&Command::Mark).await;
    within(PATIENCE, "the first answers", crew.are_well()).await??;

    proxy.follow(Schedule::new(seed, rate));
    let longest = Duration::from_secs_f64(SLOWNESS * faults as f64 / rate) + RECOVERY;
    let mut random = Rng::with_seed(seed);
    let suffering = async {
        let mut restarts = 0;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while crew.ledger().answered() < calls || proxy.counts().total() + restarts < faults {
            looks.tick().await;
            // The restarts that are due by the faults so far.
            if proxy.counts().total() >= (restarts + 1) * (FAULTS_PER_RESTART - 1) {
                site.restart(random.bool()).await?;
                restarts += 1;
            }
        }
        anyhow::Ok(())
    };
    let suffered = at_most(longest, suffering).await;
    let answered = crew.ledger().answered();

    proxy.heal();
    crew.order(&Command::Mark).await;
    let recovered = at_most(RECOVERY, crew.are_well()).await;
    let stranded = crew.ledger().unwell();
    crew.order(&Command::Talk(Talk { rate: 0.0, burst: 1, largest })).await;
    let counted = within(PATIENCE, "the last answers", crew.are_answered())
        .await
        .and_then(|answered| answered);
    let counts = proxy.counts();
    let panics = site.panics();
    let (planned, killed) = site.restarts();
    crew.ledger().close();
    let closing = site.end().await;
    proxy.stop().await;
    let mut ended = vec![suffered, recovered, counted];
    let ledger = crew.end(&mut ended).await;

    report.note(format!(
        "{pairs} pairs, {planned} planned restarts, {killed} by SIGKILL, faults: {counts}"
    ));
    match closing {
        Ok(closing) => report.note(closing),
        Err(error) => ended.push(Err(error)),
    }
    report.at_least("acknowledged calls", answered as f64, calls as f64);
    report.at_least("faults", (counts.total() + planned + killed) as f64, faults as f64);
    ledger.judge(&mut report);
    report.none("clients stranded", &stranded);
    report.none("what did not end in time", &failures(ended));
    report.none("panics", &panics);
    Ok(report)
}

/// Waits for `future`, but not longer than this: the figures show what is missing then.
async fn at_most(longest: Duration, future: impl Future<Output = Result<()>>) -> Result<()> {
    timeout(longest, future).await.unwrap_or(Ok(()))
}
