/** The shape of values of JSON: their depth, and doubts about them. */

import { isText } from "../bytes.js";

/** Keys that serde_json gives a meaning of its own: servers take no object that begins with one. */
const RESERVED = "$serde_json::private::";

/** Any object of JSON. */
export type Fields = Record<string, unknown>;

/** Returns true if a value is an object of JSON. */
export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns true if a value is a whole number of 64 bits, as far as a floating-point number tells. */
export const isWhole = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 2 ** 64;

/** Returns true if a value has more levels of arrays and objects. It looks no deeper than that. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels <= 0) return true;
  if (Array.isArray(value)) return value.some((item) => isDeeper(item, levels - 1));
  const keys = Object.keys(value);
  return !!keys[0]?.startsWith(RESERVED) || keys.some((key) => isDeeper((value as Fields)[key], levels - 1));
}

/** Returns true if usual parsers can read a value: no number is out of range, and no surrogate stands alone. */
export function isReadable(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "string") return isText(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, item]) => isText(key) && isReadable(item));
}

/** Returns the number of levels of arrays and objects. */
export function depth(value: unknown): number {
  let levels = 0;
  const isNested = (value: unknown): value is object => typeof value === "object" && value !== null;
  for (let level = [value].filter(isNested); level.length; levels++) {
    level = level.flatMap((value) => Object.values(value) as unknown[]).filter(isNested);
  }
  return levels;
}
