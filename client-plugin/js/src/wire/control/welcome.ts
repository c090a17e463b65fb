/** The welcome, and the values that other messages of the server share with it. */

import { refusal, type EndReason } from "../../error.js";
import { isResumeToken, type ClientId, type PairingId, type ResumeToken } from "../../id.js";
import { defaultLimits, type Limits } from "../../limits.js";
import type { Label } from "../label.js";
import { PROTOCOL } from "../names.js";
import { isWhole, type Fields } from "../shape.js";
import { bad, clientId, flag, label, object, pairingId, some, whole, WireError } from "./fields.js";

/** A pairing as one of its ends sees it. */
export interface PairingInfo {
  /** The id of the pairing. */
  id: PairingId;
  /** The id of the other client. */
  partner: ClientId;
  /** True if this client asked first: it offers the direct path. */
  initiator: boolean;
  /** 1 for v1, 2 or more for v2. */
  partnerProtocol: number;
  /** True if a direct path may be tried. */
  direct: boolean;
}

/** A pairing that has ended. */
export interface EndedPairing {
  pairing: PairingId;
  reason: EndReason;
}

/** The first message of the server to a v2 client. */
export interface Welcome {
  protocol: number;
  clientId: ClientId;
  /** The token that the next connection shows; a secret. */
  resume?: ResumeToken | undefined;
  /** Time for which the pairing outlives the connection, in milliseconds. */
  graceMs: number;
  /** True if an earlier session continues. */
  resumed: boolean;
  limits: Limits;
  pairing?: PairingInfo | undefined;
  ended?: EndedPairing | undefined;
  /** The rooms of which the client is a member, in a session that goes on. */
  rooms?: RoomState[] | undefined;
}

/** A room as one of its members sees it. */
export interface RoomState {
  /** The name of the room. */
  room: string;
  /** The pairings with the other members. */
  members: PairingInfo[];
}

/** The state of a client of the server: `away` while it is without a connection. */
export type ClientState = Label<"free" | "paired" | "away">;
/** What a server of this version tells of a target. One of a later version may tell other texts. */
export type TargetState = Label<"absent" | "free" | "busy">;
/** The state of a partner: it lost its connection, or has one again. */
export type Presence = Label<"away" | "back">;

/** An entry of the list of clients. */
export interface ClientEntry {
  /** The id of the client. */
  id: ClientId;
  /** What it does: a server of a later version may tell other texts. */
  state: ClientState;
}

/** Reads a rate or a burst: a fraction is rounded up, because a rate of 0 would be no limit. */
function rate(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === "number" && value >= 0 ? Math.min(Math.ceil(value), 2 ** 64) : bad(`${name} is no rate`);
}

/** Reads limits. Those that are missing are the usual ones. */
export function readLimits(fields: Fields): Limits {
  const limits = defaultLimits();
  for (const name of Object.keys(limits) as (keyof Limits)[]) {
    if (fields[name] === undefined) continue;
    const read = /^(frame|signal|json)/.test(name) ? whole : rate;
    limits[name] = Math.min(read(fields, name), name.startsWith("message") ? 2 ** 32 - 1 : 2 ** 64);
  }
  return limits;
}

/** Reads a pairing. */
export const readPairing = (fields: Fields, name: string): PairingInfo => {
  const of = object(fields, name);
  return {
    id: pairingId(of, "id"),
    partner: clientId(of, "partner"),
    initiator: flag(of, "initiator"),
    partnerProtocol: Math.min(whole(of, "partnerProtocol"), 255),
    direct: flag(of, "direct"),
  };
};

const readEnded = (fields: Fields, name: string): EndedPairing => {
  const of = object(fields, name);
  return { pairing: pairingId(of, "pairing"), reason: label(of, "reason") };
};

const token = (fields: Fields, name: string): ResumeToken => {
  const value = fields[name];
  return isResumeToken(value) ? value : bad(`${name} is no token`);
};

/** Reads a welcome. The version comes first: the fields of another version may have any shape. */
export function readWelcome(fields: Fields): Welcome {
  const protocol = fields["protocol"];
  if (isWhole(protocol) && protocol !== PROTOCOL) throw new WireError(refusal("unsupported-protocol"));
  return {
    protocol: whole(fields, "protocol"),
    clientId: clientId(fields, "clientId"),
    resume: some(token, fields, "resume"),
    graceMs: whole(fields, "graceMs"),
    resumed: flag(fields, "resumed"),
    limits: readLimits(fields["limits"] === undefined ? {} : object(fields, "limits")),
    pairing: some(readPairing, fields, "pairing"),
    ended: some(readEnded, fields, "ended"),
  };
}
