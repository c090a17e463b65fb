#!/usr/bin/env bash
# Under OpenTelemetry (@opentelemetry/instrumentation-socket.io 0.70.0) `socket.off(event, handler)` and `io.off("connection", handler)`
# of socket.io 4.8.4 remove nothing.
#
# Expected: an application that is traced does what it did before. Seen: `on` registers a wrapper, `off` and `removeListener` look for the
# handler itself, find nothing, and say nothing. A handler that is put on for one exchange and taken off after it stays, runs again
# for every later event, and each exchange adds one more: answers come twice, three times, and the memory grows. It shows in production
# only, where tracing is on. `once`, `addListener` with `off`, `removeAllListeners(event)`, and events that `onIgnoreEventList`
# names are not affected.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 \
    @opentelemetry/api@1.10.0 @opentelemetry/instrumentation@0.223.0 @opentelemetry/instrumentation-socket.io@0.70.0
cat >run.cjs <<'JS'
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { SocketIoInstrumentation } = require("@opentelemetry/instrumentation-socket.io");
const [, , name] = process.argv;
if (name === "traced") registerInstrumentations({ instrumentations: [new SocketIoInstrumentation({ onIgnoreEventList: ["ignored"] })] });
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const connect = async () => {
    const client = io(`http://127.0.0.1:${http.address().port}`, { forceNew: true });
    const [socket] = await Promise.all([
      new Promise((done) => server.once("connection", done)),
      new Promise((done) => client.once("connect", done)),
    ]);
    return [client, socket];
  };
  const [client, socket] = await connect();
  // The server has all that was emitted before when it has answered this.
  socket.on("flush", (answer) => answer());
  let calls = 0;
  const handler = () => (calls += 1);
  const say = (what) => {
    console.log(`${name}, ${what}: ${calls} calls`);
    calls = 0;
  };

  for (let count = 1; count <= 3; count += 1) {
    const one = () => handler();
    socket.on("exchange", one);
    client.emit("exchange");
    await client.emitWithAck("flush");
    socket.off("exchange", one);
    say(`exchange ${count} with on and off`);
  }
  const remove = async (what, event, put, take) => {
    put();
    take();
    client.emit(event);
    client.emit(event);
    await client.emitWithAck("flush");
    say(what);
  };
  const on = (event) => () => socket.on(event, handler);
  await remove("on, off, 2 events", "a", on("a"), () => socket.off("a", handler));
  await remove("on, removeListener, 2 events", "b", on("b"), () => socket.removeListener("b", handler));
  await remove("on, removeAllListeners, 2 events", "c", on("c"), () => socket.removeAllListeners("c"));
  await remove("addListener, off, 2 events", "d", () => socket.addListener("d", handler), () => socket.off("d", handler));
  await remove("once, 2 events", "e", () => socket.once("e", handler), () => {});
  await remove("on, off of an ignored event, 2 events", "ignored", on("ignored"), () => socket.off("ignored", handler));
  server.on("connection", handler);
  server.off("connection", handler);
  await connect();
  say("on, off of connection, 1 client");
  process.exit();
})();
JS
cat >expected <<'TEXT'
plain, exchange 1 with on and off: 1 calls
plain, exchange 2 with on and off: 1 calls
plain, exchange 3 with on and off: 1 calls
plain, on, off, 2 events: 0 calls
plain, on, removeListener, 2 events: 0 calls
plain, on, removeAllListeners, 2 events: 0 calls
plain, addListener, off, 2 events: 0 calls
plain, once, 2 events: 1 calls
plain, on, off of an ignored event, 2 events: 0 calls
plain, on, off of connection, 1 client: 0 calls
traced, exchange 1 with on and off: 1 calls
traced, exchange 2 with on and off: 2 calls
traced, exchange 3 with on and off: 3 calls
traced, on, off, 2 events: 2 calls
traced, on, removeListener, 2 events: 2 calls
traced, on, removeAllListeners, 2 events: 0 calls
traced, addListener, off, 2 events: 0 calls
traced, once, 2 events: 1 calls
traced, on, off of an ignored event, 2 events: 0 calls
traced, on, off of connection, 1 client: 1 calls
TEXT
{ node run.cjs plain && node run.cjs traced; } | tee seen
diff expected seen &&
    echo "as described: @opentelemetry/instrumentation-socket.io 0.70.0, socket.io 4.8.4, Node $(node --version)"
