/** Requests to the server. */

import { utf8Length } from "../bytes.js";
import type { Client } from "../client.js";
import { refusal } from "../error.js";
import {
  consentTime as longestConsent,
  JSON_DEPTH,
  lineTime,
  REGISTER_PAYLOAD_BYTES,
  REQUEST_TIMEOUT,
  setting,
  VERDICT_SLACK,
} from "../limits.js";
import type { ClientMessage, ReqId } from "../wire/control/client.js";
import type { PairingInfo } from "../wire/control/welcome.js";
import { isDeeper } from "../wire/shape.js";
import type { Answer, Command } from "./interface.js";
import { nextReq } from "./life.js";
import { exclusivePeer, feedPeer, forgottenPeer } from "./peers.js";

/** A request to the server. Each is idempotent: it may be sent again on another connection. */
type ServerRequest =
  | ({ kind: "register" } & Registration)
  | { kind: "unregister" }
  | { kind: "list" };

interface Registration {
  target: string;
  payload: unknown;
  consentTime: number | undefined;
  /** The time until which it waits in line. */
  waitUntil: number | undefined;
}

/** A request that waits for its answer, or for a connection on which it can be asked. */
export interface PendingRequest {
  readonly call: number;
  readonly request: ServerRequest;
  deadline: number;
  /** True once the caller no longer waits, and the server was told. */
  isCancelled: boolean;
}

/** Returns true if this is a registration that may wait in line. */
function mayWait({ request }: PendingRequest): boolean {
  return request.kind === "register" && request.waitUntil !== undefined;
}

function message(request: ServerRequest, req: ReqId, now: number): ClientMessage {
  if (request.kind !== "register") return { kind: request.kind, req };
  const { target, payload, consentTime, waitUntil } = request;
  const wait = Math.max((waitUntil ?? 0) - now, 0) || undefined;
  return { kind: "register", req, target, payload, consentTime, wait };
}

export function request(client: Client, call: number, asked: ServerRequest, deadline: number): void {
  if (!client.welcomed) return client.answer(call, { kind: "closed" });
  const req = nextReq(client);
  client.send(message(asked, req, client.now));
  client.requests.set(req, { call, request: asked, deadline, isCancelled: false });
}

export function pairingWith(client: Client, partner: string): PairingInfo | undefined {
  const info = exclusivePeer(client)?.info;
  return info?.partner === partner ? info : undefined;
}

/**
 * Registers a target. While the server has forgotten a pairing, the answer is the one that the server would give if
 * it had not.
 */
export function register(client: Client, call: number, asked: ServerRequest & { kind: "register" }, deadline: number): void {
  if (forgottenPeer(client) === undefined) return request(client, call, asked, deadline);
  const pairing = pairingWith(client, asked.target);
  client.answer(call, pairing ? { kind: "registered", pairing } : { kind: "refused", refusal: refusal("source-busy") });
}

export function unregister(client: Client, call: number, deadline: number): void {
  const key = forgottenPeer(client);
  if (key === undefined) return request(client, call, { kind: "unregister" }, deadline);
  feedPeer(client, key, { kind: "parted", reason: "unregistered" });
  client.answer(call, { kind: "unregistered" });
}

export function beginToRegister(client: Client, command: Command & { kind: "register" }): void {
  const { call, target, payload, consentTime, wait } = command;
  if (payload !== undefined && isTooLarge(payload)) {
    return client.answer(call, { kind: "refused", refusal: refusal("too-large") });
  }
  const longest = longestConsent(client.limits);
  const deadline =
    command.deadline ??
    client.now +
      Math.min(wait ?? 0, lineTime(client.limits)) +
      Math.min(consentTime ?? longest, longest) +
      VERDICT_SLACK;
  const waitUntil = wait === undefined ? undefined : client.now + setting(wait);
  register(client, call, { kind: "register", target, payload, consentTime, waitUntil }, deadline);
}

/** Answers the request with this number. */
export function resolve(client: Client, req: ReqId | undefined, answer: Answer): void {
  const pending = req === undefined ? undefined : client.requests.get(req);
  if (req === undefined || !pending) return;
  client.requests.delete(req);
  if (!pending.isCancelled) client.answer(pending.call, answer);
}

export function expireRequests(client: Client): void {
  for (const [req, pending] of client.requests) {
    if (pending.deadline > client.now) continue;
    if (!pending.isCancelled) client.answer(pending.call, { kind: "timed-out" });
    withdraw(client, req, pending);
  }
}

/** Forgets a request whose caller no longer waits. A registration is taken back. */
export function cancelRequest(client: Client, call: number): void {
  for (const [req, pending] of client.requests) {
    if (pending.call === call && !pending.isCancelled) return withdraw(client, req, pending);
  }
}

/**
 * Removes a request. A registration is taken back, unless it would only have returned a pairing that stays. Until the
 * server has answered, it may grant it nevertheless: then the pairing is ended.
 */
function withdraw(client: Client, req: ReqId, pending: PendingRequest): void {
  const { request: asked, isCancelled } = pending;
  const isOpen = asked.kind === "register" && pairingWith(client, asked.target) === undefined;
  if (client.state.kind === "ready" && isOpen && !isCancelled) {
    pending.isCancelled = true;
    pending.deadline = client.now + REQUEST_TIMEOUT;
    client.send({ kind: "cancel", req });
  } else {
    client.requests.delete(req);
  }
}

/** Returns true if this is the number of a registration that was taken back. */
export function isWithdrawn(client: Client, req: ReqId | undefined): boolean {
  return req !== undefined && client.requests.get(req)?.isCancelled === true;
}

/** Ends a pairing that was granted after its registration was taken back. */
export function endUnwanted(client: Client): void {
  client.send({ kind: "unregister", req: nextReq(client) });
}

/** Returns true if the server may keep a place in line for this client. */
export function waitsInLine(client: Client): boolean {
  return [...client.requests.values()].some((pending) => mayWait(pending) && !pending.isCancelled);
}

/** Reports the place of a registration in the line of its target. */
export function toldPlace(client: Client, req: ReqId, place: number): void {
  const pending = client.requests.get(req);
  if (pending?.request.kind !== "register" || pending.isCancelled) return;
  client.event({ kind: "in-line", target: pending.request.target, place });
}

export function closeRequests(client: Client): void {
  const asked = [...client.requests.values()].filter((pending) => !pending.isCancelled);
  client.requests.clear();
  const calls = [...client.ending.takeUnregister(), ...asked].map(({ call }) => call);
  // As they were made.
  for (const call of calls.sort((one, other) => one - other)) client.answer(call, { kind: "closed" });
  client.watches.close(client);
  client.rooms?.close();
}

/** Returns true if the server would not even read a payload. */
function isTooLarge(payload: unknown): boolean {
  // Around it there are the fields of the request and the arguments of the event.
  return utf8Length(JSON.stringify(payload)) > REGISTER_PAYLOAD_BYTES || isDeeper(payload, JSON_DEPTH - 2);
}
