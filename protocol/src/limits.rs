//! Every number that a stranger can drive up: its unit, its default and its reason.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest [`ClientId`](crate::ClientId), in bytes: it stands in every log line and list.
pub const CLIENT_ID_BYTES: usize = 128;

/// Longest event name of an emit, in bytes: it is a key of the handlers' table.
pub const EVENT_NAME_BYTES: usize = 128;

/// Longest text that explains a refusal or a failed handler, in bytes. Longer ones are cut.
pub const MESSAGE_BYTES: usize = 1024;

/// Longest text of a code, a reason, a state or a kind that another version of this protocol says,
/// in bytes. Longer ones are cut. The longest that this version knows has 20, and they are copied
/// with every refusal.
pub const LABEL_BYTES: usize = 30;

/// Longest message on a connection, in bytes, to be set on the Socket.IO layer
/// (`ws_max_message_size`, and `max_payload` for polling): enough for the largest frame, and half of
/// what 64 clients that send all but the end of a message may make a server keep.
pub const CONNECTION_MESSAGE_BYTES: usize = 512 * 1024;

/// Longest argument list of one relayed message, in bytes: one pair must not hold up the others.
pub const RELAYED_FRAME_BYTES: usize = 256 * 1024;

/// Longest signal of a WebRTC negotiation, in bytes: an SDP with many candidates is about 10 KiB.
pub const SIGNAL_BYTES: usize = 64 * 1024;

/// Longest payload of a registration, in bytes as JSON: a token and a name, no document.
pub const REGISTER_PAYLOAD_BYTES: usize = 16 * 1024;

/// Deepest nesting of arrays and objects in a message. The usual parsers stop at 128; a client
/// must be able to read what the server lets through.
pub const JSON_DEPTH: usize = 64;

/// Requests that wait beside one target. More is a crowd that no target can answer in time.
pub const INBOX_REQUESTS: usize = 4;

/// Questions of the server that a client remembers until its application answers. A server has at most
/// [`INBOX_REQUESTS`] open: older ones are too late to answer.
pub const QUESTIONS: usize = 4 * INBOX_REQUESTS;

/// How long a registration waits for the target's answer.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server waits for a v1 client to acknowledge that its pairing ended.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the server remembers that a v1 client left without knowing the end of its pairing.
pub const GHOST_TIME: Duration = Duration::from_secs(10 * 60);

/// Of how many v1 clients it remembers that. Beyond it the oldest is forgotten: it then keeps a
/// target that refuses every emit, which it can mend by registering anew.
pub const GHOSTS: usize = 10_000;

/// For how long the pairing of a v2 client outlives its connection: a change of network or a
/// restart of a proxy takes a few seconds, and longer than this nobody waits for an answer.
pub const GRACE: Duration = Duration::from_secs(15);

/// Clients that a server knows at once, those that are away among them: at about 1 KiB each in the
/// broker, far from what fills memory.
pub const CLIENTS: usize = 100_000;

/// Messages a second from one client: a busy session sends a few hundred batches.
pub const MESSAGE_RATE: u32 = 2_000;

/// Messages that a client may send at once, having been silent before: two seconds of that rate,
/// which a network may have held up.
pub const MESSAGE_BURST: u32 = 4_000;

/// Bytes a second from one client: eight windows, more than most networks carry.
pub const BYTE_RATE: u32 = 8 * 1024 * 1024;

/// Bytes that a client may send at once: two seconds of that rate.
pub const BYTE_BURST: u32 = 16 * 1024 * 1024;

/// Over how long requests are counted.
pub const REQUEST_PERIOD: Duration = Duration::from_secs(10);

/// Registrations of one client in [`REQUEST_PERIOD`]: each makes another client decide.
pub const REGISTRATIONS: u32 = 5;

/// Questions of one client for the list of clients in [`REQUEST_PERIOD`]: each answer may be long.
pub const LISTS: u32 = 5;

/// Refused messages after which a client is removed: more than a client sends in the time that
/// the first refusal takes to reach it.
pub const STRIKES: u32 = 1_000;

/// Refused messages that are forgiven each second.
pub const STRIKES_FORGIVEN: u32 = 100;

/// Bytes that may wait in the server for one client before its partner is refused with
/// `congested`: what a window and its acknowledgements need on a slow network.
pub const QUEUE_SOFT_BYTES: usize = 256 * 1024;

/// Bytes that may wait in the server for one client at all. Beyond them it does not read, and is
/// disconnected: what it must know no longer reaches it.
pub const QUEUE_HARD_BYTES: usize = 1024 * 1024;

/// Bytes a second that a client is assumed to take where the server cannot count them: one that
/// polls, or that came over a listener of another kind.
pub const UNMETERED_RATE: usize = 1024 * 1024;

/// How often the server asks, by Engine.IO's ping, whether a client is still there. With
/// [`SERVER_PING_TIMEOUT`] a dead connection is noticed within 10 s, well within [`GRACE`].
pub const SERVER_PING_INTERVAL: Duration = Duration::from_secs(6);

/// How long it waits for the answer.
pub const SERVER_PING_TIMEOUT: Duration = Duration::from_secs(4);

/// Frames a session holds that its partner has not taken yet. The only queue: full, it makes the
/// caller wait.
pub const WINDOW_FRAMES: usize = 256;

/// Bytes of arguments in that window.
pub const WINDOW_BYTES: usize = 1024 * 1024;

/// Longest frame of a session, in bytes; a value whose frame is longer travels in parts, so that
/// others pass between them.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// Parts that are under way at a time. The rest of a value waits at its sender.
pub const PARTS_UNDER_WAY: usize = 16;

/// Longest arguments of one emit or reply, in bytes: a window full.
pub const VALUE_BYTES: usize = 1024 * 1024;

/// Calls of one end that wait for a reply, and handlers that run for the partner.
pub const PENDING_CALLS: usize = 256;

/// Emits of a v1 client that the server holds while its partner's window is full. A v1 client
/// cannot be made to wait; beyond this it is refused.
pub const BACKLOG_EMITS: usize = 4096;

/// Bytes of arguments in that backlog. Several megabytes a client would let a few of them fill the
/// memory: so these two are smaller than [`WINDOW_BYTES`], which a client of ours holds itself.
pub const BACKLOG_BYTES: usize = 128 * 1024;

/// Bytes of arguments in the window that the server keeps for a v1 client.
pub const V1_WINDOW_BYTES: usize = 128 * 1024;

/// How long the server waits for a v1 client's acknowledgement of a relayed event, and how long a
/// v1 client waits for one: its library has no deadline of its own.
pub const V1_CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after a v1 client's full queue an event for it is tried again.
pub const RETRY_DELAY: Duration = Duration::from_millis(10);

/// Frames that one relayed message may carry: what a tick of a busy client collects.
pub const BATCH_FRAMES: usize = 64;

/// When a batch is sent without waiting for more, in bytes of arguments: larger ones gain nothing
/// and hold up control messages behind them.
pub const BATCH_BYTES: usize = 16 * 1024;

/// Frames taken without an acknowledgement of their own, as a share of [`WINDOW_FRAMES`].
pub const ACK_EVERY: u64 = 64;

/// How long the last frame taken may go without acknowledgement. Replies usually carry it sooner.
pub const ACK_DELAY: Duration = Duration::from_millis(25);

/// How long after a refusal for congestion the window is sent again.
pub const RESEND_DELAY: Duration = Duration::from_millis(50);

/// How long that grows, doubling from refusal to refusal until something arrives again: a partner
/// that does not read is no reason to send it the same 1 MiB twenty times a second.
pub const RESEND_DELAY_MAX: Duration = Duration::from_millis(800);

/// How long `emit2` waits for a reply unless told otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long `unregister_target` and `clients` wait for the server unless told otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long `connect` waits for the welcome.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Silence after which a client asks the server whether it is still there.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(4);

/// Silence after which a client gives its connection up.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest SDP, in bytes: that of a data channel with all its candidates is about 8 KiB.
pub const SDP_BYTES: usize = 32 * 1024;

/// Longest ICE candidate, in bytes.
pub const CANDIDATE_BYTES: usize = 1024;

/// Candidates of one end in one attempt at a direct path. A machine with many interfaces has about
/// 20; what comes after these is left out.
pub const CANDIDATES: usize = 64;

/// Signals that the server forwards for one end of a pairing in [`SIGNAL_WINDOW`]: three attempts
/// with all their candidates.
pub const SIGNALS: u32 = 200;

/// The time in which [`SIGNALS`] are counted.
pub const SIGNAL_WINDOW: Duration = Duration::from_secs(10);

/// How long an attempt at a direct path may take until a heartbeat has returned.
pub const DIRECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long after the first failure a direct path is tried again; twice as long after each more.
pub const DIRECT_RETRY_MIN: Duration = Duration::from_secs(1);

/// How long it is at most. It is tried so often as long as the pairing lasts: what was in the way may
/// be gone, and nobody tells.
pub const DIRECT_RETRY_MAX: Duration = Duration::from_secs(60);

/// How often a direct path's heartbeat goes.
pub const BEAT_INTERVAL: Duration = Duration::from_millis(200);

/// Silence after which a direct path is left: a partner that was killed is noticed within a second.
pub const BEAT_TIMEOUT: Duration = Duration::from_millis(900);

/// How much longer it must stay silent until it is tried anew: many a path comes back by itself, and
/// the relay carries meanwhile. ICE takes longer to call a connection failed (the Rust client's: 3.5 s
/// after the last packet).
pub const DIRECT_RESTART_AFTER: Duration = Duration::from_millis(1500);

/// How long after it was left a direct path is not taken again; twice as long each time, until it
/// has carried for [`DIRECT_STEADY`].
pub const DIRECT_HOLD: Duration = Duration::from_secs(2);

/// How long that is at most.
pub const DIRECT_HOLD_MAX: Duration = Duration::from_secs(120);

/// A path that has carried for so long is none that flaps, and one that has lived for so long is
/// tried again at once when it is lost.
pub const DIRECT_STEADY: Duration = Duration::from_secs(30);

/// How long after a refusal a client registers its partner again, of whom it is not parted though
/// the server has forgotten the pairing.
pub const REASSERT_INTERVAL: Duration = Duration::from_secs(2);

/// For how long one path must be measured better than the other before it is taken instead.
pub const COMPARE_TIME: Duration = Duration::from_secs(3);

/// The limits that a server states in its welcome, so that a client can keep them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Limits {
    /// See [`RELAYED_FRAME_BYTES`].
    pub frame_bytes: usize,
    /// See [`SIGNAL_BYTES`].
    pub signal_bytes: usize,
    /// See [`JSON_DEPTH`].
    pub json_depth: usize,
    /// Messages a second; 0 if there is no limit.
    pub message_rate: u32,
    /// Messages at once.
    pub message_burst: u32,
    /// Bytes a second; 0 if there is no limit.
    pub byte_rate: u64,
    /// Bytes at once.
    pub byte_burst: u64,
}

impl Limits {
    /// The same, with these rates a second and these bursts; 0 if there is no limit.
    #[must_use]
    pub const fn with_rates(self, messages: (u32, u32), bytes: (u64, u64)) -> Self {
        let (message_rate, message_burst) = messages;
        let (byte_rate, byte_burst) = bytes;
        Self { message_rate, message_burst, byte_rate, byte_burst, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: RELAYED_FRAME_BYTES,
            signal_bytes: SIGNAL_BYTES,
            json_depth: JSON_DEPTH,
            message_rate: 0,
            message_burst: 0,
            byte_rate: 0,
            byte_burst: 0,
        }
    }
}

/// `text`, cut to at most [`MESSAGE_BYTES`] at the border of a character.
#[must_use]
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES)]
}

/// Raw channels of a direct connection, the session's own channel included. The partner's next one is closed
/// again.
pub const CHANNELS: usize = 64;

/// Raw channels with those that are on their way to be closed. Beyond it the connection ends: nobody opens
/// and drops channels that fast.
pub const CHANNELS_IN_ALL: usize = 4 * CHANNELS;

/// Longest message that an end takes from its partner on a direct connection, in bytes: what browsers take.
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

/// Time that a partner that counts may take to close a channel that this end has left. After that, this end
/// closes it.
pub const CHANNEL_FAREWELL: Duration = Duration::from_secs(5);
