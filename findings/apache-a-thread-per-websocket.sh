#!/usr/bin/env bash
# Apache 2.4 (Debian 12, MPM event) as a proxy holds a worker thread for each websocket, also for an idle one.
#
# Expected: the MPM is called "event" because idle connections need no thread, so that some hundred websockets that say
# something every 25 s cost next to nothing. Seen: of twelve idle keep-alive connections none is a busy worker in Apache's own
# status, of eight websockets of socket.io-client, all of them silent, every one. Debian's MaxRequestWorkers is 150: with as many
# pages of a Socket.IO server online none is left for the rest of the site, and the log says so once ("server reached
# MaxRequestWorkers setting").
#
# Needs Debian 12 with its package lists (apt-get update); Apache is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
apt-get download -qq apache2-bin libapr1 libaprutil1 libjansson4 liblua5.3-0 libbrotli1 libnghttp2-14 libcurl4 \
    libldap-2.5-0 libsasl2-2 2>apt || { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
libraries=$(echo "$folder"/system/usr/lib/*-linux-gnu)
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { writeFileSync } = require("fs");
const { Agent, createServer, get } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));

// The text of a page, asked for by a connection that stays open afterwards if an agent is given.
const page = (port, agent, path = "/page") => new Promise((done) => {
  const request = get({ host: "127.0.0.1", port, path, agent }, async (response) => {
    let text = "";
    for await (const piece of response) text += piece;
    done(text);
  });
  request.on("error", () => done(""));
});

// Workers that do something, without the one that answers this.
const busy = async (port) => {
  const text = await page(port, undefined, "/server-status?auto");
  return Number(/^BusyWorkers: (\d+)$/m.exec(text)[1]) - 1;
};
const settled = async (port) => {
  let last = -1;
  for (;;) {
    const now = await busy(port);
    if (now === last) return now;
    last = now;
    await new Promise((done) => setTimeout(done, 1000));
  }
};

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  const http = createServer((_, response) => response.end("a page"));
  new Server(http);
  const behind = await listen(http);
  const free = createServer();
  const port = await listen(free);
  await new Promise((done) => free.close(done));
  const module = (name) => `LoadModule ${name}_module system/usr/lib/apache2/modules/mod_${name}.so`;
  writeFileSync("httpd.conf", [
    `ServerRoot ${process.cwd()}`, "ServerName localhost", `Listen 127.0.0.1:${port}`, "PidFile pid", "ErrorLog log",
    `DefaultRuntimeDir ${process.cwd()}`,
    ...["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "status"].map(module),
    "StartServers 1", "ServerLimit 1", "ThreadsPerChild 25", "MaxRequestWorkers 25", "MinSpareThreads 1", "MaxSpareThreads 25",
    "KeepAliveTimeout 60", "<Location /server-status>", "SetHandler server-status", "</Location>",
    "ProxyPass /server-status !", `ProxyPass / http://127.0.0.1:${behind}/ upgrade=websocket`, "",
  ].join("\n"));
  const apache = spawn("system/usr/sbin/apache2", ["-f", `${process.cwd()}/httpd.conf`, "-DFOREGROUND"], {
    stdio: "ignore",
    env: { ...process.env, LD_LIBRARY_PATH: process.argv[2] },
  });
  for (let tries = 0; (await page(port)) !== "a page" && tries < 50; tries += 1)
    await new Promise((done) => setTimeout(done, 200));

  const agents = Array.from({ length: 12 }, () => new Agent({ keepAlive: true }));
  for (const agent of agents) await page(port, agent);
  console.log(`12 idle keep-alive connections: ${await settled(port)} busy workers`);
  for (const agent of agents) agent.destroy();

  const clients = [];
  for (let count = 1; count <= 8; count += 1) {
    const client = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true });
    clients.push(client);
    await new Promise((done) => client.on("connect", done));
  }
  console.log(`8 idle websockets: ${await settled(port)} busy workers`);
  for (const client of clients.slice(0, 4)) client.close();
  await new Promise((done) => setTimeout(done, 1000));
  console.log(`when four have ended: ${await settled(port)} busy workers`);
  apache.kill();
  await new Promise((done) => apache.on("exit", done));
  process.exit();
})();
JS
cat >expected <<'TEXT'
12 idle keep-alive connections: 0 busy workers
8 idle websockets: 8 busy workers
when four have ended: 4 busy workers
TEXT
node run.cjs "$libraries" | tee seen
diff expected seen && echo "as described: apache2-bin $(dpkg-deb -f apache2-bin_*.deb Version), socket.io 4.8.4, Node $(node --version)"
