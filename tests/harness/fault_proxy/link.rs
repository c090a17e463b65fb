//! One connection through the proxy: both its directions, and its end.

use std::io;
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, sink};
use tokio::net::{
    TcpStream,
    tcp::{ReadHalf, WriteHalf},
};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::fault::Ways;
use super::weather::{Cut, Weather, wait};

/// Bytes that one read takes.
const PIECE: usize = 16 * 1024;

/// Bytes that are gathered at most.
const GATHERED: usize = 256 * 1024;

/// Parts of a second in which a throttled direction writes.
const STEPS: usize = 50;

/// The time by which a throttled direction may be behind its rate and still catch up: a busy machine wakes a task
/// that late.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The time that one side may take to close after it has seen the other side close.
const FAREWELL: Duration = Duration::from_secs(1);

/// Carries what `near` and `far` say to each other, until both have ended or the weather cuts it.
///
/// # Cancel safety
///
/// Dropped, both ends are closed.
pub(super) async fn carry(
    mut near: TcpStream,
    mut far: TcpStream,
    mut weather: watch::Receiver<Weather>,
    mut random: Rng,
) {
    // Small pieces stay small.
    if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
        return;
    }
    let cut = {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let mut pump = |way, from, to| {
            let (weather, random) = (weather.clone(), random.fork());
            Pump { way, from, to, weather, random, due: Instant::now() }.run()
        };
        let both = futures_util::future::try_join(
            pump(Ways::Up, near_read, far_write),
            pump(Ways::Down, far_read, near_write),
        );
        tokio::select! {
            biased;
            Ok(now) = weather.wait_for(|weather| weather.cut.is_some()) => now.cut,
            ended = both => ended.is_err().then_some(Cut::Reset),
        }
    };
    match cut {
        Some(Cut::Reset) => {
            // If they are gone already, nothing is to be done.
            near.set_zero_linger().ok();
            far.set_zero_linger().ok();
        }
        Some(Cut::Finish) => _ = tokio::join!(finish(near), finish(far)),
        None => {}
    }
}

/// Says that nothing more will come, and waits for the other's end: to close a socket with unread
/// bytes would reset it.
async fn finish(mut socket: TcpStream) {
    socket.shutdown().await.ok();
    timeout(FAREWELL, tokio::io::copy(&mut socket, &mut sink())).await.ok();
}

/// One direction.
struct Pump<'a> {
    way: Ways,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    weather: watch::Receiver<Weather>,
    random: Rng,
    /// The time until which what was written occupies the line, at its rate.
    due: Instant,
}

impl Pump<'_> {
    /// Ends when `from` does; an error is one that both ends have to be told of.
    async fn run(mut self) -> io::Result<()> {
        let result = self.pump().await;
        if !self.is_silent() {
            result?;
            return self.to.shutdown().await;
        }
        // Nobody is told, nobody is read any more, and the sockets stay until the other direction
        // has ended as well.
        tokio::io::copy(&mut self.from, &mut sink()).await.ok();
        Ok(())
    }

    async fn pump(&mut self) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(PIECE);
        while self.read(&mut bytes).await? > 0 {
            let came = Instant::now();
            self.gather(came, &mut bytes).await?;
            wait(&mut self.weather, |weather| weather.held_until(came)).await;
            self.write(&bytes).await?;
            bytes.clear();
        }
        // The end comes after what was said before it.
        let came = Instant::now();
        wait(&mut self.weather, |weather| weather.held_until(came)).await;
        Ok(())
    }

    /// Adds what comes next; 0 is its end. What had to be waited for finds the line free.
    async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        match self.from.try_read_buf(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let read = self.from.read_buf(bytes).await;
                self.due = Instant::now();
                read
            }
            read => read,
        }
    }

    /// Adds what comes while pieces are merged.
    async fn gather(&mut self, came: Instant, bytes: &mut Vec<u8>) -> io::Result<()> {
        let Self { from, weather, .. } = self;
        let mut over = std::pin::pin!(wait(weather, |weather| weather.gathers_until(came)));
        while bytes.len() < GATHERED {
            bytes.reserve(PIECE);
            tokio::select! {
                biased;
                () = &mut over => break,
                read = from.read_buf(bytes) => if read? == 0 {
                    over.await;
                    break;
                },
            }
        }
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            wait(&mut self.weather, Weather::frozen_until).await;
            let (swallows, rate, split) = {
                let now = self.weather.borrow();
                (now.swallows(self.way), now.rate(), now.split())
            };
            if swallows {
                return Ok(());
            }
            let mut most = bytes.len();
            if let Some(rate) = rate {
                most = most.min((rate / STEPS).max(1));
            }
            if let Some(split) = split {
                most = most.min(self.random.usize(1..=split));
            }
            let (piece, rest) = bytes.split_at(most);
            self.to.write_all(piece).await?;
            bytes = rest;
            if let Some(rate) = rate {
                // A step that a busy machine ended late makes the next one shorter.
                let (since, count) = (self.due.max(Instant::now() - CATCH_UP), piece.len());
                let until = |rate| since + Duration::from_secs_f64(count as f64 / rate as f64);
                wait(&mut self.weather, |weather| weather.rate().map(until)).await;
                self.due = until(rate);
            } else {
                self.due = Instant::now();
                if split.is_some() {
                    // So that the receiver has a chance to read it alone.
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(())
    }

    fn is_silent(&self) -> bool {
        self.weather.borrow().swallowed.is_some()
    }
}
