#!/usr/bin/env bash
# A virtual user of artillery 2.0.34 whom the server has disconnected goes on, its events are counted, and it is reported as completed.
#
# Expected: a user whose connection has ended fails, with an error in the report, as one that cannot connect or whose answer does not come
# does. Seen: artillery counts calls of `emit`. Events of a user who is not connected go nowhere and into the same figure; the
# report of a test in which the server threw everybody out reads "failed: 0", with all its events per second. A `response`
# that is waited for makes users fail if it stands beside the `emit`; inside it, it is ignored without a word.
#
# Installs about 460 MB in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent artillery@2.0.34 socket.io@4.8.4
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { readFileSync, writeFileSync } = require("fs");
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
const server = new Server(http);
let events;
server.on("connection", (socket) => {
  socket.on("leave", () => socket.disconnect(true));
  socket.on("work", (value, answer) => {
    events += 1;
    if (answer) answer(value);
  });
});

const flows = {
  "nobody leaves": "[{ think: 2 }, { emit: [work, one] }, { think: 2 }]",
  "all are thrown out": "[{ emit: [leave, now] }, { think: 2 }, { emit: [work, one] }, { think: 2 }]",
  "no answer, response inside": "[{ emit: { channel: work, data: 1, response: { channel: done, data: 1 } } }, { think: 2 }]",
  "no answer, response beside": "[{ emit: { channel: work, data: 1 }, response: { channel: done, data: 1 } }, { think: 2 }]",
};

setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
http.listen(0, "127.0.0.1", async () => {
  for (const [name, flow] of Object.entries(flows)) {
    events = 0;
    writeFileSync("test.yml", `config:
  target: http://127.0.0.1:${http.address().port}
  phases: [{ duration: 1, arrivalCount: 3 }]
scenarios: [{ engine: socketio, flow: ${flow} }]
`);
    const artillery = spawn("node_modules/.bin/artillery", ["run", "--output", "report.json", "test.yml"], {
      stdio: "ignore", env: { ...process.env, ARTILLERY_DISABLE_TELEMETRY: "true" },
    });
    await new Promise((done) => artillery.on("exit", done));
    const { counters } = JSON.parse(readFileSync("report.json")).aggregate;
    const count = (key) => counters[key] ?? 0;
    console.log(`${name}: ${count("socketio.emit")} emits, ${count("vusers.completed")} completed, ${count("vusers.failed")} failed; ` +
      `the server had "work" ${events} times`);
  }
  process.exit();
});
JS
cat >expected <<'TEXT'
nobody leaves: 3 emits, 3 completed, 0 failed; the server had "work" 3 times
all are thrown out: 6 emits, 3 completed, 0 failed; the server had "work" 0 times
no answer, response inside: 3 emits, 3 completed, 0 failed; the server had "work" 3 times
no answer, response beside: 3 emits, 0 completed, 3 failed; the server had "work" 3 times
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: artillery 2.0.34, socket.io 4.8.4, Node $(node --version)"
