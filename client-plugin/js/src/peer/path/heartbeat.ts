/**
 * The heartbeat of a direct path: its times, and the liveness that it shows.
 *
 * Each end paces its own pings, and judges the path by their return. A ping is answered at once, by any version, so that
 * neither end depends on the pace of the other.
 *
 * ```text
 *   in use: a ping every 200 ms ──── unused ever longer: as seldom ────► idle: every 4 s
 *     ▲                                                                     │
 *     └────────────────── used: a ping at once ─────────────────────────────┘
 *   a ping is overdue, or the path is not alive: a ping every 50 ms
 * ```
 */

import { MS } from "../../limits.js";
import type { Heartbeat } from "../../wire/heartbeat.js";
import type { PathConfig } from "./config.js";
import { MinRtt } from "./min-rtt.js";

/** Pings that may be under way: those of the time after which a path is given up, several times. */
const UNDER_WAY = 64;
/** Round trips of which the shortest counts: those of a little more than 6 s. */
const SAMPLES = 32;
/**
 * Pings per interval while the path is not alive, or a ping is overdue. SCTP sends a lost message again when three later
 * ones have arrived, and otherwise after a second: a lone ping needs company.
 */
const PROBES = 4;
/** Round trip up to which a lost message has come again well within the default timeout. */
const SHORT_ROUND_TRIP = 75 * MS;
/** Nanoseconds of a microsecond: means are computed in nanoseconds, as in Rust. */
const NANOS = 1000;

export class Heartbeats {
  private readonly interval: number;
  private readonly idle: number;
  private readonly patience: number;
  lastPing = 0;
  private underWay: { n: number; sent: number }[] = [];
  /** The time at which the oldest ping was sent that may still return. */
  private waitsSince: number | undefined;
  /** True if the path was idle then and is not used yet; otherwise the time at which it came into use. */
  private waitsIdly = false;
  private resumedAt: number;
  private sentAt: number;
  private nextAt: number;
  /** The last time at which anything but a heartbeat was sent or received, or the path was doubted. */
  private usedAt: number;
  /** The last time at which a ping returned, and at which anything was received. */
  private returnedAt: number | undefined;
  private heardAt: number;
  /** True while this end's pings return, and while the partner says the same of its own. */
  returns = false;
  private partnerReturns = false;
  /** The time before which the partner's `ok` does not become true again. */
  private doubtedUntil = -Infinity;
  /** True once both returned at the same time. */
  wasAlive = false;
  /** The moving average of the round-trip time, in nanoseconds. */
  private mean: number | undefined;
  private readonly min = new MinRtt(SAMPLES);

  /** The heartbeats of a channel that has just opened. */
  constructor(config: PathConfig, now: number) {
    this.interval = config.heartbeatInterval;
    this.idle = Math.max(config.heartbeatIdle, config.heartbeatInterval);
    this.patience = config.heartbeatTimeout;
    this.resumedAt = this.sentAt = this.nextAt = this.usedAt = this.heardAt = now;
  }

  /** Returns true while pings of both ends return. */
  isAlive(): boolean {
    return this.returns && this.partnerReturns;
  }

  /** Returns true once any ping of this end has returned. */
  wasProven(): boolean {
    return this.returnedAt !== undefined;
  }

  /** Returns the moving average of the round-trip time in whole microseconds. */
  meanRtt(): number | undefined {
    return this.mean && Math.floor(this.mean / NANOS);
  }

  /** Returns the shortest of the last round-trip times. */
  minRtt(): number | undefined {
    return this.min.get();
  }

  /** Notes that something else than a heartbeat was received. */
  heard(now: number): void {
    this.heardAt = now;
  }

  /**
   * Notes that something else than a heartbeat was sent or received, by the other path as well, for then the two are
   * compared; or that the path may be gone.
   */
  used(now: number): void {
    this.usedAt = now;
    if (this.waitsIdly) this.resumedAt = now;
    this.waitsIdly = false;
    this.nextAt = Math.min(this.nextAt, Math.max(now, this.sentAt + this.interval));
  }

  /** Notes that none of the partner's pings returns, as it says over the relay. */
  partnerIsSilent(): void {
    this.partnerReturns = false;
  }

  /** Notes a heartbeat that was received. */
  received({ t, n, ok }: Heartbeat, now: number): void {
    this.heardAt = now;
    this.partnerSays(ok, now);
    if (t === "pong") this.returned(n, now);
    this.wasAlive ||= this.isAlive();
  }

  /**
   * Notes whether the partner's pings return, as it says. That they return again counts at most once in an interval: a
   * partner cannot make this end leave and take the path as fast as it likes.
   */
  private partnerSays(returns: boolean, now: number): void {
    if (!returns) this.partnerReturns = false;
    else if (!this.partnerReturns && this.doubtedUntil <= now) {
      this.partnerReturns = true;
      this.doubtedUntil = now + this.interval;
    }
  }

  private returned(n: number | bigint, now: number): void {
    const at = this.underWay.findIndex((ping) => ping.n === n);
    const ping = this.underWay[at];
    if (!ping) return;
    // The channel keeps the order: earlier pings are not answered any more.
    this.underWay = this.underWay.slice(at + 1);
    const sample = now - ping.sent;
    this.waitsSince = this.underWay[0]?.sent;
    this.waitsIdly &&= this.waitsSince !== undefined;
    const nanos = sample * NANOS;
    this.mean = this.mean === undefined ? nanos : Math.floor((this.mean * 7 + nanos) / 8);
    this.min.record(sample);
    this.returnedAt = now;
    if (!this.returns) {
      this.returns = true;
      this.nextAt = now; // The partner waits for `ok`.
    }
  }

  /**
   * Returns the silence after which the path is left: the timeout, and longer on a long path.
   *
   * The channel keeps the order, so a lost message holds up those behind it until it has come again: its sender learns of
   * the loss from three later ones, a round trip after the third. The silence is long enough for that and for another round
   * trip.
   */
  private silence(): number {
    const excess = Math.max((this.minRtt() ?? 0) - SHORT_ROUND_TRIP, 0);
    return Math.min(this.patience + 2 * excess, 3 * this.patience);
  }

  /**
   * Returns when the path counts as silent if nothing more is received: so long after the last return, or after the time at
   * which pings in the shortest interval would last have returned, as the silence may last. Anything received extends the
   * time up to three times that, for under load a heartbeat waits behind other messages. An idle path has so much time in
   * any case: nothing waits for it.
   */
  private silentAt(): number {
    if (!this.returns || this.returnedAt === undefined || this.waitsSince === undefined) return Infinity;
    const due = this.waitsSince + (this.minRtt() ?? 0);
    const since = Math.max(due - this.interval, this.returnedAt);
    const silence = this.silence();
    const longest = since + 3 * silence;
    if (this.waitsIdly) return longest;
    return Math.min(Math.max(this.heardAt, since, this.resumedAt) + silence, longest);
  }

  /** Returns when the next ping is due. */
  private dueAt(): number {
    // Pings that are to show quickly whether the path carries.
    let probe = this.sentAt + Math.max(this.interval / PROBES, MS);
    if (this.isAlive()) {
      if (this.waitsSince === undefined) return this.nextAt;
      probe = Math.max(probe, this.waitsSince + (this.minRtt() ?? 0) + this.interval);
    }
    return Math.min(probe, this.nextAt);
  }

  /** Returns the number of the ping that is due, if one is. */
  timeout(now: number): number | undefined {
    if (this.silentAt() <= now) {
      this.returns = false;
      this.nextAt = now; // The partner must not believe in the path either.
    }
    if (now < this.dueAt()) return undefined;
    const unused = now - this.usedAt;
    this.nextAt = now + Math.min(Math.max(unused, this.interval), this.idle);
    this.sentAt = now;
    if (this.waitsSince === undefined) {
      this.waitsSince = now;
      this.waitsIdly = unused >= 2 * this.interval;
    }
    if (this.underWay.length === UNDER_WAY) this.underWay.shift();
    this.underWay.push({ n: ++this.lastPing, sent: now });
    return this.lastPing;
  }

  pollTimeout(): number {
    return Math.min(this.silentAt(), this.dueAt());
  }
}
