/**
 * One end of one pairing: its session, the paths that carry it, how a direct path comes about, and what the server knows
 * of the pairing. A port of `protocol/src/peer.rs`.
 *
 * No IO, no clock, no randomness: feed it with `handle`, carry out what `pollOutput` returns, and come back with
 * `timeout` when `pollTimeout` is due. Frames are collected while inputs are fed: when all inputs that are there were
 * fed, take them in batches with `pollDirect` and, as fast as the server allows, with `pollRelay`. Times are whole
 * microseconds.
 */

import type { EndReason, Path } from "./error.js";
import type { PairingId } from "./id.js";
import type { Limits } from "./limits.js";
import type { Direct } from "./peer/direct.js";
import { emit, finished, FRAME_OVERHEAD } from "./peer/emits.js";
import type { Input, Output } from "./peer/interface.js";
import type { LinkId, LinkMessage } from "./peer/link.js";
import { linkEvent } from "./peer/link-event.js";
import { Outbox } from "./peer/outbox.js";
import { pathConfig, type PathConfig } from "./peer/path.js";
import { nextReassertion, part, reassert, serverEvent, watchStanding } from "./peer/reassertion.js";
import { isKnown, type ServerView } from "./peer/server-view.js";
import { Session } from "./peer/session.js";
import type { Input as SessionInput } from "./peer/session/interface.js";
import { allowRelay, carryOutDirect, direct, endDirect, reportPath } from "./peer/switching.js";
import type { PairingInfo } from "./wire/control/welcome.js";
import type { Frame } from "./wire/frame.js";

export type { Complaint, Input, Output, ServerEvent } from "./peer/interface.js";
export type { LinkCommand, LinkEvent, LinkId, LinkMessage } from "./peer/link.js";
export { pathConfig, type PathConfig, type PathPolicy } from "./peer/path.js";
export { reasserts } from "./peer/reassertion.js";
export { isForgotten, knownAs } from "./peer/server-view.js";

/** One end of one pairing. */
export class Peer {
  readonly config: PathConfig;
  /** The names that the server had for the pairing before. */
  readonly former: PairingId[] = [];
  readonly session: Session;
  /** The direct path, if one may be tried. */
  direct: Direct | undefined;
  /** The path that was reported last. The first is taken for granted. */
  reported: Path | undefined;
  server: ServerView = { view: "known" };
  /** True while this end has a connection to the server. */
  isConnected = true;
  /** True while the partner has none. */
  isPartnerAway = false;
  outbox = new Outbox();
  /** True once the pairing is to end: the server does not relay what this end sends. */
  isUnwanted = false;
  isEnded = false;
  /**
   * Begins with a direct path that waits, if one does. `asks` is true if the application asks for it, and false if the
   * partner does. See `peer/upgrade.ts`.
   */
  upgrade: ((asks: boolean, now: number) => void) | undefined;
  readonly outputs: Output[] = [];

  /**
   * One end of a pairing that has just been made, on a connection to a server with these limits. `serverRtt` is the time
   * in which the server answered last.
   */
  constructor(
    config: Partial<PathConfig>,
    public info: PairingInfo,
    public limits: Limits,
    serverRtt: number | undefined,
    now: number,
  ) {
    this.config = pathConfig(config);
    this.session = new Session(info.partnerProtocol === 1);
    allowRelay(this, now);
    this.reported = this.session.path();
    const { parts, policy } = this.config;
    if (parts && info.direct && policy !== "relay-only") {
      this.direct = new parts.Direct(this.config, info.id, info.initiator, now);
    }
    if (serverRtt !== undefined) direct(this, { kind: "server-answered", time: serverRtt }, now);
    carryOutDirect(this, now);
    reportPath(this);
  }

  /** Returns true if this is the name of the pairing, or was. */
  isNamed(pairing: PairingId): boolean {
    return this.info.id === pairing || this.former.includes(pairing);
  }

  /** Returns true while the direct path may be tried. */
  hasDirect(): boolean {
    return !!this.direct;
  }

  /** Returns true while pings return on the direct path. */
  isAlive(): boolean {
    return !!this.direct?.isAlive();
  }

  /** Returns true while there is a direct path, though it may be silent now. */
  stands(): boolean {
    return !!this.direct?.stands();
  }

  /** Returns true if an emit may be given now. If not, it waits with its caller. */
  takesEmits(): boolean {
    // An emit that can never be sent is refused at once.
    return this.session.hasRoom() || (!this.direct && this.config.policy === "direct-only");
  }

  /** Returns true while there is a path and the partner has not confirmed everything that was sent. */
  isUnconfirmed(): boolean {
    return !!this.session.path() && !this.session.isConfirmed();
  }

  /** Handles an input. */
  handle(input: Input, now: number): void {
    if (this.isEnded) return;
    this.dispatch(input, now);
    reportPath(this);
  }

  private dispatch(input: Input, now: number): void {
    switch (input.kind) {
      case "relayed":
        for (const frame of input.frames) this.inSession({ kind: "received", path: "relay", frame }, now);
        return;
      case "relay-refused":
        if (this.isUnwanted) return;
        this.outbox.clearRelay();
        return this.inSession({ kind: "refused", path: "relay" }, now);
      case "undeliverable":
        return this.giveUp(now);
      case "link":
        return linkEvent(this, input.link, input.event, now);
      case "emit":
        return emit(this, input.call, input.event, input.args, input.options, now);
      case "finished":
        return finished(this, input.seq, input.result, now);
      case "server":
        return serverEvent(this, input.event, now);
      case "cancelled":
      case "paused":
        return this.inSession(input, now);
      case "upgrade":
        return this.upgrade?.(true, now);
      case "signalled":
        this.upgrade?.(false, now);
        return direct(this, input, now);
      case "network-changed":
      case "addresses-changed":
        return direct(this, input, now);
      case "parted":
        return part(this, input.reason, now);
      case "ended":
        return this.end(input.reason, now);
      case "timeout":
        this.inSession(input, now);
        direct(this, input, now);
        reassert(this, now);
    }
  }

  /** Returns the next output, if any. */
  pollOutput(): Output | undefined {
    return this.outputs.shift();
  }

  /** Returns when `timeout` is due, if ever. */
  pollTimeout(): number | undefined {
    if (this.isEnded) return undefined;
    const due = Math.min(this.session.pollTimeout(), this.direct?.pollTimeout() ?? Infinity, nextReassertion(this));
    return due === Infinity ? undefined : Math.ceil(due);
  }

  /** Returns true while frames wait for `pollRelay`. */
  hasRelayed(): boolean {
    return this.outbox.hasRelayed();
  }

  /** Takes the next batch of frames for the relay. */
  pollRelay(): Frame[] | undefined {
    return this.outbox.takeRelay(Math.max(this.limits.frameBytes - FRAME_OVERHEAD, 0));
  }

  /** Takes the next message with frames for the direct path. */
  pollDirect(): { link: LinkId; message: LinkMessage } | undefined {
    return this.outbox.takeDirect(this.info.id);
  }

  /** Feeds the session, and carries out what it puts out. */
  inSession(input: SessionInput, now: number): void {
    const { session, outputs, outbox } = this;
    const { resends } = session;
    let isUsed = input.kind === "received";
    session.handle(input, now);
    if (session.resends !== resends) outbox.clear();
    for (let output; (output = session.pollOutput()); ) {
      if (output.kind === "send") {
        isUsed = true;
        const link = this.direct?.link();
        if (output.path === "relay") outbox.pushRelay(output.frame);
        else if (link) outbox.pushDirect(link, output.frame);
      } else if (output.kind === "violation") {
        outputs.push({ kind: "complain", about: { partner: output.violation } });
      } else {
        outputs.push(output);
      }
    }
    if (isUsed) this.direct?.used(now);
  }

  /**
   * Has the server end the pairing. It stands until the server says so: a connection that is lost meanwhile may take the
   * wish with it.
   */
  private giveUp(now: number): void {
    if (!isKnown(this)) return part(this, "unregistered", now);
    if (!this.isUnwanted) this.outputs.push({ kind: "unregister" });
    this.isUnwanted = true;
  }

  /** Ends the pairing if there is neither a server that knows it nor a direct path. */
  watchStanding(now: number): void {
    watchStanding(this, now);
  }

  /** Ends this end of the pairing: calls are resolved, and the link is closed. */
  end(reason: EndReason, now: number): void {
    if (this.isEnded) return;
    this.inSession({ kind: "ended", reason }, now);
    endDirect(this, now);
    this.outbox = new Outbox();
    this.isEnded = true;
    this.outputs.push({ kind: "ended", reason });
  }
}
