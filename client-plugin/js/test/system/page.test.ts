import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../src/index.js";
import { openPage, SCRIPT, serve, startBrowser } from "./browser.js";
import { atEnd, FaultProxy, interop, RustPeer, startServer } from "./programs.js";

/** The names that the pages of these tests define. */
declare const p2p: any, client: any, events: any[], join: any, until: any;

const site = await serve({ "/": SCRIPT, "/core": SCRIPT.replace("p2p.min", "p2p-core.min") });
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

test("a page with the core alone talks directly", async () => {
  const server = await startServer();
  await RustPeer.start(server.url, "rust");
  const page = await openPage(browser, `${site}/core`);

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

/** A page that counts what it emits, and what it executes, beyond its own life. */
const COUNTING = `${SCRIPT}
const stored = (key) => JSON.parse(sessionStorage.getItem(key) ?? '[]');
const store = (key, number) => sessionStorage.setItem(key, JSON.stringify([...stored(key), number]));
globalThis.isReady = false;
const url = new URLSearchParams(location.search).get('server');
const id = new URLSearchParams(location.search).get('id');
await join(url, { id, survivesReload: true, on2: { ask: (number) => (store('executed', number), number * 2) } });
if (!client.pairing) await client.register('node');
globalThis.stop = false;
(async () => {
  for (let number = stored('sent').length; !stop; number++) {
    // Every seventh is so large that it travels in parts.
    await client.with({ reply: false }).emit2('count', number, 'x'.repeat(number % 7 ? 0 : 60_000));
    store('sent', number);
    if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
})();
globalThis.isReady = true;`;

test("media beside the data channel of an offer are rejected, and the channel opens", async () => {
  const page = await openPage(browser, site);

  const sections = await page.evaluate(async () => {
    const script = "/direct.js";
    return (await import(script)).answerMedia();
  });

  assert.deepEqual(
    sections.map((section: string) => section.split(" ", 2)),
    [
      ["m=audio", "0"],
      ["m=video", "0"],
      ["m=application", "9"],
    ],
  );
});

test("a page that is closed leaves: its partner need not wait", async () => {
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

test("a page that is loaded anew, again and again, goes on with its session: nothing is lost or executed twice", async () => {
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

test("a page that is left and shown again goes on where it was", async () => {
  const counting = await serve({ "/": COUNTING, "/other": "globalThis.isReady = true;" });
  const server = await startServer();
  let kept: ((is: boolean) => void) | undefined;
  const isKept = new Promise((resolve) => (kept = resolve));
  const on2 = { count: () => {}, kept: (is: boolean) => kept?.(is) };
  const node = await connect(server.url, { id: "node", on2 });
  atEnd(() => void node.close());
  const ended: string[] = [];
  node.on("unpaired", ({ reason }) => ended.push(reason));
  const page = await openPage(browser, `${counting}/?server=${server.url}&id=page`);
  await page.evaluate(() => addEventListener("pageshow", ({ persisted }) => client.emit2("kept", persisted)));

  const away = new Promise((resolve) => node.on("partner", ({ state }) => state === "away" && resolve(state)));
  await page.goto(`${counting}/other`);
  await away;
  const asked = node.with({ timeout: 120_000 }).emit2("ask", 21);
  await page.evaluate(() => void setTimeout(() => history.back()));

  assert.equal(await asked, 42);
  assert.equal(await isKept, true);
  assert.deepEqual(ended, []);
});

test("a duplicated page is a client of its own", async () => {
  const counting = await serve({ "/": COUNTING });
  const server = await startServer();
  const node = await connect(server.url, { id: "node", on2: { count: () => {} } });
  atEnd(() => void node.close());
  const paired = new Promise((resolve) => node.on("paired", resolve));
  const page = await openPage(browser, `${counting}/?server=${server.url}&id=page`);
  await paired;

  // As a duplicated one, an opened page begins with a copy of the storage.
  const [popup] = await Promise.all([page.context().waitForEvent("page"), page.evaluate("void window.open(location.href)")]);
  const failed = await popup.waitForEvent("pageerror");

  assert.match(String(failed.message), /duplicate-id/);
  assert.equal(await page.evaluate(() => client.isConnected), true);
  assert.equal(node.pairing?.partner, "page");
});

/** A page as a browser hides it: its timers fire once a second. Headless Chromium throttles none. */
const HIDDEN = `
globalThis.hide = () => {
  const own = globalThis.setTimeout;
  globalThis.setTimeout = (call, wait = 0) => own(call, 1000 * Math.ceil((performance.now() + wait) / 1000) - performance.now());
  Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
  document.dispatchEvent(new Event('visibilitychange'));
};
${SCRIPT}`;

test("two pages that are hidden keep their direct path, though their timers fire once a second", async () => {
  const hiding = await serve({ "/": HIDDEN });
  const server = await startServer();
  const [one, other] = [await openPage(browser, hiding), await openPage(browser, hiding)];
  await other.evaluate((url: string) => join(url, { id: "other", on2: { echo: () => 1 } }), server.url);
  await one.evaluate(async (url: string) => {
    await join(url, { id: "one" });
    await client.register("other");
  }, server.url);
  for (const page of [one, other]) {
    await page.evaluate(async () => {
      await until((event: any) => event.type === "path" && event.path === "direct");
      (globalThis as any).hide();
    });
  }

  // What arrives wakes a page as well: with pauses between the calls the timers matter.
  for (let call = 0; call < 8; call++) {
    await one.evaluate(() => client.emit2("echo"));
    await new Promise((resolve) => setTimeout(resolve, 700));
  }

  for (const page of [one, other]) {
    const paths = await page.evaluate(() => events.filter(({ type }) => type === "path").map(({ path }) => path));
    assert.deepEqual(paths, ["direct"]);
  }
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
