/**
 * The direct path as it is measured: alive or silent, carrying or held back. It does not matter here which kind of link
 * carries it.
 *
 * ```text
 *            pings of both ends return                      the link is closed
 *   Opened ──────────────────────────► Alive ◄────► Silent ───────────────────► (none)
 *                                        │  carries; or is held back: it was left a moment ago,
 *                                        │  or the relay is measured to be faster
 * ```
 */

import type { PairingId } from "../id.js";
import type { Heartbeat } from "../wire/heartbeat.js";
import type { PathConfig } from "./path/config.js";
import { Heartbeats } from "./path/heartbeat.js";
import { MinRtt } from "./path/min-rtt.js";
import { Selection } from "./path/selection.js";

export { pathConfig, type PathConfig, type PathPolicy } from "./path/config.js";

/** Answers of the server of which the quickest counts: those of a quarter of a minute. */
const ANSWERS = 4;

/** The liveness of the present link's channel. Without a channel everything is false. */
export interface Liveness {
  /** The channel is open. */
  isOpen: boolean;
  /** Pings of both ends return, or have returned at the same time before. */
  isAlive: boolean;
  wasAlive: boolean;
  /** Pings of this end return, or one has returned before. */
  returns: boolean;
  wasProven: boolean;
}

/** The direct path of a pairing, over one link after another. */
export class DirectPath {
  /** The heartbeats of the present link, once its channel is open. */
  heartbeats: Heartbeats | undefined;
  /** The answers of this end's server, and the shortest time that the partner stated for its own. */
  private readonly server = new MinRtt(ANSWERS);
  private partnerServer: number | undefined;
  readonly selection = new Selection();

  constructor(private readonly config: PathConfig) {}

  liveness(): Liveness {
    const { heartbeats } = this;
    return {
      isOpen: !!heartbeats,
      isAlive: !!heartbeats?.isAlive(),
      wasAlive: !!heartbeats?.wasAlive,
      returns: !!heartbeats?.returns,
      wasProven: !!heartbeats?.wasProven(),
    };
  }

  /** Returns the shortest recent round-trip time between the two ends over the relay, as far as it is known. */
  relayRtt(): number | undefined {
    const server = this.server.get();
    return server === undefined || this.partnerServer === undefined ? undefined : server + this.partnerServer;
  }

  /** Begins the heartbeats: the channel is open. */
  opened(now: number): void {
    this.heartbeats ??= new Heartbeats(this.config, now);
  }

  /** Ends the heartbeats: the link is closed. */
  closed(now: number): void {
    this.heartbeats = undefined;
    this.selection.closed(this.config.hold, now);
  }

  serverAnswered(time: number): void {
    this.server.record(time);
  }

  /** Notes a heartbeat. Returns true if the channel is open, so that a ping is answered. */
  received(heartbeat: Heartbeat, now: number): boolean {
    this.heartbeats?.received(heartbeat, now);
    if (this.heartbeats) this.partnerServer = heartbeat.server ?? this.partnerServer;
    return !!this.heartbeats;
  }

  /** Compares the two paths by what was measured so far. */
  compare(now: number): void {
    this.selection.measured(this.heartbeats?.minRtt(), this.relayRtt(), now);
  }

  /** Returns a heartbeat with the present state of this end. */
  heartbeat(t: Heartbeat["t"], n: Heartbeat["n"], pairing: PairingId): Heartbeat {
    return { t, n, pairing, ok: !!this.heartbeats?.returns, server: this.server.get() };
  }

  /** Takes or leaves the path. */
  choose(relay: boolean, now: number): void {
    this.selection.choose(!!this.heartbeats?.isAlive(), relay, this.config.hold, now);
  }

  pollTimeout(): number {
    const selection = this.selection.pollTimeout(!!this.heartbeats?.isAlive());
    return Math.min(this.heartbeats?.pollTimeout() ?? Infinity, selection);
  }
}
