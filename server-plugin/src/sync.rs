//! Synchronisation primitives of the files that threads share. `tests/concurrency.rs` compiles the
//! same files with the primitives of shuttle, which tries out interleavings.

pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic,
};
