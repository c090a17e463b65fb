/** The partner's frames: what is taken in order, and the replies to it. */

import { Args } from "../../args.js";
import { isOfHandler, refusal, type Outcome, type Path, type Refusal } from "../../error.js";
import { ACK_DELAY, ACK_EVERY, CHUNK_BYTES, PARTS_UNDER_WAY, RESEND_DELAY, WINDOW_BYTES } from "../../limits.js";
import { bodySize, type Body, type Frame, type Result } from "../../wire/frame.js";
import type { Session } from "../session.js";
import { MOST } from "./reassembly.js";
import { unacked } from "./window.js";

export function received(session: Session, path: Path, frame: Frame, now: number): void {
  const { window, inbox } = session;
  const { arrived } = window;
  if (!window.acknowledge(frame.ack, frame.got)) return session.violation("ack");
  if (window.arrived > arrived) session.resendDelay = RESEND_DELAY;
  const { t } = frame.body;
  if (t === "other" && !frame.seq) session.violation("unknown");
  else if (t !== "ack") {
    const violation = inbox.insert(frame, path, now);
    if (violation) session.violation(violation);
  }
  noteAbandoned(session);
  take(session, now);
}

/** Reports the handlers whose callers gave up. */
function noteAbandoned(session: Session): void {
  for (let seq; (seq = session.inbox.nextAbandoned()) !== undefined; ) session.outputs.push({ kind: "abandoned", seq });
}

/** Returns the outcome of a reply. */
function outcomeOf(result: Result, path: Path): Outcome {
  if (result instanceof Args) return { outcome: "replied", args: result, path };
  // The handler of a v1 client may be missing or slow.
  if (result.code === "timeout") return { outcome: "unknown", cause: { code: result.code } };
  return isOfHandler(result.code)
    ? { outcome: "failed", refusal: result }
    : { outcome: "not-executed", cause: { code: result.code } };
}

/** Takes what is next in order: replies at once, emits as handlers are free. */
export function take(session: Session, now: number): void {
  const { inbox, calls } = session;
  for (let reply; (reply = inbox.nextReply()); ) {
    const pending = calls.get(reply.to);
    if (pending) {
      calls.delete(reply.to);
      session.resolve(pending.call, outcomeOf(reply.result, reply.path));
    } else if (!session.window.wasSent(reply.to)) {
      session.violation("reply"); // Otherwise it is late, after its deadline or a cancellation.
    }
  }
  while (!session.isPaused) {
    const next = inbox.nextDelivery(repliesIfFew(session), now);
    if (!next) break;
    const { delivery, refused } = next;
    if (refused) {
      if (refused === "bad-event") session.violation("event");
      reply(session, delivery.seq, refusal(refused), now);
    } else {
      session.outputs.push({ kind: "deliver", delivery });
      noteAbandoned(session);
    }
  }
  const unackedFrames = Math.max(inbox.taken() - session.ackedTaken, inbox.arrived - session.ackedArrived);
  // A partner that cuts a large value waits for them.
  const parts = inbox.parts - session.ackedParts;
  if (unackedFrames >= ACK_EVERY || parts >= PARTS_UNDER_WAY / 2) session.acknowledge(now);
  else if (unackedFrames > 0 || inbox.sawDuplicate()) session.ackDue = Math.min(session.ackDue, now + ACK_DELAY);
}

export function finished(session: Session, seq: number, result: Result, now: number): void {
  if (reply(session, seq, result, now)) take(session, now);
}

/** Replies if a reply is wanted. Returns true if a handler was running. */
function reply(session: Session, seq: number, result: Result, now: number): boolean {
  const isWanted = session.inbox.finish(seq);
  if (isWanted) sendReply(session, { t: "reply", to: seq, result }, now);
  return isWanted !== undefined;
}

/** Returns the reply in place of one that is too large. */
export const tooLarge = (to: number): Body => {
  const result: Refusal = refusal("too-large", "the reply is too large");
  return { t: "reply", to, result };
};

export function sendReply(session: Session, body: Body, now: number): void {
  const size = bodySize(body);
  if (body.t === "reply" && size > MOST) sendReply(session, tooLarge(body.to), now);
  else if (size > CHUNK_BYTES) session.outgoing.pushValue(body, size);
  else if (session.window.bytes.reply < WINDOW_BYTES) session.enqueue(unacked(body, "reply", size), now);
  else session.outgoing.pushReply(body);
}

/**
 * Returns the number of replies of this end that have not arrived; infinite if they hold so many bytes that no handler
 * may make another.
 */
function repliesIfFew({ outgoing, window }: Session): number {
  const [count, bytes] = outgoing.load();
  return window.bytes.reply + bytes < WINDOW_BYTES ? window.load.reply + count : Infinity;
}
