//! Pairs that call each other while their path changes between relay and data channel: nothing is
//! lost, nothing runs twice, order is kept, and on a quiet machine nobody waits for long.
//!
//! A path is left because an end says that its network has changed, or because datagrams are
//! swallowed without notice, both ways or one; it is taken again as soon as there is one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use futures_util::future::join_all;
use socketio_p2p_client::direct::{DirectConfig, UdpWay};
use socketio_p2p_client::{P2pClient, PathConfig};
use socketio_p2p_harness::{UdpWeather, panics};
use socketio_p2p_protocol::limits::DIRECT_HEARTBEAT_TIMEOUT;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::history::History;
use super::site::Site;
use super::stalls::{Change, Stalls};
use super::talker::{Manner, Talkers};
use super::{Report, failures, fresh_seed};

/// The clients' calls: some ten are under way at each change.
const MANNER: Manner = Manner { rate: 60.0, burst: 8, largest: 64 * 1024, pauses: false };

/// The time for which a path carries before it is left, in milliseconds.
const CARRIES: std::ops::Range<u64> = 20..200;

/// The time for which datagrams are swallowed after both ends have left, in milliseconds: those who waited
/// for them come to an end by the relay.
const SWALLOWS: std::ops::Range<u64> = 50..300;

/// The longest time that a change may take: only a run that hangs waits for it.
const PATIENCE: Duration = Duration::from_secs(300);

/// The interval at which a change is looked for: far shorter than what is measured.
const LOOK: Duration = Duration::from_millis(2);

/// The size of a run.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// The seed of the changes and calls [default: a fresh one].
    #[arg(long, default_value_t = fresh_seed(), hide_default_value = true)]
    pub(crate) seed: u64,
    /// Pairs that talk at the same time.
    #[arg(long, default_value_t = 8)]
    pub(crate) pairs: usize,
    /// Changes of a path that both its ends report, at least: from or to the direct one.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) flips: u64,
    /// Milliseconds that the slowest call meanwhile may take, p99; for a cut without notice after
    /// the heartbeat's bound.
    #[arg(long, default_value_t = 250.0)]
    pub(crate) stall: f64,
    /// Judges counts only, and prints times without a goal: for a machine that does other work.
    #[arg(long)]
    pub(crate) counts_only: bool,
}

/// A reason to leave a path.
#[derive(Clone, Copy, Debug)]
enum Why {
    /// This end, 0 or 1, says that its network has changed.
    NetworkChanged(usize),
    /// Datagrams of the first end are swallowed, both ways or this one.
    Swallowed(Option<UdpWay>),
}

/// One pair whose path changes.
struct Pair<'a> {
    number: usize,
    ends: &'a [P2pClient],
    weather: &'a UdpWeather,
    history: &'a History,
    random: Rng,
}

/// Runs until there were enough changes, and judges.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let Settings { seed, pairs, flips, stall, counts_only } = settings;
    let judged = if counts_only { "--counts-only".into() } else { format!("--stall {stall}") };
    let replay = format!("--seed {seed} --pairs {pairs} --flips {flips} {judged}");
    let mut report = Report::new("flips", replay);
    let site = Site::start().await?;
    let mut random = Rng::with_seed(seed);
    let weather: Vec<_> = (0..pairs).map(|_| Arc::new(UdpWeather::new(random.u64(..)))).collect();
    let mut talkers = Talkers::pair_as(&site.url(), pairs, |number, client| {
        // The first end's weather is that of both.
        let mut direct = DirectConfig::default();
        direct.faults = (number % 2 == 0).then(|| Arc::clone(&weather[number / 2]) as _);
        client.paths(quick()).direct(direct)
    })
    .await?;
    talkers.compare(site.p2p.events());
    talkers.talk(&MANNER, seed);

    let done = AtomicU64::new(0);
    let changing = (0..pairs).map(|number| {
        let mut pair = Pair {
            number,
            ends: &talkers.clients[2 * number..2 * number + 2],
            weather: &weather[number],
            history: &talkers.history,
            random: random.fork(),
        };
        let done = &done;
        async move {
            while done.load(Ordering::Relaxed) < flips {
                // Left, and taken again.
                pair.flip().await?;
                done.fetch_add(2, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    let changed = join_all(changing).await;

    let finished = talkers.finish().await;
    let mute = talkers.mute(PATIENCE).await;
    let answered = talkers.history.answered();
    let directly = talkers.history.directly();
    talkers.history.judge(&mut report);
    let of = |kind| talkers.history.stalls(|stalls| stalls.of(kind));
    let [forced, cut, unasked, taken] =
        [Change::Forced, Change::Cut, Change::Unasked, Change::Taken].map(of);
    let all = [forced, cut, unasked, taken].iter().map(|kind| kind.count).sum::<usize>();
    let left_in_time = talkers.leave().await;
    let left = site.leftovers().await;

    report.note(format!("{pairs} pairs; {answered} calls, {directly} of them answered directly"));
    report.note(format!("taken: {taken}"));
    report.note(format!("left because the network changed: {forced}"));
    report.note(format!("left because it was cut without notice: {cut}"));
    report.note(format!("left though nobody made it so: {unasked}"));
    report.at_least("changes of a path", all as f64, flips as f64);
    report.at_least("of those, cuts without notice", cut.count as f64, flips as f64 / 8.0);
    report.at_least("answers by each path", directly.min(answered - directly) as f64, flips as f64);
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let goal = |most| (!counts_only).then_some(most);
    report.time("slowest call as it is taken, p99, ms", millis(taken.p99), goal(stall));
    report.time("… as it is left with notice", millis(forced.p99), goal(stall));
    let most = goal(millis(DIRECT_HEARTBEAT_TIMEOUT) + stall);
    report.time("… as it is cut without notice", millis(cut.p99), most);
    report.at_most("clients that do not answer", mute as f64, 0.0);
    report.at_most("objects left on the server", left as f64, 0.0);
    let mut ended = failures(changed);
    ended.extend(failures([finished, left_in_time]));
    report.none("what did not end in time", &ended);
    report.none("panics", &panics::seen());
    Ok(report)
}

/// A path is taken again at once, though it was left a moment ago, and none of them lasts.
fn quick() -> PathConfig {
    let mut paths = PathConfig::default();
    paths.retry_min = Duration::from_millis(20);
    paths.retry_max = Duration::from_millis(100);
    paths.hold = Duration::ZERO;
    paths
}

impl Pair<'_> {
    /// Leaves the direct path when it has carried for a while, and takes it again.
    async fn flip(&mut self) -> Result<()> {
        self.until("the direct path", Stalls::is_direct).await?;
        sleep(Duration::from_millis(self.random.u64(CARRIES))).await;
        let why = self.why();
        match why {
            Why::NetworkChanged(end) => {
                self.leaves(Change::Forced);
                self.ends[end].network_changed();
            }
            Why::Swallowed(way) => {
                self.leaves(Change::Cut);
                self.swallow(way, true);
            }
        }
        self.until(&why, Stalls::has_left).await?;
        if let Why::Swallowed(way) = why {
            sleep(Duration::from_millis(self.random.u64(SWALLOWS))).await;
            self.swallow(way, false);
        }
        self.until(&why, Stalls::is_direct).await
    }

    fn why(&mut self) -> Why {
        match self.random.u8(..6) {
            end @ (0 | 1) => Why::NetworkChanged(end.into()),
            2 => Why::Swallowed(Some(UdpWay::Leaving)),
            3 => Why::Swallowed(Some(UdpWay::Arriving)),
            _ => Why::Swallowed(None),
        }
    }

    fn swallow(&self, way: Option<UdpWay>, is_open: bool) {
        match way {
            Some(way) => self.weather.swallow(way, is_open),
            None => self.weather.blackhole(is_open),
        }
    }

    fn leaves(&self, change: Change) {
        self.history.stalls(|stalls| stalls.leaves(self.number, change));
    }

    /// Waits until this is so.
    async fn until(
        &self,
        what: &(impl fmt::Debug + ?Sized),
        is_so: impl Fn(&Stalls, usize) -> bool,
    ) -> Result<()> {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let looking = async {
            while !self.history.stalls(|stalls| is_so(stalls, self.number)) {
                looks.tick().await;
            }
        };
        let late = format!("pair {}: {what:?}: not within {PATIENCE:?}", self.number);
        timeout(PATIENCE, looking).await.map_err(|_| anyhow::anyhow!(late))
    }
}
