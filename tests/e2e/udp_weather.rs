//! A direct path whose datagrams are lost, late, out of order or swallowed. Both ends are in this
//! process, over loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socketio_p2p_client::direct::{
    ChannelMessage, ChannelOptions, DirectConfig, DirectEnd, DirectEvent, Fate, UdpFaults, UdpWay,
};
use socketio_p2p_harness::UdpWeather;
use tokio_util::task::TaskTracker;

use crate::support::{
    LONG,
    ends::{self, End},
    soon,
};

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

type Story = Result<(), Box<dyn std::error::Error>>;

/// Two open ends, each in a weather of its own.
struct Pair {
    a: End,
    b: End,
    weather: [Arc<UdpWeather>; 2],
    config: DirectConfig,
    tasks: TaskTracker,
}

impl Pair {
    async fn open(weather: impl Fn(u64) -> UdpWeather) -> Self {
        Self::open_as(ends::config(), weather).await
    }

    /// A pair in fine weather that reports silence soon, and closes `failed_after` later.
    async fn watchful(failed_after: Duration) -> Self {
        let mut config = ends::watchful_config();
        config.failed_after = failed_after;
        Self::open_as(config, UdpWeather::new).await
    }

    async fn open_as(config: DirectConfig, weather: impl Fn(u64) -> UdpWeather) -> Self {
        let weather = [1, 2].map(|seed| Arc::new(weather(seed)));
        let tasks = TaskTracker::new();
        let [mut here, mut there] = [config.clone(), config.clone()];
        here.faults = Some(Arc::clone(&weather[0]) as _);
        there.faults = Some(Arc::clone(&weather[1]) as _);
        let (mut a, _) = ends::apart(&here, &tasks);
        let (_, mut b) = ends::apart(&there, &tasks);
        ends::connect(&mut a, &mut b).await;
        Self { a, b, weather, config, tasks }
    }

    fn blackhole(&self, is_open: bool) {
        self.weather[0].blackhole(is_open);
    }

    /// Closes both; nothing of them may be left.
    async fn close(self) {
        self.a.connection.close().await;
        self.b.connection.close().await;
        self.tasks.close();
        soon(self.tasks.wait()).await;
    }
}

fn numbered(number: u32) -> ChannelMessage {
    let mut bytes = vec![0; 1_000];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_complete_and_in_order_though_datagrams_are_lost_and_overtake() -> Story {
    const COUNT: u32 = 1_000;
    let stormy = |seed| UdpWeather::new(seed).loss(0.02).reorder(0.05, MILLIS(3));
    let mut pair = Pair::open(stormy).await;

    let (sender, mut reader) = (pair.a.connection.clone(), pair.b);
    let sending = async move {
        for number in 0..COUNT {
            sender.send(numbered(number)).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    let reading = async {
        for number in 0..COUNT {
            assert_eq!(reader.message().await, numbered(number));
        }
    };
    tokio::join!(sending, reading).0?;

    let counts = pair.weather[0].counts();
    assert!(counts.lost > 0 && counts.delayed > 0, "{counts:?}");
    pair.b = reader;
    pair.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_shows_in_the_round_trip() -> Story {
    let mut pair = Pair::open(|seed| UdpWeather::new(seed).delay(MILLIS(30)..MILLIS(40))).await;

    let started = Instant::now();
    pair.a.connection.send("there").await?;
    pair.b.message().await;
    pair.b.connection.send("and back").await?;
    pair.a.message().await;
    let trip = started.elapsed();

    assert!(trip >= MILLIS(60), "{trip:?}");
    let measured = async {
        loop {
            match pair.a.connection.round_trip() {
                Some(round_trip) => break round_trip,
                None => tokio::time::sleep(MILLIS(20)).await,
            }
        }
    };
    let measured = soon(measured).await;
    assert!(measured >= MILLIS(60), "{measured:?}");
    pair.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blackhole_is_noticed_and_then_ends_the_connection() -> Story {
    let mut pair = Pair::watchful(DirectConfig::default().failed_after).await;

    let started = Instant::now();
    pair.blackhole(true);

    for end in [&mut pair.a, &mut pair.b] {
        let event = end.event().await;
        assert!(matches!(event, DirectEvent::Silent), "{event:?}");
    }
    for end in [&mut pair.a, &mut pair.b] {
        let event = end.event().await;
        assert!(matches!(event, DirectEvent::Closed(DirectEnd::Silent)), "{event:?}");
    }
    assert!(started.elapsed() > pair.config.failed_after, "{:?}", started.elapsed());
    pair.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_short_blackhole_it_goes_on_and_nothing_is_lost() -> Story {
    let mut pair = Pair::watchful(LONG).await;

    pair.blackhole(true);
    for number in 0..20 {
        pair.a.connection.send(numbered(number)).await?;
        pair.b.connection.send(numbered(number)).await?;
    }
    for end in [&mut pair.a, &mut pair.b] {
        let event = end.event().await;
        assert!(matches!(event, DirectEvent::Silent), "{event:?}");
    }
    pair.blackhole(false);

    for end in [&mut pair.a, &mut pair.b] {
        let (mut is_heard, mut next) = (false, 0);
        while !is_heard || next < 20 {
            match end.event().await {
                DirectEvent::Heard => is_heard = true,
                DirectEvent::Message(message) => {
                    assert_eq!(message, numbered(next));
                    next += 1;
                }
                event => panic!("{event:?}"),
            }
        }
    }
    assert!(pair.weather[0].counts().swallowed > 0);
    pair.close().await;
    Ok(())
}

/// Loses the first datagram of this length that leaves, from the time at which it is told to.
#[derive(Debug, Default)]
struct LosesOne {
    is_told: AtomicBool,
    lost: AtomicUsize,
}

/// Length of a request of SCTP to reset one stream: headers of the packet and of the chunk (16 bytes), the request (18, and 2
/// to fill up), and DTLS around it (37). No other message of the story has it.
const RESET: usize = 16 + 20 + 37;

impl UdpFaults for LosesOne {
    fn fate(&self, way: UdpWay, len: usize) -> Fate {
        if way == UdpWay::Leaving && len == RESET && self.is_told.swap(false, Ordering::Relaxed) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Fate::Drop;
        }
        Fate::Pass
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_opens_though_the_partners_answer_to_the_closing_of_another_was_lost() -> Story {
    let loses = Arc::new(LosesOne::default());
    let (tasks, here, mut there) = (TaskTracker::new(), ends::config(), ends::config());
    there.faults = Some(Arc::clone(&loses) as _);
    let (mut a, _) = ends::apart(&here, &tasks);
    let (_, mut b) = ends::apart(&there, &tasks);
    ends::connect(&mut a, &mut b).await;

    let first = a.connection.open("first", ChannelOptions::unreliable(0)).await?;
    let _first = b.channel().await;
    loses.is_told.store(true, Ordering::Relaxed);
    first.close().await;
    let lost = async {
        while loses.lost.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(MILLIS(5)).await;
        }
    };
    soon(lost).await;

    for label in ["second", "third"] {
        let channel = a.connection.open(label, ChannelOptions::unreliable(0)).await?;
        let there = b.channel().await;
        assert_eq!(there.label(), label);
        channel.send("hello").await?;
        assert_eq!(soon(there.recv()).await, Some("hello".into()));
    }
    Ok(())
}
