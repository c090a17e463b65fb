//! The results of a program, as a table.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

/// Measured figures and their goals.
#[derive(Debug)]
pub(crate) struct Report {
    program: &'static str,
    replay: String,
    since: Instant,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Figure {
    name: String,
    goal: String,
    measured: String,
    met: bool,
}

impl Report {
    /// Of a program that starts now; `replay` are the arguments with which it is started again.
    pub(crate) fn new(program: &'static str, replay: String) -> Self {
        let (since, figures, notes) = (Instant::now(), Vec::new(), Vec::new());
        Self { program, replay, since, figures, notes }
    }

    /// A figure that may be so large.
    pub(crate) fn at_most(&mut self, name: impl Into<String>, measured: f64, goal: f64) {
        self.push(name, format!("<= {}", number(goal)), number(measured), measured <= goal);
    }

    /// Adds a time, which has a goal only if `goal` is given: a busy machine gives turns late.
    pub(crate) fn time(&mut self, name: impl Into<String>, measured: f64, goal: Option<f64>) {
        match goal {
            Some(goal) => self.at_most(name, measured, goal),
            None => self.push(name, "-".into(), number(measured), true),
        }
    }

    /// A figure that must be so large.
    pub(crate) fn at_least(&mut self, name: impl Into<String>, measured: f64, goal: f64) {
        self.push(name, format!(">= {}", number(goal)), number(measured), measured >= goal);
    }

    /// A figure with examples of what is wrong, of which there may be none.
    pub(crate) fn none(&mut self, name: impl Into<String>, wrong: &[String]) {
        const SHOWN: usize = 5;
        let name = name.into();
        for wrong in wrong.iter().take(SHOWN) {
            self.notes.push(format!("{name}: {wrong}"));
        }
        self.push(name, "0".into(), wrong.len().to_string(), wrong.is_empty());
    }

    /// Adds a line of text above the figures.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Returns whether all goals are met.
    pub(crate) fn met(&self) -> bool {
        self.figures.iter().all(|figure| figure.met)
    }

    fn push(&mut self, name: impl Into<String>, goal: String, measured: String, met: bool) {
        self.figures.push(Figure { name: name.into(), goal, measured, met });
    }
}

/// Without digits that mean nothing.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1_000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = Duration::from_secs_f64(self.since.elapsed().as_secs_f64().round());
        writeln!(f, "\nsoak {}: {took:?}, {}", self.program, machine())?;
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        writeln!(f, "{:<44}{:>14}{:>14}", "figure", "goal", "measured")?;
        for Figure { name, goal, measured, met } in &self.figures {
            let missed = if *met { "" } else { "  MISSED" };
            writeln!(f, "{name:<44}{goal:>14}{measured:>14}{missed}")?;
        }
        let profile = if cfg!(debug_assertions) { "" } else { "--release " };
        write!(
            f,
            "again: cargo run {profile}-p socketio-p2p-tests --bin soak -- {} {}",
            self.program, self.replay
        )
    }
}

/// Returns a description of the machine.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.unwrap_or("unknown").trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, Into::into);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{cores} cores of {model}, load average {load}, {build} build")
}
