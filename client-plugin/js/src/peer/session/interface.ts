/** The inputs and outputs of a session. */

import type { Args } from "../../args.js";
import type { EndReason, Outcome, Path } from "../../error.js";
import type { Frame, Result } from "../../wire/frame.js";

/** A number that the caller of an emit chose, unique in a session. */
export type CallId = number;

/** The options of an emit. Times are microseconds. */
export interface EmitOptions {
  /** The time by which the reply must be there; absent if no reply is wanted. */
  replyBy?: number | undefined;
  /** The time after which no handler may start; absent if there is none. */
  expires?: number | undefined;
  /** The path that carries it while that path is there; absent for the present one. */
  via?: Path | undefined;
}

/** An emit of the partner, for a handler. */
export interface Delivery {
  /** The number of the emit, which the reply names. */
  seq: number;
  event: string;
  args: Args;
  /** True if the partner waits for a reply. */
  wantsReply: boolean;
}

/** An input. */
export type Input =
  /** This end emits an event. Only while the session has room. */
  | { kind: "emit"; call: CallId; event: string; args: Args; options: EmitOptions }
  /** The caller no longer waits. */
  | { kind: "cancelled"; call: CallId }
  /** A frame was received on this path. */
  | { kind: "received"; path: Path; frame: Frame }
  /** A handler is done: the number of its delivery, and its result. */
  | { kind: "finished"; seq: number; result: Result }
  /** No emit can be delivered until `resumed`. */
  | { kind: "paused" | "resumed" }
  /**
   * A path can be used; or it carries only emits that are told to take it, and answers to the partner if no path is
   * open; or it cannot be used any more.
   */
  | { kind: "opened" | "held" | "closed"; path: Path }
  /** A path refused a frame. It is not known which. */
  | { kind: "refused"; path: Path }
  /** The relay takes less than before: frames of so many bytes, arguments of so many levels. */
  | { kind: "narrowed"; bytes: number; depth: number }
  | { kind: "ended"; reason: EndReason }
  | { kind: "timeout" };

/**
 * A rule that the partner broke: it exceeded its window, acknowledged a frame or replied to a call that was never sent,
 * emitted a forbidden event, sent a frame that cannot be read, parts that form no value, or something of an unknown
 * kind.
 */
export type Violation = "window" | "ack" | "reply" | "event" | "frame" | "value" | "unknown";

/** An output, to be carried out in order. */
export type Output =
  | { kind: "send"; path: Path; frame: Frame }
  /** Run a handler, and report when it is done, also if no reply is wanted. */
  | { kind: "deliver"; delivery: Delivery }
  /** Nobody waits for the result of the handler with this number any more. */
  | { kind: "abandoned"; seq: number }
  | { kind: "resolved"; call: CallId; outcome: Outcome }
  | { kind: "violation"; violation: Violation };
