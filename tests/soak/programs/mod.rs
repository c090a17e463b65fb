//! The programs, and what they share.

pub(crate) mod faults;
mod history;
mod report;
mod site;
mod talker;

use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) use report::Report;

/// What must not hang comes to, within `patience`.
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
