#!/usr/bin/env bash
# A middleware of `io.engine.use` in socket.io 4.8.4 keeps no session for a client that begins with a websocket: cookie-session 2.1.1 loses the
# signature, express-session 1.19.0 stores nothing, and a refusal arrives without its status.
#
# Expected: there is one way to add a middleware, so that cookies, sessions and refusals are alike by both transports. Seen: by a poll
# two cookies come in a header each; in the answer to a websocket they are one header with a comma between, of which a client keeps the
# first. cookie-session puts the signature into the second, and takes a session without one for none. express-session sends its cookie, but
# stores the session when an answer ends, which this one never does: `request.session.save()` must be called. So a user is new at each
# visit. The default begins with a poll; it shows with `transports: ["websocket"]` only. With `response.appendHeader`, which Node has
# for this, every websocket gets 400, and a 401 that a middleware writes is a connection that breaks off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    socket.io@4.8.4 ws@8.18.3 cookie-session@2.1.1 express-session@1.19.0 tough-cookie@6.0.0
cat >run.cjs <<'JS'
const cookieSession = require("cookie-session");
const expressSession = require("express-session");
const { createServer, get } = require("http");
const { Server } = require("socket.io");
const { CookieJar } = require("tough-cookie");
const WebSocket = require("ws");

// What the answer to a handshake says: its status and headers, or how it failed.
const handshakes = {
  poll: (url, headers) => new Promise((done) => {
    get(`${url}/socket.io/?EIO=4&transport=polling`, { headers }, (answer) => {
      answer.resume();
      done({ status: answer.statusCode, headers: answer.headers });
    }).on("error", () => done({ status: "broken off", headers: {} }));
  }),
  websocket: (url, headers) => new Promise((done) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, { headers });
    const end = (status, answer) => {
      done({ status, headers: answer?.headers ?? {} });
      socket.terminate();
    };
    socket.on("upgrade", (answer) => end(200, answer));
    socket.on("unexpected-response", (_, answer) => end(answer.statusCode, answer));
    socket.on("error", () => end("broken off"));
  }),
};

const count = (request, _, next) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  visits.push(request.session.visits);
  next();
};
let visits;
const middlewares = {
  "cookie-session": [cookieSession({ keys: ["secret"] }), count],
  "express-session": [expressSession({ secret: "secret", resave: false, saveUninitialized: true }), count],
  "express-session, saved": [
    expressSession({ secret: "secret", resave: false, saveUninitialized: true }), count, (request, _, next) => request.session.save(next),
  ],
  "two cookies": [(_, response, next) => { response.setHeader("Set-Cookie", ["a=1", "b=2"]); next(); }],
  "appendHeader": [(_, response, next) => { response.appendHeader("Set-Cookie", "a=1"); next(); }],
  "a refusal": [(_, response) => { response.writeHead(401); response.end("no"); }],
};

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  for (const [name, functions] of Object.entries(middlewares)) {
    for (const [transport, handshake] of Object.entries(handshakes)) {
      const http = createServer();
      const server = new Server(http);
      for (const middleware of functions) server.engine.use(middleware);
      await new Promise((done) => http.listen(0, "127.0.0.1", done));
      const url = `http://127.0.0.1:${http.address().port}`;
      const jar = new CookieJar();
      visits = [];
      let status;
      for (let visit = 1; visit <= 3; visit += 1) {
        const cookie = await jar.getCookieString(url);
        const answer = await handshake(url, cookie ? { cookie } : {});
        status = answer.status;
        for (const line of answer.headers["set-cookie"] ?? []) await jar.setCookie(line, url);
      }
      const kept = (await jar.getCookies(url)).map((cookie) => cookie.key).sort().join(", ");
      console.log(`${name}, ${transport}: ${status}; cookies: ${kept || "none"}${visits.length ? `; visits: ${visits.join(", ")}` : ""}`);
    }
  }
  process.exit();
})();
JS
cat >expected <<'TEXT'
cookie-session, poll: 200; cookies: session, session.sig; visits: 1, 2, 3
cookie-session, websocket: 200; cookies: session; visits: 1, 1, 1
express-session, poll: 200; cookies: connect.sid; visits: 1, 2, 3
express-session, websocket: 200; cookies: connect.sid; visits: 1, 1, 1
express-session, saved, poll: 200; cookies: connect.sid; visits: 1, 2, 3
express-session, saved, websocket: 200; cookies: connect.sid; visits: 1, 2, 3
two cookies, poll: 200; cookies: a, b
two cookies, websocket: 200; cookies: a
appendHeader, poll: 200; cookies: a
appendHeader, websocket: 400; cookies: none
a refusal, poll: 401; cookies: none
a refusal, websocket: broken off; cookies: none
TEXT
node run.cjs 2>log | tee seen
diff expected seen && echo "as described: socket.io 4.8.4, cookie-session 2.1.1, Node $(node --version)"
