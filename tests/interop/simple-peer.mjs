// simple-peer on a WebRTC stack from npm, driven by lines of JSON: those of peer-orders.mjs, after
// {"event":"ready"}. The stack is @roamhq/wrtc, or with --polyfill that of node-datachannel.
//
//   node simple-peer.mjs offer|answer [--media] [--polyfill]

import { createInterface } from 'node:readline';
import Peer from 'simple-peer';
import { startPeer } from './peer-orders.mjs';

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

say({ event: 'ready' });
const obey = startPeer(Peer, { role, media: options.includes('--media'), wrtc }, say);
for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line));
process.exit();
