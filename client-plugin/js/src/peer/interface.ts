/** The inputs and outputs of a peer. */

import type { Args } from "../args.js";
import type { Code, EndReason, Outcome, Path } from "../error.js";
import type { Limits } from "../limits.js";
import type { PairingInfo, Presence } from "../wire/control/welcome.js";
import type { Frame, Result } from "../wire/frame.js";
import type { Signal } from "../wire/signal.js";
import type { LinkCommand, LinkEvent, LinkId } from "./link.js";
import type { CallId, Delivery, EmitOptions, Violation } from "./session/interface.js";

/** An input. Times are microseconds. */
export type Input =
  /** The server relayed frames of the partner. */
  | { kind: "relayed"; frames: Frame[] }
  /**
   * The server dropped frames of this end, which are sent again; the server will never relay what this end has sent, so
   * that the pairing is to end.
   */
  | { kind: "relay-refused" | "undeliverable" }
  /** The server forwarded a signal of the partner. */
  | { kind: "signalled"; signal: Signal }
  /** The application wants a direct path that waits. */
  | { kind: "upgrade" }
  /** The driver of a link reports an event. */
  | { kind: "link"; link: LinkId; event: LinkEvent }
  /** The application emits an event. Only while the peer takes emits. */
  | { kind: "emit"; call: CallId; event: string; args: Args; options: EmitOptions }
  /** The caller of an emit no longer waits. */
  | { kind: "cancelled"; call: CallId }
  /** A handler is done: the number of its delivery, and its result. */
  | { kind: "finished"; seq: number; result: Result }
  /** The server, or the connection to it, changed what it knows of the pairing. */
  | { kind: "server"; event: ServerEvent }
  /** The application takes no more emits: those of the partner stay in its window. */
  | { kind: "paused" }
  /** The application knows that this machine has other addresses; the driver of links has noticed other addresses. */
  | { kind: "network-changed" | "addresses-changed" }
  /** This end ends a pairing that the server has forgotten; the pairing is over. */
  | { kind: "parted" | "ended"; reason: EndReason }
  /** A deadline may be due. */
  | { kind: "timeout" };

/** An event of the server, or of the connection to it. */
export type ServerEvent =
  /** The connection is lost, and another is being made. */
  | { event: "lost" }
  /** There is another connection, and the server has these limits. */
  | { event: "welcomed"; limits: Limits }
  /** The server on the other side of the new connection knows the pairing. */
  | { event: "known" }
  /** It does not: unless the direct path stands, the pairing ends for this reason. Or the server ended the pairing. */
  | { event: "forgotten" | "ended"; reason: EndReason }
  /** The partner lost its connection, or is back. */
  | { event: "partner"; state: Presence }
  /** The server granted the pairing anew, after `register` or after the partner asked. */
  | { event: "granted"; pairing: PairingInfo }
  /** The server refused `register`. */
  | { event: "not-granted"; code: Code }
  /** The server answered in this time. */
  | { event: "answered"; time: number };

/** A message that had no effect: the partner broke a rule, or its message on the direct path cannot be read. */
export type Complaint = { partner: Violation } | { direct: "unreadable" };

/** An output, to be carried out in order. */
export type Output =
  /** Have the server forward a signal. */
  | { kind: "signal"; signal: Signal }
  /** Command the driver of a link. */
  | { kind: "link"; link: LinkId; command: LinkCommand }
  /** Run a handler, and report `finished` when it is done. */
  | { kind: "deliver"; delivery: Delivery }
  /** The partner does not wait any more for the result of the handler with this number. */
  | { kind: "abandoned"; seq: number }
  /** An emit that wants no reply is on its way. */
  | { kind: "sent"; call: CallId }
  /** The outcome of an acknowledged emit, or of any emit that was not sent. */
  | { kind: "resolved"; call: CallId; outcome: Outcome }
  /** The partner lost its connection to the server, or is back. */
  | { kind: "partner"; state: Presence }
  /** Emits take another path from now on, or there is none; with its round-trip time, as far as it is known. */
  | { kind: "path"; path: Path | undefined; rtt: number | undefined }
  /** The server knows the pairing again, by this name. */
  | { kind: "reasserted"; pairing: PairingInfo }
  /**
   * Register the partner with the server, which has forgotten the pairing; or unregister: what `register` asked for is no
   * longer wanted, or the pairing is not.
   */
  | { kind: "register" | "unregister" }
  /** The partner breaks the rules; what it sent was dropped. */
  | { kind: "complain"; about: Complaint }
  /** The pairing is over at this end. Nothing follows. */
  | { kind: "ended"; reason: EndReason };
