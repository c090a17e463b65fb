/** The direct path of one end: a `link` makes it, a `path` measures it, and each learns from the other here. */

import type { PairingId } from "../id.js";
import { directFromBinary, directFromText, heartbeatText, type DirectMessage, type Heartbeat } from "../wire/heartbeat.js";
import type { Signal } from "../wire/signal.js";
import type { LinkCommand, LinkEvent, LinkId, LinkMessage } from "./link.js";
import { Attempts } from "./link/attempts.js";
import { described, gathered } from "./link/candidates.js";
import { signalled } from "./link/signals.js";
import { DirectPath, type PathConfig } from "./path.js";

/** An input. */
export type Input =
  | { kind: "signalled"; signal: Signal }
  /** An event of a link, or a heartbeat that was received on it. Any message received is a sign of life. */
  | { kind: "link"; link: LinkId; event: LinkEvent }
  | { kind: "heartbeat"; link: LinkId; heartbeat: Heartbeat }
  /** Both ends have a connection to the server, so that signals and frames get through; or not. */
  | { kind: "relay"; isThere: boolean }
  /** The server answered in this time. */
  | { kind: "server-answered"; time: number }
  /**
   * The application wants the path made anew; the driver has noticed other addresses; the pairing ended; a deadline may
   * be due.
   */
  | { kind: "network-changed" | "addresses-changed" | "ended" | "timeout" };

/** An output, to be carried out in order. */
export type Output =
  | { kind: "signal"; signal: Signal }
  | { kind: "link"; link: LinkId; command: LinkCommand }
  /** Have the driver send a heartbeat, beside the frames that wait. */
  | { kind: "heartbeat"; link: LinkId; message: LinkMessage };

/** One end's half of a direct path. */
export class Direct {
  /** True while frames get through by the relay. */
  private relay = true;
  readonly path: DirectPath;
  readonly attempts: Attempts;
  private readonly outputs: Output[] = [];

  /** The direct path of a pairing that has just been made. The initiator begins at once. */
  constructor(
    private readonly config: PathConfig,
    private pairing: PairingId,
    initiator: boolean,
    now: number,
  ) {
    this.path = new DirectPath(config);
    this.attempts = new Attempts(config, pairing, initiator, now);
    this.drain(now);
  }

  /** Returns true while the direct path carries what this end sends. */
  carries(): boolean {
    return this.path.selection.carries();
  }

  /** Returns true while pings of both ends return, whatever carries at present. */
  isAlive(): boolean {
    return this.path.liveness().isAlive;
  }

  /** Returns true while there is a channel on which a ping has returned, though it may be silent now. */
  stands(): boolean {
    return this.path.liveness().wasProven;
  }

  /** Returns the present link. */
  link(): LinkId | undefined {
    return this.attempts.link?.id;
  }

  /** Notes that the server knows the pairing by another name now. Returns the number of the last ping. */
  rename(pairing: PairingId, initiator: boolean): number {
    this.pairing = pairing;
    this.attempts.initiator = initiator;
    return this.path.heartbeats?.lastPing ?? 0;
  }

  /** Notes that frames of the session are sent or received, by whatever path. The next ping may be due at once. */
  used(now: number): void {
    this.path.heartbeats?.used(now);
  }

  /** Reads a message of the first channel. Returns undefined if it cannot be read. */
  read(message: LinkMessage): DirectMessage | undefined {
    return typeof message === "string" ? directFromText(message) : directFromBinary(message);
  }

  handle(input: Input, now: number): void {
    const life = this.path.liveness();
    const { attempts } = this;
    switch (input.kind) {
      case "signalled":
        signalled(attempts, input.signal, life, now);
        break;
      case "link":
        // Otherwise it is an event of a link that is no more.
        if (this.link() === input.link) this.reported(input.event, now);
        break;
      case "heartbeat":
        if (this.link() === input.link) this.heartbeat(input.heartbeat, now);
        break;
      case "relay":
        this.used(now); // What took one end's connection may have taken the path.
        this.relay = input.isThere;
        attempts.setRelay(this.relay, life, now);
        break;
      case "server-answered":
        this.path.serverAnswered(input.time);
        break;
      case "addresses-changed":
      case "network-changed":
        // If it is not alive any more, it falls silent soon.
        if (input.kind === "addresses-changed" && life.isAlive) this.used(now);
        else {
          this.path.selection.forgive();
          attempts.networkChanged(life, now);
        }
        break;
      case "ended":
        this.relay = false;
        attempts.end();
    }
    this.drain(now);
    this.keepTime(now);
  }

  pollOutput(): Output | undefined {
    return this.outputs.shift();
  }

  pollTimeout(): number {
    return Math.min(this.attempts.pollTimeout(), this.path.pollTimeout());
  }

  private reported(event: LinkEvent, now: number): void {
    switch (event.event) {
      case "described":
        return described(this.attempts, event.attempt, event.sdp);
      case "gathered":
        return gathered(this.attempts, event.candidate);
      case "opened":
        return this.path.opened(now);
      case "closed":
        return this.attempts.lost(this.path.liveness(), now);
      case "sent":
        return this.used(now);
      default:
        this.path.heartbeats?.heard(now);
        if (event.event === "heard") this.used(now);
    }
  }

  private heartbeat(heartbeat: Heartbeat, now: number): void {
    if (!this.path.received(heartbeat, now)) return;
    if (heartbeat.t === "ping") this.sendHeartbeat("pong", heartbeat.n);
    this.path.compare(now);
  }

  private sendHeartbeat(t: Heartbeat["t"], n: Heartbeat["n"]): void {
    const link = this.link();
    const message = heartbeatText(this.path.heartbeat(t, n, this.pairing));
    if (link) this.outputs.push({ kind: "heartbeat", link, message });
  }

  /** Carries out what the attempts put out. */
  private drain(now: number): void {
    for (let output; (output = this.attempts.outputs.shift()); ) {
      if (output.kind === "partner-is-silent") this.path.heartbeats?.partnerIsSilent();
      else if (output.kind === "partner-moved") this.path.selection.forgive();
      else if (output.kind === "signal" || output.kind === "link") {
        this.outputs.push(output);
        if (output.kind === "link" && output.command.command === "close") this.path.closed(now);
      }
    }
  }

  /** Does what is due, whatever the input was. */
  private keepTime(now: number): void {
    const n = this.path.heartbeats?.timeout(now);
    if (n !== undefined) this.sendHeartbeat("ping", n);
    this.attempts.watch(this.path.liveness(), now);
    this.drain(now);
    this.attempts.beginIfDue(now);
    this.drain(now);
    this.path.choose(this.relay && this.config.policy !== "direct-only", now);
  }
}
