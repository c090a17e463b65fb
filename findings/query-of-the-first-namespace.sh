#!/usr/bin/env bash
# The second namespace that a page opens with socket.io-client 4.8.4 or 2.5.0 has the query and headers of the first,
# whatever is given to it; its `auth` is its own.
#
# Expected: `io("/b", { query: { id: "B" } })` connects to /b with id B. Seen: the options of a second namespace go to a
# manager that exists already, and are dropped without a word: the handshake of /b says id A. A page that names itself in the
# query, and differently in two namespaces, has the first name in both. A 2.x client sends a query of its own with each
# namespace, but socket.io 4.8.4 shows it as the `auth` of the handshake (such a client has no option `auth`), so that what
# its users wrote as a query is found there. What helps: `forceNew`, or `auth`.
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

async function handshakes(name) {
  const http = createServer();
  const server = new Server(http, { allowEIO3: true });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const seen = [];
  const clients = [];
  for (const [namespace, id] of [["/a", "A"], ["/b", "B"]]) {
    const connection = new Promise((done) => server.of(namespace).on("connection", done));
    const options = { query: { id }, ...(name === "client-4.8.4" && { auth: { id } }), extraHeaders: { "x-id": id }, transports: ["websocket"] };
    clients.push(require(name)(`http://127.0.0.1:${http.address().port}${namespace}`, options));
    const { query, auth, headers } = (await connection).handshake;
    seen.push(`${namespace} query ${query.id}, header ${headers["x-id"]}, auth ${auth?.id ?? "none"}`);
  }
  for (const client of clients) client.close();
  server.close();
  return seen.join("; ");
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  for (const name of ["client-2.5.0", "client-4.8.4"]) console.log(`${name}: ${await handshakes(name)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
client-2.5.0: /a query A, header A, auth A; /b query A, header A, auth B
client-4.8.4: /a query A, header A, auth A; /b query A, header A, auth B
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io 4.8.4, Node $(node --version)"
