/**
 * Values that this end wants to send and its window does not take at once: large ones, which are cut into parts one
 * after another, and replies beyond the window's bytes.
 *
 * Nothing in here has a number yet. The parts of a value get theirs as they are sent, so that small frames pass between
 * them. A value counts as sent with its last part.
 */

import type { KnownCode, Path } from "../../error.js";
import { CHUNK_BYTES, WINDOW_BYTES } from "../../limits.js";
import { bodySize, bodyText, spelled, type Body } from "../../wire/frame.js";
import type { CallId, EmitOptions } from "./interface.js";
import type { Window } from "./window.js";

/** A value that waits, or is being cut: an emit has a call, a reply the number of its emit. */
export interface LargeValue {
  emit?: { call: CallId; options: EmitOptions } | undefined;
  to?: number | undefined;
  /** Bytes that it counts in the window once it was sent. */
  size: number;
  text: string;
  /** Characters of the text that were sent in parts. */
  sent: number;
}

/** A part, as it is sent. */
export interface Part {
  body: Body;
  via?: Path | undefined;
  /** True for a part of a reply. */
  answers: boolean;
  /** The value, if this is its last part. */
  complete?: LargeValue;
}

/** Returns the end of as much of a text, from there on, as fits into one part, spelled as a JSON string. */
function pieceEnd(text: string, from: number): number {
  let room = CHUNK_BYTES;
  let at = from;
  while (at < text.length) {
    const code = text.codePointAt(at) as number;
    room -= code > 0xffff ? 4 : code > 0x7ff ? 3 : code > 0x7f ? 2 : spelled(code);
    if (room < 0) break;
    at += code > 0xffff ? 2 : 1;
  }
  return at;
}

export class Outgoing {
  /** Replies of one frame. */
  private readonly replies: Body[] = [];
  /** Large values. The one that is being cut is the first. At most one is an emit. */
  private values: LargeValue[] = [];

  pushReply(reply: Body): void {
    this.replies.push(reply);
  }

  /** Adds a value that is too large for one frame: an emit of this call, or a reply. */
  pushValue(body: Body, size: number, emit?: LargeValue["emit"]): void {
    const to = body.t === "reply" ? body.to : undefined;
    this.values.push({ emit, to, size, text: bodyText(body), sent: 0 });
  }

  /** Puts other replies in the place of those for which there are any. */
  replaceReplies(substitute: (body: Body) => Body | undefined): void {
    this.replies.forEach((reply, at) => (this.replies[at] = substitute(reply) ?? reply));
  }

  /** Removes the large values. */
  takeValues(): LargeValue[] {
    const values = this.values;
    this.values = [];
    return values;
  }

  isEmpty(): boolean {
    return !this.values.length && !this.replies.length;
  }

  /** Returns the emit in here, if there is one: the next one has to wait. */
  emit(): LargeValue["emit"] {
    return this.values.length ? this.values.find((value) => value.emit)?.emit : undefined;
  }

  /** Returns when the emit in here should be dropped, if ever. */
  due(): number {
    const { replyBy = Infinity, expires = Infinity } = this.emit()?.options ?? {};
    return Math.min(replyBy, expires);
  }

  /** Returns why the emit in here should be dropped, or undefined if it is still wanted. */
  overdue(now: number): KnownCode | undefined {
    const { replyBy = Infinity, expires = Infinity } = this.emit()?.options ?? {};
    return expires <= now ? "expired" : replyBy <= now ? "timeout" : undefined;
  }

  /** Returns true if the emit in here is that of a call which waits for its reply. */
  isOf(call: CallId): boolean {
    const emit = this.emit();
    return emit?.call === call && emit.options.replyBy !== undefined;
  }

  /** Removes the emit in here: its call if it waits for a reply, and true if parts of it were sent. */
  takeEmit(): { call: CallId | undefined; isBegun: boolean } | undefined {
    const at = this.values.findIndex((value) => value.emit);
    const [value] = at < 0 ? [] : this.values.splice(at, 1);
    if (!value?.emit) return undefined;
    const { call, options } = value.emit;
    return { call: options.replyBy === undefined ? undefined : call, isBegun: value.sent > 0 };
  }

  /** Returns the number of replies in here, and their bytes. They count like those in the window. */
  load(): [count: number, bytes: number] {
    if (this.isEmpty()) return [0, 0];
    const sizes = [...this.replies.map(bodySize), ...this.values.flatMap(({ emit, size }) => (emit ? [] : [size]))];
    return [sizes.length, sizes.reduce((sum, size) => sum + size, 0)];
  }

  /** Takes the next reply of one frame, if the window takes it. */
  nextReply(window: Window): Body | undefined {
    return window.bytes.reply >= WINDOW_BYTES ? undefined : this.replies.shift();
  }

  /**
   * Takes the next part, if the window takes it. A part of an emit needs a path for emits. A reply does not wait for an
   * emit that was not begun: the partner's handlers may wait for the reply, and the emit for a handler.
   */
  nextPart(window: Window, hasPath: boolean): Part | undefined {
    if (!window.takesParts()) return undefined;
    const maySend = ({ emit, sent, size }: LargeValue) => !emit || (hasPath && (sent > 0 || window.fits(size)));
    const first = this.values[0];
    // No value passes one that was begun.
    const at = first?.sent ? (maySend(first) ? 0 : -1) : this.values.findIndex(maySend);
    const [value] = at < 0 ? [] : this.values.splice(at, 1);
    if (!value) return undefined;
    const end = pieceEnd(value.text, value.sent);
    const text = value.text.slice(value.sent, end);
    value.sent = end;
    const last = end === value.text.length;
    const part: Part = { body: { t: "part", text, last }, via: value.emit?.options.via, answers: !value.emit };
    if (last) return { ...part, complete: value };
    this.values.unshift(value);
    return part;
  }
}
