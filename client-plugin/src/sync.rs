//! The primitives of what is shared between threads. `tests/concurrency.rs` compiles the same
//! files with those of shuttle instead, which tries out interleavings.

pub(crate) use std::sync::atomic;
