#!/usr/bin/env bash
# In socket.io 4.8.4 the room 42 and the room "42" are two rooms, in 2.5.1 they were one.
#
# Expected: a room is a name, and `socket.join(user.id)` with a number from the database is the room that `io.to(request.params.id)`, a text
# from a URL, names. Seen: rooms have been the keys of an object, and are now those of a `Map`, where a number is no text. An
# emit, a `leave` or an `except` with the other kind does nothing, without an error: after an upgrade from 2.x
# notes reach nobody, a kicked member stays, and who was to be left out gets the message. TypeScript refuses the number; JavaScript does not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    old-server@npm:socket.io@2.5.1 old-client@npm:socket.io-client@2.5.0 socket.io@4.8.4 socket.io-client@4.8.4
cat >run.cjs <<'JS'
const { createServer } = require("http");

const wait = (time) => new Promise((done) => setTimeout(done, time));
setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  for (const [version, serve, connect] of [
    ["2.5.1", require("old-server"), require("old-client")],
    ["4.8.4", (http) => new (require("socket.io").Server)(http), require("socket.io-client")],
  ]) {
    const http = createServer();
    const server = serve(http);
    let socket;
    server.on("connection", (one) => {
      socket = one;
      socket.join(42);
    });
    await new Promise((done) => http.listen(0, "127.0.0.1", done));
    const client = connect(`http://127.0.0.1:${http.address().port}`);
    let heard = 0;
    client.on("news", () => (heard += 1));
    await new Promise((done) => client.on("connect", done));
    const attempt = async (what, act) => {
      heard = 0;
      await act();
      await wait(500);
      console.log(`${version}, joined 42, ${what}: ${heard} of 1 heard`);
    };
    await attempt("emit to 42", () => server.to(42).emit("news"));
    await attempt('emit to "42"', () => server.to("42").emit("news"));
    if (version === "4.8.4") await attempt('emit to all except "42"', () => server.except("42").emit("news"));
    await attempt('emit to 42 after leave("42")', async () => {
      socket.leave("42");
      await wait(100);
      server.to(42).emit("news");
    });
    client.close();
  }
  process.exit();
})();
JS
cat >expected <<'TEXT'
2.5.1, joined 42, emit to 42: 1 of 1 heard
2.5.1, joined 42, emit to "42": 1 of 1 heard
2.5.1, joined 42, emit to 42 after leave("42"): 0 of 1 heard
4.8.4, joined 42, emit to 42: 1 of 1 heard
4.8.4, joined 42, emit to "42": 0 of 1 heard
4.8.4, joined 42, emit to all except "42": 1 of 1 heard
4.8.4, joined 42, emit to 42 after leave("42"): 1 of 1 heard
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io 2.5.1 and 4.8.4, Node $(node --version)"
