/**
 * A pairing that the server has forgotten, while the two ends talk on without it, and how the server comes to know it
 * again.
 *
 * ```text
 *              the server was restarted,    register, or       granted   the partner names it so on
 *              the direct path stands       accept                       the direct path
 *   Known ──────────────────────► Forgotten ───────────────► Granted ──────────────────────► Renamed
 *     ▲                               │                         │                               │
 *     │                               └── the path is lost, the partner is with another ─────►  │
 *     │                                                                            over         │
 *     └──────────────── a heartbeat under the new name has returned ────────────────────────────┘
 * ```
 *
 * Only the initiator registers, and its partner consents: so the server asks its policy about the same source and target
 * as when the pairing was made, and no end can claim to be another.
 *
 * The server grants what looks to it like any other pairing. The partner's heartbeats, which name the pairing, show
 * whether the partner takes it for this one. Were it a new one to the partner, two sessions that know nothing of each
 * other would talk.
 */

import { isRetryable, type Code, type EndReason } from "../error.js";
import { DIRECT_TIMEOUT, REASSERT_INTERVAL } from "../limits.js";
import type { Peer } from "../peer.js";
import type { PairingInfo } from "../wire/control/welcome.js";
import type { Heartbeat } from "../wire/heartbeat.js";
import { giveUpUnfit } from "./emits.js";
import type { ServerEvent } from "./interface.js";
import { isForgotten, isKnown } from "./server-view.js";
import { closeRelay, direct, openRelay } from "./switching.js";

/** Former names that are known: handlers that still run use them. */
const FORMER = 8;

/** Returns true if this grant is for this pairing, which the server has forgotten. */
export const reasserts = (peer: Peer, granted: PairingInfo): boolean =>
  isForgotten(peer) && !!peer.direct && peer.info.partner === granted.partner;

export function serverEvent(peer: Peer, event: ServerEvent, now: number): void {
  switch (event.event) {
    case "lost":
      peer.isConnected = false;
      closeRelay(peer, now);
      // The registration is gone with the connection.
      if (peer.server.view === "forgotten") peer.server.isAsked = false;
      return;
    case "welcomed": {
      peer.isConnected = true;
      const former = peer.limits;
      peer.limits = event.limits;
      return giveUpUnfit(peer, former, now);
    }
    case "known":
      peer.isPartnerAway = false; // Otherwise the server says so next.
      openRelay(peer, now);
      reassert(peer, now);
      if (peer.isUnwanted) peer.outputs.push({ kind: "unregister" });
      return;
    case "forgotten":
      if (peer.isUnwanted || !(peer.isAlive() || isForgotten(peer))) return peer.end(event.reason, now);
      forgotten(peer, now);
      return reassert(peer, now);
    case "partner":
      peer.isPartnerAway = event.state === "away";
      // A state of another version may mean that frames were lost. If the partner is away, the server refuses them, and
      // they stay in the window.
      if (event.state === "away") closeRelay(peer, now);
      else openRelay(peer, now);
      peer.outputs.push({ kind: "partner", state: event.state });
      return;
    case "ended": {
      // A server that only goes down leaves the two to talk on.
      const goes = event.reason === "shutting-down" || event.reason === "node-lost";
      if (goes && peer.isAlive() && isKnown(peer) && !peer.isUnwanted) forgotten(peer, now);
      else peer.end(event.reason, now);
      return;
    }
    case "granted":
      return granted(peer, event.pairing, now);
    case "not-granted":
      return notGranted(peer, event.code, now);
    case "answered":
      direct(peer, { kind: "server-answered", time: event.time }, now);
  }
}

function forgotten(peer: Peer, now: number): void {
  if (isForgotten(peer)) return;
  closeRelay(peer, now);
  peer.server = { view: "forgotten", isAsked: false, askAt: now };
}

export function nextReassertion({ server, isConnected, info }: Peer): number {
  if (server.view === "granted") return server.until;
  const isDue = server.view === "forgotten" && !server.isAsked && isConnected && info.initiator;
  return isDue ? server.askAt : Infinity;
}

/** Registers the partner anew if it is time and this end is the initiator, and gives up what was granted in vain. */
export function reassert(peer: Peer, now: number): void {
  if (now < nextReassertion(peer)) return;
  if (isForgotten(peer)) {
    peer.server = { view: "forgotten", isAsked: true, askAt: now };
    peer.outputs.push({ kind: "register" });
  } else {
    part(peer, "disconnected", now);
  }
}

function notGranted(peer: Peer, code: Code, now: number): void {
  if (peer.server.view !== "forgotten" || !peer.server.isAsked) return;
  // A partner that is busy is with another: it gave this pairing up.
  if (code === "target-busy" || !isRetryable(code)) return peer.end("disconnected", now);
  peer.server = { view: "forgotten", isAsked: false, askAt: now + REASSERT_INTERVAL };
}

/**
 * Notes that the server has granted the pairing anew. Heartbeats use the new name from now on, and the partner's are to
 * show that the partner goes on as well.
 */
function granted(peer: Peer, info: PairingInfo, now: number): void {
  if (!reasserts(peer, info) || !peer.direct) return;
  const after = peer.direct.rename(info.id, info.initiator);
  peer.isPartnerAway = false;
  peer.server = { view: "granted", info, until: now + DIRECT_TIMEOUT, after };
}

/** Ends a pairing that the server has forgotten, or is not to learn of. */
export function part(peer: Peer, reason: EndReason, now: number): void {
  const { view } = peer.server;
  // What this end has asked for, or accepted, may be granted.
  if (view === "granted" || (view === "forgotten" && peer.isConnected)) peer.outputs.push({ kind: "unregister" });
  peer.end(reason, now);
}

/** Ends the pairing if there is neither a server that knows it nor a direct path. */
export function watchStanding(peer: Peer, now: number): void {
  if (peer.direct?.stands() || isKnown(peer)) return;
  // The partner goes on under the new name, or ends what this end does not end.
  if (peer.server.view === "renamed") knownAgain(peer, now);
  else part(peer, "disconnected", now);
}

function knownAgain(peer: Peer, now: number): void {
  peer.server = { view: "known" };
  openRelay(peer, now);
  peer.outputs.push({ kind: "reasserted", pairing: peer.info });
}

/** Notes the name that the partner's heartbeat uses. */
export function partnerNames(peer: Peer, { t, n, pairing }: Heartbeat, now: number): void {
  if (peer.isEnded) return;
  if (peer.server.view === "granted" && peer.server.info.id === pairing) {
    peer.former.push(peer.info.id);
    if (peer.former.length > FORMER) peer.former.shift();
    peer.info = peer.server.info;
    peer.server = { view: "renamed", after: peer.server.after };
  }
  const isRenamed = peer.server.view === "renamed" && peer.info.id === pairing;
  if (isRenamed && t === "pong" && n > (peer.server as { after: number }).after) knownAgain(peer, now);
}
