//! Goals, and what became of them.

use std::fmt;

use serde::Serialize;

/// A goal, and what was measured.
#[derive(Debug, Serialize)]
pub struct Verdict {
    goal: String,
    measured: Option<f64>,
    at_most: Option<f64>,
    at_least: Option<f64>,
    met: Option<bool>,
}

impl Verdict {
    /// The less, the better.
    #[must_use]
    pub fn at_most(goal: impl Into<String>, measured: Option<f64>, bound: f64) -> Self {
        let met = measured.map(|measured| measured <= bound);
        Self { goal: goal.into(), measured, at_most: Some(bound), at_least: None, met }
    }

    /// No goal, but good to know beside one.
    #[must_use]
    pub fn beside(what: impl Into<String>, measured: Option<f64>) -> Self {
        Self { goal: what.into(), measured, at_most: None, at_least: None, met: None }
    }

    /// The more, the better.
    #[must_use]
    pub fn at_least(goal: impl Into<String>, measured: Option<f64>, bound: f64) -> Self {
        let met = measured.map(|measured| measured >= bound);
        Self { goal: goal.into(), measured, at_most: None, at_least: Some(bound), met }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { goal, measured, at_most, at_least, met } = self;
        let measured = match measured {
            None => "-".to_owned(),
            Some(count) if *count > 1000.0 => format!("{count:.0}"),
            Some(ratio) => format!("{ratio:.2}"),
        };
        let bound = match (at_most, at_least) {
            (Some(bound), _) => format!("<= {bound:.2}"),
            (_, Some(bound)) => format!(">= {bound}"),
            _ => String::new(),
        };
        let met = match met {
            None if at_most.or(*at_least).is_none() => "for comparison",
            None => "not measured",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        writeln!(f, "{goal:<58}{measured:>10}  {bound:<10}  {met}")
    }
}

/// The middle one of `values`, or the mean of the middle two.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
