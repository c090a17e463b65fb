/** Replays a transcript line by line, and compares the outputs. For tests: it is in no bundle. */

import { isObject, type Fields } from "../wire/shape.js";
import { ClientMachine } from "./client.js";
import { DescriptionMachine } from "./descriptions.js";
import { PeerMachine } from "./peer.js";
import type { Machine } from "./terms.js";

/** A line that says something else than the machine did. */
export interface Difference {
  expected: unknown;
  got: unknown;
}

/** Returns true if two lines are equal as JSON values; so are the texts in them. */
function isSame(a: unknown, b: unknown, key = ""): boolean {
  if (a === b) return true;
  if (key === "text" && typeof a === "string" && typeof b === "string") return isSame(JSON.parse(a), JSON.parse(b));
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => isSame(item, (b as unknown[])[at]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key], key));
}

/** Removes what need not be equal: the texts of complaints, except those about the partner. */
function comparable(line: Fields): Fields {
  const { out, about } = line;
  return out !== "complain" || (isObject(about) && "partner" in about) ? line : { out };
}

/** A state machine that replays one transcript. */
export class Replay {
  private readonly machine: Machine;

  /** Reads the header. */
  constructor(header: Fields) {
    if (header["transcript"] !== 1) throw new Error("not version 1 of a transcript");
    const { of, config } = header as { of: string; config: Fields };
    if (of === "client") this.machine = new ClientMachine(config);
    else if (of === "peer") this.machine = new PeerMachine(config);
    else if (of === "descriptions") this.machine = new DescriptionMachine();
    else throw new Error(`a transcript of ${of}`);
  }

  /** Feeds an input, or compares an output or a timer. */
  line(line: Fields): Difference | undefined {
    if ("in" in line) {
      this.machine.handle(line, line["at"] as number);
      return undefined;
    }
    let got = this.machine.pollOutput();
    if (!got && "due" in line) got = { due: this.machine.pollTimeout() ?? null };
    return got && isSame(comparable(got), comparable(line)) ? undefined : { expected: line, got };
  }
}

/** Replays a transcript. Returns the number of its lines; throws at the first that differs. */
export function replay(transcript: string): number {
  const [header, ...lines] = transcript.trimEnd().split("\n").map((line) => JSON.parse(line) as Fields);
  const replay = new Replay(header as Fields);
  lines.forEach((line, at) => {
    const difference = replay.line(line);
    if (difference) throw new Error(`line ${at + 2}: ${JSON.stringify(difference)}`);
  });
  return lines.length + 1;
}
