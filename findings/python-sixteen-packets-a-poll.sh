#!/usr/bin/env bash
# python-socketio 5.18.1 (python-engineio 4.15.1) over polling loses its connection when a server emits 40 events at
# once; over websocket all arrive.
#
# Expected: however many packets a server has collected for a poll, a client reads them, or at least those that it is
# ready to read. Seen: 16 events in one loop arrive; of 40 at most the first does, and the client disconnects with
# "transport error": it reads no response with more than 16 packets. Neither end is told why: only python-engineio's log,
# which is off by default, says that a payload has too many packets. The limit is a class attribute
# (`engineio.payload.Payload.max_decode_packets`), made for servers against hostile clients, and applies to its clients
# as well. socket.io 4.8.4 puts all that waits into one response.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 python-engineio==4.15.1 requests==2.34.2 websocket-client==1.9.0
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4
cat >server.cjs <<'JS'
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
new Server(http).on("connection", (socket) => {
  socket.on("ask", (count) => {
    for (let number = 0; number < count; number += 1) socket.emit("x", number);
  });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
JS
cat >client.py <<'PY'
import os
import sys
import threading

import socketio

port, transport, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = socketio.Client(reconnection=False)
arrived, ends, done = [], [], threading.Event()


@client.on("x")
def x(number):
    arrived.append(number)
    if len(arrived) == count:
        done.set()


@client.event
def disconnect(reason):
    ends.append(reason)
    done.set()


client.connect(f"http://127.0.0.1:{port}", transports=[transport])
client.emit("ask", count)
done.wait(30)
few = "all" if len(arrived) == count else "none" if len(arrived) < 2 else "some"
print(f"{transport}: {few} of {count} arrive, {ends[0] if ends else 'connected'}", flush=True)
os._exit(0)
PY
node server.cjs >port &
server=$!
trap 'kill "$server"; rm -rf "$folder"' EXIT
until [[ -s port ]]; do sleep 0.1; done
cat >expected <<'TEXT'
polling: all of 16 arrive, connected
polling: none of 40 arrive, transport error
websocket: all of 40 arrive, connected
TEXT
for run in "polling 16" "polling 40" "websocket 40"; do
    # shellcheck disable=SC2086 # two words
    env/bin/python client.py "$(cat port)" $run
done | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io 4.8.4, Node $(node --version)"
