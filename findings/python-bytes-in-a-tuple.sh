#!/usr/bin/env bash
# python-socketio 5.18.1 sends bytes inside a list and not inside a tuple, and a handler that returns such a tuple, or a bytearray, never answers.
#
# Expected: a tuple inside the data is a list, as in JSON and as `[(1, 2)]` is sent, and what may be emitted may be returned. Seen: bytes are
# looked for in lists and dicts only. With a tuple around them `emit` raises "Object of type bytes is not JSON serializable", for data
# that it sends as soon as the tuple is a list or the bytes are a number. Where a handler returns it nobody is told: the error
# is in a task of the server, and the client waits for the answer. A `bytearray` can be emitted, alone or
# in a list, and is never answered if returned. So rows of a database with a column of bytes, which are tuples, go through `list`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check python-socketio==5.18.1 aiohttp==3.13.2
cat >run.py <<'PY'
import asyncio
import logging
import os

import socketio
from aiohttp import web

VALUES = {
    "numbers in a tuple": [(1, 2)],
    "bytes in a list": [[1, b"a"]],
    "bytes in a tuple": [(1, b"a")],
    "bytes in a tuple in a dict": {"row": (1, b"a")},
    "a bytearray": bytearray(b"a"),
    "a bytearray in a list": [bytearray(b"a")],
}


async def main():
    server = socketio.AsyncServer(async_mode="aiohttp")
    seen = asyncio.Queue()

    @server.on("put")
    async def put(sid, value):
        await seen.put(value)

    @server.on("ask")
    async def ask(sid, name):
        return VALUES[name]

    application = web.Application()
    server.attach(application)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = socketio.AsyncClient()
    await client.connect("http://127.0.0.1:%d" % site._server.sockets[0].getsockname()[1], wait_timeout=30)
    for name, value in VALUES.items():
        try:
            await client.emit("put", value)
            emitted = f"arrives as {await asyncio.wait_for(seen.get(), 30)}"
        except TypeError as error:
            emitted = str(error)
        try:
            answered = f"arrives as {await client.call('ask', name, timeout=5)}"
        except socketio.exceptions.TimeoutError:
            answered = "no answer"
        print(f"{name}: emitted, {emitted}; returned, {answered}", flush=True)
    os._exit(0)


logging.getLogger("asyncio").setLevel(logging.CRITICAL)
asyncio.run(asyncio.wait_for(main(), 120))
PY
cat >expected <<'TEXT'
numbers in a tuple: emitted, arrives as [[1, 2]]; returned, arrives as [[1, 2]]
bytes in a list: emitted, arrives as [[1, b'a']]; returned, arrives as [[1, b'a']]
bytes in a tuple: emitted, Object of type bytes is not JSON serializable; returned, no answer
bytes in a tuple in a dict: emitted, Object of type bytes is not JSON serializable; returned, no answer
a bytearray: emitted, arrives as b'a'; returned, no answer
a bytearray in a list: emitted, arrives as [b'a']; returned, no answer
TEXT
python/bin/python run.py 2>log | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, $(python/bin/python --version)"
