#!/usr/bin/env bash
# A further websocket server on the HTTP server of socket.io 4.8.4 (ws 8.23.0, with a path of its own) leaves all clients of Socket.IO on
# polling for ever; taken by hand instead, its own clients are cut off after a second.
#
# Expected: each takes the upgrades of its own path. Seen: ws answers 400 to every path that is not its own, also if Socket.IO was there
# first. The default transports hide it, since a failed upgrade is no error: clients just stay on
# polling; with `transports: ["websocket"]` none connects. The advised way, `noServer` and a handler of "upgrade" that looks
# up the user first, works until the look-up takes longer than a second: then Socket.IO has ended what it takes for nobody's upgrade
# ("socket hang up"). `destroyUpgrade: false` or `destroyUpgradeTimeout` in Socket.IO's options mends that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 ws@8.23.0
cat >run.mjs <<'JS'
import { createServer } from "http";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { WebSocket, WebSocketServer } from "ws";

const wait = (time) => new Promise((done) => setTimeout(done, time));
setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);

async function attempt(what, serve) {
  const http = createServer();
  serve(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const address = `127.0.0.1:${http.address().port}`;
  const seen = [];
  for (const options of [{}, { transports: ["websocket"] }]) {
    const client = io(`http://${address}`, { forceNew: true, reconnection: false, ...options });
    const connects = await new Promise((done) => {
      client.on("connect", () => done(true));
      client.on("connect_error", () => done(false));
    });
    await wait(2000);
    seen.push(connects ? client.io.engine.transport.name : "no connection");
    client.close();
  }
  const feed = new WebSocket(`ws://${address}/feed`);
  const other = await new Promise((done) => {
    feed.on("open", () => done("opens"));
    feed.on("error", (error) => done(error.message));
  });
  feed.terminate();
  console.log(`${what}: client ${seen[0]}, for websocket alone ${seen[1]}; the other server's client ${other}`);
}

const byHand = (time, options) => (http) => {
  new Server(http, options);
  const server = new WebSocketServer({ noServer: true });
  http.on("upgrade", async (request, socket, head) => {
    if (request.url !== "/feed") return;
    await wait(time);
    server.handleUpgrade(request, socket, head, () => {});
  });
};
await attempt("with a path, before Socket.IO", (http) => {
  new WebSocketServer({ server: http, path: "/feed" });
  new Server(http);
});
await attempt("with a path, after Socket.IO", (http) => {
  new Server(http);
  new WebSocketServer({ server: http, path: "/feed" });
});
await attempt("by hand, at once", byHand(0));
await attempt("by hand, after 3 s", byHand(3000));
await attempt("by hand, after 3 s, destroyUpgrade: false", byHand(3000, { destroyUpgrade: false }));
process.exit();
JS
cat >expected <<'TEXT'
with a path, before Socket.IO: client polling, for websocket alone no connection; the other server's client opens
with a path, after Socket.IO: client polling, for websocket alone no connection; the other server's client opens
by hand, at once: client websocket, for websocket alone websocket; the other server's client opens
by hand, after 3 s: client websocket, for websocket alone websocket; the other server's client socket hang up
by hand, after 3 s, destroyUpgrade: false: client websocket, for websocket alone websocket; the other server's client opens
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, ws 8.23.0, Node $(node --version)"
