//! Panics anywhere but in the tests themselves: in the plugin, the client, or the libraries below.
//! Some tasks swallow them, so the hook takes note.

use std::sync::{Mutex, Once, PoisonError};

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on notes each panic, but for those in source files whose path contains `own`: a test's
/// own failed assertions, and handlers that panic on purpose.
pub fn watch(own: &'static str) {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let on_purpose = panic.location().is_some_and(|location| location.file().contains(own));
            if !on_purpose {
                let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
                panics.push(panic.to_string());
            }
            report(panic);
        }));
    });
}

/// Returns the panics that were not expected.
#[must_use]
pub fn seen() -> Vec<String> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
