/**
 * The selection of a path: the direct one while it is alive, unless it was left a moment ago or the relay is measured
 * to be faster.
 */

import { COMPARE_TIME, MS } from "../../limits.js";
import { Hold } from "./hold.js";

/** Two round-trip times that differ by less count as equal. */
const SLACK = 10 * MS;

export class Selection {
  /** The time at which the direct path was taken, while it carries. */
  private since: number | undefined;
  private readonly hold = new Hold();
  /** The time at which the relay began to be measured faster, or no longer faster; infinite if it is not. */
  private relayBetterSince = Infinity;
  private relayWorseSince = Infinity;
  /** True if the path was left for the relay, which must be measured slower before the path is taken again. */
  private isSlower = false;

  carries(): boolean {
    return this.since !== undefined;
  }

  /** Returns when a held path may be taken, if no other input comes first. */
  pollTimeout(isAlive: boolean): number {
    const waits = isAlive && !this.carries() && !this.isSlower && this.hold.until !== -Infinity;
    return waits ? this.hold.until : Infinity;
  }

  /** Compares the round-trip times of the two paths, as far as they are known. */
  measured(direct: number | undefined, relay: number | undefined, now: number): void {
    if (direct === undefined || relay === undefined) return;
    // Between the two thresholds neither holds.
    this.relayBetterSince = direct > relay * 2 + SLACK ? Math.min(this.relayBetterSince, now) : Infinity;
    this.relayWorseSince = direct < (relay * 5) / 4 + SLACK / 2 ? Math.min(this.relayWorseSince, now) : Infinity;
  }

  /** Takes or leaves the direct path. */
  choose(isAlive: boolean, relay: boolean, hold: number, now: number): void {
    // Measurements from before the relay's absence say nothing about the time after it.
    if (!relay) this.relayBetterSince = this.relayWorseSince = Infinity;
    const isLong = (since: number) => since + COMPARE_TIME <= now;
    if (this.since !== undefined) {
      if (!isAlive) this.leave(false, hold, now);
      else if (relay && isLong(this.relayBetterSince)) this.leave(true, hold, now);
      return;
    }
    if (isLong(this.relayWorseSince)) this.isSlower = false;
    const isHeld = this.isSlower || now < this.hold.until;
    if (!isAlive || (relay && isHeld)) return;
    this.since = now;
    this.hold.taken();
    this.isSlower = false;
    this.relayBetterSince = Infinity;
  }

  private leave(isSlower: boolean, hold: number, now: number): void {
    const carried = now - (this.since ?? now);
    this.since = undefined;
    this.isSlower = isSlower;
    this.relayWorseSince = Infinity;
    this.hold.left(carried, hold, now);
  }

  /** Forgets the flaps: they happened on another network. */
  forgive(): void {
    this.hold.forgive();
  }

  /** Notes that the link is closed: the next is another path, and has not been measured. */
  closed(hold: number, now: number): void {
    if (this.carries()) this.leave(false, hold, now);
    this.isSlower = false;
    this.relayBetterSince = this.relayWorseSince = Infinity;
  }
}
