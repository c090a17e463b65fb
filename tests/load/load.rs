//! A load while it runs: what its tasks share, and when it is looked at.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::link::PATIENCE;

/// The longest round trip the histogram tells apart, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// The duration of a load: first unmeasured, then measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The unmeasured beginning.
    pub(crate) warm_up: Duration,
    /// The measured rest.
    pub(crate) measured: Duration,
}

/// The results of a load while it was measured.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Requests whose answer came back.
    pub(crate) answered: u64,
    /// The time this took.
    pub(crate) elapsed: Duration,
    /// Nanoseconds from a request to its answer.
    round_trips: Histogram<u32>,
}

impl Outcome {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// The round trip that the share `quantile` does not exceed, in microseconds.
    pub(crate) fn round_trip(&self, quantile: f64) -> f64 {
        self.round_trips.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// Seconds of `cpu` for 100,000 answers.
    pub(crate) fn per_100k(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 100_000.0 / self.answered as f64
    }
}

/// The state that the tasks of a load share.
#[derive(Debug)]
pub(crate) struct Progress {
    answered: AtomicU64,
    stopped: AtomicBool,
    round_trips: Mutex<Histogram<u32>>,
}

impl Progress {
    /// Counts one answer to a request made at `since`.
    pub(crate) fn answered(&self, since: Instant) {
        self.answered.fetch_add(1, Relaxed);
        let nanos = since.elapsed().as_nanos().try_into().unwrap_or(LONGEST);
        self.round_trips().saturating_record(nanos);
    }

    /// Returns whether no more requests are to be made.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    fn round_trips(&self) -> MutexGuard<'_, Histogram<u32>> {
        self.round_trips.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tasks of a load.
#[derive(Debug)]
pub(crate) struct Load {
    /// The state that the tasks share.
    pub(crate) progress: Arc<Progress>,
    /// Those that make requests: they end, with all answers, once the load is stopped.
    pub(crate) workers: JoinSet<Result<()>>,
    /// Those that answer: they go on until they are dropped.
    pub(crate) helpers: JoinSet<Result<()>>,
}

impl Load {
    /// No tasks yet.
    pub(crate) fn new() -> Result<Self> {
        let round_trips = Histogram::new_with_bounds(1, LONGEST, 3)?;
        let progress = Progress {
            answered: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            round_trips: Mutex::new(round_trips),
        };
        Ok(Self { progress: Arc::new(progress), workers: JoinSet::new(), helpers: JoinSet::new() })
    }

    /// Lets the tasks run for `span`; `sample` is asked at both ends of the measured time.
    ///
    /// # Errors
    ///
    /// If a task fails, or if a request is left without an answer.
    pub(crate) async fn run<S>(
        mut self,
        span: Span,
        sample: impl Fn() -> Result<S>,
    ) -> Result<(Outcome, S, S)> {
        self.undisturbed(span.warm_up).await?;
        self.progress.round_trips().reset();
        let before = (self.progress.answered.load(Relaxed), Instant::now(), sample()?);
        self.undisturbed(span.measured).await?;
        let after = (self.progress.answered.load(Relaxed), Instant::now(), sample()?);
        let round_trips = self.progress.round_trips().clone();

        self.progress.stopped.store(true, Relaxed);
        let finish = async {
            while let Some(worker) = self.workers.join_next().await {
                worker??;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, finish).await.context("requests were left unanswered")??;
        let outcome =
            Outcome { answered: after.0 - before.0, elapsed: after.1 - before.1, round_trips };
        ensure!(outcome.answered > 0, "no answer in {:?}", outcome.elapsed);
        Ok((outcome, before.2, after.2))
    }

    /// Waits for `time`, or for the first task that fails.
    async fn undisturbed(&mut self, time: Duration) -> Result<()> {
        let ended = tokio::select! {
            () = sleep(time) => return Ok(()),
            Some(ended) = self.workers.join_next() => ended,
            Some(ended) = self.helpers.join_next() => ended,
        };
        ended??;
        bail!("a task ended before its time")
    }
}
