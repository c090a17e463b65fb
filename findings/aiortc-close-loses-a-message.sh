#!/usr/bin/env bash
# aiortc 1.16.0 loses what was sent right before RTCPeerConnection.close().
#
# Expected: a message that was sent before `close()` is called leaves, or is at least tried, as with a browser. Seen: it
# never does. `send` hands the message to a task of its own, which has not run when `close` aborts the association; the
# partner sees the channel end without it, and neither end hears of an error. With one turn of the event loop between
# the two (`await asyncio.sleep(0)`) it arrives.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary :all: aiortc==1.16.0
cat >run.py <<'PY'
import asyncio

from aiortc import RTCConfiguration, RTCPeerConnection


async def arrives(turns):
    """Returns whether a message arrives that is sent this many turns before the end."""
    sender, receiver = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    received = []
    opened, ended = asyncio.Event(), asyncio.Event()
    channel = sender.createDataChannel("channel")
    channel.on("open", opened.set)

    @receiver.on("datachannel")
    def came(channel):
        channel.on("message", received.append)
        channel.on("close", ended.set)

    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)
    await asyncio.wait_for(opened.wait(), 30)
    channel.send("first")
    await asyncio.sleep(0.3)
    channel.send("last")
    for _ in range(turns):
        await asyncio.sleep(0)
    await sender.close()
    await asyncio.wait_for(ended.wait(), 30)
    await asyncio.sleep(0.1)
    await receiver.close()
    assert "first" in received
    return "last" in received


async def main():
    for turns in (0, 1):
        count = sum([await arrives(turns) for _ in range(10)])
        print(f"{turns} turns of the event loop before close: {count} of 10 arrive")


asyncio.run(main())
PY
cat >expected <<'TEXT'
0 turns of the event loop before close: 0 of 10 arrive
1 turns of the event loop before close: 10 of 10 arrive
TEXT
env/bin/python run.py | tee seen
diff expected seen && echo "as described: aiortc 1.16.0, $(env/bin/python --version)"
