#!/usr/bin/env bash
# A reload of its configuration ends all websockets behind Caddy 2.6.2 and lighttpd 1.4.69 (Debian 12), and none behind
# nginx 1.22.1.
#
# Expected: a graceful reload (`caddy reload`, SIGUSR1, SIGHUP) leaves connections that are there alone, so that a new site or
# setting costs no Socket.IO client its session. Seen: nginx keeps them in its old worker process. Caddy closes every
# websocket at once, also when the change concerns another site, while polling goes on. lighttpd, with its option for
# graceful restarts, closes websockets and waiting polls some seconds later. All clients are gone within one moment, come
# back within the same seconds, and events under way are lost: a reload is a restart of the server for them.
#
# Needs Debian 12 with its package lists (apt-get update); the servers are unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
apt-get download -qq caddy nginx lighttpd 2>apt || { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { createServer, get } from "http";
import { mkdirSync, writeFileSync } from "fs";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const folder = process.cwd();

async function freePort() {
  const server = createServer();
  const port = await listen(server);
  await new Promise((done) => server.close(done));
  return port;
}

const http = createServer((_, response) => response.end("a page"));
new Server(http);
const behind = await listen(http);
const admin = await freePort();
const run = (program, ...rest) =>
  spawn(`system/usr/${program}`, rest, { stdio: "ignore", env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder } });

// Each begins with a port and a part that changes, and reloads.
const proxies = {
  caddy: {
    configure: (port, change) => writeFileSync("Caddyfile", `{\n admin 127.0.0.1:${admin}\n auto_https off\n}\n` +
      `http://127.0.0.1:${port} {\n reverse_proxy 127.0.0.1:${behind}\n}\n` +
      `http://other.test:${port} {\n respond "${change}"\n}\n`),
    start: () => run("bin/caddy", "run", "--config", "Caddyfile"),
    reload: () => new Promise((done) =>
      run("bin/caddy", "reload", "--config", "Caddyfile", "--address", `127.0.0.1:${admin}`).on("exit", done)),
  },
  lighttpd: {
    configure: (port, change) => writeFileSync("lighttpd.conf", [
      `server.document-root = "${folder}"`, 'server.bind = "127.0.0.1"', `server.port = ${port}`, `server.tag = "${change}"`,
      'server.modules = ("mod_proxy")', 'server.feature-flags = ("server.graceful-restart-bg" => "enable")',
      `proxy.server = ("" => (("host" => "127.0.0.1", "port" => ${behind})))`, 'proxy.header = ("upgrade" => "enable")', "",
    ].join("\n")),
    start: () => run("sbin/lighttpd", "-D", "-f", "lighttpd.conf", "-m", "system/usr/lib/lighttpd"),
    reload: (server) => server.kill("SIGUSR1"),
  },
  nginx: {
    configure: (port, change) => {
      mkdirSync("temporary", { recursive: true });
      const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path temporary/${name};`);
      writeFileSync("nginx.conf", `daemon off; pid pid; error_log log; worker_processes 1; events {}\n` +
        `http { access_log off; ${paths.join(" ")} server { listen 127.0.0.1:${port}; add_header x-change ${change};\n` +
        `location / { proxy_pass http://127.0.0.1:${behind}; proxy_http_version 1.1;\n` +
        `proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; } } }\n`);
    },
    start: () => run("sbin/nginx", "-p", folder, "-c", "nginx.conf", "-e", "log"),
    reload: (server) => server.kill("SIGHUP"),
  },
};

const answers = (port) => new Promise((done) =>
  get({ host: "127.0.0.1", port, path: "/page" }, (response) => done(response.resume().statusCode === 200))
    .on("error", () => done(false)));

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
for (const [name, { configure, start, reload }] of Object.entries(proxies)) {
  const port = await freePort();
  configure(port, "before");
  const server = start();
  while (!(await answers(port))) await wait(100);
  const ends = {};
  const clients = [];
  for (const transport of ["websocket", "polling"]) {
    for (let count = 0; count < 5; count += 1) {
      const client = io(`http://127.0.0.1:${port}`, { transports: [transport], forceNew: true, reconnection: false });
      client.on("disconnect", () => (ends[transport] = (ends[transport] ?? 0) + 1));
      clients.push(client);
      await new Promise((done) => client.on("connect", done));
    }
  }
  await wait(500);
  configure(port, "after");
  await reload(server);
  await wait(12_000);
  console.log(`${name}: ${ends.websocket ?? 0} of 5 websockets end, ${ends.polling ?? 0} of 5 polling clients`);
  const up = await answers(port);
  if (!up) console.log(`${name} does not answer any more`);
  for (const client of clients) client.close();
  const end = new Promise((done) => server.on("exit", done));
  server.kill("SIGTERM");
  await Promise.race([end, wait(10_000)]);
}
process.exit();
JS
cat >expected <<'TEXT'
caddy: 5 of 5 websockets end, 0 of 5 polling clients
lighttpd: 5 of 5 websockets end, 5 of 5 polling clients
nginx: 0 of 5 websockets end, 0 of 5 polling clients
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(for package in caddy lighttpd nginx; do echo -n "$package $(dpkg-deb -f $package\_*.deb Version), "; done)socket.io 4.8.4, Node $(node --version)"
