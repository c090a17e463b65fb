//! The way in which the messages of a raw channel travel.

/// The suffix of the protocol of a channel that may lose messages. The peer that accepts the channel may have
/// no other way to know.
const LOSSY: &str = ";x-lossy";

/// What stands before it if the messages travel in pieces, and if a message that was overtaken is lost as well.
const PIECES: &str = ";x-pieces;x-lossy";
const PIECES_IN_ORDER: &str = ";x-pieces-in-order;x-lossy";

/// The way in which the messages of a raw channel travel. The peer that opens the channel chooses it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carriage {
    /// All of them arrive, by credit if both peers count.
    Reliable,
    /// Some of them are lost. SCTP carries them as they are.
    Lossy,
    /// Those are lost of which a part is lost. SCTP carries their pieces, in any order, and sends none again.
    Pieces {
        /// A message that was overtaken by a later one is lost, too.
        in_order: bool,
    },
}

impl Carriage {
    /// Chooses the carriage of a channel of this peer: in pieces if nothing is sent again, and the partner takes them.
    #[must_use]
    pub const fn chosen(
        is_lossy: bool,
        sends_again: bool,
        in_order: bool,
        partner_takes_pieces: bool,
    ) -> Self {
        match (is_lossy, sends_again, partner_takes_pieces) {
            (false, ..) => Self::Reliable,
            (true, false, true) => Self::Pieces { in_order },
            (true, ..) => Self::Lossy,
        }
    }

    /// Returns the carriage of a channel with this protocol.
    #[must_use]
    pub fn of(protocol: &str) -> Self {
        if protocol.ends_with(PIECES) {
            Self::Pieces { in_order: false }
        } else if protocol.ends_with(PIECES_IN_ORDER) {
            Self::Pieces { in_order: true }
        } else if protocol.ends_with(LOSSY) {
            Self::Lossy
        } else {
            Self::Reliable
        }
    }

    /// Returns the end of the protocol by which a partner that knows this library learns of it.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Reliable => "",
            Self::Lossy => LOSSY,
            Self::Pieces { in_order: false } => PIECES,
            Self::Pieces { in_order: true } => PIECES_IN_ORDER,
        }
    }

    /// Returns true if messages may be lost.
    #[must_use]
    pub const fn is_lossy(self) -> bool {
        !matches!(self, Self::Reliable)
    }
}
