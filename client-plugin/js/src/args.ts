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
  /** The values that were read from the wire, until they are taken. */
  private read: unknown[] | undefined;
  private bytes: number | undefined;

  constructor(
    readonly json: string,
    readonly blobs: readonly Uint8Array[] = [],
  ) {}

  /** Returns the arguments in an array, which belongs to them from now on. */
  static of(values: unknown[], blobs?: readonly Uint8Array[]): Args {
    const args = new Args(JSON.stringify(values), blobs);
    args.read = values;
    return args;
  }

  /** Reads the whole array. Placeholders stay as they are. */
  values(): unknown[] {
    return JSON.parse(this.json) as unknown[];
  }

  /** Does the same for the application, which may change it. */
  take(): unknown[] {
    const values = this.read ?? this.values();
    this.read = undefined;
    return values;
  }

  /**
   * Returns true if the text alone shows that usual parsers can read the values, and that they have no more levels than
   * these: few brackets, no half of a surrogate pair (it is escaped), no key that serde_json reserves.
   */
  isPlain(levels: number): boolean {
    return this.json.split(/[[{]/, levels + 2).length < levels + 2 && !/\\ud|\$serde/.test(this.json);
  }

  /** Returns the bytes that the arguments hold: of their text, and of their blobs as base64 and in memory. */
  footprint(): number {
    this.bytes ??= this.blobs.reduce(
      (sum, blob) => sum + Math.ceil(blob.length / 3) * 4 + 3 + BLOB_BYTES,
      utf8Length(this.json),
    );
    return this.bytes;
  }
}
