/** Emits and results of the application, checked before they enter the session. */

import { Args } from "../args.js";
import { refusal, type Cause, type KnownCode } from "../error.js";
import { CHUNK_BYTES, EVENT_NAME_BYTES, VALUE_BYTES, type Limits } from "../limits.js";
import type { Peer } from "../peer.js";
import { FRAME_BYTES, type Result } from "../wire/frame.js";
import { isEmittable } from "../wire/names.js";
import { depth, isDeeper, isReadable } from "../wire/shape.js";
import type { CallId, EmitOptions } from "./session/interface.js";

/** Bytes of a relayed message beside the arguments that it carries: names, numbers, punctuation. */
export const FRAME_OVERHEAD = 1024;
/** Levels around the arguments of a frame: the arguments of the event, the batch and the frame. */
const LEVELS = 3;
/** Bytes of a relayed message beside the size of its one frame. Every frame that is accepted fits. */
const MESSAGE_OVERHEAD = FRAME_OVERHEAD - FRAME_BYTES - EVENT_NAME_BYTES;

/** Gives up what was accepted under the limits of an earlier connection and cannot be relayed under the present ones. */
export function giveUpUnfit(peer: Peer, former: Limits, now: number): void {
  const { frameBytes, jsonDepth } = peer.limits;
  if (frameBytes >= former.frameBytes && jsonDepth >= former.jsonDepth) return;
  const bytes = Math.max(frameBytes - MESSAGE_OVERHEAD, 0);
  peer.inSession({ kind: "narrowed", bytes, depth: Math.max(jsonDepth - LEVELS, 0) }, now);
}

export function emit(peer: Peer, call: CallId, event: string, args: Args, options: EmitOptions, now: number): void {
  const { replyBy, expires = Infinity, via } = options;
  let code: KnownCode | undefined;
  let cause: Cause | undefined;
  // Under `direct-only` the relay only carries answers.
  const isBarred = peer.config.policy === "direct-only" && (!peer.direct || via === "relay");
  if (isBarred || (via && !peer.session.has(via))) code = "no-route";
  else if (!isEmittable(event)) code = "bad-event";
  else if ((cause = checkArgs(peer, args))) code = undefined;
  else if (replyBy !== undefined && replyBy <= now) code = "timeout";
  else if (expires <= now) code = "expired";
  else if (!peer.takesEmits()) code = "congested";
  if (code) cause = { code };
  if (cause) {
    peer.outputs.push({ kind: "resolved", call, outcome: { outcome: "not-executed", cause } });
    return;
  }
  peer.inSession({ kind: "emit", call, event, args, options }, now);
  if (replyBy === undefined) peer.outputs.push({ kind: "sent", call });
}

export function finished(peer: Peer, seq: number, result: Result, now: number): void {
  const cause = result instanceof Args ? checkArgs(peer, result) : undefined;
  // The handler ran: neither code may say that it did not.
  if (cause) {
    result = cause.message
      ? refusal("too-large", `the reply is too large: ${cause.message}`)
      : refusal("handler-failed", "the reply cannot be read");
  }
  peer.inSession({ kind: "finished", seq, result }, now);
}

/** Checks that the relay takes frames with these arguments, and that the partner can read them. */
function checkArgs({ limits, info }: Peer, args: Args): { code: KnownCode; message?: string } | undefined {
  // A server that takes less than a chunk takes no parts either, and a v1 partner gets them in one event.
  const oneFrame = Math.max(limits.frameBytes - FRAME_OVERHEAD, 0);
  const most = oneFrame >= CHUNK_BYTES && info.partnerProtocol > 1 ? VALUE_BYTES : oneFrame;
  const levels = Math.max(limits.jsonDepth - LEVELS, 0);
  // Otherwise they are read for the check.
  const values = args.isPlain(levels) ? undefined : args.values();
  if (isDeeper(values, levels)) {
    const message = `the arguments are nested ${depth(values)} deep, and ${levels} are allowed`;
    return { code: "too-large", message };
  }
  const bytes = args.footprint();
  if (bytes > most) {
    return { code: "too-large", message: `the arguments have ${bytes} bytes, and ${most} are allowed` };
  }
  return isReadable(values) ? undefined : { code: "bad-args" };
}
