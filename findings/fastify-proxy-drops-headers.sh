#!/usr/bin/env bash
# @fastify/http-proxy 11.6.3 with `websocket: true` passes the headers of polls on, and of websockets only the cookie.
#
# Expected: a proxy in front of Socket.IO hands the handshake on, `Authorization`, `Origin`, `User-Agent` and a proxy's `X-Forwarded-For`
# with it, whichever transport carries it. Seen: over polling all of them arrive, over a websocket the proxy makes a
# request of its own that repeats the cookie and nothing else. A server that looks a client up by `Authorization`, or limits by address, works
# with the default transports, since their handshake is a poll, and fails when a client says `transports: ["websocket"]`.
# `wsClientOptions.rewriteRequestHeaders` is where they can be put back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    @fastify/http-proxy@11.6.3 fastify@5.6.1 socket.io@4.8.4 socket.io-client@4.8.4
cat >run.mjs <<'JS'
import Fastify from "fastify";
import proxy from "@fastify/http-proxy";
import { createServer } from "http";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const sent = {
  authorization: "Bearer 1", cookie: "a=1", origin: "http://page.example", "user-agent": "tester", "x-forwarded-for": "192.0.2.1", "x-own": "1",
};

const http = createServer();
const server = new Server(http);
server.on("connection", (socket) => {
  const { headers } = socket.handshake;
  socket.emit("headers", Object.keys(sent).filter((name) => headers[name]?.startsWith(sent[name])));
});
setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const upstream = `http://127.0.0.1:${http.address().port}`;
const put = { rewriteRequestHeaders: (headers, request) => ({ ...request.headers, ...headers }) };
for (const [way, options] of [["as it is", {}], ["put back", { wsClientOptions: put }]]) {
  const front = Fastify();
  await front.register(proxy, { upstream, websocket: true, ...options });
  await front.listen({ port: 0, host: "127.0.0.1" });
  for (const transports of [["polling"], ["polling", "websocket"], ["websocket"]]) {
    const client = io(`http://127.0.0.1:${front.server.address().port}`, { transports, extraHeaders: sent, forceNew: true, reconnection: false });
    const names = await new Promise((done) => {
      client.on("headers", done).on("connect_error", (error) => done([`no connection: ${error.message}`]));
    });
    console.log(`${way}, ${transports.join(" and ")}: ${names.join(", ")}`);
    client.close();
  }
}
process.exit();
JS
cat >expected <<'TEXT'
as it is, polling: authorization, cookie, origin, user-agent, x-forwarded-for, x-own
as it is, polling and websocket: authorization, cookie, origin, user-agent, x-forwarded-for, x-own
as it is, websocket: cookie
put back, polling: authorization, cookie, origin, user-agent, x-forwarded-for, x-own
put back, polling and websocket: authorization, cookie, origin, user-agent, x-forwarded-for, x-own
put back, websocket: authorization, cookie, origin, user-agent, x-forwarded-for, x-own
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: @fastify/http-proxy 11.6.3, socket.io 4.8.4, Node $(node --version)"
