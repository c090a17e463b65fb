//! Openings on a long way, 20 ms each way: channels that may lose messages while datagrams are lost, and connections
//! through a TURN server. Both ends are in this process, as the weather is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socketio_p2p_client::direct::{
    ChannelOptions, DirectConfig, DirectConnection, DirectEvent, DirectEvents, IceServer, Signal,
    Step,
};
use socketio_p2p_harness::bench::Verdict;
use socketio_p2p_harness::{TurnServer, UdpWeather};
use tokio::runtime::Builder;
use tokio_util::task::TaskTracker;

use crate::pair::Contestant;
use crate::part::Setup;
use crate::plan::Extent;
use crate::report::Samples;

/// The time that a datagram takes, to the partner or to the TURN server.
const WAY: Duration = Duration::from_millis(20);
const HERE: Contestant = Contestant::Bare(Setup::Threads);

/// Opens channels one after the other on one connection, without loss and with it.
pub(crate) async fn channels(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for percent in [0, 5] {
        let what = format!("lossy channel, {percent} % lost, ms");
        let openings = extent.openings;
        let times = on_threads(open_channels(openings, f64::from(percent) / 100.0)).await?;
        times.iter().for_each(|ms| into.push(&what, HERE, *ms));
        verdicts.push(Verdict::beside(format!("{what}, p50"), into.median(&what, HERE)));
        verdicts.push(Verdict::beside(format!("{what}, p99"), into.p99(&what, HERE)));
        let not_opened = format!("lossy channel, {percent} % lost, not opened");
        let failed = (openings - times.len()) as f64;
        verdicts.push(Verdict::at_most(not_opened, Some(failed), 0.0));
    }
    Ok(verdicts)
}

/// Opens connections, one after the other, whose ends know each other's address at a TURN server only: beside them, and
/// on the long way.
pub(crate) async fn relayed(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for way in [Duration::ZERO, WAY] {
        let what = format!("start to open by TURN, {way:?} away, ms");
        let times = on_threads(open_relayed(extent.openings, way)).await?;
        times.iter().for_each(|ms| into.push(&what, HERE, *ms));
        verdicts.push(Verdict::at_most(format!("{what}, p50"), into.median(&what, HERE), 500.0));
        verdicts.push(Verdict::beside(format!("{what}, p99"), into.p99(&what, HERE)));
        let not_opened = format!("by TURN, {way:?} away, not opened");
        let failed = (extent.openings - times.len()) as f64;
        verdicts.push(Verdict::at_most(not_opened, Some(failed), 0.0));
    }
    Ok(verdicts)
}

/// Carries out a measurement on threads of its own, as an application has them.
async fn on_threads<T: Send + 'static>(
    measurement: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let measured = runtime.spawn(measurement).await;
    runtime.shutdown_background();
    measured?
}

/// Returns the times of the channels that opened, in milliseconds.
async fn open_channels(openings: usize, loss: f64) -> Result<Vec<f64>> {
    let weather = |seed| with_weather(Vec::new(), UdpWeather::new(seed).loss(loss).delay(WAY..WAY));
    let tasks = TaskTracker::new();
    let [(a, _events), (b, events)] = connect([1, 2].map(weather), |_| true, &tasks).await?;
    tasks.spawn(read(events, tasks.clone()));
    let mut times = Vec::new();
    for number in 0..openings {
        let began = Instant::now();
        match a.open(number.to_string(), ChannelOptions::unreliable(0)).await {
            Ok(channel) => {
                times.push(milliseconds(began));
                channel.close().await;
            }
            Err(error) => eprintln!("channel {number} at a loss of {loss}: {error}"),
        }
    }
    tokio::join!(a.close(), b.close());
    Ok(times)
}

/// Returns the times of the connections, in milliseconds.
async fn open_relayed(openings: usize, way: Duration) -> Result<Vec<f64>> {
    let server = TurnServer::start().await?;
    let is_of_relay = |signal: &Signal| match &signal.step {
        Step::Candidate(candidate) => candidate.as_str().contains(" typ relay"),
        _ => true,
    };
    let mut times = Vec::new();
    for seed in 0..openings as u64 {
        let fog = |end| {
            let fog = UdpWeather::new(2 * seed + end).delay(way..way);
            // The TURN server has none: what comes from it is late here.
            with_weather(vec![server.ice_server()], fog.both_ways())
        };
        let tasks = TaskTracker::new();
        let began = Instant::now();
        match connect([0, 1].map(fog), is_of_relay, &tasks).await {
            Ok([(a, _a), (b, _b)]) => {
                times.push(milliseconds(began));
                tokio::join!(a.close(), b.close());
            }
            Err(error) => eprintln!("connection {seed} by TURN: {error}"),
        }
    }
    server.close().await?;
    Ok(times)
}

fn with_weather(servers: Vec<IceServer>, weather: UdpWeather) -> Result<DirectConfig> {
    let mut config = DirectConfig::default();
    config.bind = vec!["127.0.0.1:0".parse()?];
    config.mdns = false;
    config.ice_servers = servers;
    config.faults = Some(Arc::new(weather) as _);
    Ok(config)
}

/// Carries those signals between two ends that pass, until both are open.
async fn connect(
    [here, there]: [Result<DirectConfig>; 2],
    passes: impl Fn(&Signal) -> bool,
    tasks: &TaskTracker,
) -> Result<[(DirectConnection, DirectEvents); 2]> {
    let mut a = DirectConnection::offer(here?, tasks);
    let mut b = DirectConnection::answer(there?, tasks);
    let (mut a_is_open, mut b_is_open) = (false, false);
    while !a_is_open || !b_is_open {
        let (event, is_open, partner) = tokio::select! {
            event = a.1.recv() => (event, &mut a_is_open, &b.0),
            event = b.1.recv() => (event, &mut b_is_open, &a.0),
        };
        match event {
            Some(DirectEvent::Signal(signal)) if passes(&signal) => partner.signal(signal)?,
            Some(DirectEvent::Open) => *is_open = true,
            Some(DirectEvent::Closed(end)) => bail!("not connected: {end}"),
            Some(_) => {}
            None => bail!("not connected"),
        }
    }
    Ok([a, b])
}

/// Reads the channels that the partner opens until it closes them.
async fn read(mut events: DirectEvents, tasks: TaskTracker) {
    while let Some(event) = events.recv().await {
        if let DirectEvent::Channel(channel) = event {
            tasks.spawn(async move { while channel.recv().await.is_some() {} });
        }
    }
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}
