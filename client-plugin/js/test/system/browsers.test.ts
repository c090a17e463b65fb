// Pages, each in headless Chromium and Firefox.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../src/index.js";
import { COUNTING, openPage, SCRIPT, serve, startBrowser } from "./browser.js";
import { startFirefox } from "./firefox.js";
import { atEnd, interop, RustPeer, startServer } from "./programs.js";

/** The names that the pages of these tests define. */
declare const p2p: any, client: any, join: any, until: any;

const site = await serve({
  "/": SCRIPT,
  "/core-direct": SCRIPT.replace("p2p.min", "p2p-core-direct.min"),
  "/core": SCRIPT.replace("p2p.min", "p2p-core.min"),
});

for (const [name, browser] of Object.entries({ Chromium: await startBrowser(), Firefox: await startFirefox() })) {
  test(`${name}: a page and a Rust client talk directly, whoever offers`, async () => {
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

  test(`${name}: a page without channels talks directly`, async () => {
    const server = await startServer();
    await RustPeer.start(server.url, "rust");
    const page = await openPage(browser, `${site}/core-direct`);

    const reply = await page.evaluate(async (url: string) => {
      await join(url, { id: "page" });
      await client.register("rust");
      await until((event: any) => event.type === "path" && event.path === "direct");
      return client.with({ path: "direct", reply: "all" }).emit2("ask", Uint8Array.of(1, 2)).then(
        ({ args, path }: any) => [[...args[0].echo[0]], path, typeof p2p.P2pChannel],
      );
    }, server.url);

    assert.deepEqual(reply, [[1, 2], "direct", "undefined"]);
  });

  test(`${name}: a page with the core alone talks through the server, also with a partner that would talk directly`, async () => {
    const server = await startServer();
    const rust = await RustPeer.start(server.url, "rust");
    const page = await openPage(browser, `${site}/core`);

    const reply = await page.evaluate(async (url: string) => {
      const refused = await join(url, { id: "page", paths: "direct-only" }).catch((error: Error) => error.message);
      await join(url, { id: "page", on2: { add: (a: number, b: number) => a + b } });
      await client.register("rust");
      const { args, path } = await client.with({ reply: "all" }).emit2("ask", Uint8Array.of(1, 2));
      const channel = await client.channel("any").catch(({ code }: { code: string }) => code);
      return [refused, [...args[0].echo[0]], path, channel];
    }, server.url);
    rust.obey({ cmd: "emit2", id: 1, event: "add", args: [1, 2], ack: true });

    assert.deepEqual(reply, [
      "connect: the entry `core` of this package has no direct path (bad-args)",
      [1, 2],
      "relay",
      "bad-args",
    ]);
    assert.deepEqual((await rust.until("reply"))["value"], 3);
  });

  test(`${name}: a page and a Node program exchange bytes directly`, async () => {
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

  test(`${name}: media beside the data channel of an offer carry nothing, and the channel opens`, async () => {
    const page = await openPage(browser, site);

    for (const policy of ["balanced", "max-bundle"]) {
      const sections = await page.evaluate(async (policy: string) => {
        const script = "/direct.js";
        return (await import(script)).answerMedia(policy);
      }, policy);

      // The first of the bundle has the address of the data channel.
      assert.deepEqual(sections, ["m=audio 9 a=inactive", "m=video 0", "m=application 9"], policy);
    }
  });

  test(`${name}: a page that is closed leaves: its partner need not wait`, async () => {
    const server = await startServer();
    const node = await connect(server.url, { id: "node" });
    atEnd(() => void node.close());
    const page = await openPage(browser, site);
    const events: string[] = [];
    for (const type of ["partner", "unpaired"] as const) node.on(type, () => events.push(type));
    const unpaired = new Promise((resolve) => node.on("unpaired", resolve));
    await page.evaluate(async (url: string) => {
      await join(url, { id: "page" });
      await client.register("node");
    }, server.url);

    await page.close();
    await unpaired;

    assert.deepEqual(events, ["unpaired"]); // It was never away.
  });

  test(`${name}: a page that is loaded anew, again and again, goes on with its session: nothing is lost or executed twice`, async () => {
    const counting = await serve({ "/": COUNTING });
    const server = await startServer();
    const counted: number[] = [];
    const ended: string[] = [];
    const node = await connect(server.url, { id: "node", on2: { count: (number: number) => void counted.push(number) } });
    atEnd(() => void node.close());
    node.on("unpaired", ({ reason }) => ended.push(reason));
    const paired = new Promise((resolve) => node.on("paired", resolve));
    const page = await openPage(browser, `${counting}/?server=${server.url}&id=page`);
    await paired;

    const asked: Promise<unknown>[] = [];
    for (let load = 0; load < 10; load++) {
      for (let number = 0; number < 20; number++) {
        const large = "x".repeat(number % 7 ? 0 : 60_000);
        asked.push(node.with({ timeout: 120_000 }).emit2("ask", asked.length, large));
      }
      await page.reload();
      await page.waitForFunction("globalThis.isReady");
    }
    const replies = await Promise.all(asked);
    const sent = await page.evaluate(async () => {
      (globalThis as any).stop = true;
      await client.emit2("count", -1);
      return JSON.parse(sessionStorage.getItem("sent") ?? "");
    });
    const executed = await page.evaluate(() => JSON.parse(sessionStorage.getItem("executed") ?? ""));

    assert.deepEqual(ended, []);
    assert.deepEqual(replies, Array.from({ length: 200 }, (_, number) => number * 2));
    assert.deepEqual(executed, [...Array(200).keys()]);
    assert.equal(counted.pop(), -1);
    assert.ok(counted.length >= sent.length, `${counted.length} of ${sent.length}`);
    assert.deepEqual(counted, [...counted.keys()]);
  });
}
