//! Pairs that call each other while their connections suffer: nothing is lost, nothing runs twice,
//! nobody is told what is not true.

use std::time::Duration;

use anyhow::Result;
use socketio_p2p_harness::fault_proxy::Schedule;
use socketio_p2p_harness::{FaultProxy, panics};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::site::Site;
use super::talker::{Manner, Talkers};
use super::{Report, failures, fresh_seed};

/// The longest time until all clients are back and answer when the faults have ended.
const RECOVERY: Duration = Duration::from_secs(120);

/// The longest time that a run may take, in times of its faults: only one that hangs waits for it.
const SLOWNESS: f64 = 20.0;

/// The interval at which the calls are counted.
const LOOK: Duration = Duration::from_millis(100);

/// The size of a run.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// The seed of the faults and calls [default: a fresh one].
    #[arg(long, default_value_t = fresh_seed(), hide_default_value = true)]
    pub(crate) seed: u64,
    /// Pairs that talk at the same time.
    #[arg(long, default_value_t = 32)]
    pub(crate) pairs: usize,
    /// Acknowledged calls, at least.
    #[arg(long, default_value_t = 500_000)]
    pub(crate) calls: u64,
    /// Faults, at least.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) faults: u64,
    /// Faults a second.
    #[arg(long, default_value_t = 7.0)]
    pub(crate) rate: f64,
    /// Bytes of the largest call or reply.
    #[arg(long, default_value_t = 300 * 1024)]
    pub(crate) largest: usize,
}

/// Runs until there were enough calls and faults, lets everything heal, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { seed, pairs, calls, faults, rate, largest } = settings;
    let mut report = Report::new(
        "faults",
        format!(
            "--seed {seed} --pairs {pairs} --calls {calls} --faults {faults} --rate {rate} \
             --largest {largest}"
        ),
    );
    let site = Site::start().await?;
    let mut proxy = FaultProxy::start(site.address, seed).await?;
    let mut talkers = Talkers::pair(&proxy.url(), pairs).await?;
    talkers.compare(site.p2p.events());

    // As many calls as come to an end together with the faults.
    let rate_of_each = calls as f64 * rate / faults as f64 / (2 * pairs) as f64;
    talkers.talk(&Manner { rate: rate_of_each, burst: 16, largest, pauses: true }, seed);
    proxy.follow(Schedule::new(seed, rate));
    let longest = Duration::from_secs_f64(SLOWNESS * faults as f64 / rate) + RECOVERY;
    // If it takes longer, the figures show it.
    let enough = async {
        proxy.injected(faults).await;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while talkers.history.answered() < calls {
            looks.tick().await;
        }
    };
    timeout(longest, enough).await.ok();

    proxy.heal();
    let finished = talkers.finish().await;
    let mute = talkers.mute(RECOVERY).await;
    let answered = talkers.history.answered();
    talkers.history.judge(&mut report);
    let left_in_time = talkers.leave().await;
    let left = site.leftovers().await;

    report.note(format!("{pairs} pairs, faults: {}", proxy.counts()));
    report.at_least("acknowledged calls", answered as f64, calls as f64);
    report.at_least("faults", proxy.counts().total() as f64, faults as f64);
    report.at_most("clients that do not recover", mute as f64, 0.0);
    report.at_most("objects left on the server", left as f64, 0.0);
    report.none("what did not end in time", &failures([finished, left_in_time]));
    report.none("panics", &panics::seen());
    proxy.stop().await;
    Ok(report)
}
