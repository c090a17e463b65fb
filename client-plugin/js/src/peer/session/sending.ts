/** The sending of emits, and of values that the window did not take at once. */

import type { KnownCode } from "../../error.js";
import { CHUNK_BYTES } from "../../limits.js";
import { bodySize, FRAME_BYTES, type Body } from "../../wire/frame.js";
import type { Session } from "../session.js";
import type { CallId, EmitOptions } from "./interface.js";
import { MOST } from "./reassembly.js";
import { unacked, type Unacked } from "./window.js";

export function emit(session: Session, call: CallId, body: Body, options: EmitOptions, now: number): void {
  const { expires = Infinity, via, replyBy } = options;
  const size = bodySize(body);
  let refused: KnownCode | undefined;
  if (via && !session.has(via)) refused = "no-route";
  // The caller should have waited.
  else if (!session.hasRoom()) refused = "congested";
  else if (size > MOST) refused = "too-large";
  else if (expires <= now) refused = "expired";
  if (refused) {
    if (replyBy !== undefined) session.resolve(call, { outcome: "not-executed", cause: { code: refused } });
  } else if (size > CHUNK_BYTES) {
    session.outgoing.pushValue(body, size, { call, options });
  } else {
    const frame = unacked(body, "emit", size);
    frame.expires = options.expires;
    frame.via = via;
    const seq = session.enqueue(frame, now);
    noteCall(session, seq, call, options);
  }
}

/** Notes that an emit was sent whose reply is wanted. */
function noteCall(session: Session, seq: number, call: CallId, { replyBy }: EmitOptions): void {
  if (replyBy !== undefined) session.calls.set(seq, { call, replyBy });
}

/** Tells the partner which callers gave up, as far as the window takes it. */
export function sendCancels(session: Session, now: number): void {
  while (!session.window.isFull()) {
    const to = session.givenUp.shift();
    if (to === undefined) return;
    session.enqueue(unacked({ t: "cancel", to }, "part", FRAME_BYTES), now);
  }
}

/** Sends what the window takes by now. */
export function sendOutgoing(session: Session, now: number): void {
  const { outgoing, window } = session;
  for (let reply; (reply = outgoing.nextReply(window)); ) {
    session.enqueue(unacked(reply, "reply", bodySize(reply)), now);
  }
  const overdue = outgoing.overdue(now);
  if (overdue) giveUp(session, overdue, now);
  const hasPath = !!session.path();
  while (session.answersBy()) {
    const part = outgoing.nextPart(window, hasPath);
    if (!part) return;
    const { body, via, answers, complete } = part;
    if (complete?.emit) {
      const { call, options } = complete.emit;
      const frame: Unacked = { ...unacked(body, "emit", complete.size), expires: options.expires, via };
      noteCall(session, session.enqueue(frame, now), call, options);
    } else if (complete) {
      session.enqueue(unacked(body, "reply", bodySize(body)), now);
    } else {
      session.enqueue({ ...unacked(body, "part", bodySize(body), answers), via }, now);
    }
  }
}

/** Gives up a large emit that was not sent, and resolves its call if there is a cause. */
export function giveUp(session: Session, code: KnownCode | undefined, now: number): void {
  const unsent = session.outgoing.takeEmit();
  if (unsent?.call !== undefined && code) session.resolve(unsent.call, { outcome: "not-executed", cause: { code } });
  if (unsent?.isBegun) session.enqueue(unacked({ t: "drop" }, "part", FRAME_BYTES), now);
}

export function cancelled(session: Session, call: CallId, now: number): void {
  for (const [seq, pending] of session.calls) {
    if (pending.call !== call) continue;
    session.calls.delete(seq);
    session.givenUp.push(seq);
  }
  if (session.outgoing.isOf(call)) giveUp(session, undefined, now);
}
