#!/usr/bin/env bash
# A STUN or TURN server that is named by its IPv6 address (`stun:[2001:db8::1]:3478`) is asked by @roamhq/wrtc 0.10.0 (libwebrtc) alone:
# werift 0.24.4 leaves it out without a word, and node-datachannel's W3C-like part 0.33.4 and aiortc 1.16.0 make no connection
# with it in the list.
#
# Expected: brackets are the form that the texts on these URLs give (RFC 7064 and 7065), all stacks gather IPv6 candidates, and one
# configuration serves all of a service's clients, as it does with an IPv4 address. Seen: werift cuts the URL at its first colons
# and asks nobody. The other two refuse the whole configuration, "Invalid ICE server port" and "malformed uri", so that a further
# entry that they would take does not help either.
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
import json
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection


async def main():
    servers = [RTCIceServer(**server) for server in json.loads(sys.argv[1])]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    peer.createDataChannel("x")
    await asyncio.wait_for(peer.setLocalDescription(await peer.createOffer()), 6)


try:
    asyncio.run(main())
except ValueError as error:
    print(error)
except asyncio.TimeoutError:
    pass
PY
cat >gather.mjs <<'JS'
import * as polyfill from "node-datachannel/polyfill";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

const [, , stack, iceServers] = process.argv;
const { RTCPeerConnection } = { libwebrtc: wrtc, libdatachannel: polyfill, werift }[stack];
setTimeout(() => process.exit(), 6000);
try {
  const peer = new RTCPeerConnection({ iceServers: JSON.parse(iceServers) });
  peer.createDataChannel("x");
  const { type, sdp } = await peer.createOffer();
  await peer.setLocalDescription({ type, sdp });
} catch (error) {
  console.log(error.message.match(/Invalid ICE server port/)?.[0] ?? error.message);
  process.exit();
}
JS
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { createSocket } from "dgram";

// Two servers that only note that they were asked.
let heard = new Set();
async function listen(type, address) {
  const socket = createSocket(type).on("message", () => heard.add(address));
  await new Promise((done) => socket.bind(0, address, done));
  return socket.address().port;
}
const four = `127.0.0.1:${await listen("udp4", "127.0.0.1")}`;
const six = `[::1]:${await listen("udp6", "::1")}`;
const user = { username: "a", credential: "b" };
const lists = {
  "stun:127.0.0.1:N": [{ urls: `stun:${four}` }],
  "stun:[::1]:N": [{ urls: `stun:${six}` }],
  "turn:[::1]:N": [{ urls: `turn:${six}`, ...user }],
  "stun:127.0.0.1:N and turn:[::1]:N": [{ urls: `stun:${four}` }, { urls: `turn:${six}`, ...user }],
};

setTimeout(() => { console.log("nothing in 600 s"); process.exit(1); }, 600_000);
for (const stack of ["libwebrtc", "werift", "libdatachannel", "aiortc"]) {
  for (const [name, servers] of Object.entries(lists)) {
    heard = new Set();
    const given = JSON.stringify(servers);
    const [program, ...rest] = stack === "aiortc" ? ["env/bin/python", "gather.py", given] : ["node", "gather.mjs", stack, given];
    const peer = spawn(program, rest, { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    peer.stdout.on("data", (data) => (text += data));
    await new Promise((done) => peer.on("close", done));
    console.log(`${stack}, ${name}: ${text.trim() || `asks ${[...heard].sort().join(" and ") || "nobody"}`}`);
  }
}
process.exit();
JS
cat >expected <<'TEXT'
libwebrtc, stun:127.0.0.1:N: asks 127.0.0.1
libwebrtc, stun:[::1]:N: asks ::1
libwebrtc, turn:[::1]:N: asks ::1
libwebrtc, stun:127.0.0.1:N and turn:[::1]:N: asks 127.0.0.1 and ::1
werift, stun:127.0.0.1:N: asks 127.0.0.1
werift, stun:[::1]:N: asks nobody
werift, turn:[::1]:N: asks nobody
werift, stun:127.0.0.1:N and turn:[::1]:N: asks 127.0.0.1
libdatachannel, stun:127.0.0.1:N: asks 127.0.0.1
libdatachannel, stun:[::1]:N: Invalid ICE server port
libdatachannel, turn:[::1]:N: Invalid ICE server port
libdatachannel, stun:127.0.0.1:N and turn:[::1]:N: Invalid ICE server port
aiortc, stun:127.0.0.1:N: asks 127.0.0.1
aiortc, stun:[::1]:N: malformed uri
aiortc, turn:[::1]:N: malformed uri
aiortc, stun:127.0.0.1:N and turn:[::1]:N: malformed uri
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: $(env/bin/python --version), Node $(node --version)"
