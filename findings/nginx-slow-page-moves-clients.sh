#!/usr/bin/env bash
# Behind nginx 1.22 with sticky sessions one page that takes longer than `proxy_read_timeout` ends the sessions of all clients over polling.
#
# Expected: the slow page gets 504, and clients of Socket.IO, whose requests are answered in time, stay with their process, as `hash` or `ip_hash`
# is there for. Seen: with more than one process in `upstream` nginx holds the one that is slow for dead for 10 s (`max_fails` is 1,
# `fail_timeout` 10 s) and asks the next one for the page, which works on it as well, is as slow and is held for dead too. What belongs to a dead
# process goes to another, polls included: "Session ID unknown", and the session is lost, rooms and all. Clients over websocket notice
# nothing, so that it looks like a fault of polling. `max_fails=0` keeps all of them.
#
# Needs Debian 12 with its package lists (apt-get update); nginx is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
apt-get download -qq nginx 2>apt || { cat apt; exit 1; }
dpkg-deb -x nginx_*.deb system
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { writeFileSync } from "fs";
import { createServer, get } from "http";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const status = (url) => new Promise((done) => {
  get(url, (answer) => { answer.resume(); done(answer.statusCode); }).on("error", () => done(undefined));
});

// A process of the application, with a page that takes longer than nginx waits.
async function application(name) {
  const seen = { pages: 0 };
  const http = createServer((request, response) => {
    if (!request.url.startsWith("/slow")) return response.end("a page");
    seen.pages += 1;
    setTimeout(() => response.end("slow"), 12_000);
  });
  const server = new Server(http, { pingInterval: 500 });
  server.on("connection", (socket) => socket.emit("name", name));
  return { seen, port: await listen(http) };
}

async function client(url, user, transport) {
  const socket = io(url, { query: { user }, transports: [transport], forceNew: true });
  const seen = { transport, ends: 0, names: [] };
  socket.on("name", (name) => seen.names.push(name)).on("disconnect", () => (seen.ends += 1));
  await new Promise((done) => socket.on("connect", done));
  while (!seen.names.length) await wait(50);
  return { socket, seen, user };
}

async function show(name, option) {
  const applications = [await application("A"), await application("B")];
  const free = createServer();
  const port = await listen(free);
  await new Promise((done) => free.close(done));
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((path) => `${path}_temp_path ${path};`).join(" ");
  writeFileSync("nginx.conf", `daemon off; pid pid; error_log log; events {} http { access_log off; ${paths}
    upstream application { hash $arg_user; ${applications.map((a) => `server 127.0.0.1:${a.port} ${option};`).join(" ")} }
    server { listen 127.0.0.1:${port}; location / { proxy_pass http://application; proxy_read_timeout 6s; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; } } }`);
  const nginx = spawn("system/usr/sbin/nginx", ["-p", process.cwd(), "-c", "nginx.conf", "-e", "log"], { stdio: "inherit" });
  const url = `http://127.0.0.1:${port}`;
  while ((await status(`${url}/`)) !== 200) await wait(100);

  // Users until each process has two over polling and one over websocket.
  const groups = { "A, polling": [], "B, polling": [], "A, websocket": [], "B, websocket": [] };
  for (let user = 0; Object.values(groups).some((group) => group.length < 2) && user < 60; user += 1) {
    const transport = user % 2 ? "polling" : "websocket";
    const found = await client(url, user, transport);
    const group = groups[`${found.seen.names[0]}, ${transport}`];
    if (group.length < 2) group.push(found);
    else found.socket.close();
  }
  const slow = groups["A, polling"][0].user;
  const answer = await status(`${url}/slow?user=${slow}`);
  await wait(20_000);
  console.log(`${name}: the page ${answer}, asked of A ${applications[0].seen.pages} times and of B ${applications[1].seen.pages} times`);
  for (const [group, clients] of Object.entries(groups))
    console.log(`${name}, ${group}: ${clients.filter(({ seen }) => seen.ends > 0).length} of ${clients.length} thrown out`);
  for (const { socket } of Object.values(groups).flat()) socket.close();
  nginx.kill();
  await new Promise((done) => nginx.on("exit", done));
}

setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
await show("as it is", "");
await show("max_fails=0", "max_fails=0");
process.exit();
JS
cat >expected <<'TEXT'
as it is: the page 504, asked of A 1 times and of B 1 times
as it is, A, polling: 2 of 2 thrown out
as it is, B, polling: 2 of 2 thrown out
as it is, A, websocket: 0 of 2 thrown out
as it is, B, websocket: 0 of 2 thrown out
max_fails=0: the page 504, asked of A 1 times and of B 1 times
max_fails=0, A, polling: 0 of 2 thrown out
max_fails=0, B, polling: 0 of 2 thrown out
max_fails=0, A, websocket: 0 of 2 thrown out
max_fails=0, B, websocket: 0 of 2 thrown out
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: nginx $(dpkg-deb -f nginx_*.deb Version), socket.io 4.8.4, Node $(node --version)"
