/** The time for which a path that was left is not taken again: it doubles while the path flaps. */

import { DIRECT_HOLD_MAX, DIRECT_STEADY } from "../../limits.js";

export class Hold {
  /** The end of the present wait. */
  until = -Infinity;
  /** The number of times in a row that the path carried for a short time only. */
  private flaps = 0;

  /** Begins the wait after the path carried for this time. */
  left(carried: number, hold: number, now: number): void {
    if (carried >= DIRECT_STEADY) this.flaps = 0;
    const most = Math.max(DIRECT_HOLD_MAX, hold);
    this.until = now + Math.min(hold * 2 ** Math.min(this.flaps++, 16), most);
  }

  /** Ends the wait: the path is taken. */
  taken(): void {
    this.until = -Infinity;
  }

  /** Forgets the past: the path flapped on another network. */
  forgive(): void {
    this.flaps = 0;
    this.taken();
  }
}
