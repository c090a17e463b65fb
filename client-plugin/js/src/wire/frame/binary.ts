/** A frame as one binary value. See PROTOCOL.md, "The binary spelling". */

import { isPairingId, type PairingId } from "../../id.js";
import { bodyArgs, type Frame } from "./content.js";
import { isWhole } from "../shape.js";
import { frameFromValue, frameText } from "./json.js";

/** Returns one binary value. */
export function frameBinary(frame: Frame, pairing: PairingId): Uint8Array {
  const encode = (text: string) => new TextEncoder().encode(text);
  const name = encode(pairing);
  const header = encode(frameText(frame, (blob) => blob.length));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, header.length);
  const parts = [Uint8Array.of(name.length), name, length, header, ...(bodyArgs(frame.body)?.blobs ?? [])];
  const binary = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    binary.set(part, at);
    at += part.length;
  }
  return binary;
}

/** Reads one binary value; the blobs share its memory. Returns undefined if it is no frame. */
export function frameFromBinary(binary: Uint8Array): [PairingId, Frame] | undefined {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (!(length <= binary.length - at)) throw RangeError();
    return binary.subarray(at, (at += length));
  };
  const text = (length: number): string => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(take(length));
  const blobs = (lengths: unknown[]): Uint8Array[] | undefined =>
    lengths.every(isWhole) ? lengths.map((length) => take(length as number)) : undefined;
  try {
    const pairing = text(take(1)[0] as number);
    const length = take(4);
    const header = text(new DataView(length.buffer, length.byteOffset).getUint32(0));
    const frame = header.startsWith("{") ? frameFromValue(JSON.parse(header), blobs) : undefined;
    // What follows the header of an unknown kind is unknown, too.
    const isWholeFrame = frame && (at === binary.length || frame.body.t === "other");
    return isWholeFrame && isPairingId(pairing) ? [pairing, frame] : undefined;
  } catch {
    return undefined; // It is too short, or no JSON in UTF-8.
  }
}
