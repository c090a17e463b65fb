//! The two ends of a pair: the source that emits in a closed loop, and the target that answers.
//!
//! Both ends of every pair live in the benchmark's own process, on one thread, so that the driver
//! costs little and the other cores are the server's.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::link::{self, Link};
use crate::load::{Load, Progress};
use crate::wire::{Dialect, Packets};

/// The number of clients that connect at a time. More would overflow a listener's backlog.
const CONNECTING: usize = 64;

/// So many pairs with so many unanswered emits each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shape {
    /// Pairs that talk at the same time.
    pub(crate) pairs: usize,
    /// Emits of one pair that wait for their answer at the same time.
    pub(crate) in_flight: usize,
    /// `true` if an end gathers its messages into one write. Socket.IO clients do not.
    pub(crate) gathered: bool,
}

impl Shape {
    /// Each message in a write of its own.
    pub(crate) const fn new(pairs: usize, in_flight: usize) -> Self {
        Self { pairs, in_flight, gathered: false }
    }

    /// Many messages in one write.
    pub(crate) const fn gathered(self) -> Self {
        Self { gathered: true, ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pairs, in_flight, gathered } = self;
        let plural = if *pairs == 1 { "" } else { "s" };
        write!(f, "{pairs} pair{plural} x {in_flight}")?;
        if *gathered { write!(f, ", gathered") } else { Ok(()) }
    }
}

/// Two connected ends that may talk.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) source: Link,
    pub(crate) target: Link,
    pub(crate) target_id: String,
    pub(crate) packets: Packets,
}

impl Pair {
    /// Connects both ends under names that begin with `name`, and pairs them.
    pub(crate) async fn connect(dialect: Dialect, server: SocketAddr, name: &str) -> Result<Self> {
        let (source_id, target_id) = (format!("{name}-source"), format!("{name}-target"));
        let mut source = Link::connect(dialect, server, &source_id, name).await?;
        let mut target = Link::connect(dialect, server, &target_id, name).await?;
        let pairing = link::register(dialect, &mut source, &mut target, &target_id, 1).await?;
        let packets = dialect.packets(&pairing, &target_id);
        Ok(Self { source, target, target_id, packets })
    }
}

/// Connects `count` pairs.
pub(crate) async fn connect_pairs(
    dialect: Dialect,
    server: SocketAddr,
    name: &str,
    count: usize,
) -> Result<Vec<Pair>> {
    let connect = |index: usize| {
        let name = format!("{name}-{index}");
        async move { Pair::connect(dialect, server, &name).await }
    };
    gather(count, connect).await
}

/// Runs `count` futures of `make`, a few at a time, and collects what they give.
pub(crate) async fn gather<F, T>(count: usize, make: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let mut running = JoinSet::new();
    let mut done = Vec::with_capacity(count);
    for index in 0..count {
        if running.len() == CONNECTING {
            done.push(running.join_next().await.context("nothing runs")???);
        }
        running.spawn(make(index));
    }
    while let Some(result) = running.join_next().await {
        done.push(result??);
    }
    Ok(done)
}

/// A load in which every pair keeps so many emits unanswered.
pub(crate) fn talk(pairs: Vec<Pair>, shape: Shape) -> Result<Load> {
    let mut load = Load::new()?;
    for Pair { source, target, packets, .. } in pairs {
        load.helpers.spawn(answer(target, packets.clone(), shape.gathered));
        load.workers.spawn(ask(source, packets, shape, Arc::clone(&load.progress)));
    }
    Ok(load)
}

/// The source: keeps emits in flight until it is told to stop, and then waits for the answers.
pub(crate) async fn ask(
    mut link: Link,
    packets: Packets,
    shape: Shape,
    progress: Arc<Progress>,
) -> Result<()> {
    let (mut sent, mut answered) = (0, 0);
    let mut sent_at = VecDeque::with_capacity(shape.in_flight);
    loop {
        while sent_at.len() < shape.in_flight && !progress.stopped() {
            sent += 1;
            sent_at.push_back(Instant::now());
            say(&mut link, packets.emit(sent, answered), shape.gathered).await?;
        }
        let Some(since) = sent_at.pop_front() else {
            return Ok(());
        };
        let text = link.receive().await?;
        ensure!(packets.is_answer(&text), "the source got {text}");
        answered += 1;
        progress.answered(since);
    }
}

/// The target: answers every emit at once.
pub(crate) async fn answer(mut link: Link, packets: Packets, gathered: bool) -> Result<()> {
    for n in 1.. {
        let text = link.receive().await?;
        let answer = packets.answer(n, &text).with_context(|| format!("the target got {text}"))?;
        say(&mut link, answer, gathered).await?;
    }
    Ok(())
}

async fn say(link: &mut Link, text: Utf8Bytes, gathered: bool) -> Result<()> {
    if gathered { link.feed(text).await } else { link.send(text).await }
}

/// A load in which every pair is formed and ended, again and again.
pub(crate) fn pair_and_part(pairs: Vec<Pair>, dialect: Dialect) -> Result<Load> {
    let mut load = Load::new()?;
    for mut pair in pairs {
        let progress = Arc::clone(&load.progress);
        load.workers.spawn(async move {
            let Pair { source, target, target_id, .. } = &mut pair;
            link::unregister(dialect, source, target, 2).await?;
            for req in (3..).step_by(2) {
                if progress.stopped() {
                    break;
                }
                let since = Instant::now();
                link::register(dialect, source, target, target_id, req).await?;
                link::unregister(dialect, source, target, req + 1).await?;
                progress.answered(since);
            }
            Ok(())
        });
    }
    Ok(load)
}

/// Connected clients that say nothing but answer pings. Dropping them disconnects them.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    tasks: JoinSet<()>,
}

impl Idle {
    /// Leaves `links` to themselves.
    pub(crate) fn keep(&mut self, links: impl IntoIterator<Item = Link>) {
        for mut link in links {
            self.tasks.spawn(async move { while link.receive().await.is_ok() {} });
        }
    }

    /// Leaves both ends of each pair to themselves.
    pub(crate) fn keep_pairs(&mut self, pairs: impl IntoIterator<Item = Pair>) {
        self.keep(pairs.into_iter().flat_map(|pair| [pair.source, pair.target]));
    }

    /// Fails if any of them was disconnected.
    pub(crate) fn check(&mut self) -> Result<()> {
        ensure!(self.tasks.try_join_next().is_none(), "an idle client was disconnected");
        Ok(())
    }
}
