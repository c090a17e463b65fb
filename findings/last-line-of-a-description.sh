#!/usr/bin/env bash
# libwebrtc (@roamhq/wrtc 0.10.0, as in browsers) takes a description with bare line feeds, and refuses one whose very
# last line end is missing; node-datachannel 0.33.4, werift 0.24.4 and aiortc 1.16.0 take both.
#
# Expected: an SDP parser is strict about the line ends or lenient about them. Seen: `sdp.replace(/\r\n/g, "\n")` is fine,
# `sdp.trim()` is "Invalid SDP line.", and so is an empty line at the end. What passes through a form field, a template or a
# shell's `$(…)` loses just that last line end. Two programs on the lenient stacks exchange such descriptions for years
# until the first browser joins. Whoever hands descriptions on should end each with one CR LF.
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
import sys

from aiortc import RTCPeerConnection, RTCSessionDescription


async def main():
    peer = RTCPeerConnection()
    await peer.setRemoteDescription(RTCSessionDescription(sys.stdin.buffer.read().decode(), "offer"))
    answer = await peer.createAnswer()
    print("taken" if "m=application" in answer.sdp else "refused")
    await peer.close()


asyncio.run(main())
PY
cat >run.mjs <<'JS'
import { spawnSync } from "child_process";
import * as polyfill from "node-datachannel/polyfill";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

const answered = (RTCPeerConnection) => async (sdp) => {
  const peer = new RTCPeerConnection({ iceServers: [] });
  try {
    await peer.setRemoteDescription({ type: "offer", sdp });
    return (await peer.createAnswer()).sdp.includes("m=application") ? "taken" : "no data in the answer";
  } catch (error) {
    return `refused: ${error.message ?? error}`;
  } finally {
    peer.close();
  }
};

const stacks = {
  "@roamhq/wrtc": answered(wrtc.RTCPeerConnection),
  "node-datachannel": answered(polyfill.RTCPeerConnection),
  "werift": answered(werift.RTCPeerConnection),
  "aiortc": (input) => spawnSync("python/bin/python", ["peer.py"], { input }).stdout.toString().trim() || "refused",
};

const offerer = new wrtc.RTCPeerConnection({ iceServers: [] });
offerer.createDataChannel("x");
const { sdp } = await offerer.createOffer();
const forms = {
  "as it is": sdp,
  "line feeds only": sdp.replace(/\r\n/g, "\n"),
  "without the last line end": sdp.trim(),
  "with an empty line more": `${sdp}\r\n`,
};

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, stack] of Object.entries(stacks))
  for (const [form, text] of Object.entries(forms)) console.log(`${name}, ${form}: ${await stack(text)}`);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc, as it is: taken
@roamhq/wrtc, line feeds only: taken
@roamhq/wrtc, without the last line end: refused: Invalid SDP line.
@roamhq/wrtc, with an empty line more: refused: Invalid SDP line.
node-datachannel, as it is: taken
node-datachannel, line feeds only: taken
node-datachannel, without the last line end: taken
node-datachannel, with an empty line more: taken
werift, as it is: taken
werift, line feeds only: taken
werift, without the last line end: taken
werift, with an empty line more: taken
aiortc, as it is: taken
aiortc, line feeds only: taken
aiortc, without the last line end: taken
aiortc, with an empty line more: taken
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
