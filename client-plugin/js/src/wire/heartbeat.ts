/** The heartbeat of a direct path, and the messages of a link's first channel. */

import { isPairingId, type PairingId } from "../id.js";
import { SETTING_MAX } from "../limits.js";
import { batchFromValue, frameFromBinary, type Batch } from "./frame.js";
import { readLabel } from "./label.js";
import { isObject, isWhole } from "./shape.js";

/** A heartbeat, as it is sent beside the frames on a direct path. */
export interface Heartbeat {
  t: "ping" | "pong";
  /** The number of the ping, also in the pong. That of a partner may need all of 64 bits. */
  n: number | bigint;
  /** The pairing, as the sender knows it. */
  pairing: PairingId;
  /** True while the sender's own pings return. */
  ok: boolean;
  /** The shortest recent time in which the sender's server answered, in microseconds. */
  server?: number | undefined;
}

/** The content of a message on the first channel of a link. */
export type DirectMessage =
  | { kind: "heartbeat"; heartbeat: Heartbeat }
  | { kind: "frames"; batch: Batch }
  /** A message of a kind that this version does not know. */
  | { kind: "other" };

/** Returns the text of a JSON object. */
export const heartbeatText = ({ t, n, pairing, ok, server }: Heartbeat): string =>
  `{"t":"${t}","n":${n},"pairing":"${pairing}","ok":${ok}${server === undefined ? "" : `,"server":${server}`}}`;

function heartbeatFrom(value: unknown, text: string): Heartbeat | undefined {
  if (!isObject(value)) return undefined;
  const { t, n, pairing, ok, server } = value;
  if ((t !== "ping" && t !== "pong") || !isWhole(n) || !isPairingId(pairing) || typeof ok !== "boolean") return undefined;
  // A pong repeats the number exactly, which JSON.parse rounds beyond 53 bits.
  const digits = n > Number.MAX_SAFE_INTEGER ? /"n"\s*:\s*(\d+)/.exec(text)?.[1] : undefined;
  return { t, n: digits ? BigInt(digits) : n, pairing, ok, server: isWhole(server) && server <= SETTING_MAX ? server : undefined };
}

/** Reads a text: a frame, an array of frames, or a heartbeat. Returns undefined if it is none. */
export function directFromText(text: string): DirectMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const batch = batchFromValue(value);
  const kind = isObject(value) ? readLabel(value["t"]) : undefined;
  const isHeartbeat = kind === "ping" || kind === "pong";
  // A heartbeat may have a field that only frames have at present.
  const heartbeat = isHeartbeat ? heartbeatFrom(value, text) : undefined;
  if (heartbeat) return { kind: "heartbeat", heartbeat };
  if (batch) return { kind: "frames", batch };
  const isKnown = isHeartbeat || /^(emit|reply|part|drop|cancel|ack)$/.test(kind ?? "ack");
  return isKnown ? undefined : { kind: "other" };
}

/** Reads a frame in its binary spelling. The pairing that it names is ignored: the link tells whose it is. */
export function directFromBinary(bytes: Uint8Array): DirectMessage | undefined {
  const read = frameFromBinary(bytes);
  return read && { kind: "frames", batch: { frames: [read[1]], unread: false } };
}
