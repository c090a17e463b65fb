#!/usr/bin/env bash
# coturn 4.6.1 with a `--bps-capacity` of 300,000 and a `--max-bps` of 100,000 gives three relays and refuses the fourth, though nobody has
# sent a byte.
#
# Expected: the capacity bounds what the server carries at a time, so that idle allocations cost none of it, and `--max-bps` bounds
# what one of them may carry. Seen: each allocation takes its `--max-bps` away from the capacity for as long as it lives, so that the
# quotient of the two is the number of users; the next one gets 486 and no relayed candidate. A page that vanished without
# a word holds its share until its allocation ends, ten minutes by default; one that gives it back frees it. A single
# allocation is granted even if its `--max-bps` is more than the whole capacity. Both count bytes, in spite of their names.
#
# Needs Debian 12 with its package lists (apt-get update); coturn is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq coturn libevent-core-2.1-7 libevent-extra-2.1-7 libevent-openssl-2.1-7 libevent-pthreads-2.1-7 \
    libhiredis0.14 libmariadb3 libpq5 libsqlite3-0 libldap-2.5-0 libsasl2-2 libgssapi-krb5-2 libkrb5-3 libk5crypto3 \
    libkrb5support0 libkeyutils1 libcom-err2 libssl3 2>apt || { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
libraries=$(echo "$folder"/system/usr/lib/*-linux-gnu)
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createHash, createHmac, randomBytes } = require("crypto");
const { createSocket } = require("dgram");

// A client of a TURN server that allocates (3) and refreshes (4), and resolves to "granted" or the code of an error.
class Client {
  socket = createSocket("udp4");
  realm = Buffer.alloc(0);

  constructor(port) {
    this.port = port;
  }

  attribute(type, value) {
    const head = Buffer.from([type >> 8, type & 255, value.length >> 8, value.length & 255]);
    return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
  }

  async ask(method, lifetime, patience = 5000) {
    const id = randomBytes(12);
    const message = (body, length) =>
      Buffer.concat([Buffer.from([0, method, length >> 8, length & 255, 0x21, 0x12, 0xa4, 0x42]), id, body]);
    let body = this.attribute(0x0d, Buffer.from([0, 0, lifetime >> 8, lifetime & 255]));
    if (method === 3) body = Buffer.concat([body, this.attribute(0x19, Buffer.from([17, 0, 0, 0]))]);
    if (this.nonce) {
      const user = [[0x06, Buffer.from("alice")], [0x14, this.realm], [0x15, this.nonce]];
      body = Buffer.concat([body, ...user.map(([type, value]) => this.attribute(type, value))]);
      const key = createHash("md5").update(`alice:${this.realm}:sesame`).digest();
      const digest = createHmac("sha1", key).update(message(body, body.length + 24)).digest();
      body = Buffer.concat([body, this.attribute(0x08, digest)]);
    }
    const answer = await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error("no answer")), patience);
      this.socket.once("message", (answer) => {
        clearTimeout(timer);
        done(answer);
      });
      this.socket.send(message(body, body.length), this.port, "127.0.0.1");
    });
    const found = new Map();
    for (let at = 20; at + 4 <= answer.length;) {
      const length = answer.readUInt16BE(at + 2);
      found.set(answer.readUInt16BE(at), answer.subarray(at + 4, at + 4 + length));
      at += 4 + Math.ceil(length / 4) * 4;
    }
    const error = found.get(0x09);
    this.realm = found.get(0x14) ?? this.realm;
    this.nonce = found.get(0x15) ?? this.nonce;
    return error ? error[2] * 100 + error[3] : "granted";
  }

  async allocate() {
    await this.ask(3, 600);
    return this.ask(3, 600);
  }
}

// Runs coturn on a free port with these options.
async function coturn(options, use) {
  const free = createSocket("udp4");
  const port = await new Promise((done) => free.bind(0, "127.0.0.1", () => done(free.address().port)));
  await new Promise((done) => free.close(done));
  const server = spawn("system/usr/bin/turnserver", [
    "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", `--listening-port=${port}`, "--realm=here", "--no-cli",
    "--no-tls", "--no-dtls", "--log-file=stdout", "--pidfile=pid", "--userdb=users", "--lt-cred-mech", "--user=alice:sesame", ...options,
  ], { stdio: "ignore", env: { ...process.env, LD_LIBRARY_PATH: process.argv[2] } });
  for (let tries = 0; ; tries += 1) {
    await new Promise((done) => setTimeout(done, 300));
    const answers = await new Client(port).ask(3, 600, 300).catch(() => false);
    if (answers) break;
    if (tries > 100) throw new Error("coturn does not answer");
  }
  await use(port);
  server.kill();
}

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
(async () => {
  await coturn(["--max-bps=100000"], async (port) => {
    const codes = [];
    for (let count = 0; count < 5; count += 1) codes.push(await new Client(port).allocate());
    console.log(`100,000 each: ${codes.join(", ")}`);
  });
  await coturn(["--max-bps=100000", "--bps-capacity=300000"], async (port) => {
    const clients = Array.from({ length: 5 }, () => new Client(port));
    const codes = [];
    for (const client of clients) codes.push(await client.allocate());
    console.log(`100,000 each of 300,000: ${codes.join(", ")}`);
    console.log(`the first one ends: ${await clients[0].ask(4, 0)}`);
    let sixth;
    for (let tries = 0; sixth !== "granted" && tries < 30; tries += 1) {
      await new Promise((done) => setTimeout(done, 1000));
      sixth = await new Client(port).allocate();
    }
    console.log(`a sixth one a moment later: ${sixth}, a seventh one: ${await new Client(port).allocate()}`);
  });
  await coturn(["--max-bps=400000", "--bps-capacity=300000"], async (port) => {
    const codes = [];
    for (let count = 0; count < 2; count += 1) codes.push(await new Client(port).allocate());
    console.log(`400,000 each of 300,000: ${codes.join(", ")}`);
  });
  process.exit();
})();
JS
cat >expected <<'TEXT'
100,000 each: granted, granted, granted, granted, granted
100,000 each of 300,000: granted, granted, granted, 486, 486
the first one ends: granted
a sixth one a moment later: granted, a seventh one: 486
400,000 each of 300,000: granted, 486
TEXT
node run.cjs "$libraries" | tee seen
diff expected seen && echo "as described: coturn $(dpkg-deb -f coturn_*.deb Version), Node $(node --version)"
