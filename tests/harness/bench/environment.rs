//! The machine and the programs of a run.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::usage;

/// The machine, the build, the time, and how much is measured.
#[derive(Debug, Serialize)]
pub struct Environment<E> {
    date: String,
    cores: usize,
    processor: String,
    kernel: String,
    load_average: String,
    profile: &'static str,
    crates: Vec<String>,
    #[serde(flatten)]
    extent: E,
    /// Cores that other processes kept busy meanwhile. Above a tenth or so the figures suffer.
    cores_of_others: Option<f64>,
    #[serde(skip)]
    since: (Instant, Option<Duration>),
}

/// CPU time of everything but the benchmark.
fn others() -> Option<Duration> {
    usage::machine().ok()?.checked_sub(usage::own().ok()?)
}

impl<E> Environment<E> {
    /// Looks around. `crates` are those whose versions move the figures.
    pub fn here(crates: &[&str], extent: E) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
        Self {
            date: httpdate::fmt_http_date(SystemTime::now()),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            processor: model.unwrap_or_default().trim_start_matches(['\t', ' ', ':']).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease"),
            load_average: read("/proc/loadavg"),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            crates: locked(include_str!("../../../Cargo.lock"), crates),
            extent,
            cores_of_others: None,
            since: (Instant::now(), others()),
        }
    }

    /// Looks around once more: everything is measured, all processes have ended.
    pub fn measured(&mut self) {
        let (since, before) = self.since;
        let busy = others().zip(before).map(|(after, before)| after.saturating_sub(before));
        self.cores_of_others = busy.map(|busy| busy.as_secs_f64() / since.elapsed().as_secs_f64());
    }
}

impl<E: fmt::Display> fmt::Display for Environment<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.date)?;
        let Self { cores, processor, kernel, load_average, .. } = self;
        writeln!(f, "{cores} cores of {processor}, Linux {kernel}, load average {load_average}")?;
        writeln!(f, "{} build: {}", self.profile, self.crates.join(", "))?;
        if let Some(cores) = self.cores_of_others {
            writeln!(f, "other processes kept {cores:.2} cores busy meanwhile")?;
        }
        writeln!(f, "{}", self.extent)
    }
}

/// Names and versions of `crates` in the lock file this was built with.
fn locked(lock: &str, crates: &[&str]) -> Vec<String> {
    let value = |line: &str, key: &str| {
        Some(line.strip_prefix(key)?.trim_matches(['"', ' ', '=']).to_owned())
    };
    let lines: Vec<_> = lock.lines().collect();
    lines
        .array_windows()
        .filter_map(|[name, version]| {
            let name = value(name, "name").filter(|name| crates.contains(&name.as_str()))?;
            Some(format!("{name} {}", value(version, "version")?))
        })
        .collect()
}
