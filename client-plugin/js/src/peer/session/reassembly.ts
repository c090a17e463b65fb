/** The parts of the partner's value that have arrived so far: one value at a time. */

import { utf8Length } from "../../bytes.js";
import { VALUE_BYTES } from "../../limits.js";
import { bodyFromText, bodySize, type Body } from "../../wire/frame.js";

/** The most bytes of a value: its arguments, the event's name, fields and punctuation. */
export const MOST = VALUE_BYTES + 1024;

export class Reassembly {
  private text = "";
  /** The bytes that are kept. */
  size = 0;
  /** True if the value became too long: the rest of it is ignored. */
  private spoilt = false;

  /** Adds the next part. Returns false if the value becomes too long by it. */
  add(piece: string): boolean {
    if (this.spoilt) return true;
    const size = this.size + utf8Length(piece);
    if (size > MOST) {
      this.clear();
      this.spoilt = true;
      return false;
    }
    this.text += piece;
    this.size = size;
    return true;
  }

  /** Returns the value whose last part was added, null if it was too long, or undefined if it is no value. */
  finish(): Body | null | undefined {
    const { text, spoilt } = this;
    this.clear();
    if (spoilt) return null;
    // The relay saw its parts as any text.
    const body = bodyFromText(text);
    return body && bodySize(body) <= MOST ? body : undefined;
  }

  /** Drops the parts: no more will follow. */
  clear(): void {
    this.text = "";
    this.size = 0;
    this.spoilt = false;
  }
}
