/** The inputs and outputs of a client. */

import type { EndReason, Outcome, Path, Refusal } from "../error.js";
import type { ClientId, PairingId, ResumeToken } from "../id.js";
import { BACKOFF_MAX, BACKOFF_MIN, CONNECT_TIMEOUT, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, setting } from "../limits.js";
import type { Args } from "../args.js";
import type { Complaint } from "../peer/interface.js";
import type { LinkCommand, LinkEvent, LinkId } from "../peer/link.js";
import { pathConfig, type PathConfig } from "../peer/path/config.js";
import type { CallId, Delivery, EmitOptions } from "../peer/session/interface.js";
import type { RoomParts } from "../room-parts.js";
import type { Frame } from "../wire/frame.js";
import type { ClientMessage } from "../wire/control/client.js";
import type { ServerMessage } from "../wire/control/server.js";
import type { ClientEntry, PairingInfo, Presence, RoomState, TargetState, Welcome } from "../wire/control/welcome.js";
import type { Signal, SignalError } from "../wire/signal.js";

/** The settings of a client. A duration counts as 1 ms at least and 100 years at most. */
export interface ClientConfig {
  /** The time that each attempt to connect may take, the welcome included. 10 s by default. */
  connectTimeout: number;
  /** The wait before the first attempt to replace a lost connection. 100 ms by default. */
  backoffMin: number;
  /** The longest wait, without its random part. 5 s by default. */
  backoffMax: number;
  /** The time within which the first attempt is begun again after a failure that may pass. */
  retryFirst: number | undefined;
  /** The silence after which the client pings the server. 4 s by default. */
  heartbeatInterval: number;
  /** The silence after which the client gives the connection up. 10 s by default. */
  heartbeatTimeout: number;
  /** True if a lost connection is replaced by another. True by default. */
  resumes: boolean;
  /** The paths that are used, and how the direct one is looked after. */
  direct: PathConfig;
  /** What a client with rooms needs, if it has any. */
  rooms: RoomParts | undefined;
  /** Returns a random number from 0 to 1, so that the clients of a server do not all come back at once. */
  random: () => number;
}

/** Returns the settings with these values, and the defaults for others. Each duration is bounded. */
export function clientConfig(given: Partial<ClientConfig> = {}): ClientConfig {
  const { retryFirst } = given;
  return {
    connectTimeout: setting(given.connectTimeout ?? CONNECT_TIMEOUT),
    backoffMin: setting(given.backoffMin ?? BACKOFF_MIN),
    backoffMax: setting(given.backoffMax ?? BACKOFF_MAX),
    retryFirst: retryFirst === undefined ? undefined : setting(retryFirst),
    heartbeatInterval: setting(given.heartbeatInterval ?? HEARTBEAT_INTERVAL),
    heartbeatTimeout: setting(given.heartbeatTimeout ?? HEARTBEAT_TIMEOUT),
    resumes: given.resumes ?? true,
    direct: given.direct ?? pathConfig(),
    rooms: given.rooms,
    random: given.random ?? Math.random,
  };
}

/** The number of a question to the application. */
export type QuestionId = number;

/** The pairing of a handler, and the number of its delivery. */
export type HandlerId = { pairing: PairingId; seq: number };

/** The reason for which an attempt to connect failed. */
export type ConnectFailure =
  /** The server cannot be reached, or does not speak Socket.IO. */
  | { kind: "unreachable"; message: string }
  /** The application has no auth for the connection, for this reason. */
  | { kind: "auth"; message: string }
  /** The server refused the connection, or speaks no version that this client speaks. */
  | { kind: "refused"; refusal: Refusal }
  /** The server's welcome cannot be read, though it states a version that this client speaks. */
  | { kind: "welcome"; refusal: Refusal }
  /** The connection was closed or lost before the server's welcome. */
  | { kind: "closed" }
  /** No welcome arrived in time. */
  | { kind: "timeout"; time: number };

/** An input. */
export type Input =
  /** A message of the server was received. */
  | { kind: "received"; message: ServerMessage }
  /** Frames were received over the relay. `unread` is true if others that travelled with them could not be read. */
  | { kind: "frames"; pairing: PairingId; frames: Frame[]; unread: boolean }
  /** A message of the server was received that cannot be read. */
  | { kind: "garbled"; refusal: Refusal }
  /** A welcome of the server was received that cannot be read. */
  | { kind: "garbled-welcome"; refusal: Refusal }
  /** The transport below had a sign of life of the server that is no message. */
  | { kind: "heard" }
  /** The host reports an error that may be the end of the connection. */
  | { kind: "suspected" }
  /** The connection is lost. */
  | { kind: "lost" }
  /** The host begins to make another connection, as `reconnect` asked: the wait before it is over. */
  | { kind: "connecting" }
  /** There is another connection, as `reconnect` asked. */
  | { kind: "opened" }
  /** There is no connection: the server cannot be reached. */
  | { kind: "unreachable"; message: string }
  /** There is no connection: the application has no auth for it. */
  | { kind: "no-auth"; message: string }
  /** There is no connection: the server refused it. */
  | { kind: "rejected"; refusal: Refusal }
  /** There is no other connection, and the host tries no more. */
  | { kind: "gave-up" }
  /** A signal was received over the relay. */
  | { kind: "signalled"; pairing: PairingId; signal: unknown }
  /** The driver of links reports an event. */
  | { kind: "link"; link: LinkId; event: LinkEvent }
  /** The driver of links has noticed that this machine has other addresses than before. */
  | { kind: "addresses-changed" }
  /** The application gives a command. */
  | { kind: "command"; command: Command }
  /** The application answers `ask`. */
  | { kind: "answer"; question: QuestionId; accept: boolean; reason?: string | undefined }
  /** A handler is done. */
  | { kind: "finished"; pairing: PairingId; seq: number; result: Args | Refusal }
  /** A deadline may be due. */
  | { kind: "timeout" };

/** A command of the application. Each with a `call` is answered once, by `answered`. */
export type Command =
  /** Register a target. */
  | {
      kind: "register";
      call: CallId;
      target: ClientId;
      payload?: unknown;
      /** The time that the target has, at most what the server allows; all of that if it is missing. */
      consentTime?: number | undefined;
      /** The time to wait in line if the target is busy; if it is missing, the request is refused then. */
      wait?: number | undefined;
      /** The time by which it must be answered; if it is missing, the time in line, that of the target and 2 s. */
      deadline?: number | undefined;
    }
  /** End the pairing, once the partner has confirmed what was emitted. */
  | { kind: "unregister"; call: CallId; deadline: number }
  /** List the clients. */
  | { kind: "list"; call: CallId; deadline: number }
  /** Watch a target, until `cancel` or `unwatched`. */
  | { kind: "watch"; call: CallId; target: ClientId; deadline: number }
  | RoomCommand
  /** Emit an event. Only while `takesEmits`. */
  | { kind: "emit"; call: CallId; pairing: PairingId; event: string; args: Args; options: EmitOptions }
  /** Forget a call: the caller no longer waits. A watch ends. */
  | { kind: "cancel"; call: CallId }
  /** Make direct paths anew: this machine has other addresses than before. */
  | { kind: "network-changed" }
  /** Close the client, once the partner has confirmed what was emitted. */
  | { kind: "close" };

/** A command about a room. */
export type RoomCommand =
  /**
   * Join a room, or have its present members if the client is a member. `most` is the most members, this client included.
   * `upgrades` is true if direct paths are made at once; otherwise each waits for `upgrade`, of this client or of the other
   * member.
   */
  | { kind: "join"; call: CallId; room: string; most?: number | undefined; upgrades: boolean; deadline: number }
  /** Leave a room, once its members have confirmed what was emitted. */
  | { kind: "exit"; call: CallId; room: string; deadline: number }
  /** Make the direct paths to the members of a room that wait, and to those who join later. */
  | { kind: "upgrade"; room: string };

/** The answer to a command. */
export type Answer =
  | { kind: "registered"; pairing: PairingInfo }
  | { kind: "unregistered" }
  | { kind: "clients"; clients: ClientEntry[] }
  | { kind: "watching"; state: TargetState }
  /** The client is a member of a room, which has these other members. */
  | { kind: "joined"; state: RoomState }
  /** The client is not a member of the room any more. */
  | { kind: "exited" }
  /** The event is on its way. */
  | { kind: "sent" }
  /** The outcome of an acknowledged emit, or of any emit that was not sent. */
  | { kind: "outcome"; outcome: Outcome }
  /** The server refused the request. */
  | { kind: "refused"; refusal: Refusal }
  /** The server did not answer in time. */
  | { kind: "timed-out" }
  /** The client is closed, or has never been welcomed. */
  | { kind: "closed" };

/** An output, to be carried out in order. */
export type Output =
  /** Send a message to the server. */
  | { kind: "send"; message: ClientMessage }
  /** Have the server relay frames. */
  | { kind: "send-frames"; pairing: PairingId; frames: Frame[] }
  /** Have the server forward a signal. */
  | { kind: "signal"; pairing: PairingId; signal: Signal }
  /** Command the driver of a link. */
  | { kind: "link"; link: LinkId; command: LinkCommand }
  /** Answer a call. */
  | { kind: "answered"; call: CallId; answer: Answer }
  /** Tell the holder of a watch the state of its target. */
  | { kind: "target"; call: CallId; state: TargetState }
  /** Tell the holder of a watch that it has ended: the server refuses it on another connection. */
  | { kind: "unwatched"; call: CallId; refusal: Refusal }
  /** Ask the application for its consent to a pairing. */
  | { kind: "ask"; question: QuestionId; source: ClientId; payload: unknown; consentTime: number }
  /** Run a handler for an emit of this partner. */
  | { kind: "deliver"; pairing: PairingId; source: ClientId; delivery: Delivery }
  /** Note that the partner does not wait any more for the result of the handler with this number. */
  | { kind: "abandoned"; pairing: PairingId; seq: number }
  /** Publish an event to the application. */
  | { kind: "event"; event: ClientEvent }
  /** The partner or the server breaks the rules. What it sent was dropped. */
  | { kind: "complain"; about: ClientComplaint }
  /** Close the connection, or stop making it, and make another after a wait. */
  | { kind: "reconnect"; resume: ResumeToken | undefined; after: number }
  /** Close the connection. Nothing follows. */
  | { kind: "close" };

/** A message that had no effect, or of which that is reported. */
export type ClientComplaint =
  | Complaint
  /** A signal of the partner was ignored. */
  | { signal: SignalError }
  /** A message of the server cannot be read, came at the wrong time, or is of another version. */
  | { server: Refusal | "unknown event" }
  /** The server refused what this client sent, and no call waits for it. */
  | { refused: Refusal };

/** An event for the application. */
export type ClientEvent =
  /** The server's welcome, without its resume token: the client can be used. */
  | { kind: "connected"; welcome: Welcome }
  /** The connection is lost, and another is being made. Calls under way and the pairing wait for it. */
  | { kind: "away" }
  /** An attempt to connect failed. */
  | { kind: "connect-error"; failure: ConnectFailure }
  /** There is another connection, and the session goes on. */
  | { kind: "resumed"; welcome: Welcome }
  /** There is another connection, and the server does not know the session any more. */
  | { kind: "restarted"; welcome: Welcome }
  /** The client is paired. */
  | { kind: "paired"; pairing: PairingInfo }
  /** A registration waits for a busy target: 1 for the next, 0 once the target is asked. */
  | { kind: "in-line"; target: ClientId; place: number }
  /** The client is not paired any more. */
  | { kind: "unpaired"; pairing: PairingInfo; reason: EndReason }
  /** The partner lost its connection, or is back. */
  | { kind: "partner"; state: Presence }
  /** Emits take another path from now on. `rtt` is its round-trip time, as far as it is known. */
  | { kind: "path"; path: Path | undefined; rtt: number | undefined }
  /** The server knows the pairing again, by this name. */
  | { kind: "reasserted"; pairing: PairingInfo }
  | RoomEvent
  /** The server refused something that no call waits for. */
  | { kind: "refused"; refusal: Refusal }
  /** The connection is gone, and the client makes no other. */
  | { kind: "disconnected" };

/** An event of a room, for the application. */
export type RoomEvent =
  /** The client is a member: it has joined, or the server had forgotten the room and knows it again. */
  | { kind: "joined"; room: string; members: PairingInfo[] }
  /** The client is not a member any more. */
  | { kind: "exited"; room: string; reason: EndReason }
  /** The server has forgotten the room, and this client will not be a member again: it may not, or there is no place. */
  | { kind: "not-joined"; room: string; refusal: Refusal }
  /** The room has another member. */
  | { kind: "member-joined"; room: string; pairing: PairingInfo }
  /** The room has a member less: the pairing with it has ended. */
  | { kind: "member-left"; room: string; pairing: PairingInfo; reason: EndReason }
  /** A member lost its connection, or is back. */
  | { kind: "member"; room: string; member: ClientId; state: Presence }
  /** Emits to a member take another path from now on. `rtt` is its round-trip time, as far as it is known. */
  | { kind: "member-path"; room: string; member: ClientId; path: Path | undefined; rtt: number | undefined };
