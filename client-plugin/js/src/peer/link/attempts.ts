/** Attempts: when to begin one, when it has failed, and when to try again. */

import { pairingSeed, type PairingId } from "../../id.js";
import { DIRECT_STEADY } from "../../limits.js";
import type { Signal, Step, WhyAnew } from "../../wire/signal.js";
import type { LinkCommand, LinkId } from "../link.js";
import type { Liveness, PathConfig } from "../path.js";
import { Exchange, type PresentLink } from "./present.js";

/** A result of the attempts, to be carried out in this order. */
export type Output =
  | { kind: "signal"; signal: Signal }
  /** Command the driver of the link. With `close` the link is no more. */
  | { kind: "link"; link: LinkId; command: LinkCommand }
  /** The partner says that none of its pings returns, or has other addresses than before. */
  | { kind: "partner-is-silent" | "partner-moved" };

/** The attempts of one end at a direct connection. */
export class Attempts {
  /** True while signals get through. */
  private relay = true;
  /** The highest number of an attempt, of either end. */
  attempt = 0;
  /** True once the partner has numbered a signal; simple-peer does not. */
  numbers = false;
  /** The time from which the partner may make as many offers at once as ever. */
  offersAt = -Infinity;
  private links = 0;
  link: PresentLink | undefined;
  /** The time of the next attempt; infinite if it is not for this end to begin. */
  private retryAt = Infinity;
  /** The beginning of the last connection, and of the last restart. */
  private beganAt = -Infinity;
  private restartedAt = -Infinity;
  /** Attempts that failed, or made a path that did not last, since something changed. */
  failures = 0;
  readonly outputs: Output[] = [];

  /** The attempts of a pairing that has just been made, under whose name links are counted. */
  constructor(
    readonly config: PathConfig,
    private readonly origin: PairingId,
    public initiator: boolean,
    now: number,
  ) {
    if (initiator) this.begin(now);
  }

  pollTimeout(): number {
    const { link, relay } = this;
    if (!link) return relay ? this.retryAt : Infinity;
    return Math.min(link.deadline, relay ? (link.restart?.at ?? Infinity) : Infinity);
  }

  command(command: LinkCommand): void {
    if (this.link) this.outputs.push({ kind: "link", link: this.link.id, command });
  }

  signal(attempt: number, step: Step): void {
    if (this.relay) this.outputs.push({ kind: "signal", signal: { attempt, step } });
  }

  /** Takes the number of this end's next attempt. */
  private nextAttempt(): number {
    const isOdd = this.attempt % 2 === 1;
    this.attempt += isOdd === this.initiator ? 2 : 1;
    return this.attempt;
  }

  makeLink(exchange: Exchange, remoteSession: string | undefined, now: number): void {
    this.dropLink();
    this.retryAt = Infinity;
    this.beganAt = now;
    this.link = {
      id: `${this.origin}/${++this.links}`,
      remoteSession,
      exchange,
      aliveSince: undefined,
      deadline: now + this.config.timeout,
      restart: undefined,
    };
  }

  private dropLink(): void {
    this.command({ command: "close" });
    this.link = undefined;
  }

  /** Returns when a partner may make this end begin anew: not as often as it likes. */
  soonest(now: number): number {
    return Math.max(now, this.beganAt + this.config.retryMin);
  }

  /** Returns the same for a restart. */
  soonestRestart(now: number): number {
    return Math.max(this.soonest(now), this.restartedAt + this.config.retryMin);
  }

  /** Leaves the present attempt for one that begins then. */
  beginAt(at: number): void {
    this.dropLink();
    this.retryAt = at;
  }

  /** Begins a fresh connection. */
  private begin(now: number): void {
    const attempt = this.nextAttempt();
    this.makeLink(new Exchange("offer", attempt), undefined, now);
    this.command({ command: "offer", attempt });
  }

  /** Begins the next attempt if it is time. */
  beginIfDue(now: number): void {
    if (this.relay && !this.link && this.retryAt <= now) this.begin(now);
  }

  /** Begins to find other addresses for the present connection. */
  private restart(now: number): void {
    const attempt = this.nextAttempt();
    if (!this.link) return;
    this.link.exchange = new Exchange("offer", attempt);
    this.link.restart = undefined;
    this.link.deadline = now + this.config.timeout;
    this.restartedAt = now;
    this.command({ command: "restart", attempt });
  }

  /** Notes that this end's network changed: tries again, or has the initiator do so. The partner learns it. */
  networkChanged(life: Liveness, now: number): void {
    this.failures = 0;
    this.report("changed");
    if (!this.initiator) return; // The initiator begins.
    if (!this.relay) this.retryAt = now; // Once the server can be reached.
    else if (life.isOpen) this.restart(now);
    else this.begin(now);
  }

  /** Notes whether signals get through. */
  setRelay(isThere: boolean, life: Liveness, now: number): void {
    const wasThere = this.relay;
    this.relay = isThere;
    if (!isThere || wasThere || life.isAlive) return;
    // Signals may have been lost with it: what they were for is repeated.
    this.failures = 0;
    if (this.link && life.wasAlive) {
      // Its restart may still be to come.
      this.link.restart ??= { at: this.soonestRestart(now), why: "silent" };
    } else if (this.initiator) this.beginAt(this.soonest(now)); // A partner that comes and goes is not to cost one each time.
    else this.ask("changed");
  }

  /** Asks the initiator to offer anew, if it is one that understands. */
  private ask(why: WhyAnew): void {
    if (!this.initiator) this.report(why);
  }

  private report(why: WhyAnew): void {
    if (this.numbers) this.signal(this.attempt, { type: "renegotiate", why });
  }

  /** Looks after the present link: whether it has succeeded, is silent, or took too long. */
  watch(life: Liveness, now: number): void {
    const { link } = this;
    if (!link) return;
    if (life.isAlive) {
      // A restart that is never answered does no harm.
      if (!link.exchange.isUnanswered() || link.deadline <= now) link.deadline = Infinity;
      link.aliveSince ??= now;
      if (link.aliveSince + DIRECT_STEADY <= now) this.failures = 0;
      if (link.restart?.why === "silent") link.restart = undefined;
      return this.restartIfDue(now);
    }
    if (link.aliveSince !== undefined) {
      // It has just fallen silent, and may come back by itself.
      link.aliveSince = undefined;
      link.deadline = now + this.config.timeout;
      link.restart ??= { at: now + this.config.restartAfter, why: "silent" };
      if (life.isOpen && !life.returns) this.report("silent");
    }
    if (link.deadline <= now) this.lost(life, now);
    else this.restartIfDue(now);
  }

  private restartIfDue(now: number): void {
    const { link } = this;
    if (!link?.restart || !this.relay || link.restart.at > now) return;
    link.restart = undefined;
    if (this.initiator) this.restart(now);
    else this.ask("silent");
  }

  /** Gives the present link up, and plans the next attempt. */
  lost(life: Liveness, now: number): void {
    this.dropLink();
    if (!this.initiator) return this.ask("closed");
    this.failures++;
    // If it worked a moment ago, it may work again at once.
    const isFirst = life.wasProven && this.failures === 1;
    this.retryAt = isFirst ? this.soonest(now) : now + this.delay();
  }

  /** Closes the link and ends all attempts. */
  end(): void {
    this.dropLink();
    this.retryAt = Infinity;
    this.relay = false;
  }

  /**
   * Returns the wait after so many failures: it doubles each time, with jitter between three and five quarters, by the
   * pairing and the attempt, so that ends that failed together do not try again together. It is computed in nanoseconds,
   * as in Rust, and rounded up to whole microseconds, as a timer is.
   */
  delay(): number {
    const doubled = this.config.retryMin * 2 ** Math.min(this.failures - 1, 16);
    const nanos = Math.min(doubled, this.config.retryMax) * 1000;
    const random = spread(pairingSeed(this.origin) ^ BigInt(this.attempt)) % 1024;
    const jitter = Math.floor(nanos / 2048) * random + Math.floor(((nanos % 2048) * random) / 2048);
    return Math.ceil((Math.floor((nanos * 3) / 4) + jitter) / 1000);
  }
}

/** Returns a number that looks random (the last step of SplitMix64). */
function spread(seed: bigint): number {
  const u64 = (x: bigint) => BigInt.asUintN(64, x);
  let x = u64(seed + 0x9e37_79b9_7f4a_7c15n);
  x = u64((x ^ (x >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
  x = u64((x ^ (x >> 27n)) * 0x94d0_49bb_1331_11ebn);
  return Number(BigInt.asUintN(32, x >> 33n));
}
