/** The link to the server: the present connection, and the attempt to replace it. */

import { describe } from "../bytes.js";
import type { Input } from "../client/interface.js";
import type { ResumeToken } from "../id.js";
import { clientEvent, type ClientMessage } from "../wire/control/client.js";
import type { ReadRooms } from "../wire/control/server.js";
import { bodyArgs, frameBinary, frameValue, type Frame } from "../wire/frame.js";
import { FRAME } from "../wire/names.js";
import { connectRefusal, fromServer } from "./from-server.js";
import { listen, type SocketLike } from "./socket.js";

/** The prefix of the plugin's events. */
const PREFIX = "P2P_";

/** Where the connections of a client come from. */
export interface Source {
  /** Returns the socket of the next connection, which is not connected. */
  socket: () => SocketLike;
  /** Returns the auth of the next connection. */
  auth: (resume: ResumeToken | undefined) => Promise<Record<string, unknown>>;
}

/** The link to the server. `feed` takes what happens. */
export class ServerLink {
  /** The present connection, or the one that is being made. */
  private socket: SocketLike | undefined;
  private unlisten: () => void = () => {};
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** The number of attempts: what belongs to an earlier one is ignored. */
  private attempts = 0;

  constructor(
    private readonly source: Source,
    private readonly feed: (input: Input) => void,
    private readonly rooms: ReadRooms | undefined,
  ) {}

  /** Begins an attempt to connect that shows this token. */
  async connect(resume: ResumeToken | undefined): Promise<void> {
    const attempt = ++this.attempts;
    let auth: Record<string, unknown>;
    try {
      auth = await this.source.auth(resume);
    } catch (error) {
      if (attempt === this.attempts) this.feed({ kind: "no-auth", message: describe(error) });
      return;
    }
    if (attempt !== this.attempts) return;
    try {
      const socket = this.source.socket();
      this.socket = socket;
      socket.io.reconnection(false);
      this.unlisten = listen(socket, {
        connected: () => this.feed({ kind: "opened" }),
        event: (event, args) => {
          if (event.startsWith(PREFIX)) this.feed(fromServer(event, args, this.rooms));
        },
        refused: (message) => this.feed({ kind: "rejected", refusal: connectRefusal(message) }),
        failed: (message) => this.feed({ kind: "unreachable", message }),
        closed: () => this.feed({ kind: "lost" }),
        heard: () => this.feed({ kind: "heard" }),
      });
      socket.auth = auth;
      socket.connect();
    } catch (error) {
      this.feed({ kind: "unreachable", message: describe(error) }); // A URL that cannot be used, for example.
    }
  }

  /** Replaces the connection, after this wait in microseconds. */
  reconnect(resume: ResumeToken | undefined, after: number): void {
    this.close();
    this.timer = setTimeout(() => {
      this.feed({ kind: "connecting" });
      void this.connect(resume);
    }, after / 1_000);
  }

  /** Closes the connection, or ends the attempt. */
  close(): void {
    this.attempts++;
    clearTimeout(this.timer);
    this.unlisten();
    this.unlisten = () => {};
    this.socket?.disconnect();
    this.socket = undefined;
  }

  send(message: ClientMessage): void {
    this.emit(...clientEvent(message));
  }

  /** Has the server relay frames. */
  sendFrames(pairing: string, frames: Frame[]): void {
    const [first, ...more] = frames;
    // A frame that travels alone carries bytes as they are. In a batch they are base64: a message counts for the pace.
    if (first && !more.length && bodyArgs(first.body)?.blobs.length) return this.emit(FRAME, [frameBinary(first, pairing)]);
    const values = frames.map(frameValue);
    this.emit(FRAME, [pairing, more.length ? values : values[0]]);
  }

  emit(event: string, args: unknown[]): void {
    // What is not sent is sent again on the next connection, or needs no answer: its loss is reported.
    if (this.socket?.connected) this.socket.emit(event, ...args);
  }
}
