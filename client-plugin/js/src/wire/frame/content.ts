/** A frame and its content, and the bytes that it holds. */

import { Args } from "../../args.js";
import { utf8Length } from "../../bytes.js";
import type { Refusal } from "../../error.js";
import type { Label } from "../label.js";

/** The content of a frame. */
export type Body =
  /** An event for a handler. */
  | { t: "emit"; event: string; args: Args; wantsReply: boolean }
  /** The reply of a handler: its arguments, or the reason for which there are none. */
  | { t: "reply"; to: number; result: Result }
  /** A piece of the text of an emit or a reply that is too large for one frame. */
  | { t: "part"; text: string; last: boolean }
  /** The end of a value in parts whose sender gave it up. */
  | { t: "drop" }
  /** The caller of an emit does not wait for its reply any more. */
  | { t: "cancel"; to: number }
  /** An acknowledgement without a content. */
  | { t: "ack" }
  /** A frame of a kind that this version does not know. Its number is taken, and nothing else. */
  | { t: "other"; label: Label<never> };

/** The result of a handler. */
export type Result = Args | Refusal;

/** One frame of a session. */
export interface Frame {
  /** The number, from 1; 0 for a frame that is not in the window. */
  seq: number;
  /** Everything of the partner up to this number was taken. */
  ack: number;
  /** Everything of the partner up to this number arrived; at least `ack`. */
  got: number;
  /** Microseconds for which an emit may wait for its handler, counted from its arrival. */
  ttl?: number | undefined;
  body: Body;
}

/** Bytes that every frame holds beside its event, its arguments and its texts. */
export const FRAME_BYTES = 64;

/** Returns the bytes that a text takes inside a JSON string, beyond those that it takes by itself. */
export function escapes(text: string): number {
  let bytes = 0;
  for (const char of text.match(/[\0-\x1f"\\]/g) ?? []) bytes += spelled(char.charCodeAt(0)) - 1;
  return bytes;
}

/** Returns the bytes that a character takes inside a JSON string, if it is one of ASCII; otherwise 1. */
export const spelled = (code: number): number =>
  code === 34 || code === 92 || code === 10 || code === 13 || code === 9 ? 2 : code < 32 ? 6 : 1;

/** Returns the bytes that a content holds in a window, roughly as many as on the wire. */
export function bodySize(body: Body): number {
  const args = bodyArgs(body);
  if (args) return FRAME_BYTES + args.footprint() + (body.t === "emit" ? utf8Length(body.event) : 0);
  if (body.t === "part") return FRAME_BYTES + utf8Length(body.text) + escapes(body.text);
  return FRAME_BYTES + (body.t === "reply" ? utf8Length((body.result as Refusal).message) : 0);
}

/** Returns the arguments of an emit or a reply, if it has any. */
export function bodyArgs(body: Body): Args | undefined {
  if (body.t === "emit") return body.args;
  return body.t === "reply" && body.result instanceof Args ? body.result : undefined;
}
