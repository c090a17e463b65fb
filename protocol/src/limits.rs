//! Every number that another party can drive up: its unit, its default and its reason.

mod backlog;
mod channels;
mod ice;
mod lines;
mod queues;
mod rooms;
mod stated;
mod watches;

use std::time::Duration;

pub use self::{
    backlog::{
        BACKLOG_BYTES, BACKLOG_BYTES_MAX, BACKLOG_EMIT_BYTES, BACKLOG_EMITS_MAX,
        BACKLOG_OWING_BYTES, HELD_REQUESTS, V1_LEAVE_TIME,
    },
    channels::{
        CHANNEL_FAREWELL, CHANNEL_MESSAGE_BYTES, CHANNEL_OVERHEAD, CHANNEL_PARTS, CHANNEL_PATIENCE,
        CHANNEL_PIECE_BYTES, CHANNEL_QUEUE_TIME, CHANNEL_QUIET, CHANNEL_UNREAD_BYTES,
        CHANNEL_WINDOW, CHANNEL_WINDOW_MIN, CHANNELS, CHANNELS_IN_ALL,
    },
    ice::{CANDIDATE_PAIRS, HOST_CANDIDATES, ICE_URLS, SERVER_CANDIDATES},
    lines::{LINE_INTERVAL, LINE_LENGTH, LINE_TIME, LINE_TIME_MAX, RESERVED_TIME},
    queues::{QUEUE_HARD_BYTES, QUEUE_SOFT_BYTES, UNMETERED_RATE, UNSENT_BYTES, V1_QUEUE_BYTES},
    rooms::{JOINS, MESH_MEMBERS, ROOM_MEMBERS, ROOMS, ROOMS_OF_CLIENT},
    stated::Limits,
    watches::{WATCH_INTERVAL, WATCHERS, WATCHES},
};

/// Longest [`ClientId`](crate::ClientId), in bytes. It stands in every log line and list.
pub const CLIENT_ID_BYTES: usize = 128;

/// Longest event name of an emit, in bytes. It is a key of the handlers' table.
pub const EVENT_NAME_BYTES: usize = 128;

/// Longest text that explains a refusal or a failed handler, in bytes. A longer text is cut.
pub const MESSAGE_BYTES: usize = 1024;

/// Longest text of a code, a reason, a state or a kind of another version, in bytes. A longer text is
/// cut. The longest that this version knows has 20 bytes, and such a text is copied with every refusal.
pub const LABEL_BYTES: usize = 30;

/// Longest message on a connection, in bytes, to be set on the Socket.IO layer
/// (`ws_max_message_size`, and `max_payload` for polling). It is enough for the largest frame, and half
/// of what 64 clients that send all but the end of a message may make a server keep.
pub const CONNECTION_MESSAGE_BYTES: usize = 512 * 1024;

/// Longest argument list of one relayed message, in bytes. One pair must not delay the others.
pub const RELAYED_FRAME_BYTES: usize = 256 * 1024;

/// Longest signal of a WebRTC negotiation, in bytes. An SDP with many candidates has about 10 KiB.
pub const SIGNAL_BYTES: usize = 64 * 1024;

/// Longest payload of a registration, in bytes as JSON. It is meant for a token and a name.
pub const REGISTER_PAYLOAD_BYTES: usize = 16 * 1024;

/// Deepest nesting of arrays and objects in a message. Usual parsers stop at 128 levels, and a client
/// must be able to read every message that the server relays.
pub const JSON_DEPTH: usize = 64;

/// Requests that wait beside one target. No target can answer more of them in time.
pub const INBOX_REQUESTS: usize = 4;

/// Questions of the server that a client remembers until its application answers. A server has at most
/// [`INBOX_REQUESTS`] open: older ones are too late to answer.
pub const QUESTIONS: usize = 4 * INBOX_REQUESTS;

/// Questions to one v1 client whose acknowledgements the server awaits. One that answers by event never sends them, and
/// is asked again and again: the oldest is awaited no longer. A client answers a question in seconds, or not at all.
pub const V1_QUESTIONS: usize = 64;

/// Handlers of a client that run at once. A session has at most [`PENDING_CALLS`] whose results are awaited,
/// and as many for emits without a reply; the others belong to earlier pairings or to callers that gave up.
pub const HANDLERS: usize = 2 * PENDING_CALLS;

/// Packets that wait in the server for one client: the window of a session, and other messages that come
/// at once. Without a byte counter below it, it is the only bound.
pub const QUEUE_PACKETS: usize = 1024;

/// Bytes of a message over [`CONNECTION_MESSAGE_BYTES`] that the server leaves out, so that only the message
/// is refused. A longer one ends the connection: it would keep the server busy for nothing.
pub const SKIPPED_BYTES: u64 = 16 * 1024 * 1024;

/// Attachments of one message. The server holds them until the last one came.
pub const ATTACHMENTS: usize = 256;

/// Attachments of an event or an acknowledgement for a v1 client. The parser of socket.io-client 4.8.4
/// (socket.io-parser 4.2.7) takes no more and ends its connection with "parse error".
pub const V1_ATTACHMENTS: usize = 10;

/// Longest time that a registration waits for the target's consent, unless the server is set otherwise:
/// enough for a program.
pub const CONSENT_TIME: Duration = Duration::from_secs(10);

/// Longest time for consent that a server can be set to: enough for a person. A target that does not
/// answer has no place for the requests of others meanwhile.
pub const CONSENT_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// Longest time that an agreement waits for its grant. Both clients are held meanwhile.
pub const GRANT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a client waits for the verdict about a registration, beyond the time for consent: for the
/// way to the server and back.
pub const VERDICT_SLACK: Duration = Duration::from_secs(2);

/// Time beyond the consent time in which a v1 client may still answer by an event, which does not name the
/// question. The next question waits for it, or the late answer would be taken for one to that. A
/// connection that delays it for longer counts as dead.
pub const LATE_ANSWER_TIME: Duration = Duration::from_secs(20);

/// Number of times that a v1 client's registration may be sent while it waits. A stock client with a
/// timeout of 1 s may repeat it for a minute.
pub const REPETITIONS: usize = 64;

/// Longest time that the server waits for a v1 client to acknowledge the end of its pairing.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for which the server remembers that a v1 client left without knowing the end of its pairing.
pub const DEPARTED_V1_TIME: Duration = Duration::from_secs(10 * 60);

/// Time in which a v1 client must keep the connection on which it was informed that it has no pairing. If that
/// connection ends sooner, the message may be lost, and the client is informed again: a dead connection is
/// noticed within 18 s.
pub const TOLD_TIME: Duration = Duration::from_secs(60);

/// Number of v1 clients of which the server remembers that. Beyond it the oldest is forgotten: that
/// client keeps a target that refuses every emit until it registers anew.
pub const DEPARTED_V1: usize = 10_000;

/// Time for which the pairing of a v2 client outlives its connection. A change of network or a restart
/// of a proxy takes a few seconds, and callers do not wait longer than this.
pub const GRACE: Duration = Duration::from_secs(15);

/// Longest time that a newcomer waits for the holder of its id to leave, before it is refused with
/// `duplicate-id`. A page that is reloaded, or mounts twice, connects before its last connection is gone.
pub const ID_WAIT: Duration = Duration::from_secs(1);

/// Pause between two pings of a holder from which the server does not read: within [`ID_WAIT`], a round trip passes
/// between two of them.
pub const ID_ASK_AGAIN: Duration = Duration::from_millis(200);

/// Pause between two looks at the holder.
pub const ID_WAIT_STEP: Duration = Duration::from_millis(20);

/// Clients that a server knows at once, those that are away included. Each takes about 1 KiB in the
/// broker, so this many are far from filling the memory.
pub const CLIENTS: usize = 100_000;

/// Messages per second from one connection. A busy session sends a few hundred batches.
pub const MESSAGE_RATE: u32 = 2_000;

/// Messages that a client may send at once after a silence: two seconds of that rate, which a network
/// may have delayed.
pub const MESSAGE_BURST: u32 = 4_000;

/// Bytes per second from one connection: eight windows, more than most networks carry.
pub const BYTE_RATE: u32 = 8 * 1024 * 1024;

/// Bytes that a client may send at once: two seconds of that rate.
pub const BYTE_BURST: u32 = 16 * 1024 * 1024;

/// Time over which requests are counted.
pub const REQUEST_PERIOD: Duration = Duration::from_secs(10);

/// Registrations of one connection in [`REQUEST_PERIOD`]. Each makes another client decide.
pub const REGISTRATIONS: u32 = 5;

/// Requests of one connection for the list of clients in [`REQUEST_PERIOD`]. Each answer may be long.
pub const LISTS: u32 = 5;

/// Clients that all lists of one server name in a second, and at once. A list is made while the
/// server decides nothing else, and this takes it about 3 % of a second.
pub const LISTED_CLIENTS: u32 = 1_000_000;

/// Refused messages after which a client is removed: more than a client sends before the first refusal
/// reaches it.
pub const STRIKES: u32 = 1_000;

/// Refused messages that are forgiven each second.
pub const STRIKES_FORGIVEN: u32 = 100;

/// Interval of the server's Engine.IO pings, and of those of a client of Engine.IO 3. With [`SILENCE`] a dead client
/// is detected within 18 s.
pub const SERVER_PING_INTERVAL: Duration = Duration::from_secs(6);

/// Longest time that the server waits for the answer to its ping, and a client beyond the interval for the
/// next ping. A ping waits behind what is on its way, in the server, in proxies and in the network: so a client has 45 s in
/// all, as with socket.io. 1 MiB takes 35 s at 30 kB/s.
pub const SERVER_PING_TIMEOUT: Duration = Duration::from_secs(39);

/// Longest silence of a websocket to which something was sent, and of a polling client whose poll has its response.
/// A page that is busy for 9 s keeps its pairing.
pub const SILENCE: Duration = Duration::from_secs(10);

/// Slowest network that is waited for, in bytes a second: what was sent at this rate may take its time.
pub const SLOWEST_RATE: u64 = 25_000;

/// Frames that a session holds and its partner has not taken yet. It is the only queue: when it is full,
/// the caller waits.
pub const WINDOW_FRAMES: usize = 256;

/// Bytes of arguments in that window.
pub const WINDOW_BYTES: usize = 1024 * 1024;

/// Longest frame of a session, in bytes. A value whose frame is longer travels in parts, so that other
/// frames pass between them.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// Parts that are under way at a time. The rest of a value waits at its sender.
pub const PARTS_UNDER_WAY: usize = 16;

/// Longest arguments of one emit or reply, in bytes: a full window.
pub const VALUE_BYTES: usize = 1024 * 1024;

/// Calls of one peer that wait for a reply. Handlers that run for the partner's calls as long as their
/// callers wait, and as many for its other emits: unanswered calls do not hold those up.
pub const PENDING_CALLS: usize = 256;

/// Bytes of arguments in the window that the server keeps for a v1 client.
pub const V1_WINDOW_BYTES: usize = 128 * 1024;

/// Longest time that the server waits for a v1 client's acknowledgement of a relayed event, and that a
/// v1 client waits for one: its library has no deadline of its own.
pub const V1_CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Delay after which an event for a v1 client with a full queue is tried again.
pub const RETRY_DELAY: Duration = Duration::from_millis(10);

/// Frames that one relayed message may carry: those of one turn of a busy client.
pub const BATCH_FRAMES: usize = 64;

/// Bytes of arguments at which a batch is sent without waiting for more. Larger batches gain nothing and
/// delay the control messages behind them.
pub const BATCH_BYTES: usize = 16 * 1024;

/// Frames that are taken without an acknowledgement of their own, a share of [`WINDOW_FRAMES`].
pub const ACK_EVERY: u64 = 64;

/// Longest time for which the last frame taken goes without an acknowledgement. A reply usually carries
/// it sooner.
pub const ACK_DELAY: Duration = Duration::from_millis(25);

/// Delay after which the window is sent again when a frame was refused for congestion.
pub const RESEND_DELAY: Duration = Duration::from_millis(50);

/// Longest such delay. It doubles from refusal to refusal until a frame arrives again: a partner that
/// does not read is not sent the same 1 MiB twenty times a second.
pub const RESEND_DELAY_MAX: Duration = Duration::from_millis(800);

/// Default time that `emit2` waits for a reply.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Default time that `unregister_target` and `clients` wait for the server.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Wait before a registration is made again after a refusal that may pass, if the application wants that.
pub const REGISTER_RETRY_MIN: Duration = Duration::from_millis(500);

/// Longest such wait: with these waits a client makes no more than [`REGISTRATIONS`] in [`REQUEST_PERIOD`].
pub const REGISTER_RETRY_MAX: Duration = Duration::from_secs(4);

/// Longest time that an attempt to connect takes, the welcome included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Wait before the first attempt to replace a lost connection. Most losses are short, and a server that restarts
/// needs a moment.
pub const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// Longest wait between attempts, without its random part. A server that is back is found in time, and a large
/// number of clients does not overload it.
pub const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Longest wait at the end of the grace period: at least two attempts fall into its last second.
pub const GRACE_WAIT: Duration = Duration::from_millis(400);

/// Least time that an attempt to connect has within the grace period. TLS through a slow network needs more than
/// 1 s.
pub const GRACE_ATTEMPT_TIME: Duration = Duration::from_secs(2);

/// Silence after which a client sends a heartbeat to the server.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(4);

/// Silence after which a client gives up its connection.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that the server has for a sign of life after a hint that the connection may be dead, besides two round
/// trips. A changed network costs this time and that of a new connection, together less than 1 s. A server that needs
/// longer once costs a connection, and no pairing.
pub const LIFE_TIMEOUT: Duration = Duration::from_millis(600);

/// Longest time for which the end of a pairing waits until the partner has confirmed what was
/// emitted: several round trips, and short enough for an application that is about to exit.
pub const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);

/// Shortest duration of a setting. A shorter one counts as this, zero too: a timer of zero would be
/// due without end.
pub const SETTING_MIN: Duration = Duration::from_millis(1);

/// Longest duration of a setting. A longer one counts as this, [`Duration::MAX`] too: it is as good as
/// never, and it can be added to any instant.
pub const SETTING_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Returns the duration of a setting, from [`SETTING_MIN`] to [`SETTING_MAX`]. This is the rule for
/// every duration that an application may set.
#[must_use]
pub fn setting(duration: Duration) -> Duration {
    duration.clamp(SETTING_MIN, SETTING_MAX)
}

/// Longest SDP, in bytes. That of a data channel with all its candidates has about 8 KiB.
pub const SDP_BYTES: usize = 32 * 1024;

/// Longest ICE candidate, in bytes.
pub const CANDIDATE_BYTES: usize = 1024;

/// Candidates of one peer's own addresses in one attempt at a direct path. A machine with many interfaces has about 20;
/// of more addresses the best are taken. Those that ICE servers make have places of their own, [`SERVER_CANDIDATES`].
pub const CANDIDATES: usize = 64;

/// Offers that a partner may make at once; after that one in each `retry_min`. Each may cost a
/// connection.
pub const OFFERS: u32 = 8;

/// Signals that the server forwards for one client of a pairing in [`SIGNAL_WINDOW`]: three attempts with
/// all their candidates.
pub const SIGNALS: u32 = 200;

/// Time over which [`SIGNALS`] are counted.
pub const SIGNAL_WINDOW: Duration = Duration::from_secs(10);

/// Longest time that an attempt at a direct path takes until a heartbeat has returned.
pub const DIRECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay after the first failure before a direct path is tried again. It doubles with each further
/// failure.
pub const DIRECT_RETRY_MIN: Duration = Duration::from_secs(1);

/// Longest such delay. A direct path is tried this often as long as the pairing lasts: an obstacle may
/// disappear without notice.
pub const DIRECT_RETRY_MAX: Duration = Duration::from_secs(60);

/// Interval of a direct path's heartbeats while the pairing is in use.
pub const DIRECT_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(200);

/// Longest interval of a direct path's heartbeats. It grows while nothing is sent or received, so that an
/// idle path costs little. A NAT forgets a flow after 15 s to 25 s: three heartbeats fall into that.
pub const DIRECT_HEARTBEAT_IDLE: Duration = Duration::from_secs(4);

/// Silence after which a direct path is left. A partner that was killed is detected within a second of the
/// next use.
pub const DIRECT_HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(900);

/// Further silence after which a direct path is made anew. Many paths come back by themselves, and the
/// relay carries meanwhile. ICE takes longer to declare a connection failed (that of the Rust client:
/// half a minute).
pub const DIRECT_RESTART_AFTER: Duration = Duration::from_millis(1500);

/// Time after leaving a direct path during which it is not taken again. It doubles each time, until the
/// path has carried for [`DIRECT_STEADY`].
pub const DIRECT_HOLD: Duration = Duration::from_secs(2);

/// Longest such time.
pub const DIRECT_HOLD_MAX: Duration = Duration::from_secs(120);

/// Time after which a path that carries does not count as flapping, and a path that was alive is tried
/// again at once when it is lost.
pub const DIRECT_STEADY: Duration = Duration::from_secs(30);

/// Interval at which an initiator registers its partner again after a refusal, if the server has forgotten
/// the pairing and the direct path stands.
pub const REASSERT_INTERVAL: Duration = Duration::from_secs(2);

/// Time for which one path must be measured better than the other before it is taken instead.
pub const COMPARE_TIME: Duration = Duration::from_secs(3);

/// Returns `text`, cut to at most [`MESSAGE_BYTES`] at the border of a character.
#[must_use]
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES)]
}
