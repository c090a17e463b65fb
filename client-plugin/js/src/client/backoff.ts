/**
 * The waits between attempts to connect, and the time of each attempt.
 *
 * The wait doubles from attempt to attempt. While the server keeps the pairings of this client, several attempts
 * fall into what is left of the grace period, and none takes all of it.
 */

import { GRACE_ATTEMPT_TIME, GRACE_WAIT, setting } from "../limits.js";
import type { ClientConfig } from "./interface.js";

/** The waits since the last welcome. */
export class Backoff {
  private waits = 0;
  /**
   * The earliest and the latest end of the grace period. The server may have noticed the loss before this client
   * did, but not before this client heard from it.
   */
  private grace: { earliest: number; latest: number } | undefined;

  constructor(private readonly config: ClientConfig) {}

  /** Notes that the server has welcomed this client: the next loss is the first again. */
  welcomed(): void {
    this.waits = 0;
    this.grace = undefined;
  }

  /** Notes that the connection was lost, on which something was heard last at `heard`. */
  lost(grace: number, heard: number, now: number): void {
    grace = setting(grace);
    this.grace = { earliest: heard + grace, latest: now + grace };
  }

  /** Returns the wait before the next attempt. */
  nextWait(now: number): number {
    const { backoffMin, backoffMax, random } = this.config;
    let wait = Math.min(backoffMin * 2 ** Math.min(this.waits++, 16), backoffMax);
    if (this.grace && now < this.grace.latest) {
      const left = Math.max(this.grace.earliest - now, 0);
      // With the random part it is as long at most.
      wait = Math.max(Math.min(wait, Math.max(left / 4, GRACE_WAIT) / 2), backoffMin);
    }
    return Math.floor(wait + wait * random());
  }

  /** Returns the time that an attempt which begins now may take. */
  attemptTime(now: number): number {
    const { connectTimeout } = this.config;
    const left = (this.grace?.latest ?? now) - now;
    return left > 0 ? Math.min(connectTimeout, Math.max(left / 3, GRACE_ATTEMPT_TIME)) : connectTimeout;
  }
}
