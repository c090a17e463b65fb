/** Signs of life on a client's connection, and doubts about it. */

import type { Client } from "../client.js";
import { LIFE_TIMEOUT } from "../limits.js";
import type { ReqId } from "../wire/control/client.js";

/** A doubt about the connection, until the server gives a sign of life. */
export interface Doubt {
  /** The time from which on anything that arrives was sent since. */
  countsFrom: number;
  /** The time at which the connection is given up. */
  until: number;
}

/** Returns the number of the next request. */
export function nextReq(client: Client): ReqId {
  return ++client.lastReq;
}

/** Notes that the server is there. Before the welcome nothing counts: the wait for it is limited. */
export function heard(client: Client): void {
  if (client.isConnecting) return;
  client.lastHeard = client.now;
  if (client.doubt && client.now >= client.doubt.countsFrom) client.doubt = undefined;
}

/** Returns when the connection is looked after next. */
export function nextHeartbeat(client: Client): number | undefined {
  const { state } = client;
  if (state.kind === "connecting") return state.until;
  if (state.kind === "away" && !client.welcomed) return client.firstUntil;
  if (state.kind !== "ready") return undefined;
  // The server's round trip is compared with that of the direct path.
  let last = Math.max(client.lastHeard, client.lastAsked);
  for (const peer of client.peers.values()) if (peer.stands()) last = client.lastAsked;
  return Math.min(lostAt(client), last + client.config.heartbeatInterval);
}

/** Returns when the connection is given up if nothing is heard. */
export function lostAt(client: Client): number {
  return Math.min(client.lastHeard + client.config.heartbeatTimeout, client.doubt?.until ?? Infinity);
}

/** Notes a hint that the connection may be dead. The server has a short time for a sign of life. */
export function doubt(client: Client): void {
  if (client.state.kind !== "ready") return;
  const until = client.now + LIFE_TIMEOUT + 2 * (client.serverRtt ?? 0);
  // What arrives at once may have been under way already.
  client.doubt ??= { countsFrom: client.now + LIFE_TIMEOUT / 4, until };
  askForLife(client);
}

/** Asks the server for a sign of life. */
export function askForLife(client: Client): void {
  if (client.state.kind !== "ready") return;
  client.lastAsked = client.now;
  const req = nextReq(client);
  client.asked = { req, at: client.now };
  client.send({ kind: "ping", req });
}
