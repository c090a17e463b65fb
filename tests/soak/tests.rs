//! The soak programs under a name of their own, by which `tests/run` runs them beside all other tests.

#[path = "ci.rs"]
mod soak;
