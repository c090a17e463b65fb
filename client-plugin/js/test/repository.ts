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

/** Returns the programs of a document that use this package. */
export function snippets(document: string): string[] {
  const blocks = readFileSync(document, "utf8").matchAll(/^```(?:jsx?|html)\n(.*?)^```/gms);
  const programs = [...blocks].map(([, text = ""]) => /<script type="module">\n(.*?)<\/script>/s.exec(text)?.[1] ?? text);
  return programs
    .map((text) => text.replace(/\.\/(socketio-p2p(?:-mesh)?)\.min\.js/, (_, name: string) => name.replace("-mesh", "/mesh")))
    .filter((text) => /from 'socketio-p2p(\/mesh)?'/.test(text));
}
