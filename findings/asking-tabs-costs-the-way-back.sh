#!/usr/bin/env bash
# A page that listens on a BroadcastChannel, or holds a lock, loses the way back by the back button as soon as another tab speaks on
# the channel or asks for the lock (Chromium 156).
#
# Expected: a page that was left and kept for the way back is asleep: what other tabs say meanwhile it misses or hears when it
# returns, and its lock is either free at once or held. Seen: one message on the channel, or one request for the lock, throws
# the kept page away, and the way back is a new load, without the page's state, connection and session in memory. Left in peace, the page comes
# back as it was, lock included. The usual means to tell a duplicated tab from a reload ("is anybody else this client?") are these
# two: the next page of the same site asks, and every way back becomes a load. Closing the channel and releasing the lock at
# `pagehide` keeps it.
#
# Needs Debian's chromium.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent puppeteer-core@24.43.1
cat >run.mjs <<'JS'
import { createServer } from "http";
import puppeteer from "puppeteer-core";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const http = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>"));
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${http.address().port}/`;
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });

// Prepares a page, leaves it, lets the next one ask, and goes back.
async function back(name, prepare, ask) {
  const page = await browser.newPage();
  await page.goto(`${url}?first`);
  await page.evaluate(() => (window.kept = true));
  await page.evaluate(prepare);
  await wait(300);
  await page.goto(`${url}?second`);
  await wait(300);
  await page.evaluate(ask);
  await wait(500);
  await page.goBack();
  await wait(500);
  const [kept, reasons] = await page.evaluate(() => [
    window.kept === true,
    performance.getEntriesByType("navigation")[0].notRestoredReasons?.reasons.map(({ reason }) => reason) ?? [],
  ]);
  console.log(`${name}: ${kept ? "the page as it was" : `a new load (${reasons.join(", ")})`}`);
  await page.close();
}

const listen = () => {
  window.channel = new BroadcastChannel("tabs");
  channel.onmessage = () => channel.postMessage("here");
};
const hold = () => void navigator.locks.request("tab", () => new Promise((done) => (window.release = done)));
const say = () => new BroadcastChannel("tabs").postMessage("is anybody here?");
const request = () => navigator.locks.request("tab", () => {});

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
await back("listens, nobody speaks", listen, () => {});
await back("listens, the next page speaks", listen, say);
await back("holds a lock, nobody asks", hold, () => {});
await back("holds a lock, the next page asks", hold, request);
await back("listens until pagehide, the next page speaks", () => {
  window.channel = new BroadcastChannel("tabs");
  channel.onmessage = () => {};
  addEventListener("pagehide", () => channel.close());
}, say);
await back("holds a lock until pagehide, the next page asks", () => {
  navigator.locks.request("tab", () => new Promise((done) => addEventListener("pagehide", done)));
}, request);
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
listens, nobody speaks: the page as it was
listens, the next page speaks: a new load (broadcastchannel-message)
holds a lock, nobody asks: the page as it was
holds a lock, the next page asks: a new load (weblocks-contention)
listens until pagehide, the next page speaks: the page as it was
holds a lock until pagehide, the next page asks: the page as it was
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: $(chromium --version 2>/dev/null), Node $(node --version)"
