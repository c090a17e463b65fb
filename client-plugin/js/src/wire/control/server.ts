/** Messages of the server to a v2 client. */

import { refusal, type Code, type EndReason, type Refusal } from "../../error.js";
import type { ClientId, PairingId } from "../../id.js";
import { CONSENT_TIME, CONSENT_TIME_MAX, MS, setting } from "../../limits.js";
import * as names from "../names.js";
import { isObject, type Fields } from "../shape.js";
import type { ReqId } from "./client.js";
import { bad, clientId, label, pairingId, readRefusal, some, whole, WireError } from "./fields.js";
import {
  readPairing,
  readWelcome,
  type ClientEntry,
  type PairingInfo,
  type Presence,
  type RoomState,
  type TargetState,
  type Welcome,
} from "./welcome.js";

/** A message of the server to a client. Times are microseconds. */
export type ServerMessage =
  | { kind: "welcome"; welcome: Welcome }
  /** A question for consent. */
  | { kind: "register"; req: ReqId; source: ClientId; payload?: unknown; consentTime: number }
  | { kind: "registered"; req?: ReqId | undefined; pairing: PairingInfo }
  | { kind: "register-failed"; req?: ReqId | undefined; refusal: Refusal }
  /** The answer to a consent that came too late. */
  | { kind: "withdrawn"; req?: ReqId | undefined; code: Code }
  | { kind: "disconnect"; pairing: PairingId; reason: EndReason; req?: ReqId | undefined }
  | { kind: "partner"; pairing: PairingId; state: Presence }
  | { kind: "clients"; req?: ReqId | undefined; clients: ClientEntry[] }
  | { kind: "target"; req: ReqId; state: TargetState }
  | { kind: "line"; req: ReqId; place: number }
  | RoomMessage
  | { kind: "pong"; req: ReqId }
  /** The server removes the client, which is not to come back by itself. */
  | { kind: "farewell"; refusal: Refusal }
  | { kind: "signal-refused"; refusal: Refusal; pairing?: PairingId | undefined }
  | { kind: "error"; refusal: Refusal; req?: ReqId | undefined; pairing?: PairingId | undefined };

/** A message about rooms. */
export type RoomMessage =
  | { kind: "joined"; req: ReqId; state: RoomState }
  | { kind: "member"; room: string; pairing: PairingInfo }
  /** All pairings of this client in the room have ended. */
  | { kind: "exited"; req?: ReqId | undefined; room: string; reason: EndReason };

/** Reads a message that is about rooms, or may name some. Returns undefined if it is another. The entries that have rooms give it. */
export type ReadRooms = (event: string, args: unknown[]) => ServerMessage | undefined;

export const toObject = (value: unknown): Fields => (isObject(value) ? value : bad("an argument is missing or no object"));

function readQuestion(args: unknown[]): ServerMessage {
  const fields = toObject(args[1]);
  const req = whole(fields, "req");
  try {
    const consent = some(whole, fields, "consentMs");
    const payload = fields["payload"] ?? undefined;
    return {
      kind: "register",
      req,
      source: clientId({ source: args[0] }, "source"),
      ...(payload !== undefined && { payload }),
      consentTime: Math.min(setting(consent === undefined ? CONSENT_TIME : consent * MS), CONSENT_TIME_MAX),
    };
  } catch (error) {
    throw error instanceof WireError ? new WireError(error.refusal, req) : error;
  }
}

/** Reads an entry of the list of clients. One that cannot be read is left out. */
function readEntry(entry: unknown): ClientEntry[] {
  try {
    const fields = toObject(entry);
    return [{ id: clientId(fields, "id"), state: label(fields, "state") }];
  } catch {
    return [];
  }
}

function readError(fields: Fields): ServerMessage {
  const req = some(whole, fields, "req");
  const asked = some(whole, fields, "asked");
  const pairing = some(pairingId, fields, "pairing");
  const refused = readRefusal(fields);
  const is = (name: string) => {
    const value = fields[name] ?? false;
    return typeof value === "boolean" ? value : bad(`${name} is neither true nor false`);
  };
  const [isFinal, isSignal] = [is("final"), is("signal")];
  if (isFinal) return { kind: "farewell", refusal: refused };
  if (asked !== undefined) return { kind: "withdrawn", req: asked, code: refused.code };
  if (isSignal) return { kind: "signal-refused", refusal: refused, pairing };
  return { kind: "error", refusal: refused, req, pairing };
}

function read(event: string, args: unknown[]): ServerMessage {
  if (event === names.REGISTER) return readQuestion(args);
  const fields = toObject(args[0]);
  const req = (): number | undefined => some(whole, fields, "req");
  switch (event) {
    case names.WELCOME:
      return { kind: "welcome", welcome: readWelcome(fields) };
    case names.REGISTER_SUCCESS:
      return { kind: "registered", req: req(), pairing: readPairing(fields, "pairing") };
    case names.REGISTER_FAILED:
      return { kind: "register-failed", req: req(), refusal: readRefusal(fields) };
    case names.DISCONNECT:
      return { kind: "disconnect", pairing: pairingId(fields, "pairing"), reason: label(fields, "reason"), req: req() };
    case names.PARTNER:
      return { kind: "partner", pairing: pairingId(fields, "pairing"), state: label(fields, "state") };
    case names.CLIENTS: {
      const clients = fields["clients"];
      if (!Array.isArray(clients)) return bad("clients is not an array");
      return { kind: "clients", req: req(), clients: clients.flatMap(readEntry) };
    }
    case names.TARGET:
      return { kind: "target", req: whole(fields, "req"), state: label(fields, "state") };
    case names.LINE:
      return { kind: "line", req: whole(fields, "req"), place: whole(fields, "place") };
    case names.PONG:
      return { kind: "pong", req: whole(fields, "req") };
    default:
      return readError(fields);
  }
}

const EVENTS: readonly string[] = [
  names.WELCOME,
  names.REGISTER,
  names.REGISTER_SUCCESS,
  names.REGISTER_FAILED,
  names.DISCONNECT,
  names.PARTNER,
  names.CLIENTS,
  names.TARGET,
  names.LINE,
  names.PONG,
  names.ERROR,
];

/** The events of the server to a v2 client. */
export const TO_CLIENT: readonly string[] = [...EVENTS, names.FRAME, names.SIGNAL];

/** Reads a message of the server, except frames and signals. Returns the reason if it is none. */
export function serverMessage(event: string, args: unknown[], rooms?: ReadRooms): ServerMessage | WireError {
  try {
    return rooms?.(event, args) ?? (EVENTS.includes(event) ? read(event, args) : new WireError(refusal("bad-event")));
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}
