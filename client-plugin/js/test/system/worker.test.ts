// Workers: a dedicated and a shared one, each in headless Chromium and Firefox. They have no RTCPeerConnection.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openPage, serve, startBrowser } from "./browser.js";
import { startFirefox } from "./firefox.js";
import { RustPeer, startServer } from "./programs.js";

/** The script of a worker, which talks with a partner and says what came of it. */
const WORKER = `
import { io } from '/socket.io.esm.min.js';
import { connect } from '/socketio-p2p.min.js';

const talk = async (port, { url, id, partner }) => {
  try {
    const paths = [];
    const client = await connect(url, { id, io, socket: { transports: ['websocket'] }, on2: { add: (a, b) => a + b } });
    client.on('path', ({ path }) => paths.push(path));
    await client.register(partner);
    const answer = await client.emit2('ask', Uint8Array.of(1, 2), [null]);
    port.postMessage({ answer, paths });
  } catch (error) {
    port.postMessage({ failed: String(error) });
  }
};
globalThis.onconnect = ({ ports: [port] }) => (port.onmessage = ({ data }) => talk(port, data));
globalThis.onmessage = ({ data }) => talk(globalThis, data);
`;

/** A page that starts workers. */
const STARTS = `
globalThis.start = (kind, order) => new Promise((resolve, reject) => {
  const worker = kind === 'dedicated' ? new Worker('/worker.js', { type: 'module' }) : new SharedWorker('/worker.js', { type: 'module' });
  worker.onerror = () => reject(new Error('the worker failed'));
  const port = worker.port ?? worker;
  globalThis.port = port;
  port.onmessage = ({ data }) => resolve(data);
  port.postMessage(order);
});
globalThis.isReady = true;
`;

declare const start: any;

const site = await serve({ "/": STARTS }, { "/worker.js": WORKER });

for (const [name, browser] of Object.entries({ Chromium: await startBrowser(), Firefox: await startFirefox() })) {
  for (const kind of ["dedicated", "shared"]) {
    test(`${name}: a ${kind} worker talks through the server`, async () => {
      const { url } = await startServer();
      const rust = await RustPeer.start(url, "rust");
      const page = await openPage(browser, site);

      const said = await page.evaluate(
        ([kind, order]: [string, object]) => start(kind, order),
        [kind, { url, id: "worker", partner: "rust" }],
      );
      rust.obey({ cmd: "emit2", id: 1, event: "add", args: [1, 2], ack: true });

      const { echo } = said.answer ?? assert.fail(JSON.stringify(said));
      assert.deepEqual([Object.values(echo[0]), echo[1], said.paths], [[1, 2], [null], []]);
      assert.deepEqual((await rust.until("reply"))["value"], 3);
    });
  }
}
