import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../src/index.js";
import { openPage, SCRIPT, serve, startBrowser } from "./browser.js";
import { atEnd, FaultProxy, interop, RustPeer, startServer } from "./programs.js";

/** The names that the pages of these tests define. */
declare const p2p: any, client: any, events: any[], join: any, until: any;

const site = await serve({ "/": SCRIPT });
const browser = await startBrowser();

test("a page and a Rust client talk directly, whoever offers", async () => {
  const server = await startServer();
  for (const offers of ["page", "rust"]) {
    const rust = await RustPeer.start(server.url, `rust-${offers}`);
    const page = await openPage(browser, site);
    await page.evaluate(
      async ([url, id]: string[]) => {
        await join(url, { id, on2: { add: (a: number, b: number) => a + b } });
      },
      [server.url, `page-${offers}`],
    );

    if (offers === "page") await page.evaluate(() => client.register("rust-page"));
    else rust.obey({ cmd: "register", target: "page-rust" });
    const reply = await page.evaluate(async () => {
      await until((event: any) => event.type === "path" && event.path === "direct");
      return client.with({ path: "direct", reply: "all" }).emit2("ask", "ä", { deep: [null] });
    });
    rust.obey({ cmd: "emit2", id: 1, event: "add", args: [1, 2], ack: true });
    await rust.until("path", (line) => line["path"] === "direct");
    const answer = await rust.until("reply");

    assert.deepEqual(reply, { args: [{ echo: ["ä", { deep: [null] }] }], path: "direct" });
    assert.deepEqual(answer["value"], 3);
    await page.context().close();
    assert.ok(["disconnected", "unregistered"].includes((await rust.until("unpaired"))["reason"]));
  }
});

test("a page and a Node program exchange bytes directly", async () => {
  const server = await startServer();
  const { RTCPeerConnection: PeerConnection } = interop("@roamhq/wrtc");
  const node = await connect(server.url, { id: "node", PeerConnection, on2: { bytes: (bytes: Uint8Array) => bytes } });
  atEnd(() => void node.close());
  const page = await openPage(browser, site);

  const sum = await page.evaluate(async (url: string) => {
    await join(url, { id: "page" });
    await client.register("node");
    await until((event: any) => event.type === "path" && event.path === "direct");
    const bytes = Uint8Array.from({ length: 500_000 }, (_, at) => at % 256);
    const reply = await client.with({ path: "direct" }).emit2("bytes", bytes);
    return [reply.length, reply.every((byte: number, at: number) => byte === bytes[at])];
  }, server.url);

  assert.deepEqual(sum, [500_000, true]);
});

test("a page that is frozen for a while loses and repeats nothing", async () => {
  const server = await startServer();
  const arrived: number[] = [];
  const node = await connect(server.url, { id: "node", on2: { ask: (number: number) => (arrived.push(number), number) } });
  atEnd(() => void node.close());
  const network = await FaultProxy.start(server.port);
  const page = await openPage(browser, site);
  await page.evaluate(async (url: string) => {
    await join(url, { id: "page" });
    client.on2("ask", (number: number) => number * 2);
    await client.register("node");
  }, network.url);
  const session = await page.context().newCDPSession(page);

  const answers: Promise<unknown>[] = [];
  for (let freeze = 0; freeze < 3; freeze++) {
    await page.evaluate((freeze: number) => {
      (globalThis as any).asked ??= [];
      for (let number = 0; number < 50; number++) {
        (globalThis as any).asked.push(client.with({ timeout: 120_000 }).emit2("ask", freeze * 50 + number));
      }
    }, freeze);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    answers.push(node.with({ timeout: 120_000 }).emit2("ask", freeze));
    if (freeze === 1) network.cut(); // Its connection is lost meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await session.send("Page.setWebLifecycleState", { state: "active" });
  }
  const replies = await page.evaluate(() => Promise.all((globalThis as any).asked));

  assert.deepEqual(await Promise.all(answers), [0, 2, 4]);
  assert.deepEqual(replies, [...Array(150).keys()]);
  assert.deepEqual(arrived, replies);
});
