//! Log lines whose failure has no other effect.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls the application's subscriber of log lines. If it panics, the line is lost and nothing else.
///
/// The subscriber of tracing-subscriber (0.3.23) does so if neither its writer nor stderr can be written: on a
/// full disk, or with a log pipe without a reader. In the middle of a step, a pairing would be left half made.
pub(crate) fn logged(log: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(log)).ok();
}
