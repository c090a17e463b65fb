/**
 * Ends that this client wants: each waits until the partner has confirmed what was emitted.
 *
 * The end of a pairing is sent by the server and overtakes frames that take the direct path, or that wait for the
 * pace. What overtakes them makes the partner drop them.
 */

import type { Client } from "../client.js";
import { CONFIRM_TIMEOUT } from "../limits.js";
import { close } from "./closing.js";
import { everyPeer, exclusivePeer } from "./peers.js";
import { unregister } from "./requests.js";

/** The ends that wait. */
export class Ending {
  /** The calls that unregister, with their deadlines. */
  unregister: { call: number; deadline: number }[] = [];
  /** True once the client was told to close. */
  closes = false;
  /** The time at which the ends no longer wait. */
  until: number | undefined;

  cancel(call: number): void {
    this.unregister = this.unregister.filter((waiting) => waiting.call !== call);
  }

  /** Takes the calls that unregister. */
  takeUnregister(): { call: number; deadline: number }[] {
    return this.unregister.splice(0);
  }

  waitUntil(until: number): void {
    this.until = Math.min(this.until ?? Infinity, until);
  }
}

/** Returns true while a partner that can be reached has not confirmed everything; a member of a room, if the client closes. */
function isUnconfirmed(client: Client): boolean {
  const peers = client.ending.closes ? [...client.peers.values()] : [exclusivePeer(client)];
  return peers.some((peer) => peer?.isUnconfirmed());
}

/** Ends the pairing once everything is confirmed, within half of the time until the deadline. */
export function endPairing(client: Client, call: number, deadline: number): void {
  if (!isUnconfirmed(client)) return unregister(client, call, deadline);
  const half = Math.max(deadline - client.now, 0) / 2;
  client.ending.unregister.push({ call, deadline });
  client.ending.waitUntil(client.now + Math.min(half, CONFIRM_TIMEOUT));
}

/** Closes the client once everything is confirmed. Nothing is delivered any more. */
export function beginToClose(client: Client): void {
  client.ending.closes = true;
  client.ending.waitUntil(client.now + CONFIRM_TIMEOUT);
  everyPeer(client, { kind: "paused" });
}

/** Carries out the ends that wait, if everything is confirmed or the time is over. */
export function endIfConfirmed(client: Client): void {
  const { ending } = client;
  if (ending.until === undefined || client.state.kind === "closed") return;
  if (client.now < ending.until && isUnconfirmed(client)) return;
  ending.until = undefined;
  for (const { call, deadline } of ending.takeUnregister()) unregister(client, call, deadline);
  if (ending.closes) {
    client.send({ kind: "leave" }); // After the frames that were collected.
    close(client);
  }
}
