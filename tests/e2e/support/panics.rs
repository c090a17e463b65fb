//! Panics anywhere but in the stories themselves.

use socketio_p2p_harness::panics;

/// From now on notes each panic. A story's own failed assertions, and handlers that panic on
/// purpose, are not counted.
pub(crate) fn watch() {
    panics::watch("tests/e2e/");
}

/// Fails if anything panicked that should not.
#[track_caller]
pub(crate) fn assert_none() {
    assert_eq!(panics::seen(), Vec::<String>::new(), "panics outside the stories");
}
