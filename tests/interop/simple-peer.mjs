// simple-peer on a WebRTC stack from npm, driven by lines of JSON: those of peer-orders.mjs, after
// {"event":"ready","version":…}. The stack is @roamhq/wrtc, or with --polyfill that of node-datachannel.
//
//   node simple-peer.mjs offer|answer [--media] [--polyfill]
//   node simple-peer.mjs bare [--polyfill]
//
// With `bare` it is one simple-peer after another: {"connect":"offer"|"answer"} begins each, as in bare-orders.mjs, and
// its "then" is an order that is obeyed as soon as it is connected.

import { createInterface } from 'node:readline';
import Peer from 'simple-peer';
import { startPeer } from './peer-orders.mjs';
import { version } from './versions.mjs';

// simple-peer 9.11.1 assigns to `sdp` of the descriptions that it has made, which have no setter in the polyfill.
async function polyfill() {
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = await import('node-datachannel/polyfill');
  const plain = ({ type, sdp }) => ({ type, sdp });
  class WithPlainDescriptions extends RTCPeerConnection {
    async createOffer(...options) {
      return plain(await super.createOffer(...options));
    }

    async createAnswer(...options) {
      return plain(await super.createAnswer(...options));
    }
  }
  return { RTCPeerConnection: WithPlainDescriptions, RTCSessionDescription, RTCIceCandidate };
}

const [role, ...options] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const isPolyfill = options.includes('--polyfill');
const wrtc = isPolyfill ? await polyfill() : (await import('@roamhq/wrtc')).default;


function oneAfterAnother() {
  let current = 0;
  let obey;
  return ({ connect: role, then, ...order }) => {
    if (role) {
      obey?.({ close: true });
      const own = (current += 1);
      obey = startPeer(Peer, { role, wrtc, then }, (line) => own === current && say(line));
    }
    obey(order);
  };
}

const stack = isPolyfill ? 'node-datachannel' : '@roamhq/wrtc';
say({ event: 'ready', version: `${version('simple-peer')} on ${version(stack)}` });
const media = options.includes('--media');
const obey = role === 'bare' ? oneAfterAnother() : startPeer(Peer, { role, media, wrtc }, say);
for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line));
process.exit();
