/** The paths of a session: which of them it may use, as the relay and the direct path come and go. */

import type { Peer } from "../peer.js";
import type { Input, Output } from "./direct.js";
import { isKnown } from "./server-view.js";

/** Opens the relay for the session. Under `direct-only` it only carries answers to the partner. */
export function allowRelay(peer: Peer, now: number): void {
  const kind: "held" | "opened" = peer.config.policy === "direct-only" ? "held" : "opened";
  peer.inSession({ kind, path: "relay" }, now);
}

/**
 * Opens the relay anew, so that the window is sent again, if both ends know the pairing by the name that the server
 * has.
 */
export function openRelay(peer: Peer, now: number): void {
  if (!isKnown(peer) || !peer.isConnected || peer.isPartnerAway) return;
  closeRelay(peer, now);
  allowRelay(peer, now);
  direct(peer, { kind: "relay", isThere: true }, now);
}

export function closeRelay(peer: Peer, now: number): void {
  peer.outbox.clearRelay();
  peer.inSession({ kind: "closed", path: "relay" }, now);
  direct(peer, { kind: "relay", isThere: false }, now);
}

/** Feeds the direct path, if one may be tried. */
export function direct(peer: Peer, input: Input, now: number): void {
  if (!peer.direct) return;
  peer.direct.handle(input, now);
  carryOutDirect(peer, now);
  peer.watchStanding(now);
}

export function carryOutDirect(peer: Peer, now: number): void {
  for (let output; (output = peer.direct?.pollOutput()); ) directOutput(peer, output);
  updateSession(peer, now);
}

function directOutput(peer: Peer, output: Output): void {
  if (output.kind === "signal") {
    if (peer.isConnected) peer.outputs.push(output);
  } else if (output.kind === "link") {
    // The frames that were collected for the direct path precede another command for the link.
    for (let sent; (sent = peer.pollDirect()); ) {
      peer.outputs.push({ kind: "link", link: sent.link, command: { command: "send", message: sent.message } });
    }
    peer.outputs.push(output);
  } else {
    peer.outputs.push({ kind: "link", link: output.link, command: { command: "send", message: output.message } });
  }
}

/** Opens, holds or closes the direct path for the session. */
function updateSession(peer: Peer, now: number): void {
  if (!peer.direct) return;
  const carried = peer.session.path() === "direct";
  const wasThere = peer.session.has("direct");
  let kind: "opened" | "held" | "closed";
  if (peer.direct.carries()) {
    if (carried) return;
    kind = "opened";
  } else if (peer.direct.isAlive()) {
    if (!carried && wasThere) return;
    kind = "held";
  } else {
    if (!wasThere) return;
    kind = "closed";
  }
  peer.inSession({ kind, path: "direct" }, now);
}

/** Closes the link and ends all attempts. */
export function endDirect(peer: Peer, now: number): void {
  const ended = peer.direct;
  peer.direct = undefined;
  ended?.handle({ kind: "ended" }, now);
  for (let output; (output = ended?.pollOutput()); ) if (output.kind === "link") directOutput(peer, output);
}

/** Reports the path that emits take, if it has changed. */
export function reportPath(peer: Peer): void {
  const path = peer.session.path();
  if (peer.reported === path) return;
  peer.reported = path;
  if (!peer.direct) return;
  const { heartbeats } = peer.direct.path;
  const rtt = path === "direct" ? heartbeats?.meanRtt() : path && peer.direct.path.relayRtt();
  peer.outputs.push({ kind: "path", path, rtt });
}
