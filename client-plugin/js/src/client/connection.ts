/** A client's connection: its welcome, its heartbeat, its loss, and the next one. */

import type { Client } from "../client.js";
import { refusal } from "../error.js";
import { isForgotten, knownAs } from "../peer.js";
import { PROTOCOL } from "../wire/names.js";
import type { Welcome } from "../wire/control/welcome.js";
import { askAgain } from "./asking.js";
import { close } from "./closing.js";
import { connectingFailed, reconnect } from "./connecting.js";
import { askForLife, doubt, lostAt, nextHeartbeat } from "./life.js";
import { Pacer } from "./pacer.js";
import { everyPeer, feedPeer, findPeer, paired } from "./peers.js";
import { waitsInLine } from "./requests.js";

export type ConnectionState =
  /** A connection is being made, or the server has not sent its welcome on it: it must have arrived by `until`. */
  | { kind: "connecting"; until: number; time: number }
  /** The server has sent its welcome. */
  | { kind: "ready" }
  /** There is no connection, and there will be another. */
  | { kind: "away" }
  /** There will be no other. */
  | { kind: "closed" };

/**
 * Notes that this machine has another network. A connection that stands must show it soon, and an attempt to connect,
 * or the wait before it, is replaced by another attempt.
 */
export function networkChanged(client: Client): void {
  if (client.state.kind === "ready") doubt(client);
  else if (client.state.kind !== "closed" && client.welcomed) reconnect(client, 0);
}

export function watchConnection(client: Client): void {
  const { state, now } = client;
  if (now < (nextHeartbeat(client) ?? Infinity)) return;
  if (state.kind === "connecting") connectingFailed(client, { kind: "timeout", time: state.time });
  // The time for the first attempts is over, and the last failure is reported.
  else if (state.kind === "away") close(client);
  else if (now >= lostAt(client)) lost(client);
  else askForLife(client);
}

/** Notes that the connection is gone. What the peers hold waits for the next one. */
export function lost(client: Client): void {
  if (client.state.kind === "away") return;
  if (client.isConnecting) return connectingFailed(client, { kind: "closed" });
  if (!client.config.resumes) return close(client);
  client.doubt = undefined;
  client.event({ kind: "away" });
  // A client that is neither paired nor in a line has nothing that the server could keep.
  const hasPlace = client.peers.size > 0 || client.rooms?.isEmpty === false || waitsInLine(client);
  if (hasPlace && client.grace > 0) client.backoff.lost(client.grace, client.lastHeard, client.now);
  reconnect(client);
  client.reassertions.clear();
  client.watches.lost();
  everyPeer(client, { kind: "server", event: { event: "lost" } });
}

export function welcome(client: Client, received: Welcome): void {
  if (!client.isConnecting) return;
  if (received.protocol !== PROTOCOL) {
    return connectingFailed(client, { kind: "refused", refusal: refusal("unsupported-protocol") });
  }
  client.state = { kind: "ready" };
  client.limits = received.limits;
  client.pacer = new Pacer(received.limits, client.now);
  client.token = received.resume;
  const welcome: Welcome = { ...received, resume: undefined }; // A secret, which no event carries.
  client.grace = client.token === undefined ? 0 : welcome.graceMs * 1_000;
  client.backoff.welcomed();
  if (!client.welcomed) {
    client.welcomed = true;
    return client.event({ kind: "connected", welcome });
  }
  const { resumed, ended } = welcome;
  if (!resumed) client.questions.length = 0;
  const present = resumed ? welcome.pairing : undefined;
  client.event({ kind: resumed ? "resumed" : "restarted", welcome });
  const isNew = present && knowsAs(client, present.id) === undefined;
  for (const key of [...client.peers.keys()]) {
    const peer = client.peers.get(key);
    if (!peer || client.rooms?.roomOf(key) !== undefined) continue;
    const known = knownAs(peer);
    feedPeer(client, key, { kind: "server", event: { event: "welcomed", limits: client.limits } });
    const reason = ended && ended.pairing === known ? ended.reason : undefined;
    // A server that is new to the pairing does not end it, however often it is reached.
    const goesOn = reason === undefined && isForgotten(peer);
    if (present?.id === known) feedPeer(client, key, { kind: "server", event: { event: "known" } });
    else if (resumed && !goesOn) feedPeer(client, key, { kind: "ended", reason: reason ?? "disconnected" });
    else feedPeer(client, key, { kind: "server", event: { event: "forgotten", reason: reason ?? "disconnected" } });
  }
  if (isNew) paired(client, present);
  client.rooms?.welcome(welcome.rooms, resumed);
  askAgain(client);
}

/** Returns the key of the peer that the server knows by this name. */
export function knowsAs(client: Client, pairing: string): string | undefined {
  return findPeer(client, (peer) => knownAs(peer) === pairing);
}
