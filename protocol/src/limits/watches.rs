//! Limits on watches of targets.

use std::time::Duration;

/// Targets that one client watches at once. Each takes some 200 bytes at the server, and a message whenever
/// the target changes.
pub const WATCHES: usize = 64;

/// Clients that watch one target at once. Each change of the target costs a message to each of them.
pub const WATCHERS: usize = 256;

/// Time after a state that was sent in which the watcher is sent no other. A target that changes without
/// end costs each of its watchers one message in this time: with [`WATCHERS`] as many as a busy client sends.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(1);
