// What a newcomer meets: the programs of the documents, and the contents of the package.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import ts from "typescript";

import { snippets } from "./repository.js";

const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

/** The parts of other packages that the programs use: @roamhq/wrtc is CommonJS, and Node finds no names in it. */
const OTHERS = `
declare module '@roamhq/wrtc' {
  const all: { RTCPeerConnection: new (config: any) => any };
  export default all;
}
declare module 'react' {
  export function useEffect(effect: () => () => void, inputs: unknown[]): void;
  export function useState<T>(first: T): [T, (next: T) => void];
}
declare const process: { once(event: string, listener: () => void): void };
declare const destination: WritableStream;
declare const file: File;
`;

test("the programs of the documents use what there is", () => {
  const folder = `${PACKAGE}build/snippets/`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string): string => {
    writeFileSync(folder + name, text);
    return folder + name;
  };
  const all = [...snippets(`${PACKAGE}README.md`), ...snippets(`${PACKAGE}../../README.md`)];
  const files = all.map((text, at) => write(`snippet-${at}.js`, text));

  const program = ts.createProgram([...files, write("others.d.ts", OTHERS)], {
    allowJs: true,
    checkJs: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: [],
    paths: { "socketio-p2p": [`${PACKAGE}src/index.ts`], "socketio-p2p/mesh": [`${PACKAGE}src/mesh.ts`] },
  });
  const found = files.flatMap((file) => [
    ...program.getSyntacticDiagnostics(program.getSourceFile(file)),
    ...program.getSemanticDiagnostics(program.getSourceFile(file)),
  ]);

  assert.equal(files.length, 7);
  assert.deepEqual(found.map(({ file, messageText }) => `${file?.text}: ${JSON.stringify(messageText)}`), []);
});

test("the package holds its licences", () => {
  const npm = ["pack", "--dry-run", "--ignore-scripts", "--offline", "--json"];
  const [packed] = JSON.parse(execFileSync("npm", npm, { cwd: PACKAGE, encoding: "utf8" })) as [{ files: { path: string }[] }];

  const paths = packed.files.map(({ path }) => path);
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) {
    assert.ok(paths.includes(name), name);
    assert.equal(readFileSync(PACKAGE + name, "utf8"), readFileSync(`${PACKAGE}../../${name}`, "utf8"));
  }
});
