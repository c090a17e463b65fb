/** Pages of headless Firefox with what these tests use of playwright's: they run the functions that a websocket brings. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { atEnd, interop } from "./programs.js";

/** The settings of the profile: candidates are real addresses, loopback among them, and nothing else uses the network. */
const SETTINGS = {
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.peerconnection.ice.loopback": true,
  "dom.disable_open_during_load": false,
  "dom.allow_scripts_to_close_windows": true,
  "app.update.disabledForTesting": true,
  "browser.aboutwelcome.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "toolkit.telemetry.enabled": false,
};

/** The script that each page begins with, in any browser: a page that was told of a hub obeys it, also after a reload. */
export const OBEDIENT = `
const hub = new URLSearchParams(location.hash.slice(1)).get('hub');
if (hub) {
  const socket = new WebSocket(hub);
  const say = (line) => socket.send(JSON.stringify(line));
  socket.onmessage = async ({ data }) => {
    const { number, text, args } = JSON.parse(data);
    try {
      const value = (0, eval)(text);
      say({ number, value: await (typeof value === 'function' ? value(...args) : value) });
    } catch (error) {
      say({ number, error: String(error) });
    }
  };
}`;

/** A page. It has a connection as long as it is loaded. */
class Page {
  private socket: any;
  private connected: Promise<void>;
  private resolve: (() => void) | undefined;
  private readonly calls = new Map<number, { resolve: (value: any) => void; reject: (error: Error) => void }>();
  private last = 0;

  constructor(
    private readonly hub: string,
    private readonly open: (url: string) => Promise<unknown>,
  ) {
    this.connected = new Promise((resolve) => (this.resolve = resolve));
  }

  /** Notes that the page is loaded. */
  loaded(socket: any): void {
    this.socket = socket;
    this.resolve?.();
    socket.on("message", (data: Buffer) => {
      const { number, value, error } = JSON.parse(String(data));
      const call = this.calls.get(number);
      this.calls.delete(number);
      if (error) call?.reject(new Error(error));
      else call?.resolve(value);
    });
    socket.on("close", () => {
      for (const { reject } of this.calls.values()) reject(new Error("the page is gone"));
      this.calls.clear();
    });
  }

  on(): void {} // Its errors are those of the functions that it runs.

  context() {
    return { close: () => this.close() };
  }

  async goto(url: string): Promise<void> {
    await this.open(`${url}#hub=${encodeURIComponent(this.hub)}`);
    await this.connected;
  }

  evaluate(run: string | ((...args: any[]) => unknown), ...args: unknown[]): Promise<any> {
    return new Promise((resolve, reject) => {
      const number = ++this.last;
      this.calls.set(number, { resolve, reject });
      this.socket.send(JSON.stringify({ number, text: typeof run === "string" ? run : `(${run})`, args }));
    });
  }

  async waitForFunction(expression: string): Promise<void> {
    while (!(await this.evaluate(`!!(${expression})`))) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async reload(): Promise<void> {
    this.connected = new Promise((resolve) => (this.resolve = resolve));
    this.evaluate("location.reload()").catch(() => {});
    await this.connected;
  }

  async close(): Promise<void> {
    const closed = once(this.socket, "close");
    this.evaluate("window.close()").catch(() => {});
    await closed;
  }
}

/** Starts Firefox. */
export async function startFirefox(): Promise<any> {
  const pages = new Map<string, Page>();
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><title>hub</title><script>${OBEDIENT}</script>`);
  });
  const sockets = new (interop("ws").WebSocketServer)({ server });
  sockets.on("connection", (socket: any, { url }: { url: string }) => pages.get(url)?.loaded(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const profile = mkdtempSync(join(tmpdir(), "socketio-p2p-firefox-"));
  const lines = Object.entries(SETTINGS).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${value});\n`);
  writeFileSync(join(profile, "user.js"), lines.join(""));
  // The shell holds the other end of a pipe: it ends Firefox also if this process is killed.
  const script = '"$@" >/dev/null 2>&1 & firefox=$!; cat; kill -9 $firefox; wait; rm -rf "$HOME"';
  const firefox = [process.env["FIREFOX"] ?? "firefox-esr", "--headless", "--no-remote", "--profile", profile];
  const make = (open: (url: string) => Promise<unknown>) => {
    const path = `/${pages.size}`;
    const page = new Page(`ws://127.0.0.1:${port}${path}`, open);
    pages.set(path, page);
    return page;
  };
  const first = make(async (url) => {
    const shell = spawn("sh", ["-c", script, "sh", ...firefox, url], {
      env: { ...process.env, HOME: profile },
      stdio: ["pipe", "ignore", "inherit"],
    });
    atEnd(() => {
      shell.stdin.end();
      server.close();
      server.closeAllConnections();
      shell.once("exit", () => rmSync(profile, { recursive: true, force: true }));
    });
  });
  await first.goto(`http://127.0.0.1:${port}/`);
  const open = (url: string) => first.evaluate("(url) => void window.open(url, '_blank', 'noopener')", url);
  return { newContext: async () => ({ newPage: async () => make(open) }) };
}
