//! The programs, and what they share.

pub(crate) mod churn;
pub(crate) mod faults;
pub(crate) mod flips;
mod history;
pub(crate) mod hostile;
pub(crate) mod memory;
pub(crate) mod remote;
mod report;
mod site;
mod stalls;
pub(crate) mod stock;
mod talker;

use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) use report::Report;

/// Returns the output of a future that must not hang, within `patience`.
async fn within<T>(
    patience: Duration,
    what: &str,
    future: impl IntoFuture<Output = T>,
) -> Result<T> {
    tokio::time::timeout(patience, future)
        .await
        .with_context(|| format!("{what}: not within {patience:?}"))
}

/// A seed that no run had before.
pub(crate) fn fresh_seed() -> u64 {
    fastrand::u64(..1 << 48)
}

/// Returns the errors as text.
fn failures(results: impl IntoIterator<Item = Result<()>>) -> Vec<String> {
    results.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect()
}
