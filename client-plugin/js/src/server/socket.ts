/**
 * The seam to socket.io-client 4.x, and its peculiarities.
 *
 * - Its own reconnect knows neither the grace period of the server nor the resume token, which is new at each
 *   connection: `reconnection` is off, and the connector makes each connection.
 * - `io(url)` shares one connection among all sockets of an origin: `forceNew` is on, so that the auth and the end of
 *   this connection concern nothing else.
 * - `emit` while it is not connected puts the event into a buffer, which is sent at the next connection, before the
 *   server's welcome: nothing is emitted then.
 * - `connect_error` stands for a refusal of the server and for a failure of the transport: only the first has `data`.
 * - `disconnect` of a socket whose transport is dead waits for its buffer: what arrives later is not read.
 * - With `retries` or `ackTimeout` it repeats events by itself: the session repeats frames, so both are off.
 */

import { cut } from "../bytes.js";

/** What is used of a socket of socket.io-client. */
export interface SocketLike {
  readonly connected: boolean;
  auth: unknown;
  readonly io: ManagerLike;
  connect(): unknown;
  disconnect(): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  on(event: string, listener: (...args: any[]) => void): unknown;
  off(event: string, listener: (...args: any[]) => void): unknown;
  onAny(listener: (event: string, ...args: any[]) => void): unknown;
  offAny(listener: (event: string, ...args: any[]) => void): unknown;
}

/** What is used of the manager of a socket. */
export interface ManagerLike {
  reconnection(is: boolean): unknown;
  on(event: "ping", listener: () => void): unknown;
  off(event: "ping", listener: () => void): unknown;
}

/** The function `io` of socket.io-client. */
export type Io = (url: string, options: Record<string, unknown>) => SocketLike;

/** The options of `io` that are not the application's to choose. */
const OURS = { forceNew: true, reconnection: false, autoConnect: false, timeout: false, retries: 0 };

/** Returns a function that makes a new socket for each connection. */
export const socketMaker =
  (io: Io, url: string, options: Record<string, unknown> = {}) =>
  (): SocketLike =>
    io(url, { ...options, ...OURS });

/** The listeners for what happens on a connection. */
export interface Listeners {
  connected(): void;
  event(event: string, args: unknown[]): void;
  /** The server refused the connection, with this message. */
  refused(message: string): void;
  failed(message: string): void;
  closed(): void;
  /** Engine.IO had a sign of life of the server. */
  heard(): void;
}

/** Returns what socket.io-client knows of a failure: it has the cause beside its own text, for each transport elsewhere. */
function failureText(error: Error): string {
  const { description, context } = error as { description?: any; context?: { responseText?: unknown } };
  const cause: unknown = description > 0 ? `HTTP status ${description}` : description?.message || context?.responseText;
  return typeof cause === "string" && cause ? `${error.message}: ${cut(cause.split("\n")[0] ?? "", 200)}` : error.message;
}

/** Listens to a socket. Returns a function that stops that. */
export function listen(socket: SocketLike, listeners: Listeners): () => void {
  const refusedOrFailed = (error: Error) =>
    "data" in error ? listeners.refused(error.message) : listeners.failed(failureText(error));
  const any = (event: string, ...args: unknown[]) => listeners.event(event, args);
  const handlers = { connect: listeners.connected, connect_error: refusedOrFailed, disconnect: listeners.closed };
  for (const [event, handler] of Object.entries(handlers)) socket.on(event, handler);
  socket.onAny(any);
  const { io } = socket;
  io.on("ping", listeners.heard);
  return () => {
    for (const [event, handler] of Object.entries(handlers)) socket.off(event, handler);
    socket.offAny(any);
    io.off("ping", listeners.heard);
  };
}
