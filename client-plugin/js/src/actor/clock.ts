/** The clock of a client, and the timer for its deadlines. */

import { SETTING_MAX } from "../limits.js";

/** Returns whole microseconds since 1970 of a clock that does not jump while a page lives: the next page goes on. */
export const now = (): number => Math.floor((performance.timeOrigin + performance.now()) * 1_000);

/** Returns microseconds for a setting in milliseconds. Infinity is the longest time. */
export const micros = (milliseconds: number): number => Math.min(Math.round(milliseconds * 1_000), SETTING_MAX);

/** The longest wait of a timer in milliseconds: a longer one would be over at once. */
export const LONGEST = 2 ** 31 - 1;

/**
 * A timer that is reset only to an earlier moment: deadlines change with each message. So it may fire early, and its
 * owner compares its deadlines with the clock.
 */
export class CoarseTimer {
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** The moment at which it fires, or has fired: no deadline that it was told of is earlier. */
  at = Infinity;
  private isSet = false;

  constructor(private readonly fired: () => void) {}

  /** Makes the timer fire at this moment or earlier. */
  set(moment: number | undefined): void {
    if (moment === undefined || (this.isSet && moment >= this.at)) return;
    clearTimeout(this.timer);
    this.at = moment;
    this.isSet = true;
    // A timer may fire up to a millisecond early.
    const wait = Math.min(Math.max(Math.ceil((moment - now()) / 1_000), 0), LONGEST);
    this.timer = setTimeout(() => {
      this.isSet = false;
      this.fired();
    }, wait);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.at = -Infinity;
    this.isSet = true;
  }
}
