#!/usr/bin/env bash
# werift 0.24.4 asks a public STUN server of Google's even with an empty list of ICE servers, and aiortc 1.16.0 without a list.
#
# Expected: without `iceServers`, and with an empty list, a connection has host candidates only, as the W3C has it and libwebrtc
# (@roamhq/wrtc 0.10.0) and libdatachannel (node-datachannel 0.33.4) do. Seen: aiortc takes an absent list, also beside other
# options, for stun.l.google.com; only an empty one means none. werift takes that name whenever the list has no STUN server,
# empty or with TURN alone. So a service for a closed network, or one whose users were promised that nobody else is asked,
# looks up that name and tells that server its address at each connection. A STUN server of one's own in the list keeps werift from it.
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
import { createSocket } from "dgram";
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
const silent = createSocket("udp4");
await new Promise((done) => silent.bind(0, "127.0.0.1", done));
const own = (kind) => ({ urls: `${kind}:127.0.0.1:${silent.address().port}`, username: "a", credential: "b" });
const configurations = {
  "an own STUN server": { iceServers: [own("stun")] },
  "an own TURN server": { iceServers: [own("turn")] },
  "an empty list": { iceServers: [] },
  none: undefined,
};
process.on("unhandledRejection", () => {});
for (const [name, { RTCPeerConnection }] of Object.entries(stacks)) {
  for (const [which, configuration] of Object.entries(configurations)) {
    names.clear();
    const peer = configuration ? new RTCPeerConnection(configuration) : new RTCPeerConnection();
    peer.createDataChannel("x");
    const { type, sdp } = await peer.createOffer();
    peer.setLocalDescription({ type, sdp }).catch(() => {});
    await new Promise((done) => setTimeout(done, 1000));
    console.log(`${name}, ${which}: asks ${[...names].join(", ") || "nobody else"}`);
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
    print("asks " + (server[0] if server else "nobody else"))
    original(self, *arguments, **options)


aioice.Connection.__init__ = noted


async def main():
    for name, configuration in {
        "none": [],
        "without a list": [RTCConfiguration()],
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
@roamhq/wrtc, an own STUN server: asks nobody else
@roamhq/wrtc, an own TURN server: asks nobody else
@roamhq/wrtc, an empty list: asks nobody else
@roamhq/wrtc, none: asks nobody else
node-datachannel, an own STUN server: asks nobody else
node-datachannel, an own TURN server: asks nobody else
node-datachannel, an empty list: asks nobody else
node-datachannel, none: asks nobody else
werift, an own STUN server: asks nobody else
werift, an own TURN server: asks stun.l.google.com
werift, an empty list: asks stun.l.google.com
werift, none: asks stun.l.google.com
aiortc, none: asks stun.l.google.com
aiortc, without a list: asks stun.l.google.com
aiortc, an empty list: asks nobody else
TEXT
{
    node run.mjs
    env/bin/python run.py
} | tee seen
diff expected seen && echo "as described: $(env/bin/python --version), Node $(node --version)"
