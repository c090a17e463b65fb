//! The measured figures, as a table for people and as JSON for programs.

use std::fmt;

use serde::Serialize;
use socketio_p2p_harness::bench::{Environment, Verdict, median};

use crate::pair::Contestant;
use crate::plan::Extent;

/// All figures, in the order in which they first came.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Samples(Vec<Row>);

/// One figure: what was measured each time.
#[derive(Debug, Serialize)]
struct Row {
    what: String,
    of: String,
    values: Vec<f64>,
}

impl Samples {
    /// Adds a value.
    pub(crate) fn push(&mut self, what: &str, of: Contestant, value: f64) {
        let of = of.to_string();
        match self.0.iter_mut().find(|row| row.what == what && row.of == of) {
            Some(row) => row.values.push(value),
            None => self.0.push(Row { what: what.to_owned(), of, values: vec![value] }),
        }
    }

    /// All values of a figure.
    pub(crate) fn all(&self, what: &str, of: Contestant) -> Option<&[f64]> {
        let of = of.to_string();
        let row = self.0.iter().find(|row| row.what == what && row.of == of)?;
        Some(&row.values)
    }

    /// The middle value of a figure.
    pub(crate) fn median(&self, what: &str, of: Contestant) -> Option<f64> {
        median(self.all(what, of)?.to_vec())
    }

    /// Returns the 99th percentile of a figure.
    pub(crate) fn p99(&self, what: &str, of: Contestant) -> Option<f64> {
        let mut values = self.all(what, of)?.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values.get((values.len() * 99 / 100).min(values.len() - 1)).copied()
    }

    /// The median of the ratios inside each round.
    pub(crate) fn ratio(
        &self,
        (over, of): (&str, Contestant),
        (under, beside): (&str, Contestant),
    ) -> Option<f64> {
        let (over, under) = (self.all(over, of)?, self.all(under, beside)?);
        median(over.iter().zip(under).map(|(over, under)| over / under).collect())
    }
}

/// The results of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) environment: Environment<Extent>,
    /// The omitted measurements, with the reasons.
    pub(crate) notes: Vec<String>,
    pub(crate) goals: Vec<Verdict>,
    pub(crate) figures: Samples,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.environment)?;
        writeln!(f, "\n{:<36}{:<22}{:>10}{:>20}", "Figures", "", "median", "least to most")?;
        for Row { what, of, values } in &self.figures.0 {
            let middle = median(values.clone()).unwrap_or_default();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let range = match values.len() {
                1 => String::new(),
                _ => format!("{least:.1} to {most:.1}"),
            };
            writeln!(f, "{what:<36}{of:<22}{middle:>10.1}{range:>20}")?;
        }
        writeln!(f, "\nGoals (ratios: medians of those inside each round)")?;
        for verdict in &self.goals {
            write!(f, "{verdict}")?;
        }
        for note in &self.notes {
            writeln!(f, "\nnote: {note}")?;
        }
        Ok(())
    }
}
