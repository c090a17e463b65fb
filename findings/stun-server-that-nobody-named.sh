#!/usr/bin/env bash
# werift 0.24.4 and aiortc 1.16.0 ask a public STUN server of Google's when no ICE server is configured.
#
# Expected: without `iceServers` a connection has host candidates only, as the W3C has it and libwebrtc (@roamhq/wrtc 0.10.0) and
# libdatachannel (node-datachannel 0.33.4) do. Seen: an absent or undefined list, also beside other options, means
# stun.l.google.com; only an empty list means none. So a service for a closed network, or one whose users were promised that
# nobody else is asked, looks up that name and tells that server its address at each connection, and where the name does
# not answer it waits for it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    node-datachannel@0.33.4 werift@0.24.4 @roamhq/wrtc@0.10.0
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary :all: aiortc==1.16.0
cat >run.mjs <<'JS'
import dns from "dns";
import { syncBuiltinESMExports } from "module";
import { isIP } from "net";

// Names are noted and not looked up.
const names = new Set();
const { lookup } = dns;
dns.lookup = (name, ...rest) => {
  if (isIP(name)) return lookup(name, ...rest);
  names.add(name);
  rest.at(-1)(new Error("not looked up"));
};
dns.promises.lookup = async (name) => { names.add(name); throw new Error("not looked up"); };
syncBuiltinESMExports();
const stacks = {
  "@roamhq/wrtc": (await import("@roamhq/wrtc")).default,
  "node-datachannel": await import("node-datachannel/polyfill"),
  werift: await import("werift"),
};
process.on("unhandledRejection", () => {});
for (const [name, { RTCPeerConnection }] of Object.entries(stacks)) {
  const configurations = { "an empty list": { iceServers: [] }, none: undefined, "undefined servers": { iceServers: undefined } };
  for (const [which, configuration] of Object.entries(configurations)) {
    if (name === "@roamhq/wrtc" && which === "undefined servers") continue;
    names.clear();
    const peer = configuration ? new RTCPeerConnection(configuration) : new RTCPeerConnection();
    const servers = peer.getConfiguration().iceServers ?? [];
    peer.createDataChannel("x");
    const { type, sdp } = await peer.createOffer();
    peer.setLocalDescription({ type, sdp }).catch(() => {});
    await new Promise((done) => setTimeout(done, 1000));
    console.log(`${name}, ${which}: ${servers.length} server, asks ${[...names].join(", ") || "nobody"}`);
  }
}
process.exit();
JS
cat >run.py <<'PY'
import asyncio

import aioice
from aiortc import RTCConfiguration, RTCPeerConnection

original = aioice.Connection.__init__


def noted(self, *arguments, **options):
    server = options.pop("stun_server", None)
    print("asks " + (server[0] if server else "nobody"))
    original(self, *arguments, **options)


aioice.Connection.__init__ = noted


async def main():
    for name, configuration in {
        "none": [],
        "undefined servers": [RTCConfiguration()],
        "an empty list": [RTCConfiguration(iceServers=[])],
    }.items():
        print(f"aiortc, {name}: ", end="")
        peer = RTCPeerConnection(*configuration)
        peer.createDataChannel("x")
        await peer.setLocalDescription(await peer.createOffer())
        await peer.close()


asyncio.run(main())
PY
cat >expected <<'TEXT'
@roamhq/wrtc, an empty list: 0 server, asks nobody
@roamhq/wrtc, none: 0 server, asks nobody
node-datachannel, an empty list: 0 server, asks nobody
node-datachannel, none: 0 server, asks nobody
node-datachannel, undefined servers: 0 server, asks nobody
werift, an empty list: 0 server, asks nobody
werift, none: 1 server, asks stun.l.google.com
werift, undefined servers: 1 server, asks stun.l.google.com
aiortc, none: asks stun.l.google.com
aiortc, undefined servers: asks stun.l.google.com
aiortc, an empty list: asks nobody
TEXT
{
    node run.mjs
    env/bin/python run.py
} | tee seen
diff expected seen && echo "as described: $(env/bin/python --version), Node $(node --version)"
