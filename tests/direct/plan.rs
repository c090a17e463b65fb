//! The figures that a run measures, how long and how often.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;
use socketio_p2p_harness::bench::Environment;

use crate::pair::{Contestant, PROJECT};
use crate::part::Setup;
use crate::report::{Report, Samples};
use crate::{bulk, cycles, far, idle, killed, opening, paired, trips};

/// The crates whose versions move the figures.
const CRATES: [&str; 7] =
    ["quinn-udp", "rtc", "rtc-ice", "rtc-sctp", "socketio-p2p-client", "tokio", "webrtc"];

/// One figure, or a few that come together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Figure {
    /// From the start to open, of bare connections.
    Opening,
    /// The same by a TURN server, 20 ms from each end.
    Relayed,
    /// Channels that may lose messages, with 20 ms each way and datagrams lost.
    LossyChannels,
    /// From the registration to the direct path, of clients.
    Paired,
    /// 64 bytes there and back.
    Trips,
    /// Many large messages.
    Bulk,
    /// A partner that is killed.
    Killed,
    /// A direct path over which nothing is sent.
    Idle,
    /// Memory of what is open, and what is left of what was.
    Cycles,
}

/// The figures to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) figures: Vec<Figure>,
    pub(crate) with_node: bool,
    extent: Extent,
}

/// The extent of a run, as its report states it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Extent {
    /// Rounds in which contestants take turns; the median counts.
    pub(crate) rounds: usize,
    /// The number of connections that are opened, and of clients that are paired, to measure the
    /// time.
    pub(crate) openings: usize,
    /// Round trips of a contestant in a round.
    pub(crate) trips: usize,
    /// MiB of a contestant in a round.
    pub(crate) mebibytes: usize,
    /// The number of partners that are killed.
    pub(crate) kills: usize,
    /// The number of times that a path is left idle, and for how long.
    pub(crate) idles: usize,
    pub(crate) idle_time: Duration,
    /// The number of connections that are open at once to measure the memory of one.
    pub(crate) held: usize,
    /// The number of connections that are opened and closed again.
    pub(crate) cycles: usize,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, openings, trips, mebibytes, kills, idles, idle_time, held, cycles } =
            self;
        write!(
            f,
            "{openings} openings; {rounds} rounds of {trips} trips and of {mebibytes} MiB; {kills} \
             killed; {idles} times {idle_time:?} idle; {held} held; {cycles} cycles; loopback, two processes"
        )
    }
}

impl Plan {
    /// Returns the plan with every figure, measured long enough for comparisons.
    pub(crate) fn full() -> Self {
        let extent = Extent {
            rounds: 5,
            openings: 30,
            trips: 3_000,
            mebibytes: 256,
            kills: 5,
            idles: 5,
            idle_time: Duration::from_secs(20),
            held: 50,
            cycles: 500,
        };
        Self { figures: Figure::value_variants().to_vec(), with_node: true, extent }
    }

    /// Returns the plan with every figure, in fewer and shorter rounds.
    pub(crate) fn quick() -> Self {
        let extent = Extent {
            rounds: 1,
            openings: 10,
            trips: 1_000,
            mebibytes: 64,
            kills: 1,
            idles: 1,
            idle_time: Duration::from_secs(8),
            held: 20,
            cycles: 50,
        };
        Self { extent, ..Self::full() }
    }

    /// Measures.
    pub(crate) async fn carry_out(self) -> Result<Report> {
        let mut environment = Environment::here(&CRATES, self.extent.clone());
        let mut notes = Vec::new();
        let setups = [Setup::OneThread, Setup::Threads];
        let mut contestants = setups.map(Contestant::Bare).to_vec();
        if self.with_node {
            match PROJECT.install().await {
                Ok(()) => contestants.push(Contestant::SimplePeer),
                Err(error) => notes.push(format!("left out simple-peer: {error:#}")),
            }
        }
        let clients = setups.map(Contestant::Clients);
        let with_clients: Vec<_> = clients.into_iter().chain(contestants.iter().copied()).collect();
        let mut samples = Samples::default();
        let mut goals = Vec::new();
        for &figure in &self.figures {
            eprintln!("{figure:?}");
            let (extent, into) = (&self.extent, &mut samples);
            let measured = match figure {
                Figure::Opening => opening::measure(&contestants, extent, into).await,
                Figure::Relayed => far::relayed(extent, into).await,
                Figure::LossyChannels => far::channels(extent, into).await,
                Figure::Paired => paired::measure(extent, into).await,
                Figure::Trips => trips::measure(&with_clients, extent, into).await,
                Figure::Bulk => bulk::measure(&contestants, extent, into).await,
                Figure::Killed => killed::measure(extent, into).await,
                Figure::Idle => idle::measure(extent, into).await,
                Figure::Cycles => cycles::measure(extent, into).await,
            };
            goals.extend(measured.with_context(|| format!("{figure:?}"))?);
        }
        environment.measured();
        Ok(Report { environment, goals, figures: samples, notes })
    }
}
