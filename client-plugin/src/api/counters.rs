//! Counters of what a client has ignored.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use socketio_p2p_protocol::client::Complaint;

/// What a client has ignored since it connected, from [`P2pClient::counters`](crate::P2pClient::counters).
/// Each is logged as well. They serialise as an object with these names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Events, frames, signals and codes that this version does not know: the server or the partner may
    /// speak a later version.
    pub unknown: u64,
    /// Messages that cannot be read or that broke a rule, and refusals that no call waited for.
    pub unusable: u64,
}

/// The counters behind [`Counters`].
#[derive(Debug, Default)]
pub(crate) struct ComplaintCounters {
    unknown: AtomicU64,
    unusable: AtomicU64,
}

impl ComplaintCounters {
    pub(crate) fn count(&self, complaint: &Complaint) {
        let counter = if complaint.is_about_unknown() { &self.unknown } else { &self.unusable };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters { unknown: read(&self.unknown), unusable: read(&self.unusable) }
    }
}

#[cfg(test)]
mod tests {
    use socketio_p2p_protocol::{Code, session::Violation};

    use super::*;

    #[test]
    fn what_a_later_version_may_have_sent_is_counted_apart() {
        let counters = ComplaintCounters::default();

        for complaint in [
            Complaint::UnknownEvent,
            Complaint::Partner(Violation::Unknown),
            Complaint::Refused(Code::from("novel").into()),
            Complaint::Partner(Violation::Ack),
            Complaint::Server(Code::BadArgs.into()),
        ] {
            counters.count(&complaint);
        }

        assert_eq!(counters.read(), Counters { unknown: 3, unusable: 2 });
    }
}
