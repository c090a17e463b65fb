/** Terms that several lines of a transcript share: arguments, refusals, outcomes. See `protocol/TRANSCRIPTS.md`. */

import { Args } from "../args.js";
import { fromBase64, toBase64 } from "../bytes.js";
import { refusal, type Outcome, type Path, type Refusal } from "../error.js";
import type { Delivery, EmitOptions } from "../peer/session/interface.js";
import { present } from "../wire/control/client.js";
import type { Result } from "../wire/frame.js";
import { isObject, type Fields } from "../wire/shape.js";

/** A state machine whose inputs and outputs can be read and written. */
export interface Machine {
  /** Feeds the input of a line. */
  handle(line: Fields, at: number): void;
  /** Returns the line of the next output. */
  pollOutput(): Fields | undefined;
  /** Returns when the next timeout is due. */
  pollTimeout(): number | undefined;
}

/** Serialises a value with the keys of objects sorted. */
export function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    isObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}

export function readArgs(line: Fields): Args {
  const blobs = (line["blobs"] ?? []) as string[];
  return new Args(
    sortedJson(line["args"]),
    blobs.map((blob) => fromBase64(blob) as Uint8Array),
  );
}

export const writeArgs = (args: Args): Fields =>
  present({ args: args.values(), blobs: args.blobs.length ? args.blobs.map(toBase64) : undefined });

export function readOptions(line: Fields): EmitOptions {
  const { reply_by: replyBy, expires, via } = line as { reply_by?: number; expires?: number; via?: Path };
  return { replyBy, expires, via };
}

export function readRefusal(fields: unknown): Refusal {
  const { code, message } = fields as Refusal;
  return refusal(code, message);
}

export const readResult = (line: Fields): Result => (line["refusal"] ? readRefusal(line["refusal"]) : readArgs(line));

export function writeOutcome(outcome: Outcome): Fields {
  switch (outcome.outcome) {
    case "replied":
      return { outcome: outcome.outcome, ...writeArgs(outcome.args), path: outcome.path };
    case "failed":
      return { outcome: outcome.outcome, refusal: outcome.refusal };
    default: {
      const { cause } = outcome;
      return { outcome: outcome.outcome, cause: "ended" in cause ? cause : { code: cause.code } };
    }
  }
}

export const writeDelivery = ({ seq, event, args, wantsReply }: Delivery): Fields => ({
  seq,
  event,
  ...writeArgs(args),
  wants_reply: wantsReply,
});
