#!/usr/bin/env bash
# coturn 4.6.1: as soon as a shared secret is set, no user with a password of its own gets in any more.
#
# Expected: `--use-auth-secret` adds names that expire to those of `--user`, so that an operator tries the new way while
# old clients go on with the old; with `--lt-cred-mech` beside it at the latest. Seen: with the secret, the user is refused
# with 401 in either case, and nothing at the start says that `--user` has no effect. Without the secret it is granted.
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

// Asks a TURN server for an allocation, and resolves to "granted" or the code of its error.
async function allocate(port, user, password, socket = createSocket("udp4"), patience = 5000) {
  const attribute = (type, value) => {
    const head = Buffer.from([type >> 8, type & 255, value.length >> 8, value.length & 255]);
    return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
  };
  const ask = (attributes, key) => new Promise((done, fail) => {
    const id = randomBytes(12);
    const message = (body, length) =>
      Buffer.concat([Buffer.from([0, 3, length >> 8, length & 255, 0x21, 0x12, 0xa4, 0x42]), id, body]);
    let body = Buffer.concat([attribute(0x19, Buffer.from([17, 0, 0, 0])), ...attributes]);
    if (key) {
      const digest = createHmac("sha1", key).update(message(body, body.length + 24)).digest();
      body = Buffer.concat([body, attribute(0x08, digest)]);
    }
    const timer = setTimeout(() => fail(new Error("no answer")), patience);
    socket.once("message", (answer) => {
      clearTimeout(timer);
      const found = new Map();
      for (let at = 20; at + 4 <= answer.length;) {
        const length = answer.readUInt16BE(at + 2);
        found.set(answer.readUInt16BE(at), answer.subarray(at + 4, at + 4 + length));
        at += 4 + Math.ceil(length / 4) * 4;
      }
      const error = found.get(0x09);
      done({ code: error ? error[2] * 100 + error[3] : "granted", realm: found.get(0x14), nonce: found.get(0x15) });
    });
    socket.send(message(body, body.length), port, "127.0.0.1");
  });
  const { realm, nonce } = await ask([]);
  const key = createHash("md5").update(`${user}:${realm}:${password}`).digest();
  const { code } = await ask([attribute(0x06, Buffer.from(user)), attribute(0x14, realm), attribute(0x15, nonce)], key);
  return code;
}

// The password that goes with a user name by the server's secret.
const password = (user) => createHmac("sha1", "sesame").update(user).digest("base64");

// Runs coturn on a free port with these options.
async function coturn(options, use) {
  const free = createSocket("udp4");
  const port = await new Promise((done) => free.bind(0, "127.0.0.1", () => done(free.address().port)));
  await new Promise((done) => free.close(done));
  const server = spawn("system/usr/bin/turnserver", [
    "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", `--listening-port=${port}`, "--realm=here", "--no-cli",
    "--no-tls", "--no-dtls", "--log-file=stdout", "--pidfile=pid", "--userdb=users", ...options,
  ], { stdio: "ignore", env: { ...process.env, LD_LIBRARY_PATH: process.argv[2] } });
  for (let tries = 0; ; tries += 1) {
    await new Promise((done) => setTimeout(done, 300));
    const answers = await allocate(port, "nobody", "nothing", createSocket("udp4"), 300).catch(() => false);
    if (answers) break;
    if (tries > 30) throw new Error("coturn does not answer");
  }
  await use(port);
  server.kill();
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  const user = `${Math.floor(Date.now() / 1000) + 600}:bob`;
  const secret = ["--use-auth-secret", "--static-auth-secret=sesame"];
  for (const [name, options] of Object.entries({
    "--lt-cred-mech": ["--lt-cred-mech"],
    "the secret": secret,
    "--lt-cred-mech and the secret": ["--lt-cred-mech", ...secret],
  }))
    await coturn([...options, "--user=alice:wonderland"], async (port) => {
      const [fixed, expiring] = [
        await allocate(port, "alice", "wonderland"), await allocate(port, user, password(user)),
      ];
      console.log(`with ${name}: alice of --user ${fixed}, a name that expires ${expiring}`);
    });
  process.exit();
})();
JS
cat >expected <<'TEXT'
with --lt-cred-mech: alice of --user granted, a name that expires 401
with the secret: alice of --user 401, a name that expires granted
with --lt-cred-mech and the secret: alice of --user 401, a name that expires granted
TEXT
node run.cjs "$libraries" | tee seen
diff expected seen && echo "as described: coturn $(dpkg-deb -f coturn_*.deb Version), Node $(node --version)"
