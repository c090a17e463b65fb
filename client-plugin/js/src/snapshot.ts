/**
 * A client as text, for a page that is loaded anew: its token, and its end of the pairing with the numbers, the window
 * and what the partner has sent. So neither end executes anything twice, and nothing is lost. Of the direct path only
 * the number of attempts is kept.
 *
 * Rooms are not kept: the next page leaves those that the welcome lists, and may join again.
 *
 * Callers and handlers are gone with the page: calls under way are cancelled, and handlers that ran have failed.
 */

import { Args } from "./args.js";
import { fromBase64, toBase64 } from "./bytes.js";
import type { Client } from "./client.js";
import { exclusivePeer, feedPeer } from "./client/peers.js";
import { refusal } from "./error.js";
import type { ResumeToken } from "./id.js";
import type { Limits } from "./limits.js";
import { isKnown } from "./peer/server-view.js";
import { Peer } from "./peer.js";
import type { PairingInfo } from "./wire/control/welcome.js";

/** The names that the build has given to the fields of a session, if it shortens them: see `bundle.mjs`. */
declare const P2P_NAMES: string | undefined;

/** The version of this text: that of another is not read. */
const VERSION = `1 ${typeof P2P_NAMES === "undefined" ? "" : P2P_NAMES}`;

interface Saved {
  version: string;
  token: ResumeToken;
  grace: number;
  limits: Limits;
  peer?: { info: PairingInfo; attempt: number; numbers: boolean; session: unknown };
}

/** Spells a value of any kind that a session holds. */
function freeze(value: unknown): unknown {
  if (value === Infinity) return { $: "infinity" };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return { $: "bytes", of: toBase64(value) };
  if (value instanceof Args) return { $: "args", of: [value.json, value.blobs.map(freeze)] };
  if (value instanceof Map) return { $: "map", of: [...value].map(freeze) };
  if (Array.isArray(value)) return value.map(freeze);
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, freeze(field)]));
}

/** Reads such a value. `like` is the one that it replaces: an object of a class stays one. */
function thaw(value: unknown, like?: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => thaw(item));
  const { $: kind, of } = value as { $?: string; of?: unknown };
  switch (kind) {
    case "infinity":
      return Infinity;
    case "bytes":
      return fromBase64(of as string);
    case "args": {
      const [json, blobs] = of as [string, unknown[]];
      return new Args(json, blobs.map((blob) => thaw(blob)) as Uint8Array[]);
    }
    case "map":
      return new Map((of as unknown[]).map((entry) => thaw(entry) as [unknown, unknown]));
  }
  const target = (typeof like === "object" && like !== null && !Array.isArray(like) ? like : {}) as Record<string, unknown>;
  for (const [key, field] of Object.entries(value)) target[key] = thaw(field, target[key]);
  return target;
}

/** Returns a client as text, or undefined if a later page could not go on with it. */
export function saveClient(client: Client): string | undefined {
  const { token, grace, limits } = client;
  if (token === undefined || !grace || client.ending.closes) return undefined;
  const saved: Saved = { version: VERSION, token, grace, limits };
  const peer = exclusivePeer(client);
  if (peer) {
    // Only the direct path keeps a pairing that the server does not know, and it ends with the page.
    if (!isKnown(peer) || peer.isUnwanted) return undefined;
    const { attempt = 0, numbers = false } = peer.direct?.attempts ?? {};
    saved.peer = { info: peer.info, attempt, numbers, session: freeze(peer.session) };
  }
  return JSON.stringify(saved);
}

/** Makes a client that has just been made go on as that of an earlier page. Returns false if the text is not read. */
export function restoreClient(client: Client, text: string): boolean {
  const saved = JSON.parse(text) as Saved;
  if (saved.version !== VERSION) return false;
  client.token = saved.token;
  client.grace = saved.grace;
  client.limits = saved.limits;
  client.welcomed = true;
  client.backoff.lost(saved.grace, client.now, client.now);
  if (saved.peer) {
    const key = saved.peer.info.id;
    client.peers.set(key, restorePeer(client, saved.peer));
    feedPeer(client, key, { kind: "timeout" });
  }
  return true;
}

function restorePeer({ config, limits, now }: Client, saved: NonNullable<Saved["peer"]>): Peer {
  const { info, attempt, numbers } = saved;
  // An initiator would begin an attempt at once.
  const peer = new Peer(config.direct, { ...info, initiator: false }, limits, undefined, now);
  peer.info = info;
  if (peer.direct) Object.assign(peer.direct.attempts, { attempt, numbers, initiator: info.initiator });
  const { session } = peer;
  thaw(saved.session, session);
  session.isPaused = true;
  for (const path of ["direct", "relay"] as const) session.handle({ kind: "closed", path }, now);
  for (const { call } of [...session.calls.values()]) session.handle({ kind: "cancelled", call }, now);
  const unsent = session.outgoing.emit();
  if (unsent) session.handle({ kind: "cancelled", call: unsent.call }, now);
  for (const seq of session.inbox.runningNow()) {
    session.handle({ kind: "finished", seq, result: refusal("handler-failed", "the page was loaded anew") }, now);
  }
  peer.handle({ kind: "server", event: { event: "lost" } }, now);
  // What follows from that is not for the application of the new page. What is delivered from now on is.
  while (session.pollOutput() || peer.pollOutput());
  peer.inSession({ kind: "resumed" }, now);
  return peer;
}
