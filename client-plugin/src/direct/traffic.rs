//! The traffic over the raw channels of a connection, as the session's driver needs to know it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counters of the messages over raw channels.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    /// Set while a caller waits for the next message.
    is_watched: AtomicBool,
    moved: Notify,
}

/// Numbers of messages so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Moved {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Traffic {
    /// Counts a message that came.
    pub(super) fn count_received(&self) {
        self.count(&self.received);
    }

    /// Counts a message that leaves.
    pub(super) fn count_sent(&self) {
        self.count(&self.sent);
    }

    fn count(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::SeqCst);
        if self.is_watched.load(Ordering::SeqCst) && self.is_watched.swap(false, Ordering::SeqCst) {
            self.moved.notify_one();
        }
    }

    /// Returns the numbers of messages so far.
    pub(crate) fn moved(&self) -> Moved {
        Moved {
            received: self.received.load(Ordering::SeqCst),
            sent: self.sent.load(Ordering::SeqCst),
        }
    }

    /// Returns the numbers of messages so far. If they are these, the next message ends [`Self::wait`].
    pub(crate) fn moved_since(&self, known: Moved) -> Moved {
        if self.moved() == known {
            self.is_watched.store(true, Ordering::SeqCst);
        }
        self.moved() // One may have come meanwhile.
    }

    /// Waits for the next message after [`Self::moved_since`]. Cancel safe.
    pub(crate) async fn wait(&self) {
        self.moved.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn only_the_first_message_after_a_look_that_found_none_is_reported() {
        let traffic = Traffic::default();
        traffic.count_sent();
        assert!(traffic.wait().now_or_never().is_none(), "nobody looked");

        let known = traffic.moved_since(Moved::default());
        traffic.count_received();
        assert!(traffic.wait().now_or_never().is_none(), "the look found one");

        let known = traffic.moved_since(known);
        assert_eq!(traffic.moved_since(known), Moved { received: 1, sent: 1 });
        traffic.count_sent();
        traffic.count_sent();
        assert!(traffic.wait().now_or_never().is_some());
        assert!(traffic.wait().now_or_never().is_none());
    }
}
