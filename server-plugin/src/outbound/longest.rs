//! The length from which on a message is refused instead of read.

use socketio_p2p_protocol::{Dialect, relay::Inbound};

/// The longest message that a websocket takes, and the namespace where a longer one is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Longest {
    pub(crate) bytes: usize,
    pub(crate) namespace: Box<str>,
    /// `false` if only what the plugin answers to a connection without an id is refused.
    pub(crate) is_clients: bool,
}

impl Longest {
    /// Returns whether something takes the place of an event of this name.
    pub(super) fn replaces(&self, event: &str) -> bool {
        self.is_clients || Inbound::named(event, Dialect::V1) != Inbound::Unknown
    }
}
