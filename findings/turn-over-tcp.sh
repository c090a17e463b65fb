#!/usr/bin/env bash
# libdatachannel (node-datachannel 0.33.4) leaves TURN servers over TCP and TLS out, without an error or an event.
#
# Expected: `turn:…?transport=tcp` and `turns:…`, what is configured for networks that let nothing but port 443 out, are asked as
# such, as libwebrtc (@roamhq/wrtc 0.10.0), werift 0.24.4 and aiortc 1.16.0 do, or refused. Seen: the program never opens a connection
# to the server, gathering is "complete" at once without a candidate of it, and nothing tells that the entry was dropped;
# behind such a network no path comes up, while everybody has the same configuration. TURN over UDP works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    node-datachannel@0.33.4 werift@0.24.4 @roamhq/wrtc@0.10.0
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary :all: aiortc==1.16.0
cat >gather.py <<'PY'
import asyncio
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection


async def main():
    server = RTCIceServer(urls=sys.argv[1], username="a", credential="b")
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[server]))
    peer.createDataChannel("x")
    await asyncio.wait_for(peer.setLocalDescription(await peer.createOffer()), 4)


asyncio.run(main())
PY
cat >gather.mjs <<'JS'
import * as polyfill from "node-datachannel/polyfill";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

const [, , stack, urls] = process.argv;
const { RTCPeerConnection } = { libwebrtc: wrtc, libdatachannel: polyfill, werift }[stack];
setTimeout(() => process.exit(), 4000);
const peer = new RTCPeerConnection({ iceServers: [{ urls, username: "a", credential: "b" }] });
peer.createDataChannel("x");
const { type, sdp } = await peer.createOffer();
await peer.setLocalDescription({ type, sdp });
JS
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { createSocket } from "dgram";
import { createServer } from "net";

// A server that says nothing, on one port of UDP and TCP, and what it has heard.
let heard = new Set();
const udp = createSocket("udp4").on("message", () => heard.add("UDP"));
await new Promise((done) => udp.bind(0, "127.0.0.1", done));
const { port } = udp.address();
const tcp = createServer((socket) =>
  socket.on("data", (data) => heard.add(data[0] === 0x16 ? "TLS" : "TCP")).on("error", () => {}));
await new Promise((done) => tcp.listen(port, "127.0.0.1", done));

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
for (const stack of ["libwebrtc", "libdatachannel", "werift", "aiortc"]) {
  for (const urls of ["turn:HOST", "turn:HOST?transport=tcp", "turns:HOST"]) {
    heard = new Set();
    const url = urls.replace("HOST", `127.0.0.1:${port}`);
    const [program, ...rest] = stack === "aiortc" ? ["env/bin/python", "gather.py", url] : ["node", "gather.mjs", stack, url];
    await new Promise((done) => spawn(program, rest, { stdio: "ignore" }).on("close", done));
    const first = ["TLS", "TCP", "UDP"].find((one) => heard.has(one));
    console.log(`${stack}, ${urls}: the server hears ${first ?? "nothing"}`);
  }
}
process.exit();
JS
cat >expected <<'TEXT'
libwebrtc, turn:HOST: the server hears UDP
libwebrtc, turn:HOST?transport=tcp: the server hears TCP
libwebrtc, turns:HOST: the server hears TLS
libdatachannel, turn:HOST: the server hears UDP
libdatachannel, turn:HOST?transport=tcp: the server hears nothing
libdatachannel, turns:HOST: the server hears nothing
werift, turn:HOST: the server hears UDP
werift, turn:HOST?transport=tcp: the server hears TCP
werift, turns:HOST: the server hears TLS
aiortc, turn:HOST: the server hears UDP
aiortc, turn:HOST?transport=tcp: the server hears TCP
aiortc, turns:HOST: the server hears TLS
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: $(env/bin/python --version), Node $(node --version)"
