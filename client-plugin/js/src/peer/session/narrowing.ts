/**
 * What the relay took and takes no more: a later connection may have lower limits.
 *
 * A frame has its number once it was sent, and the partner takes the numbers in order. In place of a frame that no
 * longer fits, a `drop` or a short reply with the same number is sent again, so that the session does not wait for it.
 */

import { CHUNK_BYTES } from "../../limits.js";
import { bodyArgs, bodySize, FRAME_BYTES, type Body } from "../../wire/frame.js";
import { isDeeper } from "../../wire/shape.js";
import type { Session } from "../session.js";
import { sendReply, tooLarge } from "./receiving.js";
import { unacked } from "./window.js";

const substitute = (body: Body): Body => (body.t === "reply" ? tooLarge(body.to) : { t: "drop" });

export function narrowed(session: Session, bytes: number, depth: number, now: number): void {
  const isUnfit = (body: Body) => bodySize(body) > bytes || isDeeper(bodyArgs(body)?.values(), depth);
  // The parts of a value follow one another: without one of them the others are of no use.
  let isSpoilt = false;
  const unfit = session.window.replace((body) => {
    const replaced = isUnfit(body) || (body.t === "part" && isSpoilt);
    if (body.t === "part") isSpoilt = replaced && !body.last;
    else if (body.t === "drop") isSpoilt = false;
    return replaced ? substitute(body) : undefined;
  });
  for (const seq of unfit) {
    const pending = session.calls.get(seq);
    session.calls.delete(seq);
    // It may have arrived before.
    if (pending) session.resolve(pending.call, { outcome: "unknown", cause: { code: "too-large" } });
  }
  session.outgoing.replaceReplies((body) => (isUnfit(body) ? substitute(body) : undefined));
  if (CHUNK_BYTES + FRAME_BYTES <= bytes) return;
  for (const { emit, to, sent } of session.outgoing.takeValues()) {
    if (sent) session.enqueue(unacked({ t: "drop" }, "part", FRAME_BYTES, !emit), now);
    if (emit && emit.options.replyBy !== undefined) {
      session.resolve(emit.call, { outcome: "not-executed", cause: { code: "too-large" } });
    }
    if (to !== undefined) sendReply(session, tooLarge(to), now);
  }
}
