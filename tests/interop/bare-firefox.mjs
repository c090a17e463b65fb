// RTCPeerConnections of a page of headless Firefox, driven by lines of JSON: those of bare-orders.mjs, after
// {"event":"ready","version":…}. Firefox ends with stdin, and when this process is killed.
//
//   node bare-firefox.mjs
//
// Firefox opens a page of this process, and the lines travel over a websocket of that page.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';
import { startBare } from './bare-orders.mjs';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const settings = {
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.peerconnection.ice.loopback': true,
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'toolkit.telemetry.enabled': false,
};

const page = `<!doctype html><title>bare</title><script>
const socket = new WebSocket(location.href.replace('http', 'ws'));
const say = (line) => socket.send(JSON.stringify(line));
onerror = (message) => say({ event: 'error', message });
const obey = (${startBare})(RTCPeerConnection, say);
socket.onmessage = ({ data }) => obey(JSON.parse(data));
</script>`;

const server = createServer((request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(page);
});
const sockets = new WebSocketServer({ server });
const opened = new Promise((resolve) => sockets.once('connection', resolve));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const profile = mkdtempSync(join(tmpdir(), 'bare-firefox-'));
const line = ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`;
writeFileSync(join(profile, 'user.js'), Object.entries(settings).map(line).join(''));
// The shell holds the other end of a pipe: it ends Firefox also if this process is killed.
const script = '"$@" >/dev/null 2>&1 & firefox=$!; cat; kill -9 $firefox; wait; rm -rf "$HOME"';
const firefox = ['firefox-esr', '--headless', '--no-remote', '--profile', profile];
const url = `http://127.0.0.1:${server.address().port}/`;
const shell = spawn('sh', ['-c', script, 'sh', ...firefox, url], {
  env: { ...process.env, HOME: profile },
  stdio: ['pipe', 'ignore', 'inherit'],
});

const version = execFileSync('firefox-esr', ['--version'], { encoding: 'utf8', env: { ...process.env, HOME: profile } }).trim();
const socket = await opened;
socket.on('message', (data) => process.stdout.write(`${data}\n`));
say({ event: 'ready', version });
for await (const order of createInterface({ input: process.stdin })) socket.send(order);
shell.stdin.end();
await new Promise((resolve) => shell.once('exit', resolve));
rmSync(profile, { recursive: true, force: true });
process.exit();
