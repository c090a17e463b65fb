/** The frames that the partner has sent and this end has not handled yet. */

import type { KnownCode, Path } from "../../error.js";
import {
  CHUNK_BYTES,
  PARTS_UNDER_WAY,
  PENDING_CALLS,
  VALUE_BYTES,
  WINDOW_BYTES,
  WINDOW_FRAMES,
} from "../../limits.js";
import { bodySize, type Body, type Frame, type Result } from "../../wire/frame.js";
import { isEmittable } from "../../wire/names.js";
import type { Delivery, Violation } from "./interface.js";
import { Reassembly } from "./reassembly.js";

/** Frames that a lawful partner can have under way: its window, replies beyond it, parts, and one `drop`. */
const FRAMES = WINDOW_FRAMES + PENDING_CALLS + PARTS_UNDER_WAY + 1;

/**
 * Bytes that a lawful partner can make this end keep: emits, replies that came early, the parts of one value, other
 * parts, and what was sent when a window was nearly full.
 */
const BYTES = 2 * WINDOW_BYTES + VALUE_BYTES + 2 * PARTS_UNDER_WAY * CHUNK_BYTES;

interface Arrived {
  seq: number;
  body: Body;
  size: number;
  path: Path;
  /** The time after which no handler may start. */
  expires: number;
  /** True if its caller has given up. */
  isAbandoned: boolean;
}

export class Inbox {
  /** The highest number that has arrived without a gap: the value of `g`. */
  arrived = 0;
  /** The number of parts that have arrived since the beginning. */
  parts = 0;
  /** Frames that came early. */
  private readonly early = new Map<number, Arrived>();
  /** The parts of an incomplete value. */
  private readonly value = new Reassembly();
  /** Replies that have arrived and were not taken yet. */
  private readonly replies: Arrived[] = [];
  /** Emits that have arrived and wait for a free handler. */
  private readonly emits: Arrived[] = [];
  /** The bytes in all four. */
  bytes = 0;
  /** Handlers that run: true if a reply is wanted. Those whose callers gave up are not in here. */
  private readonly running = new Map<number, boolean>();
  /** The number of those that are to reply. */
  private runningCalls = 0;
  /** Handlers whose callers gave up since this was last asked. */
  private readonly abandoned: number[] = [];
  private duplicate = false;

  /** Returns the highest number up to which everything was taken: the value of `k`. */
  taken(): number {
    return this.emits[0] ? this.emits[0].seq - 1 : this.arrived;
  }

  /** Returns true if a frame arrived twice since the last call: its sender missed an acknowledgement. */
  sawDuplicate(): boolean {
    const saw = this.duplicate;
    this.duplicate = false;
    return saw;
  }

  /** Notes a frame, if it is new. Returns the rule that it breaks. */
  insert({ seq, body, ttl = Infinity }: Frame, path: Path, now: number): Violation | undefined {
    if (seq <= this.arrived || this.early.has(seq)) {
      this.duplicate = true;
      return undefined;
    }
    const size = bodySize(body);
    // An emit that waits for a handler is still in a lawful partner's window.
    const isFull = this.emits.length >= WINDOW_FRAMES && body.t === "emit";
    if (isFull || seq > this.arrived + FRAMES || this.bytes + size > BYTES) return "window";
    this.bytes += size;
    this.early.set(seq, { seq, body, size, path, expires: now + ttl, isAbandoned: false });
    let violation: Violation | undefined;
    for (let next; (next = this.early.get(this.arrived + 1)); ) {
      this.early.delete(++this.arrived);
      const broken = this.sort(next);
      violation ??= broken;
    }
    return violation;
  }

  /** Sorts the frame that is next in order. */
  private sort(next: Arrived): Violation | undefined {
    const { body } = next;
    switch (body.t) {
      case "emit":
        next.seq = this.arrived; // That of its last part.
        this.emits.push(next);
        return undefined;
      case "reply":
        this.replies.push(next);
        return undefined;
      case "part":
        return this.part(next, body.text, body.last);
    }
    this.bytes -= next.size;
    switch (body.t) {
      case "drop":
        this.parts++;
        this.bytes -= this.value.size;
        this.value.clear();
        return undefined;
      case "cancel":
        this.cancel(body.to);
        return undefined;
      default:
        // The number of an unknown kind is taken, so that what comes after it is.
        return body.t === "other" ? "unknown" : undefined;
    }
  }

  private part(next: Arrived, text: string, last: boolean): Violation | undefined {
    this.parts++;
    this.bytes -= next.size + this.value.size;
    const isShort = this.value.add(text);
    const body = last ? this.value.finish() : null;
    this.bytes += this.value.size;
    if (!isShort || body === undefined) return "value";
    return body ? this.complete({ ...next, body, size: bodySize(body) }) : undefined;
  }

  /**
   * Notes that the caller of an emit gave up. An emit that is not waited for is not affected: the `cancel` may have
   * crossed the reply.
   */
  private cancel(to: number): void {
    if (this.running.get(to)) {
      this.finish(to);
      this.abandoned.push(to);
    } else {
      const emit = this.emits.find(({ seq }) => seq === to);
      if (emit) emit.isAbandoned = true;
    }
  }

  /** Sorts a value whose last part is the latest frame that has arrived. */
  private complete(value: Arrived): Violation | undefined {
    const isFull = this.emits.length >= WINDOW_FRAMES && value.body.t === "emit";
    if (isFull || this.bytes + value.size > BYTES) return "window";
    this.bytes += value.size;
    return this.sort(value);
  }

  /** Takes the next reply: the number of the emit, the result, and the path that it took. */
  nextReply(): { to: number; result: Result; path: Path } | undefined {
    const next = this.replies.shift();
    if (next?.body.t !== "reply") return undefined;
    this.bytes -= next.size;
    return { to: next.body.to, result: next.body.result, path: next.path };
  }

  /**
   * Takes the next emit, if a handler is free for it, with the reason if it may not run. `replies` is the number of
   * replies that have not arrived, whose handlers are not free yet, or infinite if they hold too much. A call whose
   * caller gave up needs no place: nothing is kept for its reply.
   */
  nextDelivery(replies: number, now: number): { delivery: Delivery; refused: KnownCode | undefined } | undefined {
    const next = this.emits[0];
    if (next?.body.t !== "emit") return undefined;
    const { event, args, wantsReply } = next.body;
    const { seq, isAbandoned } = next;
    const isFree = wantsReply
      ? isAbandoned || this.runningCalls + replies < PENDING_CALLS
      : this.running.size - this.runningCalls < PENDING_CALLS;
    if (!isFree) return undefined;
    this.emits.shift();
    this.bytes -= next.size;
    const refused = next.expires <= now ? "expired" : isEmittable(event) ? undefined : "bad-event";
    if (!(wantsReply && isAbandoned)) {
      this.running.set(seq, wantsReply);
      this.runningCalls += Number(wantsReply);
    } else if (!refused) this.abandoned.push(seq);
    return { delivery: { seq, event, args, wantsReply }, refused };
  }

  /** Returns the next handler whose caller gave up. */
  nextAbandoned(): number | undefined {
    return this.abandoned.shift();
  }

  /** Returns the numbers of the handlers that run. */
  runningNow(): number[] {
    return [...this.running.keys()];
  }

  /** Notes that a handler is done. Returns true if a reply is wanted, undefined if the handler was not running. */
  finish(seq: number): boolean | undefined {
    const wantsReply = this.running.get(seq);
    this.running.delete(seq);
    this.runningCalls -= Number(wantsReply === true);
    return wantsReply;
  }
}
