#!/usr/bin/env bash
# In Node socket.io-client 4.8.4 with `withCredentials` and any `extraHeaders` repeats the cookies of all its earlier connections, the oldest
# first, and over polling leaves the application's own cookie out.
#
# Expected: one cookie of a name, the newest, as in a browser and as without `extraHeaders`; a cookie that the application
# gives is sent beside it. Seen: the upgrade writes the cookies that it knows into the application's own object. After three reconnects
# behind a load balancer that marks each connection the fourth asks for a websocket with `node=1; node=2; node=3; node=4`: who takes the first of them
# sends it to the process of three connections ago, and the header grows with each reconnect. The request
# that opens the session carries old cookies too. And a cookie in `extraHeaders`, such as a login, is replaced over polling
# as soon as the server has set any cookie: the first request and the upgrade have it, the polls between do not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
cat >run.mjs <<'JS'
import { createServer } from "http";
import { Server } from "socket.io";
import { io } from "socket.io-client";

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);

async function attempt(what, extraHeaders) {
  const http = createServer();
  const server = new Server(http);
  // As a load balancer does, a cookie with each session; here it counts them.
  let sessions = 0;
  server.engine.on("initial_headers", (headers) => (headers["set-cookie"] = [`node=${(sessions += 1)}; Path=/`]));
  let seen = {};
  const note = (kind) => (request) => (seen[kind] = request.headers.cookie ?? "none");
  http.prependListener("request", (request) => {
    if (request.method === "POST") note("polling")(request);
    else if (!request.url.includes("sid=")) note("opening")(request);
  });
  http.on("upgrade", note("upgrade"));
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, {
    forceNew: true, withCredentials: true, reconnectionDelay: 100, ...(extraHeaders && { extraHeaders }),
  });
  for (let count = 1; count <= 4; count += 1) {
    const socket = await new Promise((done) => server.once("connection", done));
    if (socket.conn.transport.name === "polling") await new Promise((done) => socket.conn.once("upgrade", done));
    if (count === 1 || count === 4) {
      console.log(`${what}, connection ${count}: opening ${seen.opening} | polling ${seen.polling} | upgrade ${seen.upgrade}`);
    }
    seen = {};
    socket.conn.close();
  }
  client.close();
  server.close();
}
await attempt("no extraHeaders");
await attempt("another header", { "x-app": "mine" });
await attempt("a cookie", { cookie: "login=yes" });
process.exit();
JS
cat >expected <<'TEXT'
no extraHeaders, connection 1: opening none | polling node=1 | upgrade node=1
no extraHeaders, connection 4: opening none | polling node=4 | upgrade node=4
another header, connection 1: opening none | polling node=1 | upgrade node=1
another header, connection 4: opening node=1; node=2; node=3 | polling node=4 | upgrade node=1; node=2; node=3; node=4
a cookie, connection 1: opening login=yes | polling node=1 | upgrade login=yes; node=1
a cookie, connection 4: opening login=yes; node=1; node=2; node=3 | polling node=4 | upgrade login=yes; node=1; node=2; node=3; node=4
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
