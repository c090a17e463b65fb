/** Signals of the partner: its offers, glare, and its requests to offer anew. */

import { OFFERS } from "../../limits.js";
import type { Sdp, Signal, WhyAnew } from "../../wire/signal.js";
import type { Liveness } from "../path.js";
import type { Attempts } from "./attempts.js";
import { answered, candidate } from "./candidates.js";
import { Exchange } from "./present.js";

/** The largest number of an attempt that the partner may begin. As many are left after it. */
const OFFER_MAX = 2 ** 52 - 1;

export function signalled(attempts: Attempts, { attempt, step }: Signal, life: Liveness, now: number): void {
  attempts.numbers ||= attempt !== undefined;
  const { link } = attempts;
  // A signal belongs to the present attempt also if it has no number.
  const isPresent = link && (attempt ?? link.exchange.attempt) === link.exchange.attempt;
  switch (step.type) {
    case "offer":
      return offered(attempts, attempt, step.sdp, life, now);
    case "answer":
      if (isPresent) answered(attempts, step.sdp);
      return;
    case "candidate":
      if (isPresent) candidate(attempts, step.candidate);
      return;
    case "renegotiate":
      // A request from before the present attempt is granted already. If none is under way, the offer of the last may
      // have been lost.
      if (step.why === undefined || attempt === undefined) return;
      if (link ? attempt === attempts.attempt : attempt <= attempts.attempt) asked(attempts, step.why, life, now);
  }
}

function isOld({ attempt: last, initiator, link }: Attempts, attempt: number | undefined, sdp: Sdp): boolean {
  // Those of this end's parity are its own, and further ones need room.
  if (attempt !== undefined) return attempt <= last || attempt > OFFER_MAX || (attempt % 2 === 1) === initiator;
  return link?.exchange.role === "answer" && link.exchange.remoteUfrag === sdp.ufrag;
}

function offered(attempts: Attempts, attempt: number | undefined, sdp: Sdp, life: Liveness, now: number): void {
  if (isOld(attempts, attempt, sdp)) return;
  const { link, initiator } = attempts;
  // Glare: both have offered. The initiator waits for its answer, unless its offer is for a connection that its partner
  // has left for another.
  const waits = link?.exchange.isUnanswered() && (link.remoteSession ?? sdp.session) === sdp.session;
  if ((initiator && waits) || !mayOffer(attempts, now)) return;
  // One without a number counts as if the partner had numbered it.
  attempts.attempt = attempt ?? attempts.attempt + 1 + Number((attempts.attempt % 2 === 0) === initiator);
  const exchange = new Exchange("answer", attempts.attempt);
  exchange.remoteUfrag = sdp.ufrag;
  if (link && life.isOpen && link.remoteSession === sdp.session) {
    link.exchange = exchange;
    link.deadline = now + attempts.config.timeout;
  } else {
    attempts.makeLink(exchange, sdp.session, now);
  }
  attempts.command({ command: "answer", attempt: attempts.attempt, sdp });
}

/** Counts an offer of the partner. Returns false if there were too many. */
function mayOffer(attempts: Attempts, now: number): boolean {
  const each = attempts.config.retryMin;
  const from = Math.max(attempts.offersAt, now);
  const may = from + each <= now + each * OFFERS;
  if (may) attempts.offersAt = from + each;
  return may;
}

/**
 * Does what the partner asks: it finds the path silent, or, as the one that does not offer, wants another attempt than
 * the present one.
 */
function asked(attempts: Attempts, why: WhyAnew, life: Liveness, now: number): void {
  const { initiator, link } = attempts;
  if (why === "closed") {
    if (initiator && link) attempts.lost(life, now);
  } else if (why === "silent") {
    // Both leave the path together: what the end that still hears the other says may not get through.
    attempts.outputs.push({ kind: "partner-is-silent" });
  } else {
    // Also for a reason of another version: the partner wants a new offer.
    attempts.failures = 0;
    attempts.outputs.push({ kind: "partner-moved" });
    if (!initiator) return; // The offer of the initiator follows.
    if (!life.wasProven) attempts.beginAt(attempts.soonest(now));
    else if (link) link.restart = { at: attempts.soonestRestart(now), why: "changed" };
  }
}
