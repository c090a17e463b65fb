/** A frame as a JSON object. */

import { Args } from "../../args.js";
import { fromBase64, isText, toBase64 } from "../../bytes.js";
import { refusal } from "../../error.js";
import { JSON_DEPTH, MS } from "../../limits.js";
import { bodyArgs, type Body, type Frame } from "./content.js";
import { readLabel } from "../label.js";
import { isDeeper, isObject, isReadable, isWhole, type Fields } from "../shape.js";

/** Writes one blob: base64, or its length. */
type WriteBlob = (blob: Uint8Array) => unknown;

/** Reads all blobs; returns undefined if they cannot be read. */
export type ReadBlobs = (blobs: unknown[]) => Uint8Array[] | undefined;

/** Reads blobs in base64. */
export function blobsFromBase64(blobs: unknown[]): Uint8Array[] | undefined {
  const read = blobs.map((blob) => (typeof blob === "string" ? fromBase64(blob) : undefined));
  return read.every((blob) => blob !== undefined) ? (read as Uint8Array[]) : undefined;
}

/** Returns the fields of a content, except its arguments. */
function bodyFields(body: Body): Fields {
  switch (body.t) {
    case "emit":
      return { t: body.t, e: body.event, r: body.wantsReply || undefined };
    case "reply":
      return { t: body.t, to: body.to, err: body.result instanceof Args ? undefined : body.result };
    case "part":
      return { t: body.t, d: body.text, z: body.last || undefined };
    case "cancel":
      return { t: body.t, to: body.to };
    case "other":
      return { t: body.label };
    default:
      return { t: body.t };
  }
}

/** Spells a content behind these fields. Its arguments are text already. */
function spell(fields: string, body: Body, ttl: number | undefined, blob: WriteBlob): string {
  const args = bodyArgs(body);
  const blobs = args?.blobs.length ? `,"b":${JSON.stringify(args.blobs.map(blob))}` : "";
  const rest = `${ttl === undefined ? "" : `,"x":${Math.floor(ttl / MS)}`}${args ? `,"a":${args.json}${blobs}` : ""}}`;
  return fields + JSON.stringify(bodyFields(body)).slice(1, -1) + rest;
}

/** Returns the text of a JSON object. */
export const frameText = ({ seq, ack, got, ttl, body }: Frame, blob: WriteBlob = toBase64): string =>
  spell(`{${seq ? `"s":${seq},` : ""}"k":${ack},${got > ack ? `"g":${got},` : ""}`, body, ttl, blob);

/** Returns the text that is cut into parts: the frame without its numbers. */
export const bodyText = (body: Body): string => spell("{", body, undefined, toBase64);

/** Returns a JSON object. */
export const frameValue = (frame: Frame): Fields => JSON.parse(frameText(frame)) as Fields;

const isFlag = (value: unknown): value is boolean | undefined => value === undefined || typeof value === "boolean";

function readArgs({ a, b = [] }: Fields, readBlobs: ReadBlobs): Args | undefined {
  if (!Array.isArray(a) || !Array.isArray(b) || isDeeper(a, JSON_DEPTH)) return undefined;
  const blobs = readBlobs(b);
  return blobs && Args.of(a, blobs);
}

/** Reads a content. Fields that a kind does not have may have any value. */
export function bodyFromFields(fields: Fields, readBlobs: ReadBlobs = blobsFromBase64): Body | undefined {
  const { e, r, to, err, d, z } = fields;
  const t = readLabel(fields["t"]);
  switch (t) {
    case undefined:
      return undefined;
    case "emit": {
      const args = readArgs(fields, readBlobs);
      return isText(e) && isFlag(r) && args ? { t, event: e, args, wantsReply: !!r } : undefined;
    }
    case "reply": {
      if (!isWhole(to)) return undefined;
      if (isObject(err)) {
        const code = readLabel(err["code"]);
        const message = err["message"] ?? "";
        return code !== undefined && isText(message) ? { t, to, result: refusal(code, message) } : undefined;
      }
      const args = err === undefined || err === null ? readArgs(fields, readBlobs) : undefined;
      return args && { t, to, result: args };
    }
    case "part":
      return isText(d) && isFlag(z) ? { t, text: d, last: !!z } : undefined;
    case "cancel":
      return isWhole(to) ? { t, to } : undefined;
    case "drop":
    case "ack":
      return { t };
    default:
      return { t: "other", label: t };
  }
}

/** Reads the text that was cut into parts: an emit or a reply that usual parsers can read, or a value of a later version. */
export function bodyFromText(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const body = isObject(value) ? bodyFromFields(value) : undefined;
    const isValue = body?.t === "emit" || body?.t === "reply" || body?.t === "other";
    return isValue && (!bodyArgs(body) || isReadable((value as Fields)["a"])) ? body : undefined;
  } catch {
    return undefined; // It is no JSON.
  }
}

/** Reads a JSON object; returns undefined if it is no frame. */
export function frameFromValue(value: unknown, readBlobs?: ReadBlobs): Frame | undefined {
  if (!isObject(value)) return undefined;
  const body = bodyFromFields(value, readBlobs);
  const { s = 0, k, g = 0, x = null } = value;
  if (!body || !isWhole(k) || !isWhole(g)) return undefined;
  const seq = body.t === "ack" ? 0 : s;
  if (!isWhole(seq) || (!seq && body.t !== "ack" && body.t !== "other")) return undefined;
  const frame: Frame = { seq, ack: k, got: Math.max(g, k), body };
  if (body.t === "emit" || body.t === "part") {
    if (x !== null && !isWhole(x)) return undefined;
    if (x !== null && (body.t === "emit" || body.last)) frame.ttl = x * MS;
  }
  return frame;
}

export const isFrame = (frame: Frame | undefined): frame is Frame => frame !== undefined;
