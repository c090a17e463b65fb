/** Programs that the tests run: the example server, the example peer, and a network that fails. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

/** The root of the repository, seen from build/test/system. */
const ROOT = new URL("../../../../../", import.meta.url);

/** Returns a module that tests/interop installs. */
export const interop = createRequire(new URL("tests/interop/", ROOT));

/** Returns the file of an example, which `cargo build --examples` makes. */
function example(name: string): string {
  const { CARGO_TARGET_DIR = fileURLToPath(new URL("target", ROOT)), PROFILE = "debug" } = process.env;
  const file = `${CARGO_TARGET_DIR}/${PROFILE}/examples/${name}`;
  if (!existsSync(file)) throw new Error(`${file} is missing: cargo build -p socketio-p2p-examples --examples`);
  return file;
}

const children = new Set<ChildProcess>();
const closing = new Set<() => void>();

/** Ends all that was started here. */
export function endAll(): void {
  for (const close of closing) close();
  for (const child of children) child.kill("SIGKILL");
}

// Any other program of this folder does it by itself.
if (process.argv[1]?.endsWith(".test.js")) after(endAll);

/** Runs something when all tests of this file are over. */
export function atEnd(close: () => void): void {
  closing.add(close);
}

/** A program that prints lines. */
export class Program {
  private readonly lines: string[] = [];
  private waiting: (() => void)[] = [];
  private isOver = false;
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;

  constructor(name: string, args: string[]) {
    const env = { RUST_LOG: "error", ...process.env };
    this.child = spawn(example(name), args, { env, stdio: ["pipe", "pipe", "inherit"] });
    children.add(this.child);
    this.exited = once(this.child, "exit");
    const { stdout } = this.child;
    if (!stdout) throw new Error("no stdout");
    createInterface({ input: stdout }).on("line", (line) => this.wake(this.lines.push(line)));
    void this.exited.then(() => {
      children.delete(this.child);
      this.isOver = true;
      this.wake();
    });
  }

  private wake(_?: number): void {
    for (const resume of this.waiting.splice(0)) resume();
  }

  /** Returns the next line. */
  async line(): Promise<string> {
    for (;;) {
      const line = this.lines.shift();
      if (line !== undefined) return line;
      if (this.isOver) throw new Error("the program has ended");
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  write(line: unknown): void {
    this.child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.child.kill(signal);
    await this.exited;
  }

  /** Stops the program for a while: it does nothing, and its connections stay. */
  freeze(): void {
    this.child.kill("SIGSTOP");
  }

  thaw(): void {
    this.child.kill("SIGCONT");
  }
}

/** Starts the example server. Returns its URL. */
export async function startServer(port = 0): Promise<{ url: string; port: number; program: Program }> {
  const program = new Program("server", ["--port", String(port)]);
  const url = (await program.line()).replace("listening on ", "");
  return { url, port: Number(new URL(url).port), program };
}

/** What the example peer prints. */
export type Line = Record<string, any>;

/** The example peer: a Rust client, which answers every event with `{ echo: args }`. */
export class RustPeer {
  readonly program: Program;

  private constructor(url: string, id: string, args: string[]) {
    this.program = new Program("peer", ["--url", url, "--id", id, ...args]);
  }

  static async start(url: string, id: string, args: string[] = []): Promise<RustPeer> {
    const peer = new RustPeer(url, id, args);
    await peer.until("connected");
    return peer;
  }

  /** Returns the next line with this event; others before it are skipped. */
  async until(event: string, is: (line: Line) => boolean = () => true): Promise<Line> {
    for (;;) {
      const line = JSON.parse(await this.program.line()) as Line;
      if (line["event"] === event && is(line)) return line;
    }
  }

  obey(command: Line): void {
    this.program.write(command);
  }
}

/** A proxy for TCP whose network can fail. */
export class FaultProxy {
  private readonly sockets = new Set<Socket>();
  /** True while connections are accepted and end at once. */
  isDown = false;
  /** True while nothing that arrives is passed on. */
  isHeld = false;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(target: number): Promise<FaultProxy> {
    const server = createServer((near) => {
      if (proxy.isDown) {
        near.destroy();
        return;
      }
      const far = connect(target, "127.0.0.1");
      proxy.join(near, far);
      proxy.join(far, near);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new FaultProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    atEnd(() => proxy.close());
    return proxy;
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => {
      if (!this.isHeld) to.write(bytes);
    });
    from.on("error", () => from.destroy());
    from.on("close", () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }

  /** Ends all connections. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}
