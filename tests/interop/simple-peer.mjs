// simple-peer on @roamhq/wrtc, driven by lines of JSON: those of peer-orders.mjs, after
// {"event":"ready"}.
//
//   node simple-peer.mjs offer|answer [--media]

import { createInterface } from 'node:readline';
import wrtc from '@roamhq/wrtc';
import Peer from 'simple-peer';
import { startPeer } from './peer-orders.mjs';

const [role, ...options] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

say({ event: 'ready' });
const obey = startPeer(Peer, { role, media: options.includes('--media'), wrtc }, say);
for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line));
process.exit();
