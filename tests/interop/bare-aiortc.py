"""Connections of aiortc, driven by lines of JSON: those of bare-orders.mjs, after {"event":"ready","version":…}.

python bare-aiortc.py
"""

import asyncio
import base64
import json
import os
import sys
from importlib.metadata import version

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp


def say(**line):
    print(json.dumps(line), flush=True)


def content(message):
    return message if isinstance(message, str) else base64.b64decode(message["$bin"])


class Bare:
    """The present connection."""

    def __init__(self):
        self.peer = None
        self.main = None
        self.channels = {}

    def begin(self, channel, then=None):
        self.main = channel
        self.channels["main"] = channel
        channel.on("message", channel.send)
        channel.on("close", lambda: say(event="close"))

        def opened():
            say(event="connect")
            if then:
                asyncio.ensure_future(self.obey(then))

        self.when_open(channel, opened)

    def begin_further(self, channel):
        label = channel.label
        self.channels[label] = channel
        channel.on("message", channel.send)
        channel.on("close", lambda: say(event="closed", label=label))
        options = {
            "ordered": channel.ordered,
            "maxRetransmits": channel.maxRetransmits,
            "maxPacketLifeTime": channel.maxPacketLifeTime,
            "protocol": channel.protocol,
        }
        self.when_open(channel, lambda: say(event="opened", label=label, options=options))

    def when_open(self, channel, then):
        if channel.readyState == "open":
            then()
        else:
            channel.on("open", then)

    async def connect(self, role, order):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer = peer
        self.channels = {}
        is_first = role != "offer"

        @peer.on("datachannel")
        def came(channel):
            nonlocal is_first
            if is_first:
                self.begin(channel, order.get("then"))
            else:
                self.begin_further(channel)
            is_first = False

        @peer.on("connectionstatechange")
        def changed():
            if self.peer is peer:
                say(event="state", state=peer.connectionState)

        if role != "offer":
            return
        if order.get("media"):
            peer.addTransceiver("audio")
        first = peer.createDataChannel("main", **order.get("first") or {})
        self.begin(first, order.get("then"))
        for label in order.get("channels", []):
            self.begin_further(peer.createDataChannel(label))
        await self.describe(await peer.createOffer())

    async def describe(self, description):
        """Says the description, its candidates and their end one after another, as other stacks do."""
        await self.peer.setLocalDescription(description)
        local = self.peer.localDescription
        lines = local.sdp.splitlines()
        apart = ("a=candidate:", "a=end-of-candidates")
        rest = [line for line in lines if not line.startswith(apart)]
        say(signal={"type": local.type, "sdp": "\r\n".join([*rest, ""])})
        section = -1
        mid = None
        for line in lines:
            if line.startswith("m="):
                section, mid = section + 1, None
            elif line.startswith("a=mid:"):
                mid = line.removeprefix("a=mid:")
        # There is one transport, so that all candidates are of any section; the last one is the data's.
        for line in lines:
            if line.startswith("a=candidate:"):
                candidate = {"candidate": line[2:], "sdpMid": mid, "sdpMLineIndex": section}
                say(signal={"type": "candidate", "candidate": candidate})
        say(signal={"type": "candidate", "candidate": None})

    async def signal(self, signal):
        if "sdp" not in signal:
            candidate = signal["candidate"]
            parsed = candidate_from_sdp(candidate["candidate"].split(":", 1)[1])
            parsed.sdpMid = candidate["sdpMid"]
            parsed.sdpMLineIndex = candidate["sdpMLineIndex"]
            await self.peer.addIceCandidate(parsed)
            return
        description = RTCSessionDescription(sdp=signal["sdp"], type=signal["type"])
        await self.peer.setRemoteDescription(description)
        if signal["type"] == "offer":
            await self.describe(await self.peer.createAnswer())
        else:
            say(event="answered")

    def short(self, label):
        channel = self.peer.createDataChannel(label)

        def opened():
            channel.send(label)
            channel.close()

        self.when_open(channel, opened)

    async def obey(self, order):
        if "connect" in order:
            await self.connect(order["connect"], order)
        if "signal" in order:
            await self.signal(order["signal"])
        if "open" in order:
            channel = self.peer.createDataChannel(order["open"], **order.get("options", {}))
            self.begin_further(channel)
        if "send" in order:
            self.channels[order.get("on", "main")].send(content(order["send"]))
        if "sendAndClose" in order:
            self.main.send(order["sendAndClose"])
            self.main.close()
        if "sendAndEnd" in order:
            self.main.send(order["sendAndEnd"])
            await asyncio.sleep(0)  # It sends in a task of its own, for which its close does not wait.
            await self.peer.close()
        if "short" in order:
            self.short(order["short"])
        if "closeChannel" in order:
            self.channels[order["closeChannel"]].close()
        if "offerAgain" in order:
            await self.describe(await self.peer.createOffer())
        if "close" in order:
            await self.peer.close()


async def main():
    bare = Bare()
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    say(event="ready", version="aiortc " + version("aiortc"))
    while line := await lines.readline():
        try:
            await bare.obey(json.loads(line))
        except Exception as error:  # Whatever it is, the story fails with it.
            say(event="error", message=repr(error))
    sys.stdout.flush()
    os._exit(0)


asyncio.run(main())
