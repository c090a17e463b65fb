import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";

import { connect } from "../../src/index.js";
import { snippets } from "../repository.js";
import { startBrowser } from "./browser.js";
import { atEnd, RustPeer, startServer } from "./programs.js";

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL("../../../", import.meta.url));
/** The version of Vite with which the package is tried. */
const VITE = "vite@7.1.12";
/** The other runtimes in which the package is tried, with the arguments that run a program. */
const RUNTIMES = { "deno@2.9.6": ["deno", "run", "-A"], "bun@1.4.5": ["bun"] };
/** The WebRTC of the program in the README. */
const WEBRTC = "@roamhq/wrtc@0.10.0";

const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), "socketio-p2p-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const tarballs = temporary();
await run("npm", ["pack", "--pack-destination", tarballs], { cwd: PACKAGE });
const tarball = join(tarballs, readdirSync(tarballs)[0] as string);

/** Makes a fresh project with these files, into which the package is installed. */
async function project(files: Record<string, string>, packages: string[]): Promise<string> {
  const folder = temporary();
  const own = { name: "fresh", private: true, type: "module" };
  writeFileSync(join(folder, "package.json"), JSON.stringify(own));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const version = createRequire(import.meta.url)("socket.io-client/package.json").version as string;
  const all = [tarball, `socket.io-client@${version}`, ...packages];
  await run("npm", ["install", "--no-audit", "--no-fund", ...all], { cwd: folder });
  return folder;
}

const TALK = `
const client = await connect(url, { id });
await client.register('rust');
const answer = await client.emit2('ask', id);
`;

test("a fresh Node project talks with the package, and its types are read", async () => {
  const { url } = await startServer();
  await RustPeer.start(url, "rust");
  const folder = await project(
    {
      "index.js": `const [url, id, entry] = process.argv.slice(2);
const { connect } = await import(entry);${TALK}
console.log(JSON.stringify(answer));
await client.close();`,
      "typed.ts": `import { connect, EmitError, type P2pClient, type Reply } from 'socketio-p2p';
export async function talk(client: P2pClient): Promise<string> {
  const reply: Reply = await client.with({ reply: 'all' }).emit2('ask', 1);
  client.on('path', ({ path, rttMs }) => console.log(path?.length, rttMs?.toFixed()));
  client.on2('add', (one: number, other: number) => one + other);
  // @ts-expect-error There is no such event.
  client.on('novel', () => {});
  return reply.path;
}
export const copy = async (from: ReadableStream<Uint8Array>, client: P2pClient) =>
  from.pipeTo((await client.channel('copy', { ordered: true })).writable);
export const open = (url: string) => connect(url, { id: 'a', onRegister: ({ source }) => source === 'b' }).catch((error: EmitError) => error.code);`,
    },
    [],
  );
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const common = ["--noEmit", "--strict", "--lib", "es2023,dom", "--target", "es2022", "typed.ts"];

  for (const entry of ["socketio-p2p", "socketio-p2p/mesh", "socketio-p2p/core-direct", "socketio-p2p/core"]) {
    const { stdout } = await run("node", ["index.js", url, "fresh", entry], { cwd: folder });
    assert.deepEqual(JSON.parse(stdout), { echo: ["fresh"] });
  }
  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ] as const) {
    const options = ["--module", module, "--moduleResolution", resolution, ...common];
    await run(process.execPath, [tsc, ...options], { cwd: folder }).catch(({ stdout }) => assert.fail(String(stdout)));
  }
});

test("a fresh project of Deno or Bun talks with the package through the server", async () => {
  const { url } = await startServer();
  await RustPeer.start(url, "rust");
  const program = `import process from "node:process";
import { connect } from "socketio-p2p";
const [url, id] = process.argv.slice(2);${TALK}
const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
const { echo } = await client.emit2("ask", bytes);
console.log(JSON.stringify([answer, echo[0].every((byte, at) => byte === bytes[at]) && echo[0].length]));
await client.close();`;
  const folder = await project({ "index.js": program }, Object.keys(RUNTIMES));

  for (const [runtime, [name = "", ...options]] of Object.entries(RUNTIMES)) {
    const { stdout } = await run(join(folder, "node_modules/.bin", name), [...options, "index.js", url, name], { cwd: folder });
    assert.deepEqual(JSON.parse(stdout), [{ echo: [name] }, 300_000], runtime);
  }
});

test("the Node program of the README talks, and leaves when it is interrupted", async () => {
  const { url } = await startServer();
  const program = snippets(join(PACKAGE, "README.md")).find((text) => text.includes("@roamhq/wrtc")) as string;
  const folder = await project({ "bot.js": program.replace("http://127.0.0.1:9000", url) }, [WEBRTC]);
  const bot = spawn(process.execPath, ["bot.js"], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
  atEnd(() => bot.kill("SIGKILL"));
  const exited = once(bot, "exit");
  const partner = await connect(url, { id: "partner" });
  const unpaired = new Promise((resolve) => partner.on("unpaired", resolve));

  await partner.register("bot", { retry: 60_000 });
  const answer = await partner.emit2("ask", "since", { since: 2026 });
  bot.kill("SIGINT");

  assert.equal(answer, "since 2026");
  assert.deepEqual(await exited, [0, null]);
  await unpaired;
  await partner.close();
});

test("a fresh Vite app talks with the package", async () => {
  const server = await startServer();
  await RustPeer.start(server.url, "rust");
  const folder = await project(
    {
      "index.html": `<!doctype html><title>fresh</title><script type="module" src="/main.js"></script>`,
      "main.js": `import { connect } from 'socketio-p2p';
globalThis.talk = async (url, id) => {${TALK.replace("{ id }", "{ id, socket: { transports: ['websocket'] } }")}return answer; };`,
    },
    [VITE],
  );
  await run("npx", ["vite", "build", "--logLevel", "error"], { cwd: folder });
  const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript" };
  const site = createServer((request, response) => {
    const path = new URL(request.url ?? "", "http://x").pathname;
    const name = path === "/" ? "/index.html" : path;
    try {
      const file = readFileSync(join(folder, "dist", name));
      response.writeHead(200, { "content-type": types[extname(name)] ?? "text/plain" }).end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  atEnd(() => site.close());
  const browser = await startBrowser();
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  await page.waitForFunction("globalThis.talk");

  const answer = await page.evaluate(([url]: string[]) => (globalThis as any).talk(url, "fresh"), [server.url]);

  assert.deepEqual(answer, { echo: ["fresh"] });
});
