/** The handlers of a client that run, and those that make room for others. */

import { refusal, type Refusal } from "../error.js";
import { HANDLERS } from "../limits.js";
import type { PairingId } from "../id.js";

/** What is known of a handler that runs. */
interface Running {
  readonly pairing: PairingId;
  /** Ends the handler as far as this is concerned: its result is not awaited. */
  readonly end: () => void;
  isAbandoned: boolean;
}

/**
 * The handlers of a client that run, at most `HANDLERS` of each present pairing, and as many of all others.
 *
 * A session bounds the handlers of its own pairing. But a partner could leave handlers behind: it pairs again, or its
 * callers give up, without end. So handlers whose results nobody awaits any more make room for others: those of
 * earlier pairings, and those that were abandoned.
 */
export class RunningHandlers {
  private readonly running = new Map<string, Running>();

  /**
   * Notes that a handler starts. `isPresent` tells whether a pairing is not over; that of the handler counts as present.
   * Returns a refusal if there is no room.
   */
  start(pairing: PairingId, seq: number, end: () => void, isPresent: (pairing: PairingId) => boolean): Refusal | undefined {
    // Others are counted only if there are as many as one pairing may have.
    if (this.running.size >= HANDLERS) {
      let own = 0;
      const left: [string, Running][] = [];
      for (const [key, other] of this.running) {
        const isOwn = other.pairing === pairing;
        if (other.isAbandoned || !(isOwn || isPresent(other.pairing))) left.push([key, other]);
        else if (isOwn) own++;
      }
      if (own + left.length >= HANDLERS) {
        for (const [key, other] of left) {
          this.running.delete(key);
          other.end();
        }
      }
      if (own >= HANDLERS) return refusal("congested");
    }
    this.running.set(keyOf(pairing, seq), { pairing, end, isAbandoned: false });
    return undefined;
  }

  /** Notes that nobody awaits the result of a handler any more. It runs on as long as there is room. */
  abandon(pairing: PairingId, seq: number): void {
    const handler = this.running.get(keyOf(pairing, seq));
    if (handler) handler.isAbandoned = true;
  }

  /** Notes that a handler has finished. */
  finished(pairing: PairingId, seq: number): void {
    this.running.delete(keyOf(pairing, seq));
  }

  /** The number of handlers that run. */
  get size(): number {
    return this.running.size;
  }
}

function keyOf(pairing: PairingId, seq: number): string {
  return `${pairing} ${seq}`;
}
