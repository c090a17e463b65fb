//! Shared parts of the stories.

pub(crate) mod bystanders;
pub(crate) mod cable;
pub(crate) mod clients;
pub(crate) mod panics;
pub(crate) mod poll;
pub(crate) mod server;
pub(crate) mod wire;

// The two ends with which the client's own tests of the direct path begin. They can use neither the
// weather nor a TURN server: the harness depends on the client.
#[path = "../../../client-plugin/tests/direct/pair.rs"]
pub(crate) mod ends;

use std::time::Duration;

/// Far longer than any step here takes on a busy machine: only a story that hangs waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A deadline that no story waits for: longer than [`PATIENCE`].
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// Returns the output of a future that must not hang.
#[track_caller]
pub(crate) fn soon<T>(what: impl IntoFuture<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, what.into_future()).await {
            Ok(value) => value,
            Err(_) => panic!("at {caller}: nothing happened within {PATIENCE:?}"),
        }
    }
}
