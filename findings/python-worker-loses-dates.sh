#!/usr/bin/env bash
# A process that emits by the `RedisManager` of python-socketio 5.18.1 loses what cannot be made JSON without an exception, and its log says that
# Redis cannot be reached.
#
# Expected: an event with a date, a Decimal or a set in it raises TypeError, as `emit` of the server does, with and without Redis between servers,
# and an event that is fine is sent. Seen: in a worker with a write-only manager, sync or async, `emit` returns, and the event
# is gone. "Cannot publish to redis... retrying", then "giving up", is all there is, in the log, if it is shown; it sends one to look for a network that
# has nothing. Other events of the worker arrive before and after it.
#
# Needs Debian 12 with its package lists (apt-get update); Redis is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
redis=
finish() {
    [[ -z $redis ]] || kill "$redis" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check python-socketio==5.18.1 aiohttp==3.13.2 redis==6.4.0
apt-get download -qq redis-server redis-tools liblzf1 liblua5.1-0 lua-cjson lua-bitop libjemalloc2 libatomic1 2>apt ||
    { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
LD_LIBRARY_PATH=$(echo "$folder"/system/usr/lib/*-linux-gnu) system/usr/bin/redis-server \
    --port 0 --unixsocket "$folder/redis" --save "" >/dev/null &
redis=$!
until [[ -S redis ]]; do sleep 0.1; done
cat >run.py <<'PY'
import asyncio
import datetime
import decimal
import logging
import os

import socketio
from aiohttp import web

URL = f"unix://{os.getcwd()}/redis"
VALUES = {
    "a number": 1,
    "a date": datetime.date(2026, 1, 1),
    "a Decimal in a dict": {"price": decimal.Decimal("9.90")},
    "a set": {1, 2},
    "bytes": b"a",
}


class Log(logging.Handler):
    lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


async def main():
    logging.getLogger("socketio").addHandler(Log())
    server = socketio.AsyncServer(async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(URL))
    application = web.Application()
    server.attach(application)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    seen = asyncio.Queue()
    client = socketio.AsyncClient()
    client.on("news", seen.put)
    await client.connect("http://127.0.0.1:%d" % site._server.sockets[0].getsockname()[1], wait_timeout=30)

    writer = socketio.AsyncRedisManager(URL, write_only=True)
    threaded = socketio.RedisManager(URL, write_only=True)
    ways = {
        "server": lambda value: server.emit("news", value),
        "async worker": lambda value: writer.emit("news", value, namespace="/"),
        "worker": lambda value: asyncio.to_thread(threaded.emit, "news", value, namespace="/"),
    }
    # The subscription to Redis is there when an event of each worker has come.
    for way in ("async worker", "worker"):
        while seen.empty():
            await ways[way]("ready")
            await asyncio.sleep(0.5)
        await asyncio.sleep(1)
        while not seen.empty():
            seen.get_nowait()
    for way, emit in ways.items():
        for name, value in VALUES.items():
            Log.lines.clear()
            try:
                await emit(value)
                said = "no exception"
            except TypeError:
                said = "TypeError"
            await ways["async worker"]("end")
            arrived = []
            while (value := await asyncio.wait_for(seen.get(), 30)) != "end":
                arrived.append(repr(value))
            log = [line for line in Log.lines if "redis" in line.lower()]
            print(f"{way}, {name}: {said}; client: {', '.join(arrived) or 'nothing'}; log: {', '.join(log) or 'nothing'}", flush=True)
    await client.disconnect()


asyncio.run(asyncio.wait_for(main(), 180))
PY
cat >expected <<'TEXT'
server, a number: no exception; client: 1; log: nothing
server, a date: TypeError; client: nothing; log: nothing
server, a Decimal in a dict: TypeError; client: nothing; log: nothing
server, a set: TypeError; client: nothing; log: nothing
server, bytes: no exception; client: b'a'; log: nothing
async worker, a number: no exception; client: 1; log: nothing
async worker, a date: no exception; client: nothing; log: Cannot publish to redis... retrying, Cannot publish to redis... giving up
async worker, a Decimal in a dict: no exception; client: nothing; log: Cannot publish to redis... retrying, Cannot publish to redis... giving up
async worker, a set: no exception; client: nothing; log: Cannot publish to redis... retrying, Cannot publish to redis... giving up
async worker, bytes: no exception; client: b'a'; log: nothing
worker, a number: no exception; client: 1; log: nothing
worker, a date: no exception; client: nothing; log: Cannot publish to redis... retrying, Cannot publish to redis... giving up
worker, a Decimal in a dict: no exception; client: nothing; log: Cannot publish to redis... retrying, Cannot publish to redis... giving up
worker, a set: no exception; client: nothing; log: Cannot publish to redis... retrying, Cannot publish to redis... giving up
worker, bytes: no exception; client: b'a'; log: nothing
TEXT
timeout 300 python/bin/python run.py 2>errors | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, redis 6.4.0, $(python/bin/python --version)"
