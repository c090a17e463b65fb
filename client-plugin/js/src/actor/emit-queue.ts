/**
 * The queue of emits that wait for room in the window, in the order in which they were made. Each pairing has a lane of its
 * own: one whose window is full holds up no other. What bounds it is the number of the application's own calls.
 */

import { LONGEST } from "./clock.js";
import type { Command } from "../client/interface.js";
import type { PairingId } from "../id.js";

/** An emit that waits. */
interface Waiting {
  readonly command: Command & { kind: "emit" };
  timer: ReturnType<typeof setTimeout>;
}

/** Emits that wait, by their pairings. A map keeps their order. */
export class EmitQueue {
  /** The lanes with an emit at least. */
  private readonly lanes = new Map<PairingId, Map<number, Waiting>>();

  /** Puts an emit behind all others. `expired` is called if it still waits after so many milliseconds. */
  push(command: Command & { kind: "emit" }, milliseconds: number, expired: () => void): void {
    const lane = this.lanes.get(command.pairing) ?? new Map<number, Waiting>();
    this.lanes.set(command.pairing, lane);
    const wait = (left: number): ReturnType<typeof setTimeout> =>
      setTimeout(() => {
        const waiting = lane.get(command.call);
        if (left > LONGEST && waiting) waiting.timer = wait(left - LONGEST);
        else if (this.withdraw(command.call)) expired();
      }, Math.min(left, LONGEST));
    lane.set(command.call, { command, timer: wait(milliseconds) });
  }

  /** Withdraws an emit. Returns false if it does not wait any more. */
  withdraw(call: number): boolean {
    for (const [pairing, lane] of this.lanes) {
      const waiting = lane.get(call);
      if (!waiting) continue;
      clearTimeout(waiting.timer);
      lane.delete(call);
      if (!lane.size) this.lanes.delete(pairing);
      return true;
    }
    return false;
  }

  /** Takes the first emit of a lane that is open. */
  take(isOpen: (pairing: PairingId) => boolean): Command | undefined {
    for (const [pairing, lane] of this.lanes) {
      if (!isOpen(pairing)) continue;
      for (const [call, { command }] of lane) {
        this.withdraw(call);
        return command;
      }
    }
    return undefined;
  }

  /** Returns true if an emit of this pairing waits. */
  has(pairing: PairingId): boolean {
    return this.lanes.has(pairing);
  }
}
