/**
 * A client's peers: its pairings, each an end of its own. Their keys are the names under which they were made; a
 * pairing may be renamed.
 */

import type { Client } from "../client.js";
import type { PairingId } from "../id.js";
import type * as peer from "../peer/interface.js";
import { isForgotten, knownAs, Peer, reasserts } from "../peer.js";
import { bodySize, type Frame } from "../wire/frame.js";
import type { PairingInfo } from "../wire/control/welcome.js";
import { askForLife, doubt, nextReq } from "./life.js";

/** Returns the key of the peer whose pairing has this name now. */
export function peerNamed(client: Client, pairing: PairingId): PairingId | undefined {
  return findPeer(client, (peer) => peer.info.id === pairing);
}

/** Returns the key of the peer of the pairing that the client has besides those of rooms. */
function exclusiveKey({ peers, rooms }: Client): PairingId {
  for (const key of peers.keys()) if (rooms?.roomOf(key) === undefined) return key;
  return "";
}

/** Returns that peer. */
export const exclusivePeer = (client: Client): Peer | undefined => client.peers.get(exclusiveKey(client));

/** Returns the key of the peer that the server has forgotten, if there is one. */
export function forgottenPeer(client: Client): PairingId | undefined {
  return findPeer(client, (peer) => isForgotten(peer));
}

export function findPeer(client: Client, isIt: (peer: Peer) => boolean): PairingId | undefined {
  for (const [key, peer] of client.peers) if (isIt(peer)) return key;
  return undefined;
}

/** Returns the key of the peer whose pairing has this name, or had it. */
export const keyOf = (client: Client, pairing: PairingId): PairingId | undefined =>
  findPeer(client, (peer) => peer.isNamed(pairing));

/** Feeds one peer. */
export function feedPeer(client: Client, key: PairingId, input: peer.Input): void {
  client.peers.get(key)?.handle(input, client.now);
  carryOutPeer(client, key);
}

/** Feeds all peers. */
export function everyPeer(client: Client, input: peer.Input): void {
  for (const key of [...client.peers.keys()]) feedPeer(client, key, input);
}

/** Carries out what a peer puts out. */
export function carryOutPeer(client: Client, key: PairingId): void {
  for (;;) {
    const peer = client.peers.get(key);
    const output = peer?.pollOutput();
    if (!peer || !output) return;
    const { info } = peer;
    const pairing = info.id;
    switch (output.kind) {
      case "signal":
        client.output({ kind: "signal", pairing, signal: output.signal });
        break;
      case "link":
      case "complain":
        client.output(output);
        break;
      case "deliver":
        client.output({ kind: "deliver", pairing, source: info.partner, delivery: output.delivery });
        break;
      case "abandoned":
        client.output({ kind: "abandoned", pairing, seq: output.seq });
        break;
      case "sent":
        client.answer(output.call, { kind: "sent" });
        break;
      case "resolved":
        client.answer(output.call, { kind: "outcome", outcome: output.outcome });
        break;
      case "path":
      case "partner":
        client.event(client.rooms?.event(key, info, output) ?? output);
        if (output.kind === "path" && output.path !== "direct") doubt(client); // It was left; the network may be gone.
        break;
      case "reasserted":
        client.event(output);
        break;
      case "register": {
        const req = nextReq(client);
        client.reassertions.set(req, key);
        client.send({ kind: "register", req, target: info.partner });
        break;
      }
      case "unregister":
        if (!client.rooms?.exitRoomOf(key)) client.send({ kind: "unregister", req: nextReq(client) });
        break;
      case "ended":
        client.peers.delete(key);
        for (const [req, of] of client.reassertions) if (of === key) client.reassertions.delete(req);
        client.event(client.rooms?.forget(key, info, output.reason) ?? { kind: "unpaired", pairing: info, reason: output.reason });
    }
  }
}

/** Sends the frames that were collected, over the relay as far as the pace allows. The peers take turns. */
export function flush(client: Client): void {
  while (client.pacer.nextAt(client.now) === undefined) {
    const batch = nextBatch(client);
    if (!batch) return;
    client.pacer.spend(batch.frames.reduce((bytes, frame) => bytes + bodySize(frame.body), 0), client.now);
    client.output({ kind: "send-frames", ...batch });
  }
}

function nextBatch(client: Client): { pairing: PairingId; frames: Frame[] } | undefined {
  let isAny = false;
  for (const peer of client.peers.values()) isAny ||= peer.hasRelayed();
  if (!isAny) return undefined;
  const keys = [...client.peers.keys()];
  const at = keys.indexOf(client.served ?? "") + 1;
  for (const key of [...keys.slice(at), ...keys.slice(0, at)]) {
    const peer = client.peers.get(key);
    if (!peer?.hasRelayed()) continue;
    client.served = key;
    const frames = peer.pollRelay();
    return frames && { pairing: peer.info.id, frames };
  }
  return undefined;
}

/** Sends the frames that were collected for direct paths. */
export function flushDirect(client: Client): void {
  for (const peer of client.peers.values()) {
    for (let sent = peer.pollDirect(); sent; sent = peer.pollDirect()) {
      client.output({ kind: "link", link: sent.link, command: { command: "send", message: sent.message } });
    }
  }
}

/** Gives an emit to its peer, or refuses it. */
export function emit(client: Client, call: number, pairing: PairingId, input: peer.Input): void {
  const key = keyOf(client, pairing);
  if (key !== undefined) return feedPeer(client, key, input);
  const code = exclusivePeer(client) ? "stale-pairing" : "not-paired";
  client.answer(call, { kind: "outcome", outcome: { outcome: "not-executed", cause: { code } } });
}

/** Notes a pairing that the server has granted. It replaces any other. */
export function paired(client: Client, info: PairingInfo): void {
  const isKnown = (peer: Peer) => isSame(peer.info, info) || knownAs(peer) === info.id;
  if (findPeer(client, isKnown) !== undefined) return; // The answer to a request that was fulfilled already.
  const reasserting = findPeer(client, (peer) => reasserts(peer, info));
  if (reasserting !== undefined) {
    return feedPeer(client, reasserting, { kind: "server", event: { event: "granted", pairing: info } });
  }
  feedPeer(client, exclusiveKey(client), { kind: "ended", reason: "replaced" });
  const peer = new Peer(client.config.direct, info, client.limits, client.serverRtt, client.now);
  const wantsRtt = peer.hasDirect() && client.serverRtt === undefined;
  client.peers.set(info.id, peer);
  client.rooms?.sort();
  client.event({ kind: "paired", pairing: info });
  if (wantsRtt) askForLife(client);
  carryOutPeer(client, info.id);
}

function isSame(one: PairingInfo, other: PairingInfo): boolean {
  return (Object.keys(one) as (keyof PairingInfo)[]).every((key) => one[key] === other[key]);
}
