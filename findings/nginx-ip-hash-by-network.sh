#!/usr/bin/env bash
# nginx 1.22 with `ip_hash`, the usual way to sticky sessions for Socket.IO, sends all clients of one network of 256 addresses to one process.
#
# Expected: each address has its process, and a hundred addresses are spread over four processes. Seen: of an IPv4 address nginx
# hashes the first three numbers. All of an office, of a cluster whose pods or gateways share a network, or behind one proxy's
# addresses are at one process while the others idle, and a load test from a few machines side by side measures one process.
# `hash $remote_addr consistent;` takes the whole address and is as sticky.
#
# Needs Debian 12 with its package lists (apt-get update); nginx is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4
apt-get download -qq nginx 2>apt || { cat apt; exit 1; }
dpkg-deb -x nginx_*.deb system
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { writeFileSync } from "fs";
import { createServer, request } from "http";
import { Server } from "socket.io";

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
const sessions = [0, 0, 0, 0];
const ports = [];
for (const index of sessions.keys()) {
  const http = createServer();
  new Server(http).engine.on("connection", () => (sessions[index] += 1));
  ports.push(await listen(http));
}
// Opens a session from a loopback address; false if nobody answers.
const open = (port, localAddress) => new Promise((done) => {
  const options = { host: "127.0.0.1", port, localAddress, agent: false, path: "/socket.io/?EIO=4&transport=polling" };
  request(options, (response) => response.on("end", () => done(response.statusCode === 200)).resume())
    .on("error", () => done(false)).end();
});
for (const balance of ["ip_hash", "hash $remote_addr consistent"]) {
  const free = createServer();
  const port = await listen(free);
  await new Promise((done) => free.close(done));
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${name};`).join(" ");
  writeFileSync("nginx.conf", `daemon off; pid pid; error_log log; events {} http { access_log off; ${paths}
    upstream processes { ${balance}; ${ports.map((one) => `server 127.0.0.1:${one};`).join(" ")} }
    server { listen 127.0.0.1:${port}; location / { proxy_pass http://processes; } } }`);
  const nginx = spawn("system/usr/sbin/nginx", ["-p", process.cwd(), "-c", "nginx.conf", "-e", "log"], { stdio: "inherit" });
  process.on("exit", () => nginx.kill());
  while (!(await open(port))) await new Promise((done) => setTimeout(done, 100));
  for (const [what, address] of [["one network", (index) => `127.0.0.${index + 2}`], ["100 networks", (index) => `127.0.${index + 1}.1`]]) {
    sessions.fill(0);
    for (let index = 0; index < 100; index += 1) await open(port, address(index));
    const used = sessions.filter((count) => count > 10).length;
    console.log(`${balance}, 100 clients of ${what}: ${sessions.reduce((sum, count) => sum + count)} sessions at ${used} of 4 processes`);
  }
  nginx.kill();
  await new Promise((done) => nginx.on("exit", done));
}
process.exit();
JS
cat >expected <<'TEXT'
ip_hash, 100 clients of one network: 100 sessions at 1 of 4 processes
ip_hash, 100 clients of 100 networks: 100 sessions at 4 of 4 processes
hash $remote_addr consistent, 100 clients of one network: 100 sessions at 4 of 4 processes
hash $remote_addr consistent, 100 clients of 100 networks: 100 sessions at 4 of 4 processes
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: $(system/usr/sbin/nginx -v 2>&1), socket.io 4.8.4, Node $(node --version)"
