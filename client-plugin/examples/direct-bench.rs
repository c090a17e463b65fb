//! Measures a direct connection between two processes on this machine:
//!
//! ```text
//! cargo run --release -p socketio-p2p-client --example direct-bench [-- OPTIONS]
//! ```
//!
//! How long opening takes, a round trip of 64 bytes against raw UDP, and bulk over a raw channel.
//! Options: `--one-thread`, a runtime of one thread; `--own-thread`, that setting of a connection; an
//! address to bind, loopback by default.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socketio_p2p_client::direct::{
    ChannelMessage, ChannelOptions, DirectConfig, DirectConnection, DirectEvent, DirectEvents,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio_util::task::TaskTracker;

const OPENINGS: usize = 30;
const ROUND_TRIPS: usize = 5_000;
const BULK: usize = 512 << 20;
const CHUNK: usize = 16 << 10;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut is_set = |option: &str| {
        let found = arguments.iter().position(|argument| argument == option);
        found.map(|index| arguments.remove(index)).is_some()
    };
    let how = How { one_thread: is_set("--one-thread"), own_thread: is_set("--own-thread") };
    let mut runtime = if how.one_thread {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime.enable_all().build()?;
    // As a task, like the client's own: the thread that waits for it is not one of the runtime's.
    let task = async move {
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["--answer", address] => answer(address, how).await,
            ["--udp", address] => udp(address).await,
            [address] => measure(address, how).await,
            _ => measure("127.0.0.1:0", how).await,
        }
    };
    let tasks = TaskTracker::new();
    runtime.block_on(async { tasks.spawn(task).await })?
}

/// Where the work is done.
#[derive(Clone, Copy)]
struct How {
    one_thread: bool,
    own_thread: bool,
}

impl How {
    fn arguments(self) -> impl Iterator<Item = &'static str> {
        let options = [(self.one_thread, "--one-thread"), (self.own_thread, "--own-thread")];
        options.into_iter().filter(|option| option.0).map(|option| option.1)
    }

    fn config(self, address: &str) -> Result<DirectConfig, std::net::AddrParseError> {
        let mut config = DirectConfig::default();
        config.bind = vec![address.parse()?];
        config.mdns = false;
        config.own_thread = self.own_thread;
        Ok(config)
    }
}

/// The measuring end.
async fn measure(address: &str, how: How) -> Outcome {
    println!("raw UDP, 64 B round trip    {}", times(udp_round_trips(how).await?));
    let mut child = Command::new(std::env::current_exe()?)
        .args(how.arguments())
        .args(["--answer", address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no stdin")?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();

    let tasks = TaskTracker::new();
    let mut openings = Vec::new();
    let (connection, mut events) = loop {
        let started = Instant::now();
        let (connection, mut events) = DirectConnection::offer(how.config(address)?, &tasks);
        loop {
            tokio::select! {
                event = events.recv() => match event.ok_or("no more events")? {
                    DirectEvent::Signal(signal) => {
                        input.write_all(format!("{signal}\n").as_bytes()).await?;
                    }
                    DirectEvent::Open => break,
                    event => return Err(format!("{event:?}").into()),
                },
                line = output.next_line() => {
                    let line = line?.ok_or("the partner ended")?;
                    // One for an earlier connection may be late.
                    connection.signal(&serde_json::from_str(&line)?).ok();
                }
            }
        }
        openings.push(started.elapsed());
        if openings.len() == OPENINGS {
            break (connection, events);
        }
        connection.close().await;
    };
    println!("start to open               {}", times(openings));
    println!("main channel, 64 B trip     {}", times(trips(&connection, &mut events).await?));

    let channel = connection.open("bulk", ChannelOptions::default()).await?;
    let started = Instant::now();
    let cpu = cpu_seconds();
    let chunk = bytes::Bytes::from(vec![7; CHUNK]);
    for _ in 0..BULK / CHUNK {
        channel.send(chunk.clone()).await?;
    }
    channel.delivered().await?;
    let took = started.elapsed().as_secs_f64();
    println!(
        "raw channel, 16 KiB, bulk   {:.0} MB/s, {:.1} s of CPU a GB on the sending end",
        BULK as f64 / 1e6 / took,
        (cpu_seconds() - cpu) / (BULK as f64 / 1e9),
    );
    println!("memory of the sending end   {} KiB resident", resident_kib());
    connection.close().await;
    Ok(())
}

/// The other end: one connection after the other, each as its offer comes.
async fn answer(address: &str, how: How) -> Outcome {
    let tasks = TaskTracker::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut current: Option<DirectConnection> = None;
    while let Some(line) = lines.next_line().await? {
        let signal: Value = serde_json::from_str(&line)?;
        if signal["type"] == json!("offer") {
            let (connection, events) = DirectConnection::answer(how.config(address)?, &tasks);
            tasks.spawn(echo(connection.clone(), events, tasks.clone()));
            current = Some(connection);
        }
        if let Some(connection) = &current {
            connection.signal(&signal).ok();
        }
    }
    Ok(())
}

async fn echo(connection: DirectConnection, mut events: DirectEvents, tasks: TaskTracker) {
    while let Some(event) = events.recv().await {
        match event {
            DirectEvent::Signal(signal) => println!("{signal}"),
            DirectEvent::Message(message) => {
                connection.send(message).await.ok();
            }
            DirectEvent::Channel(channel) => {
                tasks.spawn(async move { while channel.recv().await.is_some() {} });
            }
            _ => {}
        }
    }
}

async fn trips(
    connection: &DirectConnection,
    events: &mut DirectEvents,
) -> Result<Vec<Duration>, Box<dyn std::error::Error + Send + Sync>> {
    let message = ChannelMessage::from(vec![1; 64]);
    let mut trips = Vec::with_capacity(ROUND_TRIPS);
    while trips.len() < ROUND_TRIPS {
        let started = Instant::now();
        connection.send(message.clone()).await?;
        loop {
            match events.recv().await.ok_or("no more events")? {
                DirectEvent::Message(_) => break,
                DirectEvent::Closed(end) => return Err(end.into()),
                _ => {}
            }
        }
        trips.push(started.elapsed());
    }
    Ok(trips)
}

/// The floor: the same between two bare sockets of two processes.
async fn udp_round_trips(
    how: How,
) -> Result<Vec<Duration>, Box<dyn std::error::Error + Send + Sync>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(how.arguments())
        .args(["--udp", &socket.local_addr()?.to_string()])
        .kill_on_drop(true)
        .spawn()?;
    let mut buffer = [0; 64];
    let (_, partner) = socket.recv_from(&mut buffer).await?;
    socket.connect(partner).await?;
    let mut trips = Vec::with_capacity(ROUND_TRIPS);
    while trips.len() < ROUND_TRIPS {
        let started = Instant::now();
        socket.send(&buffer).await?;
        socket.recv(&mut buffer).await?;
        trips.push(started.elapsed());
    }
    child.kill().await?;
    Ok(trips)
}

/// The other end of the floor: it says hello, then sends everything back.
async fn udp(address: &str) -> Outcome {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(address).await?;
    let mut buffer = [0; 64];
    loop {
        socket.send(&buffer).await?;
        socket.recv(&mut buffer).await?;
    }
}

fn times(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    format!("p50 {:.1?}, p99 {:.1?}", at(50), at(99))
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse().ok()).unwrap_or(0.0);
    (ticks(12) + ticks(13)) / 100.0
}

fn resident_kib() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4
}
