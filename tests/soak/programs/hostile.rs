//! Hostile connections beside pairs that talk: no input makes anything panic, nothing of the pairs
//! is lost, and on a quiet machine their latency hardly changes.
//!
//! The inputs come at a stated pace, from a process of low priority: otherwise the figure would
//! only tell how much of the processor the senders take from the server. The pairs are measured in
//! rounds with the attack paused and under way. The figure is the median of the rounds' p99, since
//! machines are noisy: half of the rounds may meet something else that runs. It may be twice that
//! without hostile inputs.

pub(crate) mod gang;
mod input;
mod json;
mod raw;
mod villain;

use std::time::Duration;

use anyhow::Result;
use socketio_p2p_client::P2pClientExt as _;
use socketio_p2p_harness::panics;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::site::Site;
use super::talker::{Manner, Talkers};
use super::{Report, failures, fresh_seed};
use gang::{Gang, Orders, Priority};
use input::Knowledge;

/// Hostile connections.
const VILLAINS: usize = 16;

/// Pairs that talk.
const PAIRS: usize = 20;

/// The interval at which the inputs are counted.
const LOOK: Duration = Duration::from_millis(20);

/// The beginning of each part of a round, which is not measured.
const SETTLE: Duration = Duration::from_millis(200);

/// The longest time for which the pairs are measured without the attack in each round.
const QUIET: Duration = Duration::from_secs(4);

/// The longest time until the pairs answer at the end.
const RECOVERY: Duration = Duration::from_secs(120);

/// The longest time until a round has had its inputs: only a run that hangs waits for it.
const PATIENCE: Duration = Duration::from_secs(600);

/// The calls of the pairs: small ones, whose handlers take no time.
const MANNER: Manner = Manner { rate: 20.0, burst: 1, largest: 1024, pauses: false };

/// The size of a run.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// The seed of the inputs and calls [default: a fresh one].
    #[arg(long, default_value_t = fresh_seed(), hide_default_value = true)]
    pub(crate) seed: u64,
    /// Hostile inputs, at least.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) inputs: u64,
    /// Inputs a second, of all hostile connections together.
    #[arg(long, default_value_t = 1_500.0)]
    pub(crate) rate: f64,
    /// Rounds: in each the pairs are measured without the attack and under it.
    #[arg(long, default_value_t = 61)]
    pub(crate) rounds: u32,
    /// Judges counts only, and leaves out the rounds without an attack: for a machine that does
    /// other work.
    #[arg(long)]
    pub(crate) counts_only: bool,
}

/// Runs until there were enough inputs, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { seed, inputs, rate, rounds, counts_only } = settings;
    let judged = if counts_only { " --counts-only" } else { "" };
    let replay = format!("--seed {seed} --inputs {inputs} --rate {rate} --rounds {rounds}{judged}");
    let mut report = Report::new("hostile", replay);
    let site = Site::start().await?;
    let mut talkers = Talkers::pair(&site.url(), PAIRS).await?;
    talkers.compare(site.p2p.events());
    talkers.talk(&MANNER, seed);

    let pairings = talkers.clients.iter().filter_map(|client| client.pairing());
    let known = Knowledge {
        names: talkers.clients.iter().map(|client| client.id().to_string()).collect(),
        pairings: pairings.map(|pairing| pairing.id.to_string()).collect(),
    };
    let orders = Orders { server: site.address, seed, clients: VILLAINS, rate };
    let priority = if counts_only { Priority::Normal } else { Priority::Low };
    let mut gang = Gang::start(&orders, &known, priority).await?;

    let part = Duration::from_secs_f64(inputs as f64 / rate / f64::from(rounds));
    let mut attacked = Duration::ZERO;
    let (mut quiet, mut loud) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        if !counts_only {
            sleep(SETTLE).await;
            talkers.history.take_latencies();
            sleep(part.min(QUIET)).await;
            quiet.push(talkers.history.take_latencies().value_at_quantile(0.99));
        }

        gang.attack().await?;
        let since = Instant::now();
        sleep(SETTLE).await;
        talkers.history.take_latencies();
        let share = inputs * u64::from(round) / u64::from(rounds);
        reach(&mut gang, share).await?;
        loud.push(talkers.history.take_latencies().value_at_quantile(0.99));
        gang.pause().await?;
        attacked += since.elapsed();
    }

    let deeds = gang.count().await?;
    let gone = gang.end().await;
    let finished = talkers.finish().await;
    let mute = talkers.mute(RECOVERY).await;
    let answered = talkers.history.answered();
    talkers.history.judge(&mut report);
    let left_in_time = talkers.leave().await;
    let left = site.leftovers().await;

    let pace = deeds.inputs as f64 / attacked.as_secs_f64();
    report.note(format!(
        "{VILLAINS} hostile connections, {pace:.0} of {rate} inputs a second together"
    ));
    report.note(format!(
        "{} connections made, {} ended by the server; {answered} calls of {PAIRS} pairs",
        deeds.connections, deeds.ended,
    ));
    report.note(format!("p99 of each round in microseconds: {quiet:?} without, {loud:?} with"));
    let (quiet, loud) = (median(quiet), median(loud));
    if !counts_only {
        report.note(format!(
            "median p99: {quiet} µs without, {loud} µs with hostile inputs, {:.2} times that",
            loud / quiet
        ));
    }
    report.at_least("hostile inputs", deeds.inputs as f64, inputs as f64);
    let most = (!counts_only).then_some(2.0 * quiet);
    report.time("p99 of the pairs in µs, with hostile inputs", loud, most);
    report.at_most("clients that do not answer", mute as f64, 0.0);
    report.at_most("objects left on the server", left as f64, 0.0);
    report.none("what did not end in time", &failures([gone, finished, left_in_time]));
    report.none("panics", &panics::seen());
    Ok(report)
}

/// Waits for so many inputs, for [`PATIENCE`] at most.
async fn reach(gang: &mut Gang, inputs: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while gang.count().await?.inputs < inputs && Instant::now() < deadline {
        looks.tick().await;
    }
    Ok(())
}

fn median(mut values: Vec<u64>) -> f64 {
    values.sort_unstable();
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2] as f64,
        length => f64::midpoint(values[length / 2 - 1] as f64, values[length / 2] as f64),
    }
}
