/**
 * The TypeScript end of lockstep: reads transcripts from its standard input, each ended by an empty line, and answers
 * each by a line: the number of steps, and the first difference if there is one. See `protocol/examples/lockstep.rs`, which starts it.
 *
 * `--list` prints the names of the planted differences, `--planted NAME` makes one.
 */

import { createInterface } from "node:readline";

import { Replay } from "../src/transcript/replay.js";
import type { Fields } from "../src/wire/shape.js";
import { PLANTED, RARE } from "./planted.js";

const answer = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

/** The comparison of one transcript. */
class Comparison {
  private replay: Replay | undefined;
  private lines = 0;
  private steps = 0;
  private difference: unknown;

  line(text: string): void {
    this.lines++;
    if (this.difference) return;
    try {
      const line = JSON.parse(text) as Fields;
      if (!this.replay) this.replay = new Replay(line);
      else {
        this.difference = this.replay.line(line);
        this.steps += Number("in" in line);
      }
    } catch (error) {
      this.difference = { thrown: String((error as Error).stack) };
    }
    if (this.difference) this.difference = { line: this.lines, ...(this.difference as object) };
  }

  end(): void {
    answer({ steps: this.steps, ...(this.difference as object | undefined) });
  }
}

const [flag, name = ""] = process.argv.slice(2);
if (flag === "--list") {
  answer({ soon: Object.keys(PLANTED), rare: Object.keys(RARE) });
} else {
  if (flag === "--planted") ({ ...PLANTED, ...RARE })[name]?.();
  let comparison = new Comparison();
  for await (const line of createInterface({ input: process.stdin })) {
    if (line) comparison.line(line);
    else {
      comparison.end();
      comparison = new Comparison();
    }
  }
}
