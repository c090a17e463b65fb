#!/usr/bin/env bash
# A time limit above 2147483647 ms, or Infinity, means "at once" in socket.io-client 4.8.4, simple-peer 9.11.1 and
# PeerJS 1.5.5: each hands its option to setTimeout as it is, which then waits 1 ms.
#
# Expected: `timeout(Infinity)` waits for ever, and `pingInterval: 3_000_000_000` (35 days) pings never. Seen:
# - socket.io-client: the acknowledgement "times out" within 300 ms though the server answers after that; the event
#   has been sent and runs.
# - simple-peer, without trickle: `iceCompleteTimeout: Infinity` sends the offer before all candidates are gathered
#   (fewer than with the default of 5 s).
# - PeerJS: more than 50 heartbeats a second to the server instead of none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 \
  simple-peer@9.11.1 @roamhq/wrtc@0.10.0 peerjs@1.5.5 ws@8.18.3
cat >run.cjs <<'JS'
const { createServer } = require("http");
const wrtc = require("@roamhq/wrtc");
const { WebSocketServer, WebSocket } = require("ws");
Object.assign(globalThis, { WebSocket });
for (const name of ["RTCPeerConnection", "RTCSessionDescription", "RTCIceCandidate", "RTCDataChannel"]) {
  globalThis[name] = wrtc[name];
}

function acknowledgement(limit) {
  const { Server } = require("socket.io");
  const { io } = require("socket.io-client");
  return new Promise((done) => {
    const http = createServer();
    new Server(http).on("connection", (socket) => {
      socket.on("ask", (answer) => setTimeout(answer, 1000, "answered"));
    });
    http.listen(0, "127.0.0.1", () => {
      const client = io(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"] });
      client.on("connect", () => {
        client.timeout(limit).emit("ask", (error, value) => {
          client.close();
          done(error ? error.message : value);
        });
      });
    });
  });
}

function candidates(iceCompleteTimeout) {
  const SimplePeer = require("simple-peer");
  return new Promise((done) => {
    const options = { initiator: true, trickle: false, wrtc, config: { iceServers: [] } };
    const peer = new SimplePeer(iceCompleteTimeout ? { ...options, iceCompleteTimeout } : options);
    peer.on("signal", ({ sdp }) => {
      peer.destroy();
      done(sdp.split("a=candidate").length - 1);
    });
  });
}

function heartbeats(pingInterval) {
  const { Peer } = require("peerjs");
  return new Promise((done) => {
    let count = 0;
    const http = createServer();
    new WebSocketServer({ server: http }).on("connection", (socket) => {
      socket.send('{"type":"OPEN"}');
      socket.on("message", (text) => (count += JSON.parse(text).type === "HEARTBEAT"));
    });
    http.listen(0, "127.0.0.1", () => {
      const { port } = http.address();
      const where = { host: "127.0.0.1", port, path: "/", secure: false, config: { iceServers: [] } };
      const peer = new Peer("a", { ...where, pingInterval });
      peer.on("open", () => setTimeout(() => { peer.destroy(); done(count); }, 1000));
    });
  });
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  console.log("socket.io-client, 1 hour:", await acknowledgement(3_600_000));
  console.log("socket.io-client, Infinity:", await acknowledgement(Infinity));
  const [all, early] = [await candidates(), await candidates(Infinity)];
  console.log("simple-peer, Infinity:", early < all ? "an offer with only some candidates" : "all candidates");
  console.log("PeerJS, 1 hour:", (await heartbeats(3_600_000)) ? "heartbeats" : "no heartbeat in 1 s");
  console.log("PeerJS, 35 days:", (await heartbeats(3_000_000_000)) > 50 ? "over 50 heartbeats in 1 s" : "few");
  process.exit();
})();
JS
cat >expected <<'TEXT'
socket.io-client, 1 hour: answered
socket.io-client, Infinity: operation has timed out
simple-peer, Infinity: an offer with only some candidates
PeerJS, 1 hour: no heartbeat in 1 s
PeerJS, 35 days: over 50 heartbeats in 1 s
TEXT
NODE_NO_WARNINGS=1 node run.cjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
