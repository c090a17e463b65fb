/** Arguments of events and replies, and their serialisation. */

import { utf8Length } from "./bytes.js";

/** The bytes of memory that the account of one blob takes, as in Rust. */
const BLOB_BYTES = 32;

/**
 * Arguments of an emit or a reply: the text of a JSON array, and the blobs that its placeholders
 * (`{"_placeholder":true,"num":0}`, as Socket.IO spells them) stand for.
 *
 * They are kept as text: the application may change its objects while the window holds them.
 */
export class Args {
  constructor(
    readonly json: string,
    readonly blobs: readonly Uint8Array[] = [],
  ) {}

  /** Returns the arguments in an array. */
  static of(values: readonly unknown[], blobs?: readonly Uint8Array[]): Args {
    return new Args(JSON.stringify(values), blobs);
  }

  /** Reads the whole array. Placeholders stay as they are. */
  values(): unknown[] {
    return JSON.parse(this.json) as unknown[];
  }

  /** Returns the bytes that the arguments hold: of their text, and of their blobs as base64 and in memory. */
  footprint(): number {
    return this.blobs.reduce(
      (sum, blob) => sum + Math.ceil(blob.length / 3) * 4 + 3 + BLOB_BYTES,
      utf8Length(this.json),
    );
  }
}
