/**
 * The session of one end of a pairing: order, window, replies and outcomes, above whatever path carries them.
 *
 * ```text
 *   emit ──► window ──► frame on the present path ──► partner's reorder buffer ──► handler
 *              │  ▲                                                                   │
 *              │  └── the partner's `k` covers it: removed                            ▼
 *              └───── the path changes: everything in it is sent again          reply, likewise
 * ```
 *
 * The rules are in PROTOCOL.md, "The session"; the reasons for this shape in `protocol/src/peer/session.rs`.
 */

import type { Outcome, Path } from "../error.js";
import { PENDING_CALLS, RESEND_DELAY, RESEND_DELAY_MAX } from "../limits.js";
import { Inbox } from "./session/inbox.js";
import type { CallId, Input, Output, Violation } from "./session/interface.js";
import { narrowed } from "./session/narrowing.js";
import { Outgoing } from "./session/outgoing.js";
import { finished, received, take } from "./session/receiving.js";
import { cancelled, emit, sendCancels, sendOutgoing } from "./session/sending.js";
import type { Frame } from "../wire/frame.js";
import { unacked, Window, type Unacked } from "./session/window.js";

/** The use that may be made of a path: none, emits that are told to take it and answers to the partner, everything. */
type Access = "closed" | "held" | "opened";

export class Session {
  window: Window;
  outgoing = new Outgoing();
  inbox = new Inbox();
  /** Calls of this end that wait for their replies, by the number of their emit, in the order of the numbers. */
  readonly calls = new Map<number, { call: CallId; replyBy: number }>();
  /**
   * Numbers of emits whose callers gave up, for which the window had no room yet. As long as there are any, no emit is
   * taken: each `cancel` precedes the calls that it makes room for.
   */
  readonly givenUp: number[] = [];
  private readonly access: Record<Path, Access> = { direct: "closed", relay: "closed" };
  /** The highest `k` and `g` that were sent, and the number of parts that `g` covered. */
  ackedTaken = 0;
  ackedArrived = 0;
  ackedParts = 0;
  /** The time by which the present ones must be sent, and by which the window is sent again. */
  ackDue = Infinity;
  private resendDue = Infinity;
  /** The time that the window waits after the next refusal. */
  resendDelay = RESEND_DELAY;
  /** The number of times that the window was sent again. What waited to be sent before can be dropped. */
  resends = 0;
  /** True while nothing can be delivered. */
  isPaused = false;
  private ended = false;
  outputs: Output[] = [];

  constructor(hasV1Partner: boolean) {
    this.window = new Window(hasV1Partner);
  }

  /** Returns the path that emits take, if there is one. This is the one place that decides it. */
  path(): Path | undefined {
    return this.pathWith("opened");
  }

  /** Returns the path that answers to the partner take: replies and acknowledgements. */
  answersBy(): Path | undefined {
    return this.path() ?? this.pathWith("held");
  }

  private pathWith(access: Access): Path | undefined {
    return (["direct", "relay"] as const).find((path) => this.access[path] === access);
  }

  /** Returns true if there is this path, though emits may take the other. */
  has(path: Path): boolean {
    const access = this.access[path];
    return access === "held" || access === "opened"; // Anything else than a path has no access.
  }

  /** Returns true if an emit can be taken now. If not, it waits with its caller. */
  hasRoom(): boolean {
    return (
      !!this.path() &&
      !this.window.isFull() &&
      !this.outgoing.emit() &&
      !this.givenUp.length &&
      this.calls.size < PENDING_CALLS
    );
  }

  /** Returns true if the partner has confirmed everything that this end has sent or is to send. */
  isConfirmed(): boolean {
    return this.window.isEmpty() && this.outgoing.isEmpty() && !this.givenUp.length;
  }

  handle(input: Input, now: number): void {
    if (this.ended) {
      if (input.kind === "emit" && input.options.replyBy !== undefined) {
        this.resolve(input.call, { outcome: "not-executed", cause: { code: "not-paired" } });
      }
      return;
    }
    this.dispatch(input, now);
    sendCancels(this, now);
    if (!this.outgoing.isEmpty()) sendOutgoing(this, now);
  }

  private dispatch(input: Input, now: number): void {
    switch (input.kind) {
      case "emit": {
        const { call, event, args, options } = input;
        return emit(this, call, { t: "emit", event, args, wantsReply: options.replyBy !== undefined }, options, now);
      }
      case "cancelled":
        return cancelled(this, input.call, now);
      case "received":
        return received(this, input.path, input.frame, now);
      case "finished":
        return finished(this, input.seq, input.result, now);
      case "paused":
        this.isPaused = true;
        return;
      case "resumed":
        this.isPaused = false;
        return take(this, now);
      case "opened":
      case "held":
      case "closed":
        return this.setPath(input.path, input.kind, now);
      case "refused":
        if (this.answersBy() === input.path || this.window.hasVia(input.path)) this.refused(now);
        return;
      case "narrowed":
        return narrowed(this, input.bytes, input.depth, now);
      case "ended":
        return this.end(input.reason);
      case "timeout":
        this.timeout(now);
    }
  }

  pollOutput(): Output | undefined {
    return this.outputs.shift();
  }

  /** Returns when `timeout` is due; infinite if never. */
  pollTimeout(): number {
    let due = Math.min(this.outgoing.due(), this.ackDue, this.resendDue);
    for (const { replyBy } of this.calls.values()) due = Math.min(due, replyBy);
    return due;
  }

  /** Sends a frame. Returns false if there is no path for it. */
  private send(seq: number, { body, expires, via, answers }: Unacked, now: number): boolean {
    const path = via && this.has(via) ? via : answers ? this.answersBy() : this.path();
    if (!path) return false;
    this.ackedTaken = this.inbox.taken();
    this.ackedArrived = this.inbox.arrived;
    this.ackedParts = this.inbox.parts;
    this.ackDue = Infinity;
    const ttl = expires === undefined ? expires : Math.max(expires - now, 0);
    const frame: Frame = { seq, ack: this.ackedTaken, got: this.ackedArrived, ttl, body };
    this.outputs.push({ kind: "send", path, frame });
    return true;
  }

  enqueue(frame: Unacked, now: number): number {
    const seq = this.window.push(frame);
    this.send(seq, frame, now);
    return seq;
  }

  acknowledge(now: number): void {
    this.send(0, unacked({ t: "ack" }, "part", 0, true), now);
  }

  resolve(call: CallId, outcome: Outcome): void {
    this.outputs.push({ kind: "resolved", call, outcome });
  }

  violation(violation: Violation): void {
    this.outputs.push({ kind: "violation", violation });
  }

  private setPath(path: Path, access: Access, now: number): void {
    const [emits, answers, was] = [this.path(), this.answersBy(), this.access[path]];
    this.access[path] = access;
    const cameOrWent = (was === "closed") !== (access === "closed");
    // Frames that took this path although the others did not are lost with it as well.
    const isChanged =
      this.path() !== emits || this.answersBy() !== answers || (cameOrWent && this.window.hasVia(path));
    if (this.answersBy() && isChanged) this.resend(now);
  }

  /**
   * Notes that the path cannot keep up: the window is sent again after a delay, which doubles from refusal to refusal
   * until something arrives.
   */
  private refused(now: number): void {
    if (this.resendDue !== Infinity) return;
    this.resendDue = now + this.resendDelay;
    this.resendDelay = Math.min(this.resendDelay * 2, RESEND_DELAY_MAX);
  }

  /**
   * Sends everything in the window again: the partner drops what it had. An acknowledgement may have been lost as well,
   * so one is sent if no other frame is.
   */
  private resend(now: number): void {
    this.resendDue = Infinity;
    this.resends++;
    this.outputs = this.outputs.filter(({ kind }) => kind !== "send");
    let isAnySent = false;
    for (const [seq, frame] of this.window.frames()) isAnySent = this.send(seq, frame, now) || isAnySent;
    if (!isAnySent && this.inbox.arrived) this.acknowledge(now);
  }

  private timeout(now: number): void {
    for (const [seq, { call, replyBy }] of this.calls) {
      if (replyBy > now) continue;
      this.calls.delete(seq);
      this.givenUp.push(seq);
      this.resolve(call, { outcome: "unknown", cause: { code: "timeout" } });
    }
    if (this.ackDue <= now) {
      this.ackDue = Infinity;
      this.acknowledge(now);
    }
    if (this.resendDue <= now) this.resend(now);
  }

  private end(ended: string): void {
    this.ended = true;
    const call = this.outgoing.takeEmit()?.call;
    if (call !== undefined) this.resolve(call, { outcome: "not-executed", cause: { ended } });
    for (const { call } of this.calls.values()) this.resolve(call, { outcome: "unknown", cause: { ended } });
    this.calls.clear();
    this.window = new Window(false);
    this.outgoing = new Outgoing();
    this.givenUp.length = 0;
    this.inbox = new Inbox();
    this.access.direct = this.access.relay = "closed";
    this.ackDue = this.resendDue = Infinity;
  }
}
