/** Reading fields of control messages. What cannot be read is thrown, and caught where the message is read. */

import { refusal, type Refusal } from "../../error.js";
import { isClientId, isPairingId, type ClientId, type PairingId } from "../../id.js";
import { readLabel } from "../label.js";
import { isObject, isWhole, type Fields } from "../shape.js";

/** The reason for which an event is not a message, with the number of the request if it could be read. */
export class WireError {
  constructor(
    readonly refusal: Refusal,
    readonly req?: number,
  ) {}
}

export function bad(message: string): never {
  throw new WireError(refusal("bad-args", message));
}

/** Takes a value that a check has passed. */
function checked<T>(is: (value: unknown) => value is T, what: string): (fields: Fields, name: string) => T {
  return (fields, name) => {
    const value = fields[name];
    return is(value) ? value : bad(`${name} is not ${what}`);
  };
}

export const whole = checked(isWhole, "a whole number");
export const flag = checked((value): value is boolean => typeof value === "boolean", "true or false");
export const clientId = checked<ClientId>(isClientId, "a client id");
export const pairingId = checked<PairingId>(isPairingId, "a pairing id");
export const object = checked(isObject, "an object");

/** Reads a field that may be missing or null. */
export const some = <T>(read: (fields: Fields, name: string) => T, fields: Fields, name: string): T | undefined =>
  fields[name] === undefined || fields[name] === null ? undefined : read(fields, name);

/** Reads a code, a reason or a state. */
export const label = (fields: Fields, name: string): string => readLabel(fields[name]) ?? bad(`${name} is not a text`);

/** Reads a refusal: `code`, and `message` if there is one. */
export function readRefusal(fields: Fields): Refusal {
  const message = fields["message"] ?? "";
  return refusal(label(fields, "code"), typeof message === "string" ? message : bad("message is not a text"));
}
