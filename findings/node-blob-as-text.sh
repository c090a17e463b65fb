#!/usr/bin/env bash
# socket.io-client 4.8.4 in Node 20 sends a Blob or File as the text "[object Blob]", and socket.io 4.8.4 answers
# by ending the connection.
#
# Expected: Node has had `Blob` since version 18 and the client counts one as an attachment, so its bytes travel, or
# `emit` fails. Seen: the header announces an attachment, the attachment is the text `4[object Blob]` instead of a
# binary frame, `emit` reports nothing, and the server closes the connection ("transport close" at the client). In a
# browser the same call sends the bytes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 ws@8.18.3
cat >run.cjs <<'JS'
const { WebSocketServer } = require("ws");
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const payload = () => new Blob([new Uint8Array([1, 2, 3])]);
const connect = (port) => io(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnection: false });

// What travels: the other end is a bare websocket that says the two handshakes.
function travels() {
  return new Promise((done) => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => {
      const client = connect(server.address().port);
      client.on("connect", () => client.emit("blob", payload()));
    });
    server.on("connection", (socket) => {
      socket.send('0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}');
      const frames = [];
      socket.on("message", (data, isBinary) => {
        if (String(data) === "40") return socket.send('40{"sid":"b"}');
        frames.push(`${isBinary ? "binary" : "text"} ${data}`);
        if (frames.length === 2) done(frames);
      });
    });
  });
}

// What a stock server makes of it.
function ends() {
  return new Promise((done) => {
    const http = createServer();
    new Server(http);
    http.listen(0, "127.0.0.1", () => {
      const client = connect(http.address().port);
      client.on("connect", () => client.emit("blob", payload()));
      client.on("disconnect", (reason) => done(reason));
    });
  });
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  for (const frame of await travels()) console.log(frame);
  console.log(await ends());
  process.exit();
})();
JS
cat >expected <<'TEXT'
text 451-["blob",{"_placeholder":true,"num":0}]
text 4[object Blob]
transport close
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
