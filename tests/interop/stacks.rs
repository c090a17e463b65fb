//! How fast connections with nine stacks open, and whether what a partner sends before it ends arrives: one table.
//!
//! In CI each stack goes through a few openings and ends, of which none may fail. By hand all of them are measured, one
//! after another, as the README of this folder says.

mod last_words;
mod openings;

use std::env;

use socketio_p2p_harness::bench::Environment;

use self::last_words::{Count, Way};
use self::openings::{GOAL, Times};
use crate::interop::partners::Of;
use crate::interop::{Failed, Story};

/// The stacks besides our own. The polyfill comes with simple-peer, as its users have it, and without.
const ALL: [Of; 9] = [
    Of::Aiortc,
    Of::Werift,
    Of::Datachannel,
    Of::SimplePeerOnPolyfill,
    Of::Polyfill,
    Of::Wrtc,
    Of::SimplePeer,
    Of::Chromium,
    Of::Firefox,
];
const HEAD: &str = "\
| stack | it offers | it answers | with itself | p50 | raw | main | connection | main at once | connection at once |
|---|---|---|---|---|---|---|---|---|---|";

/// What was measured of one stack.
struct Row {
    version: String,
    times: Times,
    counts: Vec<Option<Count>>,
}

impl Row {
    async fn measure(of: Of, openings: usize, ends: usize) -> Result<Self, Failed> {
        let mut stack = of.start().await?;
        let version = stack.version().to_owned();
        assert!(!version.is_empty(), "{of:?} says no version");
        let times = Times::measure(of, &mut stack, openings).await?;
        let mut counts = Vec::new();
        for way in Way::ALL {
            counts.push(way.measure(of, &mut stack, ends).await?);
        }
        stack.end().await?;
        Ok(Self { version, times, counts })
    }

    fn lost(&self) -> usize {
        let counts = Way::ALL.iter().zip(&self.counts).filter(|(way, _)| way.is_delivered());
        counts.filter_map(|(_, count)| Some(count.as_ref()?.lost)).sum()
    }

    /// Returns it as a line of the table.
    fn line(&self) -> String {
        let counts =
            self.counts.iter().map(|count| count.map_or("–".into(), |it| it.to_string()));
        let counts = counts.collect::<Vec<_>>().join(" | ");
        format!("| {} | {} | {counts} |", self.version, self.times)
    }
}

/// Prints the table. `OPENINGS` in each role and `ENDS` in each way are 20 and 1,000 if they are not set; `STACKS` names
/// some of all, as [`Of`] does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn the_table_is_printed() -> Story {
    let number = |name, default| {
        env::var(name).ok().and_then(|number| number.parse::<usize>().ok()).unwrap_or(default)
    };
    let (openings, ends) = (number("OPENINGS", 20).max(1), number("ENDS", 1000));
    let some = env::var("STACKS").unwrap_or_default().to_lowercase();
    let is_wanted = |of: &Of| {
        some.is_empty() || some.split(',').any(|it| it == format!("{of:?}").to_lowercase())
    };

    let extent = format!("{openings} openings in each role, {ends} ends in each way: those lost\n");
    println!("{}\n{HEAD}", Environment::here(&["webrtc", "rtc", "rtc-sctp", "rtc-ice"], extent));
    let mut wrong = Vec::new();
    for of in ALL.into_iter().filter(is_wanted) {
        match Row::measure(of, openings, ends).await {
            Ok(row) => {
                println!("{}", row.line());
                if row.lost() > 0 || !row.times.reach_the_goal() {
                    wrong.push(format!("{of:?}"));
                }
            }
            Err(error) => {
                println!("| {of:?} | {error} |");
                wrong.push(format!("{of:?}"));
            }
        }
    }
    let ours = Times::measure_ours(openings).await?;
    println!("| ours | {ours} | | | | | |");
    assert!(wrong.is_empty() && ours.reach_the_goal(), "p50 over {GOAL:?}, or lost: {wrong:?}");
    Ok(())
}

/// A test for each stack.
macro_rules! stacks {
    ($($stack:ident => $of:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $stack() -> Story {
            let row = Row::measure(Of::$of, 2, 6).await?;
            assert_eq!(row.lost(), 0, "{HEAD}\n{}", row.line());
            Ok(())
        }
    )* };
}

stacks! {
    aiortc_opens_and_loses_no_last_word => Aiortc,
    chromium_opens_and_loses_no_last_word => Chromium,
    datachannel_opens_and_loses_no_last_word => Datachannel,
    firefox_opens_and_loses_no_last_word => Firefox,
    polyfill_opens_and_loses_no_last_word => Polyfill,
    simple_peer_opens_and_loses_no_last_word => SimplePeer,
    simple_peer_on_polyfill_opens_and_loses_no_last_word => SimplePeerOnPolyfill,
    werift_opens_and_loses_no_last_word => Werift,
    wrtc_opens_and_loses_no_last_word => Wrtc,
}
