/**
 * A client's half of the protocol: its connection, its requests, consent, and its peers.
 *
 *   Connecting ── welcome ──► Ready: Free ◄──────────► Paired (with a Peer)
 *     ▲   │ │                   │        registered /      │
 *     │   │ │                   │        disconnect        │
 *     │   │ └ failed ┐          └────── lost, silent ──────┤
 *     │   │          ▼                                     ▼
 *     │   │        Away: peers and requests wait for the next connection
 *     │   │          │ │
 *     └───│ connecting │ given up, closed, removed by the server
 *         │            ▼
 *         └ failed ► Closed: every call has been answered
 *       for good
 *
 * No IO, no clock: feed it with `handle`, carry out what `pollOutput` returns, and come back with `timeout` when
 * `pollTimeout` is due. Frames are collected into batches while inputs are fed, so feed all that are there before
 * polling.
 */

import { Backoff } from "./client/backoff.js";
import { close, refuseClosed } from "./client/closing.js";
import { command } from "./client/commands.js";
import { connecting, garbledWelcome, notConnected, suspected } from "./client/connecting.js";
import { lost, networkChanged, watchConnection, type ConnectionState } from "./client/connection.js";
import { Ending, endIfConfirmed } from "./client/ending.js";
import type { Answer, ClientConfig, ClientEvent, Input, Output, QuestionId } from "./client/interface.js";
import { heard, nextHeartbeat, type Doubt } from "./client/life.js";
import { Pacer } from "./client/pacer.js";
import { everyPeer, exclusivePeer, feedPeer, flush, flushDirect, keyOf, peerNamed } from "./client/peers.js";
import { answerQuestion, received } from "./client/received.js";
import { expireRequests, type PendingRequest } from "./client/requests.js";
import type { Rooms } from "./client/rooms.js";
import { Watches } from "./client/watches.js";
import type { PairingId, ResumeToken } from "./id.js";
import { defaultLimits, type Limits } from "./limits.js";
import type { Peer } from "./peer.js";
import type { ClientMessage, ReqId } from "./wire/control/client.js";
import type { PairingInfo } from "./wire/control/welcome.js";

/** A client's half of the protocol. Times are whole microseconds. Its fields are for the files of `client/`. */
export class Client {
  state: ConnectionState;
  readonly backoff: Backoff;
  /** The time for which the server keeps the pairing of a client that is away. */
  grace = 0;
  /** The time until which the first attempt may be repeated. */
  readonly firstUntil: number | undefined;
  /** True once a server has welcomed it: before that there is no session to resume. */
  welcomed = false;
  /** The token that the next connection shows. */
  token: ResumeToken | undefined;
  limits: Limits = defaultLimits();
  lastReq: ReqId = 0;
  /** The requests, in the order of their numbers. */
  readonly requests = new Map<ReqId, PendingRequest>();
  readonly watches = new Watches();
  /**
   * The questions of this server that wait for the application's answer, oldest first: the number that the
   * application was given, and that of the server.
   */
  readonly questions: { question: QuestionId; req: ReqId }[] = [];
  lastQuestion: QuestionId = 0;
  /** Registrations of partners whose pairing the server has forgotten. */
  readonly reassertions = new Map<ReqId, PairingId>();
  /** The pairings, by the name under which each was made. The server grants one at a time, besides those of rooms. */
  readonly peers = new Map<PairingId, Peer>();
  /** The memberships in rooms, if this client has the code of rooms. */
  readonly rooms: Rooms | undefined;
  readonly ending = new Ending();
  /** The peer whose frames were sent last. */
  served: PairingId | undefined;
  pacer = new Pacer(this.limits, 0);
  lastHeard: number;
  lastAsked: number;
  /** The ping whose answer is awaited. */
  asked: { req: ReqId; at: number } | undefined;
  doubt: Doubt | undefined;
  /** The time in which the server answered last. */
  serverRtt: number | undefined;
  private readonly outputs: Output[] = [];

  /** Creates a client whose host begins to make its first connection. */
  constructor(
    readonly config: ClientConfig,
    public now: number,
  ) {
    this.state = { kind: "connecting", until: now + config.connectTimeout, time: config.connectTimeout };
    this.backoff = new Backoff(config);
    this.rooms = config.rooms && new config.rooms.Rooms(this);
    this.firstUntil = config.retryFirst === undefined ? undefined : now + config.retryFirst;
    this.lastHeard = this.lastAsked = now;
  }

  /** The present pairing. */
  pairing(): PairingInfo | undefined {
    return exclusivePeer(this)?.info;
  }

  /** Returns the shortest recent round trip of the direct path, 0 if it is unknown. */
  directRtt(): number {
    return exclusivePeer(this)?.direct?.path.heartbeats?.minRtt() ?? 0;
  }

  /** Returns true if an emit for this pairing may be given now. If not, the emit waits with its caller. */
  takesEmits(pairing: PairingId): boolean {
    // Once the client was told to close, an emit is refused at once, and so is one for a pairing that is over.
    return this.ending.closes || (this.peers.get(keyOf(this, pairing) ?? "")?.takesEmits() ?? true);
  }

  /** Handles an input. */
  handle(input: Input, now: number): void {
    this.now = now;
    if (this.state.kind === "closed") {
      if (input.kind === "command") refuseClosed(this, input.command);
      return;
    }
    this.dispatch(input);
    this.rooms?.exitIfConfirmed();
    endIfConfirmed(this);
  }

  private dispatch(input: Input): void {
    switch (input.kind) {
      case "received":
        received(this, input.message);
        return heard(this);
      case "frames": {
        heard(this);
        const key = peerNamed(this, input.pairing);
        if (key === undefined) return;
        feedPeer(this, key, { kind: "relayed", frames: input.frames });
        if (input.unread) this.output({ kind: "complain", about: { partner: "frame" } });
        return;
      }
      case "garbled": {
        heard(this);
        const { refusal } = input;
        const isUnknown = refusal.code === "bad-event";
        return this.output({ kind: "complain", about: { server: isUnknown ? "unknown event" : refusal } });
      }
      case "garbled-welcome":
        return garbledWelcome(this, input.refusal);
      case "signalled": {
        heard(this);
        const key = peerNamed(this, input.pairing);
        if (key === undefined) return;
        // Without a direct path none is expected.
        const signal = this.config.direct.parts?.signalFromValue(input.signal) ?? "unknown";
        if (typeof signal === "string") {
          return this.output({ kind: "complain", about: { signal } });
        }
        return feedPeer(this, key, { kind: "signalled", signal });
      }
      case "link":
        return feedPeer(this, input.link.split("/")[0] ?? "", input);
      case "addresses-changed":
        everyPeer(this, input);
        return networkChanged(this);
      case "heard":
        return heard(this);
      case "suspected":
        return suspected(this);
      case "lost":
        return lost(this);
      case "connecting":
      case "opened":
        return connecting(this);
      case "unreachable":
        return notConnected(this, input);
      case "no-auth":
        return notConnected(this, { kind: "auth", message: input.message });
      case "rejected":
        return notConnected(this, { kind: "refused", refusal: input.refusal });
      case "gave-up":
        return close(this);
      case "command":
        return command(this, input.command);
      case "answer":
        return answerQuestion(this, input.question, input.accept, input.reason);
      case "finished": {
        const { pairing, seq, result } = input;
        const key = keyOf(this, pairing);
        if (key !== undefined) feedPeer(this, key, { kind: "finished", seq, result });
        return;
      }
      case "timeout":
        expireRequests(this);
        this.watches.expire(this);
        this.rooms?.expire();
        everyPeer(this, input);
        return watchConnection(this);
    }
  }

  /** Returns the next output, if any. */
  pollOutput(): Output | undefined {
    if (!this.outputs.length) {
      flush(this);
      flushDirect(this);
    }
    return this.outputs.shift();
  }

  /** Returns when `timeout` is due, if ever. */
  pollTimeout(): number | undefined {
    if (this.state.kind === "closed") return undefined;
    let due = Math.min(
      this.watches.nextDeadline(),
      this.rooms?.nextDeadline() ?? Infinity,
      nextHeartbeat(this) ?? Infinity,
      this.ending.until ?? Infinity,
    );
    for (const { deadline } of this.requests.values()) due = Math.min(due, deadline);
    for (const peer of this.peers.values()) {
      const paced = peer.hasRelayed() ? this.pacer.nextAt(this.now) : undefined;
      due = Math.min(due, peer.pollTimeout() ?? Infinity, paced ?? Infinity);
    }
    return due < Infinity ? Math.ceil(due) : undefined;
  }

  get isConnecting(): boolean {
    return this.state.kind === "connecting";
  }

  /** Begins an attempt that has this time. */
  beginAttempt(time: number): void {
    this.state = { kind: "connecting", until: this.now + time, time };
  }

  /** Sends a message to the server. Nothing is sent before the welcome. */
  send(message: ClientMessage): void {
    if (this.state.kind !== "ready") return;
    flush(this);
    this.output({ kind: "send", message });
  }

  answer(call: number, answer: Answer): void {
    this.output({ kind: "answered", call, answer });
  }

  event(event: ClientEvent): void {
    this.output({ kind: "event", event });
  }

  output(output: Output): void {
    this.outputs.push(output);
  }
}
