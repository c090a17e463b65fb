//! What hostile clients can make the server remember: each behaviour by all of them together,
//! against a fresh server in a process of its own, while pairs talk.

mod hog;

use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::remote::Remote;
use super::talker::{Manner, Talkers};
use super::{Report, failures, fresh_seed};
use hog::{Behaviour, Hog};

/// Pairs of hostile clients.
const HOGS: usize = 32;

/// What they may cost.
const GOAL_MIB: f64 = 64.0;

/// Pairs that talk.
const PAIRS: usize = 2;

/// What these pairs say, before and beside the hostile clients.
const MANNER: Manner = Manner { rate: 50.0, burst: 16, largest: 200 * 1024, pauses: false };

/// How long they talk before the server's memory is what it normally is.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long the pairs may take to answer at the end.
const RECOVERY: Duration = Duration::from_secs(60);

const GRACE: Duration = Duration::from_secs(15);

/// How large a run is.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// What the calls are drawn from [default: a fresh one].
    #[arg(long, default_value_t = fresh_seed(), hide_default_value = true)]
    pub(crate) seed: u64,
    /// Seconds of each behaviour.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) seconds: f64,
    /// Only this behaviour; may be given several times.
    #[arg(long)]
    pub(crate) only: Vec<Behaviour>,
}

/// Measures each behaviour, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { seed, seconds, only } = &settings;
    let mut report = Report::new("memory", format!("--seed {seed} --seconds {seconds}"));
    report.note(format!("{} hostile clients; memory in MiB above the baseline", 2 * HOGS));
    let chosen = Behaviour::ALL.iter().filter(|one| only.is_empty() || only.contains(one));
    for behaviour in chosen {
        one(*behaviour, &settings, &mut report).await?;
    }
    Ok(report)
}

async fn one(behaviour: Behaviour, settings: &Settings, report: &mut Report) -> Result<()> {
    let mut server = Remote::start(GRACE).await?;
    let files = server.files()?;
    let mut talkers = Talkers::pair(&server.url(), PAIRS).await?;
    talkers.talk(&MANNER, settings.seed);
    sleep(WARM_UP).await;
    let baseline = server.memory()?;

    let mut hogs = JoinSet::new();
    for number in 0..HOGS {
        hogs.spawn(Hog { behaviour, number, server: server.address }.run());
    }
    sleep(Duration::from_secs_f64(settings.seconds)).await;
    let peak = server.peak()?;
    hogs.shutdown().await;

    let finished = talkers.finish().await;
    let mute = talkers.mute(RECOVERY).await;
    talkers.history.judge(report);
    let left_in_time = talkers.leave().await;
    let (left, files_left) = server.leftovers(files).await?;
    let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
    report.note(format!(
        "{behaviour:?}: baseline {:.1}, peak {:.1}, at the end {:.1} MiB",
        mib(baseline),
        mib(peak),
        mib(server.memory()?)
    ));
    let ended = server.end().await;
    report.at_most(format!("{behaviour:?}: peak"), mib(peak - baseline), GOAL_MIB);
    report.at_most(format!("{behaviour:?}: clients that do not answer"), mute as f64, 0.0);
    report.at_most(format!("{behaviour:?}: objects left"), left as f64, 0.0);
    report.at_most(format!("{behaviour:?}: open files left"), files_left as f64, 0.0);
    let failures = failures([finished, left_in_time, ended]);
    report.none(format!("{behaviour:?}: what did not end well"), &failures);
    Ok(())
}
