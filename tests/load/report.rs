//! The measured figures, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use socketio_p2p_harness::bench::{Environment, Verdict, median};

use crate::contestant::Contestant;
use crate::goals;
use crate::plan::Extent;

/// The quantity that a figure counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metric {
    CpuPer100kEmits,
    EmitsPerSecond,
    RoundTripP50,
    RoundTripP99,
    PairingsPerSecond,
    CpuPer100kPairings,
    KibPerClient,
}

impl Metric {
    /// The heading of its table.
    fn title(self) -> &'static str {
        match self {
            Self::CpuPer100kEmits => "Server CPU seconds per 100,000 acknowledged emits",
            Self::EmitsPerSecond => "Acknowledged emits a second (depends on who shares a core)",
            Self::RoundTripP50 => "Acknowledged round trip, p50, microseconds",
            Self::RoundTripP99 => "Acknowledged round trip, p99, microseconds",
            Self::PairingsPerSecond => "Registered and unregistered, a second",
            Self::CpuPer100kPairings => "Server CPU seconds per 100,000 register + unregister",
            Self::KibPerClient => "Server memory an idle client, KiB",
        }
    }

    /// Digits after the point that mean something.
    fn digits(self) -> usize {
        match self {
            Self::CpuPer100kEmits | Self::CpuPer100kPairings => 3,
            Self::KibPerClient => 1,
            _ => 0,
        }
    }
}

/// The identity of a figure: its quantity, row and contestant.
pub(crate) type Key = (Metric, String, Contestant);

/// All figures, in the order they were measured: the nth of a key is that of round n.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    values: BTreeMap<Key, Vec<f64>>,
    /// Rows in the order in which they first came.
    rows: Vec<String>,
    names: u64,
}

impl Samples {
    /// Adds a figure.
    pub(crate) fn push(&mut self, row: &str, contestant: Contestant, metric: Metric, value: f64) {
        if !self.rows.iter().any(|known| known == row) {
            self.rows.push(row.to_owned());
        }
        self.values.entry((metric, row.to_owned(), contestant)).or_default().push(value);
    }

    /// A name that no load had before.
    pub(crate) fn unique_name(&mut self) -> String {
        self.names += 1;
        format!("load{}", self.names)
    }

    /// The median over the rounds.
    pub(crate) fn median(&self, key: &Key) -> Option<f64> {
        median(self.values.get(key)?.clone())
    }

    /// The median of the ratios inside each round.
    pub(crate) fn ratio(&self, over: &Key, under: &Key) -> Option<f64> {
        let (over, under) = (self.values.get(over)?, self.values.get(under)?);
        median(over.iter().zip(under).map(|(over, under)| over / under).collect())
    }

    fn table(&self, metric: Metric) -> Option<String> {
        let columns: Vec<Contestant> = {
            let mut columns: Vec<_> =
                self.values.keys().filter(|key| key.0 == metric).map(|key| key.2).collect();
            columns.sort_unstable();
            columns.dedup();
            columns
        };
        let floor = columns.first()?;
        let mut table = format!("\n{}\n{:<28}", metric.title(), "");
        for column in &columns {
            write!(table, "{column:>18}").ok()?;
        }
        writeln!(table).ok()?;
        for row in &self.rows {
            let key = |contestant| (metric, row.clone(), contestant);
            if columns.iter().all(|&column| self.median(&key(column)).is_none()) {
                continue;
            }
            write!(table, "{row:<28}").ok()?;
            for &column in &columns {
                let Some(value) = self.median(&key(column)) else {
                    write!(table, "{:>18}", "-").ok()?;
                    continue;
                };
                let ratio = match self.ratio(&key(column), &key(*floor)) {
                    Some(ratio) if column != *floor => format!("({ratio:.2}x)"),
                    _ => String::new(),
                };
                write!(table, "{value:>10.*}{ratio:>8}", metric.digits()).ok()?;
            }
            writeln!(table).ok()?;
        }
        Some(table)
    }
}

/// One figure of the JSON file.
#[derive(Debug, Serialize)]
struct Figure {
    metric: Metric,
    row: String,
    contestant: Contestant,
    median: Option<f64>,
    rounds: Vec<f64>,
}

/// The JSON file.
#[derive(Debug, Serialize)]
struct File<'a> {
    environment: &'a Environment<Extent>,
    notes: &'a [String],
    goals: &'a [Verdict],
    figures: Vec<Figure>,
}

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Report {
    /// The machine and the programs of the run.
    pub(crate) environment: Environment<Extent>,
    /// The measured samples.
    pub(crate) samples: Samples,
    /// The omitted measurements, with the reasons.
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// The tables, and the goals with what became of them.
    pub(crate) fn text(&self) -> String {
        let mut text = self.environment.to_string();
        let mut metrics: Vec<_> = self.samples.values.keys().map(|key| key.0).collect();
        metrics.dedup();
        text.extend(metrics.into_iter().filter_map(|metric| self.samples.table(metric)));
        text.push_str("\nGoals (medians of the ratios inside each round)\n");
        for verdict in goals::verdicts(&self.samples) {
            text.push_str(&verdict.to_string());
        }
        for note in &self.notes {
            text.push_str("\nnote: ");
            text.push_str(note);
        }
        text
    }

    /// The same and every single figure, for programs.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        let figure = |((metric, row, contestant), rounds): (&Key, &Vec<f64>)| Figure {
            metric: *metric,
            row: row.clone(),
            contestant: *contestant,
            median: median(rounds.clone()),
            rounds: rounds.clone(),
        };
        serde_json::to_string_pretty(&File {
            environment: &self.environment,
            notes: &self.notes,
            goals: &goals::verdicts(&self.samples),
            figures: self.samples.values.iter().map(figure).collect(),
        })
    }
}
