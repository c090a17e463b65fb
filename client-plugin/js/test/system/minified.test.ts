// The minified files have all names that the types promise, and none of the internal ones. Run by `npm run test:minified`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import ts from "typescript";

import * as minified from "../../src/mesh.js";

const isMinified = !("actor" in minified.P2pClient.prototype || minified.P2pClient.toString().includes("actor"));

const TYPES = fileURLToPath(new URL("../../../dist/types/mesh.d.ts", import.meta.url));

test("the minified file has the names of the types, and short ones for the others", { skip: !isMinified }, async () => {
  const unchanged = "../../src/mesh.js?unchanged";
  const sources = (await import(unchanged)) as Record<string, any>;
  const program = ts.createProgram([TYPES], { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022 });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(TYPES) as ts.SourceFile;
  const entry = checker.getSymbolAtLocation(file) as ts.Symbol;

  const seen = { public: 0, internal: 0 };
  for (const symbol of checker.getExportsOfModule(entry)) {
    const of = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    if (!(of.flags & ts.SymbolFlags.Class) || !sources[symbol.name]) continue; // Some are types only.
    const isPrivate = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
    const members = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(of));
    const names = members
      .filter(({ declarations = [] }) => !declarations.some((one) => ts.getCombinedModifierFlags(one) & isPrivate))
      .map(({ name }) => name);
    const [own, original] = [(minified as any)[symbol.name].prototype, sources[symbol.name].prototype];
    for (const name of Object.getOwnPropertyNames(original)) {
      if (name === "constructor") continue;
      const isPublic = names.includes(name) || name === "name";
      assert.equal(name in own, isPublic, `${symbol.name}.${name}`);
      seen[isPublic ? "public" : "internal"]++;
    }
  }

  assert.deepEqual(Object.keys(minified).sort(), Object.keys(sources).sort());
  assert.ok(seen.public > 25 && seen.internal > 15, JSON.stringify(seen));
});
