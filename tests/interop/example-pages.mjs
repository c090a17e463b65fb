// Examples that serve a page, and visitors of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

/** The screen of a phone. */
export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** An example that runs. It ends with this process. */
export class Example {
  static async start(program, ...args) {
    const example = new Example();
    example.child = spawn(program, ['--port', '0', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.on('exit', () => example.child.kill('SIGKILL'));
    example.output = createInterface({ input: example.child.stdout })[Symbol.asyncIterator]();
    example.url = (await example.until('listening on ')).replace('listening on ', '');
    return example;
  }

  /** Returns the next line that begins so. Those before it are skipped. */
  async until(beginning) {
    for (;;) {
      const { value, done } = await this.output.next();
      if (done) throw new Error(`the example ended before it said: ${beginning}`);
      if (value.startsWith(beginning)) return value;
    }
  }

  tell(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** Asks the example to end, and waits until it has done so cleanly. */
  async end() {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [code, signal] = await ended;
    if (code !== 0) throw new Error(`the example ended with ${code ?? signal}`);
  }
}

/** A network between pages and a server, which can be lost. */
export class Network {
  sockets = new Set();
  isLost = false;

  static async start(url) {
    const { hostname, port } = new URL(url);
    const network = new Network();
    network.server = createServer((near) => {
      const far = network.isLost ? near : connect(port, hostname);
      for (const [from, to] of [[near, far], [far, near]]) {
        network.sockets.add(from);
        from.on('error', () => {});
        from.on('close', () => {
          network.sockets.delete(from);
          to.destroy();
        });
        if (!network.isLost) from.pipe(to);
      }
      if (network.isLost) near.destroy();
    });
    network.server.listen(0, '127.0.0.1');
    await once(network.server, 'listening');
    network.url = `http://127.0.0.1:${network.server.address().port}`;
    return network;
  }

  /** Holds what is on its way, until it is lost. */
  hold() {
    for (const socket of this.sockets) socket.unpipe();
  }

  /** Ends all connections, and lets no other begin. */
  lose() {
    this.isLost = true;
    for (const socket of this.sockets) socket.destroy();
  }

  restore() {
    this.isLost = false;
  }

  close() {
    this.lose();
    this.server.close();
  }
}

/** Starts Chromium. Candidates are real addresses, loopback among them: the stories need no network. */
export const startBrowser = () =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox', // root cannot have it
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-features=WebRtcHideLocalIpsWithMdns',
      '--allow-loopback-in-peer-connection',
    ],
  });

/** Opens a page. An error in its script ends this process. Only a page that may use the microphone is told of all interfaces. */
export async function openPage(browser, url, options = { viewport: { width: 1100, height: 900 } }) {
  const context = await browser.newContext({ permissions: ['microphone'], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (error) => {
    console.error('page:', error);
    process.exit(1);
  });
  await page.goto(url);
  return page;
}
