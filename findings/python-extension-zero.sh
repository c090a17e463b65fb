#!/usr/bin/env bash
# With MessagePack at both ends, python-socketio 5.18.1 gets a date, an `undefined` and a typed array of JavaScript as one
# and the same unknown type.
#
# Expected: socket.io-msgpack-parser 3.0.2 and `serializer="msgpack"` are each other's counterpart, so what is sent arrives
# as a `datetime`, `None` and `bytes`, or a date as MessagePack's own timestamp. Seen: all three are `ExtType` with the
# code 0; an absent field of an object, which JSON leaves out, is one as well, and a date cannot be told from eight bytes
# of an array, since both are `ExtType` with eight bytes. A Node `Buffer` arrives as `bytes`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-msgpack-parser@3.0.2
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check python-socketio==5.18.1 aiohttp==3.13.2 msgpack==1.1.2
cat >client.py <<'PY'
import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncClient(serializer=sys.argv[2])
    done = asyncio.Event()

    @client.on("value")
    async def value(name, value):
        print(f"{sys.argv[2]}: {name} is {value!r}")

    client.on("end", lambda: done.set())
    await client.connect(sys.argv[1], transports=["websocket"])
    await done.wait()
    await client.disconnect()


asyncio.run(main())
PY
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

const values = {
  "a date": new Date(1000),
  "undefined": undefined,
  "an absent field": { a: undefined },
  "eight bytes": new Float32Array([0, 1]),
  "a Buffer": Buffer.from([1, 2]),
};

async function run(serializer, options) {
  const http = createServer();
  const server = new Server(http, options);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  server.on("connection", (socket) => {
    for (const [name, value] of Object.entries(values)) socket.emit("value", name, value);
    socket.emit("end");
  });
  const url = `http://127.0.0.1:${http.address().port}`;
  const client = spawn("python/bin/python", ["-u", "client.py", url, serializer], { stdio: "inherit" });
  await new Promise((done) => client.on("exit", done));
  server.close();
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  await run("default", {});
  await run("msgpack", { parser: require("socket.io-msgpack-parser") });
  process.exit();
})();
JS
cat >expected <<'TEXT'
default: a date is '1970-01-01T00:00:01.000Z'
default: undefined is None
default: an absent field is {}
default: eight bytes is b'\x00\x00\x00\x00\x00\x00\x80?'
default: a Buffer is b'\x01\x02'
msgpack: a date is ExtType(code=0, data=b'\x00\x00\x00\x00\x00\x00\x03\xe8')
msgpack: undefined is ExtType(code=0, data=b'\x00')
msgpack: an absent field is {'a': ExtType(code=0, data=b'\x00')}
msgpack: eight bytes is ExtType(code=0, data=b'\x00\x00\x00\x00\x00\x00\x80?')
msgpack: a Buffer is b'\x01\x02'
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, msgpack 1.1.2, socket.io 4.8.4, Node $(node --version)"
