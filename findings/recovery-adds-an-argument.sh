#!/usr/bin/env bash
# A server of socket.io 4.8.4 with `connectionStateRecovery` gives every event one argument more: python-socketio 5.18.1 calls no
# handler any longer whose parameters are counted.
#
# Expected: a recovery that a client does not know, as python-socketio's, changes nothing for it, and one that the client
# knows, as socket.io-client 4.8.4's, shows in `recovered` alone. Seen: each event without an acknowledgement ends with a text,
# the offset at which a recovery would begin, and every client gets it, whatever it can do. `def news(text)` is a TypeError
# in Python, which the log shows and the sender never learns. In JavaScript a handler of `(text, options = {})` gets a text as
# options, and `(...all)` and `onAny` one value more. Events that ask for an acknowledgement, volatile ones, and answers have
# none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 aiohttp==3.13.2 requests==2.32.5 websocket-client==1.9.0
cat >client.py <<'PY'
import sys

import socketio

client = socketio.Client()


@client.on("news")
def news(text):
    print(f"handled {text}", flush=True)


@client.on("question")
def question(text):
    print(f"handled {text}", flush=True)
    return "yes"


client.connect(sys.argv[1], wait_timeout=20)
client.wait()
PY
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const wait = (time) => new Promise((done) => setTimeout(done, time));
const words = new Set(["plain", "volatile", "asked"]);

// Starts a client and says what its handlers of one parameter see of an event, a volatile one, and a question.
async function session(options, start) {
  const http = createServer();
  const server = new Server(http, options);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const connection = new Promise((done) => server.on("connection", done));
  const said = [];
  const stop = start(`http://127.0.0.1:${http.address().port}`, said);
  const socket = await connection;
  await wait(500);
  socket.emit("news", "plain");
  await wait(300);
  socket.volatile.emit("news", "volatile");
  await wait(300);
  await socket.timeout(5000).emitWithAck("question", "asked");
  await wait(300);
  await stop();
  server.close();
  return said.join("; ");
}

function page(url, said) {
  const client = io(url);
  client.on("news", (...all) => said.push(`(${all.map((one) => (words.has(one) ? one : "an offset")).join(", ")})`));
  client.on("question", (...all) => { all.pop()("yes"); said.push(`(${all.join(", ")})`); });
  return () => client.close();
}

function python(url, said) {
  const program = spawn("python/bin/python", ["client.py", url], { stdio: ["ignore", "pipe", "pipe"] });
  program.stdout.on("data", (data) => said.push(...`${data}`.trim().split("\n").filter(Boolean)));
  let errors = "";
  program.stderr.on("data", (data) => (errors += data));
  return async () => {
    program.kill("SIGKILL");
    await new Promise((done) => program.on("close", done));
    said.unshift(...(errors.match(/^TypeError.*$/gm) ?? []));
  };
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  for (const [name, options] of [["without recovery", {}], ["with recovery", { connectionStateRecovery: {} }]]) {
    console.log(`${name}, socket.io-client: ${await session(options, page)}`);
    console.log(`${name}, python-socketio: ${await session(options, python)}`);
  }
  process.exit();
})();
JS
cat >expected <<'TEXT'
without recovery, socket.io-client: (plain); (volatile); (asked)
without recovery, python-socketio: handled plain; handled volatile; handled asked
with recovery, socket.io-client: (plain, an offset); (volatile); (asked)
with recovery, python-socketio: TypeError: news() takes 1 positional argument but 2 were given; handled volatile; handled asked
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, python-socketio 5.18.1, Node $(node --version)"
