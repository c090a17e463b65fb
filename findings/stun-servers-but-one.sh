#!/usr/bin/env bash
# Of two STUN servers in `iceServers`, node-datachannel 0.33.4, werift 0.24.4 and aiortc 1.16.0 ask one. @roamhq/wrtc 0.10.0
# (libwebrtc) asks both.
#
# Expected: a second server is there for the case that the first does not answer, and all are asked, as browsers do.
# Seen: werift and aiortc ask the first entry, libdatachannel one of them; nobody tries the other when that one stays
# silent, and no error or event tells it. So a first entry that is down leaves a peer with its local addresses, and a direct
# path across networks fails although the configuration names a server that works. The same if both are in one entry's `urls`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    node-datachannel@0.33.4 werift@0.24.4 @roamhq/wrtc@0.10.0
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check aiortc==1.16.0
cat >peer.py <<'PY'
import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection


async def main():
    servers = [RTCIceServer(**server) for server in json.loads(sys.argv[1])]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    peer.createDataChannel("x")
    await peer.setLocalDescription(await peer.createOffer())
    await peer.close()


asyncio.run(main())
PY
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { createSocket } from "dgram";
import * as polyfill from "node-datachannel/polyfill";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

const wait = (time) => new Promise((done) => setTimeout(done, time));

// A STUN server that only notes that it was asked.
async function silent() {
  const socket = createSocket("udp4");
  await new Promise((done) => socket.bind(0, "127.0.0.1", done));
  socket.on("message", () => (socket.asked = true));
  return socket;
}

const gather = (RTCPeerConnection) => async (iceServers) => {
  const peer = new RTCPeerConnection({ iceServers });
  peer.createDataChannel("x");
  const offer = await peer.createOffer();
  await peer.setLocalDescription({ type: offer.type, sdp: offer.sdp });
  await wait(8000);
  peer.close();
};

const stacks = {
  "@roamhq/wrtc": gather(wrtc.RTCPeerConnection),
  "node-datachannel": gather(polyfill.RTCPeerConnection),
  "werift": gather(werift.RTCPeerConnection),
  "aiortc": (iceServers) => new Promise((done) => {
    const peer = spawn("python/bin/python", ["peer.py", JSON.stringify(iceServers)], { stdio: "ignore" });
    peer.on("exit", done);
  }),
};

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
process.on("unhandledRejection", () => {});
for (const [name, stack] of Object.entries(stacks)) {
  const asked = await Promise.all([1, 2, 3].map(async () => {
    const servers = [await silent(), await silent()];
    await stack(servers.map((server) => ({ urls: `stun:127.0.0.1:${server.address().port}` })));
    return servers.filter((server) => server.asked).length;
  }));
  console.log(`${name} asks ${Math.max(...asked)} of 2`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc asks 2 of 2
node-datachannel asks 1 of 2
werift asks 1 of 2
aiortc asks 1 of 2
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
