/**
 * Messages in pieces, for a channel that may lose them and sends nothing again: SCTP would hold later messages back until
 * it has given up a lost one. Each piece travels as a message of its own, in any order.
 *
 * ```text
 *  0                  4         6         8
 *  number of message │ index   │ text?, index of the last piece │ up to 1,100 bytes
 * ```
 */

import { CHANNEL_MESSAGE_BYTES, CHANNEL_PARTS, CHANNEL_PIECE_BYTES } from "../../limits.js";

/** Bytes before the content of a piece. */
const HEADER = 8;
/** Pieces of the longest message. */
const MOST = Math.ceil(CHANNEL_MESSAGE_BYTES / CHANNEL_PIECE_BYTES);
/** The bit of the last index that marks a text. */
const TEXT = 1 << 15;

/** A message, and whether it is a text. */
export interface ChannelMessage {
  isText: boolean;
  bytes: Uint8Array;
}

/** Cuts a message into pieces. A message has one at least, and is not longer than the limit. */
export function* pieces(number: number, { isText, bytes }: ChannelMessage): Generator<Uint8Array<ArrayBuffer>> {
  const last = Math.floor(Math.max(bytes.length - 1, 0) / CHANNEL_PIECE_BYTES);
  for (let index = 0; index <= last; index++) {
    const content = bytes.subarray(index * CHANNEL_PIECE_BYTES, (index + 1) * CHANNEL_PIECE_BYTES);
    const piece = new Uint8Array(HEADER + content.length);
    const view = new DataView(piece.buffer);
    view.setUint32(0, number);
    view.setUint16(4, index);
    view.setUint16(6, isText ? last | TEXT : last);
    piece.set(content, HEADER);
    yield piece;
  }
}

interface PartialMessage {
  number: number;
  isText: boolean;
  missing: number;
  pieces: (Uint8Array | undefined)[];
}

/** Returns true if one number comes after another. They wrap around (RFC 1982). */
const isAfter = (number: number, other: number): boolean => number !== other && (number - other) >>> 0 < 2 ** 31;

/** The pieces of a channel that have come, until their messages are complete. */
export class Pieces {
  /** The number of the last message that was delivered. */
  private delivered: number | undefined;
  /** Messages that are not complete, the oldest first. */
  private parts: PartialMessage[] = [];

  /** Creates the collector of a channel. If it keeps the order, a message that was overtaken is lost. */
  constructor(private readonly inOrder: boolean) {}

  /** Takes a piece. Returns the message that it completes, if it does. What cannot be a piece is ignored. */
  received(piece: Uint8Array): ChannelMessage | undefined {
    if (piece.length < HEADER || piece.length > HEADER + CHANNEL_PIECE_BYTES) return undefined;
    const view = new DataView(piece.buffer, piece.byteOffset);
    const [number, index, last] = [view.getUint32(0), view.getUint16(4), view.getUint16(6)];
    const isText = last >= TEXT;
    const count = (last & ~TEXT) + 1;
    const isLate = this.delivered !== undefined && !isAfter(number, this.delivered);
    if (index >= count || count > MOST || (this.inOrder && isLate)) return undefined;
    const content = piece.subarray(HEADER);
    const bytes = count === 1 ? content : this.collect(number, isText, index, count, content);
    if (!bytes) return undefined;
    if (this.inOrder) this.parts = this.parts.filter((part) => isAfter(part.number, number));
    this.delivered = number;
    return bytes.length <= CHANNEL_MESSAGE_BYTES ? { isText, bytes } : undefined;
  }

  /** Keeps one of several pieces. Returns the message if it was the last that was missing. */
  private collect(
    number: number,
    isText: boolean,
    index: number,
    count: number,
    piece: Uint8Array,
  ): Uint8Array | undefined {
    const part = this.parts.find((part) => part.number === number) ?? this.begin(number, isText, count);
    if (!part || part.pieces.length !== count || part.isText !== isText || part.pieces[index]) return undefined;
    part.pieces[index] = piece;
    if (--part.missing) return undefined;
    this.parts.splice(this.parts.indexOf(part), 1);
    const pieces = part.pieces as Uint8Array[];
    const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** Makes room for a message. The oldest one gives way, or this one if it is older still. */
  private begin(number: number, isText: boolean, count: number): PartialMessage | undefined {
    const before = this.parts.findIndex((part) => !isAfter(number, part.number));
    let at = before < 0 ? this.parts.length : before;
    if (this.parts.length === CHANNEL_PARTS) {
      if (!at--) return undefined;
      this.parts.shift();
    }
    const part: PartialMessage = { number, isText, missing: count, pieces: new Array<undefined>(count).fill(undefined) };
    this.parts.splice(at, 0, part);
    return part;
  }
}
