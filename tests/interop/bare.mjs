// RTCPeerConnections of a WebRTC stack from npm, driven by lines of JSON: those of bare-orders.mjs, after
// {"event":"ready"}. node-datachannel has an API of its own besides: see bare-datachannel.mjs.
//
//   node bare.mjs wrtc|werift|polyfill

import { createInterface } from 'node:readline';
import { startBare } from './bare-orders.mjs';

const stacks = {
  wrtc: async () => (await import('@roamhq/wrtc')).default.RTCPeerConnection,
  werift: async () => (await import('werift')).RTCPeerConnection,
  polyfill: async () => (await import('node-datachannel/polyfill')).RTCPeerConnection,
};

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const obey = startBare(await stacks[process.argv[2]](), say);

say({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line));
process.exit();
