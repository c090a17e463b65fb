// simple-peer in a page of headless Chromium, driven by lines of JSON: those of peer-orders.mjs,
// after {"event":"ready","version":…}. Chromium ends with stdin, and when this process is killed.
//
//   node browser-peer.mjs offer|answer [--media] [--hide-addresses]
//   node browser-peer.mjs bare
//
// With `bare` it is the page's own RTCPeerConnection, and the lines are those of bare-orders.mjs.
//
// With --hide-addresses Chromium is as users have it: each address is hidden behind a `.local` name,
// which needs a network interface besides loopback. Without it, candidates are real ones, loopback
// among them.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { startBare } from './bare-orders.mjs';
import { startPeer } from './peer-orders.mjs';

const [role, ...options] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const asRoot = ['--no-sandbox']; // root cannot have it
const withRealAddresses = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--allow-loopback-in-peer-connection',
];
const hidesAddresses = options.includes('--hide-addresses');

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: hidesAddresses ? asRoot : [...asRoot, ...withRealAddresses],
});
// Only a page that may use the microphone is told of all interfaces.
const context = await browser.newContext(hidesAddresses ? {} : { permissions: ['microphone'] });
const page = await context.newPage();
page.on('pageerror', (error) => say({ event: 'error', message: error.message }));
page.on('crash', () => say({ event: 'error', message: 'the page crashed' }));
await page.exposeFunction('say', say);
if (role === 'bare') {
  await page.addScriptTag({ content: `globalThis.obey = (${startBare})(RTCPeerConnection, say);` });
} else {
  const simplePeer = createRequire(import.meta.url).resolve('simple-peer/simplepeer.min.js');
  await page.addScriptTag({ path: simplePeer });
  const settings = JSON.stringify({ role, media: options.includes('--media') });
  const script = `globalThis.obey = (${startPeer})(SimplePeer, ${settings}, say);`;
  await page.addScriptTag({ content: script });
}

say({ event: 'ready', version: `Chromium ${browser.version()}` });
for await (const line of createInterface({ input: process.stdin })) {
  await page.evaluate((order) => globalThis.obey(order), JSON.parse(line));
}
await browser.close();
