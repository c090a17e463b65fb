/**
 * The link of a direct path: attempts, offers and answers, candidates, and retries.
 *
 * ```text
 *              begin: offer, answer, candidates          pings of both ends return
 *   Idle ──────────────────────────────────► Connecting ───────────────────────────► Alive
 *    ▲  ▲                                        │                                   ▲  │
 *    │  └──── failed or timed out: backoff ──────┘                          returned │  │ none returns
 *    │                                                                               │  ▼
 *    └─────────────────── closed, or the restart failed ◄─────────────────────────── Silent
 *                                              (after a while: restart, with offer and answer)
 * ```
 */

import type { Candidate, Sdp } from "../wire/signal.js";

/**
 * The name of one connection between the two ends, never used again: the pairing as it was called when it was made, a
 * slash, and a number. It is local to this end.
 */
export type LinkId = string;

/** A message on the first channel of a link: a text, or bytes. */
export type LinkMessage = string | Uint8Array;

/** An event of a link, as its driver reports it. */
export type LinkEvent =
  /** The description for this attempt was made: an offer or an answer. */
  | { event: "described"; attempt: number; sdp: Sdp }
  /** A candidate of this end was found. */
  | { event: "gathered"; candidate: Candidate }
  /** A message was received on the first channel. */
  | { event: "received"; message: LinkMessage }
  /**
   * The first channel is open; a message was received on another channel; one was sent on another channel, and none was
   * received; the connection is closed, or it failed.
   */
  | { event: "opened" | "heard" | "sent" | "closed" };

/** A command to the driver of a link. Any failure is reported as `closed`. */
export type LinkCommand =
  /**
   * Make the connection, with one ordered and reliable channel, and describe the offer of this attempt; or describe
   * another offer for it, with an ICE restart. The last offer may be unanswered.
   */
  | { command: "offer" | "restart"; attempt: number }
  /**
   * Accept the offer of this attempt and describe the answer. If there is no connection of this name, make one. An
   * unanswered offer of this end is void.
   */
  | { command: "answer"; attempt: number; sdp: Sdp }
  /** Accept this answer. */
  | { command: "accept"; sdp: Sdp }
  /** Add a candidate of the partner. A candidate that cannot be used is no failure. */
  | { command: "add"; candidate: Candidate }
  /** Send a message on the first channel. */
  | { command: "send"; message: LinkMessage }
  /** Close the connection and forget it. No report is needed. */
  | { command: "close" };
