/** The check of what an application gives: a program in plain JavaScript has no compiler that tells. */

import { isReadable } from "../wire/shape.js";

/** What a value must be: in words, and as a test. Every option may also be missing. */
export type Kind = readonly [words: string, is: (value: any) => boolean];

/** The kinds of the options of a function. */
export type Kinds<Settings> = Record<keyof Settings, Kind>;

const ofType = (type: string, words = `a ${type}`): Kind => [words, (value) => typeof value === type];

export const text = ofType("string", "a text");
export const fun = ofType("function");
export const flag = ofType("boolean", "true or false");
export const any: Kind = ["", () => true];
export const object: Kind = ["an object", (value) => typeof value === "object" && value !== null];
export const objectOrFunction: Kind = ["an object or a function", (value) => object[1](value) || fun[1](value)];
export const time: Kind = ["a number of milliseconds", (value) => typeof value === "number" && value >= 0];
export const count: Kind = ["a whole number up to 65,535", (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 16];
export const signal: Kind = ["an AbortSignal", (value) => typeof value?.aborted === "boolean" && !!value.addEventListener];
export const json: Kind = ["JSON", (value) => isReadable(JSON.parse(JSON.stringify(value)))];

/** One of these values. */
export const oneOf = (...all: unknown[]): Kind => [
  all.map((value) => JSON.stringify(value)).join(" or "),
  (value) => all.includes(value),
];

/** Returns a value in a few words. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "function") return "a function";
  return object[1](value) ? `a value of the class ${(value as object).constructor?.name}` : String(value);
}

/** Returns what is wrong with an argument, if anything is. */
export function wrong(name: string, value: unknown, [words, is]: Kind): string | undefined {
  try {
    if (is(value)) return undefined;
  } catch {} // It cannot be serialised.
  return `${name} must be ${words}, and is ${shown(value)}`;
}

/** Returns what is wrong with options, if anything is. */
export function wrongOption<Settings>(settings: Settings, kinds: Kinds<Settings>): string | undefined {
  const all = wrong("what holds the options", settings, object);
  if (all) return all;
  for (const [name, value] of Object.entries(settings as object)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name as keyof Settings] : undefined;
    if (!kind) return `there is no option \`${name}\``;
    const text = value === undefined ? undefined : wrong(name, value, kind);
    if (text) return text;
  }
  return undefined;
}
