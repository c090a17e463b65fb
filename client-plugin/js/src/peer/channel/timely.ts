/** The short window of a channel that may lose messages: what may be lost does not wait. */

import { CHANNEL_PIECE_BYTES, CHANNEL_QUEUE_TIME } from "../../limits.js";

/** Bytes that are handed over at a time, and that may be in any case. */
const FEW = 4 * CHANNEL_PIECE_BYTES;
/** Marks that are kept. Between them the times are those of the earlier one. */
const MARKS = 64;

/**
 * The times at which bytes were handed to the transport, as long as it holds them. While the oldest is young, the
 * transport keeps up, whatever its rate.
 */
export class TimelyWindow {
  private handed = 0;
  /** The number of bytes that were handed over up to a time, and that time. */
  private readonly marks: { upTo: number; at: number }[] = [];

  /**
   * Returns the number of bytes that may be handed over to a transport that holds this many. A few may always: only what
   * comes later shows the transport that something was lost.
   */
  room(held: number, roundTrip: number, now: number): number {
    const gone = Math.max(this.handed - held, 0);
    while (this.marks[0] && this.marks[0].upTo <= gone) this.marks.shift();
    const oldest = this.marks[0];
    const keepsUp = !oldest || now <= oldest.at + roundTrip + CHANNEL_QUEUE_TIME;
    return keepsUp ? FEW : Math.max(FEW - held, 0);
  }

  /** Notes that a message of this length is handed over. */
  handedOver(length: number, now: number): void {
    this.handed += length;
    const last = this.marks.at(-1);
    if (last && (this.marks.length === MARKS || last.at === now)) last.upTo = this.handed;
    else this.marks.push({ upTo: this.handed, at: now });
  }
}
