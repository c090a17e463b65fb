/** Registrations that are made again after a refusal that may pass. */

import { REGISTER_RETRY_MAX, REGISTER_RETRY_MIN, setting } from "../limits.js";

/** The waits between registrations of the same target. They double, within the quota of a server. */
export class RegisterRetry {
  private readonly until: number;
  private waits = 0;

  /** Registrations begin within this time. */
  constructor(within: number, now: number) {
    this.until = now + setting(within);
  }

  /** Returns the wait before the next registration, or `undefined` if it would begin too late. */
  nextWait(now: number): number | undefined {
    const wait = Math.min(REGISTER_RETRY_MIN * 2 ** Math.min(this.waits++, 16), REGISTER_RETRY_MAX);
    return now + wait < this.until ? wait : undefined;
  }
}
