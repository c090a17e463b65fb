/** The pacer: it keeps to the rates of the server, so that the server need not refuse anything. */

import { BATCH_BYTES, type Limits } from "../limits.js";

/** The share of the server's burst that is used: messages that a network held up arrive together. */
const SHARE = 0.9;

/** A token bucket. Its times are whole nanoseconds since it was made: those of the clock have too many digits. */
class Bucket {
  /** The time in which so much of the burst comes back as may be missing when a message is sent. */
  private readonly burst: number;
  /** The time at which the bucket is full again. */
  private fullAt = 0;

  /**
   * Creates a bucket of messages that take up to `most` tokens each. A message is sent when the bucket has as many,
   * or when it is full if it cannot hold them. `rate` is the number of tokens that come back in a second; zero if
   * there is no limit.
   */
  constructor(private rate: number, burst: number, most: number) {
    const used = Math.max(Math.floor(burst * SHARE), 1);
    // There is no burst to absorb what a network held up.
    if (used >= burst) this.rate /= 2 - SHARE;
    this.burst = this.timeOf(used - Math.min(used, most));
  }

  /** Returns the time in which so many tokens come back, rounded up. */
  private timeOf(tokens: number): number {
    return this.rate > 0 ? Math.ceil((tokens / this.rate) * 1e9) : 0;
  }

  /** Returns for how many microseconds no message may be sent. */
  wait(now: number): number {
    return Math.max(Math.ceil((this.fullAt - this.burst) / 1_000) - now, 0);
  }

  spend(count: number, now: number): void {
    if (this.rate > 0) this.fullAt = Math.max(this.fullAt, now * 1_000) + this.timeOf(count);
  }
}

/** Token buckets for messages and bytes, shared by all peers of a client. */
export class Pacer {
  private readonly messages: Bucket;
  private readonly bytes: Bucket;

  constructor(
    limits: Limits,
    private readonly start: number,
  ) {
    this.messages = new Bucket(limits.messageRate, limits.messageBurst, 1);
    this.bytes = new Bucket(limits.byteRate, limits.byteBurst, BATCH_BYTES);
  }

  /** Returns when the next message may be sent, or `undefined` if that is now. */
  nextAt(now: number): number | undefined {
    const since = now - this.start;
    const wait = Math.max(this.messages.wait(since), this.bytes.wait(since));
    return wait ? now + wait : undefined;
  }

  /** Notes that a message is sent. */
  spend(bytes: number, now: number): void {
    this.messages.spend(1, now - this.start);
    this.bytes.spend(bytes, now - this.start);
  }
}
