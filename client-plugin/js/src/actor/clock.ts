/** The clock of a client, and the timer for its deadlines. */

import { SETTING_MAX } from "../limits.js";

/** Returns whole microseconds of a clock that does not jump. */
export const now = (): number => Math.floor(performance.now() * 1_000);

/** Returns microseconds for a setting in milliseconds. Infinity is the longest time. */
export const micros = (milliseconds: number): number => Math.min(Math.round(milliseconds * 1_000), SETTING_MAX);

/** The longest wait of a timer in milliseconds: a longer one would be over at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * A timer that is reset only to an earlier moment: deadlines change with each message. So it may fire early, and its
 * owner compares its deadlines with the clock.
 */
export class CoarseTimer {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private at = Infinity;

  /** `fired` gets the time by which the timer was late, in microseconds. */
  constructor(private readonly fired: (late: number) => void) {}

  /** Makes the timer fire at this moment or earlier. */
  set(moment: number | undefined): void {
    if (moment === undefined || moment >= this.at) return;
    clearTimeout(this.timer);
    this.at = moment;
    // A timer may fire up to a millisecond early.
    const wait = Math.min(Math.max(Math.ceil((moment - now()) / 1_000), 0), LONGEST);
    this.timer = setTimeout(() => {
      const late = now() - this.at;
      this.at = Infinity;
      this.fired(late);
    }, wait);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.at = -Infinity;
  }
}
