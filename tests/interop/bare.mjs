// RTCPeerConnections of a WebRTC stack from npm, driven by lines of JSON: those of bare-orders.mjs, after
// {"event":"ready","version":…}. node-datachannel has an API of its own besides: see bare-datachannel.mjs.
//
//   node bare.mjs wrtc|werift|polyfill

import { createInterface } from 'node:readline';
import { startBare } from './bare-orders.mjs';
import { version } from './versions.mjs';

const stacks = {
  wrtc: ['@roamhq/wrtc', async () => (await import('@roamhq/wrtc')).default],
  werift: ['werift', () => import('werift')],
  polyfill: ['node-datachannel', () => import('node-datachannel/polyfill')],
};

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const [name, load] = stacks[process.argv[2]];
const { RTCPeerConnection } = await load();
const obey = startBare(RTCPeerConnection, say);

say({ event: 'ready', version: version(name) });
for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line));
process.exit();
