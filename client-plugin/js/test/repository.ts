/** Files of the repository that the tests read. */

import { readdirSync, readFileSync } from "node:fs";

const PROTOCOL = new URL("../../../../protocol/tests/", import.meta.url);

/** Returns the lines of the golden files whose names begin so, by the rest of their names. */
export function golden(prefix: string): Map<string, string> {
  const folder = new URL("golden/", PROTOCOL);
  const names = readdirSync(folder).filter((name) => name.startsWith(prefix));
  const text = (name: string) => readFileSync(new URL(name, folder), "utf8").trimEnd();
  return new Map(names.map((name) => [name.slice(prefix.length, -".txt".length), text(name)]));
}

/** Returns the names of the committed transcripts. */
export const transcripts = (): string[] => readdirSync(new URL("transcripts/", PROTOCOL));

/** Returns a committed transcript. */
export const transcript = (name: string): string => readFileSync(new URL(`transcripts/${name}`, PROTOCOL), "utf8");
