/** Values of the application as arguments, and back: bytes become blobs, with placeholders where they stood. */

import { Args } from "../args.js";
import { isObject } from "../wire/shape.js";

/** Several arguments of a reply, from `values(…)`. */
export class Values {
  /** @internal */
  constructor(readonly values: readonly unknown[]) {}
}

/** Makes a handler reply with several arguments: `return values(1, 2)`. */
export const values = (...all: unknown[]): Values => new Values(all);

/** Returns bytes as such, if a value is a kind of them. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value.slice(0));
  // They are copied: the application may change its buffer while the window holds them.
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice() : undefined;
}

/** Returns values as arguments. Throws if they cannot be serialised: a cycle, or a `bigint`. */
export function encode(all: readonly unknown[]): Args {
  if (all.every((value) => typeof value !== "object")) return new Args(JSON.stringify(all)); // Nothing to look into.
  const blobs: Uint8Array[] = [];
  const json = JSON.stringify(all, function (this: Record<string, unknown>, key, value: unknown) {
    // What `toJSON` has made of bytes, as Buffer has one, is not looked at.
    const bytes = bytesOf(this[key]);
    if (!bytes) return value;
    return { _placeholder: true, num: blobs.push(bytes) - 1 };
  });
  return new Args(json, blobs);
}

/** Returns arguments as values. A placeholder without a blob stays as it is. */
export function decode(args: Args): unknown[] {
  const all = args.take();
  return args.blobs.length ? (restore(all, args.blobs) as unknown[]) : all;
}

function restore(value: unknown, blobs: readonly Uint8Array[]): unknown {
  if (Array.isArray(value)) return value.map((item) => restore(item, blobs));
  if (!isObject(value)) return value;
  const { _placeholder: is, num } = value;
  const blob = is === true && typeof num === "number" ? blobs[num] : undefined;
  if (blob) return blob;
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === "object") Object.defineProperty(value, key, { value: restore(item, blobs) });
  }
  return value;
}
