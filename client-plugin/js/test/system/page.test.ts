// Pages that are left, duplicated, hidden and frozen: only Chromium can be told to do all of that.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../src/index.js";
import { COUNTING, openPage, SCRIPT, serve, startBrowser } from "./browser.js";
import { atEnd, FaultProxy, startServer } from "./programs.js";

/** The names that the pages of these tests define. */
declare const client: any, events: any[], join: any, until: any;

const site = await serve({ "/": SCRIPT });
const browser = await startBrowser();

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
