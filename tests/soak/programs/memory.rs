//! The memory that hostile clients, and those who do not read for a while, can make the server use: each
//! behaviour by all of them together, against a fresh server in a process of its own, while pairs talk.

mod held;
mod hog;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::remote::Remote;
use super::talker::{Manner, Talkers};
use super::{Report, failures, fresh_seed};
use held::Held;
use hog::{Attack, Hog};

/// Pairs of hostile clients.
const HOGS: usize = 32;

/// The memory that they may cost.
const GOAL_MIB: f64 = 64.0;

/// Pairs that talk.
const PAIRS: usize = 2;

/// The calls of these pairs, before and beside the hostile clients.
const MANNER: Manner = Manner { rate: 50.0, burst: 16, largest: 200 * 1024, pauses: false };

/// The time until the server's memory is what it normally is.
const WARM_UP: Duration = Duration::from_secs(1);

/// The longest time until the pairs answer at the end.
const RECOVERY: Duration = Duration::from_secs(120);

const GRACE: Duration = Duration::from_secs(15);

/// The way in which clients fill the memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Behaviour {
    /// Hostile clients do this together, until they are stopped.
    Attack(Attack),
    /// See [`held`].
    HeldBursts,
}

impl ValueEnum for Behaviour {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Attack(Attack::Flood),
            Self::Attack(Attack::NeverRead),
            Self::Attack(Attack::NeverAcknowledge),
            Self::Attack(Attack::NeverReply),
            Self::Attack(Attack::Early),
            Self::Attack(Attack::Giant),
            Self::Attack(Attack::HalfSent),
            Self::HeldBursts,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        const HELP: &str =
            "V1 clients call 3,000 times in one loop, and their partners do not read for a while";
        match self {
            Self::Attack(attack) => attack.to_possible_value(),
            Self::HeldBursts => Some(PossibleValue::new("held-bursts").help(HELP)),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", PossibleValue::get_name))
    }
}

/// The size of a run.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// The seed of the calls [default: a fresh one].
    #[arg(long, default_value_t = fresh_seed(), hide_default_value = true)]
    pub(crate) seed: u64,
    /// Seconds of each behaviour; held-bursts does not read for 5 s at most.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) seconds: f64,
    /// Only this behaviour; may be given several times.
    #[arg(long)]
    pub(crate) only: Vec<Behaviour>,
}

/// Measures each behaviour, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { seed, seconds, only } = &settings;
    let only_these: String = only.iter().map(|behaviour| format!(" --only {behaviour}")).collect();
    let replay = format!("--seed {seed} --seconds {seconds}{only_these}");
    let mut report = Report::new("memory", replay);
    report.note(format!("{} hostile clients; memory in MiB above the baseline", 2 * HOGS));
    let mut aftermaths = Vec::new();
    for &behaviour in Behaviour::value_variants() {
        if only.is_empty() || only.contains(&behaviour) {
            aftermaths.push(one(behaviour, &settings, &mut report).await?);
        }
    }
    // The first servers have forgotten everybody by now.
    for Aftermath { behaviour, mut server, files, mut wrong } in aftermaths {
        let (objects, files) = server.leftovers(files).await?;
        if objects + files > 0 {
            wrong.push(format!("{objects} objects and {files} open files are left"));
        }
        wrong.extend(failures([server.end().await]));
        report.none(format!("{behaviour}: what else is wrong"), &wrong);
    }
    Ok(report)
}

/// A server that everybody has left.
struct Aftermath {
    behaviour: Behaviour,
    server: Remote,
    /// Files that it had open at the beginning.
    files: usize,
    /// The observations of the pairs that talk.
    wrong: Vec<String>,
}

async fn one(behaviour: Behaviour, settings: &Settings, report: &mut Report) -> Result<Aftermath> {
    let server = Remote::start(GRACE).await?;
    let files = server.files()?;
    let mut talkers = Talkers::pair(&server.url(), PAIRS).await?;
    talkers.talk(&MANNER, settings.seed);
    sleep(WARM_UP).await;
    let baseline = server.memory()?;

    let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
    let time = Duration::from_secs_f64(settings.seconds);
    let mut wrong = Vec::new();
    let peak = match behaviour {
        Behaviour::Attack(attack) => {
            let mut hogs = JoinSet::new();
            for number in 0..HOGS {
                hogs.spawn(Hog { attack, number, server: server.address }.run());
            }
            sleep(time).await;
            let peak = server.peak()?;
            hogs.shutdown().await;
            peak
        }
        Behaviour::HeldBursts => {
            let Held { held, peak, wrong: unanswered } = held::run(&server, time).await?;
            report.at_most(format!("{behaviour}: while held"), mib(held - baseline), GOAL_MIB);
            wrong.extend(unanswered);
            peak
        }
    };

    let finished = talkers.finish().await;
    let mute = talkers.mute(RECOVERY).await;
    report.note(format!(
        "{behaviour}: baseline {:.1}, peak {:.1}, at the end {:.1} MiB",
        mib(baseline),
        mib(peak),
        mib(server.memory()?)
    ));
    report.at_most(format!("{behaviour}: peak"), mib(peak - baseline), GOAL_MIB);
    let broken = talkers.history.broken().into_iter();
    wrong.extend(broken.map(|(rule, what)| format!("{rule:?}: {what}")));
    if mute > 0 {
        wrong.push(format!("{mute} clients do not answer"));
    }
    wrong.extend(failures([finished, talkers.leave().await]));
    Ok(Aftermath { behaviour, server, files, wrong })
}
