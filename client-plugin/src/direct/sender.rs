//! The state of a channel's sender.

use socketio_p2p_protocol::peer::channel::{Carriage, TimelyWindow, pieces};

use super::message::ChannelMessage;

/// The state of a channel's sender.
#[derive(Default)]
pub(super) struct Sender {
    /// Bytes that may be sent before the channel is asked again what is in flight.
    pub(super) credit: usize,
    /// The number of the next message in pieces.
    number: u32,
    pub(super) window: TimelyWindow,
}

impl Sender {
    /// Notes that a message is handed over.
    pub(super) fn spend(&mut self, len: usize) {
        self.credit = self.credit.saturating_sub(len);
        self.window.handed_over(len, std::time::Instant::now());
    }

    /// Returns what travels instead of a message.
    pub(super) fn parts(
        &mut self,
        carriage: Carriage,
        message: ChannelMessage,
    ) -> Vec<ChannelMessage> {
        if !matches!(carriage, Carriage::Pieces { .. }) {
            return vec![message];
        }
        let number = self.number;
        self.number = number.wrapping_add(1);
        pieces(number, message.kind(), message.as_bytes()).map(ChannelMessage::Binary).collect()
    }
}
