//! The stories with other clients under a name of their own, by which `tests/run` runs them beside all other tests.

#[path = "main.rs"]
mod interop;
