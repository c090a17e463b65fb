//! The primitives that threads share. `tests/concurrency.rs` compiles the same files with shuttle's
//! primitives instead, and explores their interleavings.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
