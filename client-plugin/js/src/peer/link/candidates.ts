/**
 * Descriptions and candidates: what the driver makes is signalled, what is signalled is handed to the driver, each after
 * the description that it belongs to.
 */

import { CANDIDATES } from "../../limits.js";
import type { Sdp } from "../../wire/signal.js";
import { candidateUfrag, type Candidate } from "../../wire/signal/candidate.js";
import type { Attempts } from "./attempts.js";

/** Signals the description that the driver was to make, and the candidates that waited for it. */
export function described(attempts: Attempts, attempt: number, sdp: Sdp): void {
  const exchange = attempts.link?.exchange;
  if (!exchange || exchange.attempt !== attempt || exchange.isDescribed) return;
  exchange.isDescribed = true;
  attempts.signal(attempt, { type: exchange.role, sdp });
  for (const candidate of exchange.ownEarly) attempts.signal(attempt, { type: "candidate", candidate });
  exchange.ownEarly = [];
}

/** Signals a candidate that the driver has found. */
export function gathered(attempts: Attempts, candidate: Candidate): void {
  const exchange = attempts.link?.exchange;
  if (!exchange || exchange.ownCount >= CANDIDATES) return;
  exchange.ownCount++;
  if (exchange.isDescribed) attempts.signal(exchange.attempt, { type: "candidate", candidate });
  else exchange.ownEarly.push(candidate);
}

/** Accepts the partner's answer, and adds its candidates that waited for it. */
export function answered(attempts: Attempts, sdp: Sdp): void {
  const { link } = attempts;
  // Otherwise it answers an offer that was never sent.
  if (!link?.exchange.isUnanswered() || !link.exchange.isDescribed) return;
  link.remoteSession = sdp.session;
  link.exchange.remoteUfrag = sdp.ufrag;
  attempts.command({ command: "accept", sdp });
  for (const candidate of link.exchange.remoteEarly) add(attempts, candidate, sdp.ufrag);
  link.exchange.remoteEarly = [];
}

/** Adds a candidate of the partner, or keeps it until its description was received. */
export function candidate(attempts: Attempts, candidate: Candidate): void {
  const exchange = attempts.link?.exchange;
  if (!exchange?.remotePlaces.take(candidate)) return;
  if (exchange.remoteUfrag === undefined) exchange.remoteEarly.push(candidate);
  else add(attempts, candidate, exchange.remoteUfrag);
}

function add(attempts: Attempts, candidate: Candidate, ufrag: string): void {
  if ((candidateUfrag(candidate) ?? ufrag) === ufrag) attempts.command({ command: "add", candidate });
}
