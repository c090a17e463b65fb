/**
 * Every number that another party can drive up, with its reason in short. `protocol/src/limits.rs` holds the long
 * reasons. Durations and times are whole microseconds.
 */

/** Microseconds of a millisecond. */
export const MS = 1_000;
/** Microseconds of a second. */
export const S = 1_000_000;
const KIB = 1024;
const MIB = 1024 * KIB;

/** Bytes of a client id: it stands in every log line and list. */
export const CLIENT_ID_BYTES = 128;
/** Bytes of the name of an emitted event: a key of the handlers' table. */
export const EVENT_NAME_BYTES = 128;
/** Bytes of a text that explains a refusal; a longer text is cut. */
export const MESSAGE_BYTES = KIB;
/** Bytes of a code, a reason, a state or a kind of another version; a longer text is cut. */
export const LABEL_BYTES = 30;
/** Bytes of the arguments of one relayed message, unless the server states another number. */
export const RELAYED_FRAME_BYTES = 256 * KIB;
/** Bytes of a signal, unless the server states another number. */
export const SIGNAL_BYTES = 64 * KIB;
/** Bytes of the payload of a registration, as JSON: meant for a token and a name. */
export const REGISTER_PAYLOAD_BYTES = 16 * KIB;
/** Levels of arrays and objects in a message: usual parsers stop at 128. */
export const JSON_DEPTH = 64;

/** Questions of the server that wait for the application: a server has four open, older ones are too late. */
export const QUESTIONS = 16;
/** Handlers of a client that run: two full sets of a session, for results that nobody awaits. */
export const HANDLERS = 512;
/** Time that a registration waits for the target's consent, unless the server is set otherwise. */
export const CONSENT_TIME = 10 * S;
/** Longest such time: enough for a person. */
export const CONSENT_TIME_MAX = 600 * S;
/** Time that a registration waits for the verdict beyond the time for consent: the way there and back. */
export const VERDICT_SLACK = 2 * S;
/** Time for which a pairing outlives its connection, by default. */
export const GRACE = 15 * S;
/** Targets that a client watches. */
export const WATCHES = 64;
/** Longest time that a registration waits in line, by default and at most. */
export const LINE_TIME = 600 * S;
export const LINE_TIME_MAX = 3600 * S;

/** Frames in a window, the only queue: when it is full, the caller waits. */
export const WINDOW_FRAMES = 256;
/** Bytes of arguments in that window. */
export const WINDOW_BYTES = MIB;
/** Bytes of arguments in the window to a v1 partner, which the server keeps. */
export const V1_WINDOW_BYTES = 128 * KIB;
/** Bytes of a frame; a value whose frame is longer travels in parts, so that other frames pass between them. */
export const CHUNK_BYTES = 16 * KIB;
/** Parts that are under way at a time. */
export const PARTS_UNDER_WAY = 16;
/** Bytes of the arguments of one emit or reply: a full window. */
export const VALUE_BYTES = MIB;
/** Calls that wait for a reply; handlers that run for the partner's calls, and as many for its other emits. */
export const PENDING_CALLS = 256;
/** Frames in a batch. */
export const BATCH_FRAMES = 64;
/** Bytes of arguments at which a batch is sent: larger ones gain nothing and delay control messages. */
export const BATCH_BYTES = 16 * KIB;
/** Frames that are taken without an acknowledgement of their own, a share of the window. */
export const ACK_EVERY = 64;
/** Longest time for which the last frame taken goes without one. */
export const ACK_DELAY = 25 * MS;
/** Delay after which the window is sent again after a refusal; it doubles up to the second number. */
export const RESEND_DELAY = 50 * MS;
export const RESEND_DELAY_MAX = 800 * MS;

/** Members of a room that a client proposes, by default: ten clients have 45 pairings, and each of them nine. */
export const MESH_MEMBERS = 10;

/** Time that an emit waits for its reply, by default. */
export const CALL_TIMEOUT = 10 * S;
/** Time that a request waits for the server's answer, by default. */
export const REQUEST_TIMEOUT = 5 * S;
/** Wait before a registration is made again, if the application wants that; it doubles up to the second number. */
export const REGISTER_RETRY_MIN = 500 * MS;
export const REGISTER_RETRY_MAX = 4 * S;
/** Time that an attempt to connect takes, the welcome included. */
export const CONNECT_TIMEOUT = 10 * S;
/** Wait before the first attempt to replace a lost connection; it doubles up to the second number. */
export const BACKOFF_MIN = 100 * MS;
export const BACKOFF_MAX = 5 * S;
/** Longest such wait at the end of the grace period: two attempts fall into its last second. */
export const GRACE_WAIT = 400 * MS;
/** Least time of an attempt within the grace period: TLS through a slow network needs more than 1 s. */
export const GRACE_ATTEMPT_TIME = 2 * S;
/** Silence after which a client sends a ping to the server, and after which it gives its connection up. */
export const HEARTBEAT_INTERVAL = 4 * S;
export const HEARTBEAT_TIMEOUT = 10 * S;
/** Time for a sign of life after a hint that the connection may be dead, besides two round trips. */
export const LIFE_TIMEOUT = 600 * MS;
/** Time for which the end of a pairing waits until the partner has confirmed what was emitted. */
export const CONFIRM_TIMEOUT = 1 * S;
/** Shortest and longest duration of a setting: a timer of zero would be due without end, 100 years are never. */
export const SETTING_MIN = MS;
export const SETTING_MAX = 36_500 * 86_400 * S;

/** Bytes of a session description: that of a data channel with all its candidates has about 8 KiB. */
export const SDP_BYTES = 32 * KIB;
/** Bytes of an ICE candidate. */
export const CANDIDATE_BYTES = KIB;
/** Candidates of one end's own addresses in an attempt: a machine with many interfaces has about 20. */
export const CANDIDATES = 64;
/** Candidates of each kind that ICE servers make, besides those: they come last. */
export const SERVER_CANDIDATES = 24;
/** Offers that a partner may make at once; each may cost a connection. */
export const OFFERS = 8;
/** Time that an attempt at a direct path takes until a heartbeat has returned. */
export const DIRECT_TIMEOUT = 10 * S;
/** Delay after the first failure before a direct path is tried again; it doubles up to the second number. */
export const DIRECT_RETRY_MIN = 1 * S;
export const DIRECT_RETRY_MAX = 60 * S;
/** Interval of a direct path's heartbeats while the pairing is used, and the longest while it is not. */
export const DIRECT_HEARTBEAT_INTERVAL = 200 * MS;
export const DIRECT_HEARTBEAT_IDLE = 4 * S;
/** Silence after which a direct path is left, and further silence after which ICE is restarted. */
export const DIRECT_HEARTBEAT_TIMEOUT = 900 * MS;
export const DIRECT_RESTART_AFTER = 1500 * MS;
/** Wait before a path that was left is taken again; it doubles up to the second number. */
export const DIRECT_HOLD = 2 * S;
export const DIRECT_HOLD_MAX = 120 * S;
/** Time after which a path that carried, or was alive, counts as stable. */
export const DIRECT_STEADY = 30 * S;
/** Interval at which an initiator registers its partner again whose pairing the server has forgotten. */
export const REASSERT_INTERVAL = 2 * S;
/** Time for which one path must be measured better than the other. */
export const COMPARE_TIME = 3 * S;

/** Raw channels of a direct connection, and those with the ones that are being closed. */
export const CHANNELS = 64;
export const CHANNELS_IN_ALL = 256;
/** Bytes of a message on a channel: what browsers take. */
export const CHANNEL_MESSAGE_BYTES = 256 * KIB;
/** Unread bytes of a raw channel, the credit of its sender, and the smallest announced window that counts. */
export const CHANNEL_WINDOW = MIB;
export const CHANNEL_WINDOW_MIN = 16 * KIB;
/** Cost of a message beside its length, so that a flood of short messages is bounded as well. */
export const CHANNEL_OVERHEAD = 128;
/** Unread bytes at which a channel without credit is closed. */
export const CHANNEL_UNREAD_BYTES = 8 * MIB;
/** Silence after which such a channel is closed, besides two round trips. */
export const CHANNEL_QUIET = 20 * MS;
/** Time that a partner may take to close a channel that this end has left. */
export const CHANNEL_FAREWELL = 5 * S;
/** Bytes of a piece of a message that may be lost: with its headers it fits into one datagram. */
export const CHANNEL_PIECE_BYTES = 1100;
/** Messages of a channel that are collected from their pieces at once; a further one replaces the oldest. */
export const CHANNEL_PARTS = 4;
/** Time for which a message that may be lost waits to be sent: what comes late is of no use. */
export const CHANNEL_PATIENCE = 100 * MS;
/** Time, besides a round trip, for which the transport may hold such messages before others wait. */
export const CHANNEL_QUEUE_TIME = 50 * MS;

/** The limits that a server states in its welcome. Rates are per second; 0 stands for no limit. */
export interface Limits {
  frameBytes: number;
  signalBytes: number;
  jsonDepth: number;
  messageRate: number;
  messageBurst: number;
  byteRate: number;
  byteBurst: number;
  consentMs: number;
  waitMs: number;
}

/** Returns the limits of a server that states none. */
export const defaultLimits = (): Limits => ({
  frameBytes: RELAYED_FRAME_BYTES,
  signalBytes: SIGNAL_BYTES,
  jsonDepth: JSON_DEPTH,
  messageRate: 0,
  messageBurst: 0,
  byteRate: 0,
  byteBurst: 0,
  consentMs: CONSENT_TIME / MS,
  waitMs: 0,
});

/** Returns the duration of a setting, bounded. */
export const setting = (duration: number): number => Math.min(Math.max(duration, SETTING_MIN), SETTING_MAX);

/** Returns the longest time that a registration waits for consent under these limits. */
export const consentTime = (limits: Limits): number => Math.min(setting(limits.consentMs * MS), CONSENT_TIME_MAX);

/** Returns the longest time that a registration waits in line under these limits; 0 if there are no lines. */
export const lineTime = (limits: Limits): number => Math.min(limits.waitMs * MS, LINE_TIME_MAX);
