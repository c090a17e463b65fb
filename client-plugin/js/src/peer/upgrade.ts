/** A direct path that waits until one of the two peers asks for it. */

import type { Limits } from "../limits.js";
import { Peer, type PathConfig } from "../peer.js";
import type { PairingInfo } from "../wire/control/welcome.js";
import { isKnown } from "./server-view.js";
import { carryOutDirect, direct } from "./switching.js";

/**
 * The peer of a pairing whose direct path waits until it is to `upgrade`, or a signal of the partner arrives. `serverRtt`
 * returns the time in which the server answered last.
 */
export function waitingPeer(
  config: PathConfig,
  info: PairingInfo,
  limits: Limits,
  serverRtt: () => number | undefined,
  now: number,
): Peer {
  const peer = new Peer(config, { ...info, direct: false }, limits, serverRtt(), now);
  peer.info = info;
  const { parts, policy } = peer.config;
  if (!parts || !info.direct || policy === "relay-only") return peer;
  // The partner's waits too, perhaps: the initiator's offer, or the request for one, ends that.
  peer.upgrade = (asks, now) => {
    peer.upgrade = undefined;
    peer.direct = new parts.Direct(peer.config, info.id, info.initiator, now);
    peer.direct.attempts.numbers = true; // Whoever joins rooms numbers its attempts.
    if (!(isKnown(peer) && peer.isConnected && !peer.isPartnerAway)) direct(peer, { kind: "relay", isThere: false }, now);
    const time = serverRtt();
    if (time !== undefined) direct(peer, { kind: "server-answered", time }, now);
    carryOutDirect(peer, now);
    if (asks && !info.initiator) direct(peer, { kind: "network-changed" }, now);
  };
  return peer;
}
