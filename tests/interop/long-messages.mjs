// Two clients of socket.io-client 4.8.4 in a page of headless Chromium, which sends long messages in several
// frames. The page calls its own partner with a text and with bytes of each size, and prints what it hears.
//
//   node long-messages.mjs http://127.0.0.1:9000 SIZE…

import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [url, ...sizes] = process.argv.slice(2);
const library = createRequire(import.meta.url).resolve('socket.io-client-4');
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox'], // root cannot have it
});
const page = await browser.newPage();
await page.addScriptTag({ path: library.replace(/build.*/, 'dist/socket.io.min.js') });
const heard = await page.evaluate(
  async ({ url, sizes }) => {
    const heard = [];
    const connect = (id) =>
      new Promise((resolve) => {
        const socket = io(url, { query: { clientId: id }, transports: ['websocket'], forceNew: true });
        socket.on('connect', () => resolve(socket));
        socket.on('disconnect', (reason) => heard.push(`${id} disconnected: ${reason}`));
        socket.on('P2P_REGISTER', (source, answer) => answer(true));
        socket.on('size', (value, answer) => answer(value.byteLength ?? value.length));
      });
    const [a] = await Promise.all([connect('A'), connect('B')]);
    await a.emitWithAck('P2P_REGISTER', 'B');
    for (const size of sizes.map(Number)) {
      for (const value of ['x'.repeat(size), new Uint8Array(size)]) {
        const call = { targetClientId: 'B', event: 'size', args: [value] };
        const answer = await a.emitWithAck('P2P_EMIT_ACKNOWLEDGE', call);
        heard.push(answer?.error?.code ?? answer);
      }
    }
    return heard;
  },
  { url, sizes },
);
process.stdout.write(`${JSON.stringify(heard)}\n`);
await browser.close();
