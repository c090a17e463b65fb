//! Panics anywhere but in the stories themselves: in the plugin, the client, or the libraries
//! below. Some tasks swallow them, so the hook takes note.

use std::sync::{Mutex, Once, PoisonError};

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on notes each panic. A story's own failed assertions, and handlers that panic on
/// purpose, are not counted.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let on_purpose =
                panic.location().is_some_and(|location| location.file().contains("tests/e2e/"));
            if !on_purpose {
                let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
                panics.push(panic.to_string());
            }
            report(panic);
        }));
    });
}

/// Fails if anything panicked that should not.
#[track_caller]
pub(crate) fn assert_none() {
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(panics, Vec::<String>::new(), "panics outside the stories");
}
