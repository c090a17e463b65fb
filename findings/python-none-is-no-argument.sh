#!/usr/bin/env bash
# python-socketio 5.18.1 sends `None` as no argument at all, so that a handler of socket.io 4.8.4 finds the callback in its place.
#
# Expected: `client.call("load", None)` arrives as `null` and a callback, as `socket.emit("load", null, callback)` of JavaScript does, and
# as `None` within a list or a dict does. Seen: a lone `None` counts as "nothing was given". With a value that may be missing,
# `call("load", item.get("id"))`, the handler `(id, answer) => …` gets the function as its `id` and no `answer`, and a
# handler with a type checks one argument too few. The server's `emit` does the same. `(None,)` is one `null`; an empty tuple is none, and
# a handler that returns `None` answers without a value, `(None,)` with `null`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 aiohttp==3.13.2 requests==2.32.5 websocket-client==1.9.0
cat >client.py <<'PY'
import sys

import socketio

client = socketio.Client()
ANSWERS = {"None": None, "(None,)": (None,), "()": (), "[]": []}
client.on("question", lambda name: ANSWERS[name])
client.connect(sys.argv[1], wait_timeout=20)
for value in (None, (None,), (), (None, None), [None], {"id": None}):
    client.call("say", f"call with {value}")
    client.call("load", value)
for name in ANSWERS:
    client.call("ask", name)
client.disconnect()
PY
cat >server.py <<'PY'
import asyncio

import aiohttp.web
import socketio


async def main():
    server = socketio.AsyncServer(async_mode="aiohttp")

    @server.event
    async def load(sid):
        for value in (None, (None,)):
            await server.emit("say", f"emit of the server with {value}", to=sid)
            await server.emit("load", value, to=sid)
        await server.emit("end", to=sid)

    app = aiohttp.web.Application()
    server.attach(app)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(60)


asyncio.run(main())
PY
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { createServer } from "http";
import { Server } from "socket.io";
import { io } from "socket.io-client";

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
const show = (list) => `(${list.map((one) => (typeof one === "function" ? "the callback" : JSON.stringify(one))).join(", ")})`;
let what;
const listen = (socket) => {
  socket.on("say", (text, answer) => {
    what = text;
    answer?.();
  });
  socket.on("load", (...given) => {
    console.log(`${what}: handler${show(given)}`);
    given.at(-1)?.call?.();
  });
};
const http = createServer();
new Server(http).on("connection", (socket) => {
  listen(socket);
  socket.on("ask", (name, answer) => socket.emit("question", name, (...given) => {
    console.log(`handler returns ${name}: callback${show(given)}`);
    answer();
  }));
});
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${http.address().port}`;
const javascript = io(url);
for (const value of [undefined, null]) {
  await javascript.emitWithAck("say", `JavaScript's emit with ${value}`);
  await javascript.emitWithAck("load", value);
}
javascript.close();
await new Promise((done) => spawn("python/bin/python", ["client.py", url], { stdio: "inherit" }).on("exit", done));

const server = spawn("python/bin/python", ["server.py"], { stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => server.kill());
const port = await new Promise((done) => server.stdout.on("data", (text) => done(Number(text))));
const client = io(`http://127.0.0.1:${port}`);
listen(client);
client.emit("load");
await new Promise((done) => client.on("end", done));
process.exit();
JS
cat >expected <<'TEXT'
JavaScript's emit with undefined: handler(null, the callback)
JavaScript's emit with null: handler(null, the callback)
call with None: handler(the callback)
call with (None,): handler(null, the callback)
call with (): handler(the callback)
call with (None, None): handler(null, null, the callback)
call with [None]: handler([null], the callback)
call with {'id': None}: handler({"id":null}, the callback)
handler returns None: callback()
handler returns (None,): callback(null)
handler returns (): callback()
handler returns []: callback([])
emit of the server with None: handler()
emit of the server with (None,): handler(null)
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io 4.8.4, $(python/bin/python --version), Node $(node --version)"
