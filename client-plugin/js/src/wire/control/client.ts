/** Messages of a client to the server, as events. */

import type { ClientId } from "../../id.js";
import { MS } from "../../limits.js";
import * as names from "../names.js";

/** A message as a Socket.IO event: its name and its arguments. */
export type WireEvent = [event: string, args: unknown[]];

/** The number of a request, which its requester chose, unique on the connection. */
export type ReqId = number;

/** A message of a client to the server. Times are microseconds. */
export type ClientMessage =
  | { kind: "register"; req: ReqId; target: ClientId; payload?: unknown; consentTime?: number; wait?: number }
  | { kind: "accept"; req: ReqId }
  | { kind: "decline"; req: ReqId; reason?: string }
  /** Refusal of a registration by a client whose pairing the server has forgotten: it is the partner's. */
  | { kind: "reserve"; req: ReqId; partner: ClientId }
  | { kind: "unregister"; req: ReqId }
  | { kind: "leave" }
  | { kind: "list"; req: ReqId }
  | { kind: "ping"; req: ReqId }
  | { kind: "watch"; req: ReqId; target: ClientId }
  /** `most` is the most members that the client wants the room to have. */
  | { kind: "join"; req: ReqId; room: string; most?: number }
  | { kind: "exit"; req: ReqId; room: string }
  | { kind: "cancel"; req: ReqId };

const EVENTS = {
  register: names.REGISTER,
  accept: names.REGISTER_SUCCESS,
  decline: names.REGISTER_FAILED,
  reserve: names.REGISTER_FAILED,
  unregister: names.UNREGISTER,
  leave: names.LEAVE,
  list: names.LIST,
  ping: names.PING,
  watch: names.WATCH,
  join: names.JOIN,
  exit: names.EXIT,
  cancel: names.CANCEL,
};

/** Returns an object without the fields that have no value. */
export const present = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

const millis = (time?: number): number | undefined => (time === undefined ? time : Math.floor(time / MS));

/** Returns the event of a message. */
export function clientEvent(message: ClientMessage): WireEvent {
  const fields: Record<string, unknown> = { req: message.kind === "leave" ? undefined : message.req };
  switch (message.kind) {
    case "register":
      fields["payload"] = message.payload;
      fields["consentMs"] = millis(message.consentTime);
      fields["waitMs"] = millis(message.wait);
      break;
    case "decline":
      fields["reason"] = message.reason;
      break;
    case "reserve":
      fields["reason"] = "paired";
      fields["partner"] = message.partner;
      break;
    case "join":
      fields["most"] = message.most;
  }
  const last = present(fields);
  const name = "target" in message ? message.target : "room" in message ? message.room : undefined;
  return [EVENTS[message.kind], name === undefined ? [last] : [name, last]];
}
