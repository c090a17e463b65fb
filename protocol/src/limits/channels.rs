//! Raw channels of a direct connection.

use std::time::Duration;

/// Raw channels of a direct connection, the session's own channel included. The partner's next one is closed
/// again.
pub const CHANNELS: usize = 64;

/// Raw channels with those that are on their way to be closed. Beyond it the connection ends: no application opens
/// and drops channels that fast.
pub const CHANNELS_IN_ALL: usize = 4 * CHANNELS;

/// Longest message that a peer takes from its partner on a direct connection, in bytes: what browsers take.
pub const CHANNEL_MESSAGE_BYTES: usize = 256 * 1024;

/// Window of a raw channel, in bytes: the partner may send so much that was not read. It equals what is
/// in flight at most, so that a reader that keeps up slows down no sender.
pub const CHANNEL_WINDOW: usize = 1024 * 1024;

/// Least window of a raw channel, in bytes. A smaller one would cost more messages than it saves memory.
pub const CHANNEL_WINDOW_MIN: usize = 16 * 1024;

/// Cost of a message on a raw channel besides its length, in bytes: about what the queues around it take, so
/// that a flood of short messages is bounded as well.
pub const CHANNEL_OVERHEAD: usize = 128;

/// Unread bytes of a raw channel of a partner that does not count, before it is closed: a page that sends a
/// file without waiting is not read at once.
pub const CHANNEL_UNREAD_BYTES: usize = 8 * 1024 * 1024;

/// Silence after which a channel to a partner that does not count is closed, besides two round trips: messages
/// that were under way have arrived by then.
pub const CHANNEL_QUIET: Duration = Duration::from_millis(20);

/// Time that a partner that counts may take to close a channel that this peer has left. After that, this peer
/// closes it.
pub const CHANNEL_FAREWELL: Duration = Duration::from_secs(5);

/// Bytes of a message in one piece, on a channel that may lose messages: with the headers of the piece and of
/// SCTP it fits into one datagram.
pub const CHANNEL_PIECE_BYTES: usize = 1100;

/// Messages of a channel that are collected from their pieces at once. A further one replaces the oldest, whose
/// missing pieces are lost.
pub const CHANNEL_PARTS: usize = 4;

/// Time for which a message waits to be sent on a channel that may lose messages. After that the rest of it is
/// not sent: what comes late is of no use.
pub const CHANNEL_PATIENCE: Duration = Duration::from_millis(100);

/// Time for which such a message may wait in the transport, besides a round trip, before further ones wait for
/// it. It is long enough for the transport to grow faster.
pub const CHANNEL_QUEUE_TIME: Duration = Duration::from_millis(50);
