#!/usr/bin/env bash
# socket.io-client 2.5.0 and 4.8.4 send a missing value in `query` as the text "undefined", or "null": a page without an id has
# the id "undefined", as all other such pages.
#
# Expected: `query: { id: undefined }` is left out, as `auth` and JSON leave it out, and a list arrives as a list. Seen: each
# value is made a text: `undefined` and `null` (what `localStorage.getItem` gives the first time) pass every check for a
# missing id, a list is "1,2", an object "[object Object]". So the second page without an id meets the first where ids are
# unique. In `auth` (4.8.4) each value arrives as JSON has it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 \
    client-2.5.0@npm:socket.io-client@2.5.0 client-4.8.4@npm:socket.io-client@4.8.4
cat >run.cjs <<'JS'
const { createServer } = require("http");
const { Server } = require("socket.io");

const values = { absent: undefined, nothing: null, list: [1, 2], object: { a: 1 } };

async function handshake(name) {
  const http = createServer();
  const server = new Server(http, { allowEIO3: true });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const connection = new Promise((done) => server.on("connection", done));
  const client = require(name)(`http://127.0.0.1:${http.address().port}`, { query: values, auth: values });
  const { query, auth } = (await connection).handshake;
  client.close();
  server.close();
  const shown = Object.fromEntries(Object.keys(values).map((key) => [key, query[key]]));
  return name === "client-4.8.4" ? [shown, auth] : [shown];
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  for (const name of ["client-2.5.0", "client-4.8.4"]) {
    const [query, auth] = (await handshake(name)).map((each) => JSON.stringify(each));
    console.log(`${name}, query: ${query}`);
    if (auth) console.log(`${name}, auth: ${auth}`);
  }
  process.exit();
})();
JS
cat >expected <<'TEXT'
client-2.5.0, query: {"absent":"undefined","nothing":"null","list":"1,2","object":"[object Object]"}
client-4.8.4, query: {"absent":"undefined","nothing":"null","list":"1,2","object":"[object Object]"}
client-4.8.4, auth: {"nothing":null,"list":[1,2],"object":{"a":1}}
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io 4.8.4, Node $(node --version)"
