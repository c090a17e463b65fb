/**
 * The queue of emits that wait for room in the window, in the order in which they were made. What bounds it is the
 * number of the application's own calls.
 */

import { LONGEST } from "./clock.js";
import type { Command } from "../client/interface.js";

/** An emit that waits. */
interface Waiting {
  readonly command: Command & { kind: "emit" };
  timer: ReturnType<typeof setTimeout>;
}

/** Emits that wait. A map keeps their order. */
export class EmitQueue {
  private readonly waiting = new Map<number, Waiting>();

  /** Puts an emit behind all others. `expired` is called if it still waits after so many milliseconds. */
  push(command: Command & { kind: "emit" }, milliseconds: number, expired: () => void): void {
    const wait = (left: number): ReturnType<typeof setTimeout> =>
      setTimeout(() => {
        const waiting = this.waiting.get(command.call);
        if (left > LONGEST && waiting) waiting.timer = wait(left - LONGEST);
        else if (this.withdraw(command.call)) expired();
      }, Math.min(left, LONGEST));
    this.waiting.set(command.call, { command, timer: wait(milliseconds) });
  }

  /** Withdraws an emit. Returns false if it does not wait any more. */
  withdraw(call: number): boolean {
    clearTimeout(this.waiting.get(call)?.timer);
    return this.waiting.delete(call);
  }

  /** Takes the first emit. */
  take(): Command | undefined {
    for (const [call, { command }] of this.waiting) {
      this.withdraw(call);
      return command;
    }
    return undefined;
  }

  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }
}
