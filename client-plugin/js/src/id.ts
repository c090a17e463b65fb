/** Ids of clients and pairings, and the resume token: texts that are checked where they come in. */

import { isText, utf8Length } from "./bytes.js";
import { CLIENT_ID_BYTES } from "./limits.js";

/** The id of a client: 1 to 128 bytes of UTF-8 without control characters. */
export type ClientId = string;

/** The id of a pairing: `<node>-<serial>`, two 64-bit numbers in lower-case hexadecimal digits. */
export type PairingId = string;

/** A secret of 32 lower-case hexadecimal digits that resumes a client's session. */
export type ResumeToken = string;

/** Returns true if the value is the id of a client. */
export const isClientId = (value: unknown): value is ClientId =>
  isText(value) && value !== "" && utf8Length(value) <= CLIENT_ID_BYTES && !/\p{Cc}/u.test(value);

/** Returns true if the value is the id of a pairing, in its only spelling. */
export const isPairingId = (value: unknown): value is PairingId =>
  typeof value === "string" && /^(0|[1-9a-f][0-9a-f]{0,15})-(0|[1-9a-f][0-9a-f]{0,15})$/.test(value);

/** Returns true if the value is a resume token. */
export const isResumeToken = (value: unknown): value is ResumeToken =>
  typeof value === "string" && /^[0-9a-f]{32}$/.test(value);

/** Returns a number of 64 bits that differs between pairings, for choices that could be random. */
export function pairingSeed(id: PairingId): bigint {
  const [node, serial] = id.split("-").map((digits) => BigInt(`0x${digits}`)) as [bigint, bigint];
  // The upper half of the serial number and its lower half change places.
  return node ^ (BigInt.asUintN(32, serial) << 32n) ^ (serial >> 32n);
}
