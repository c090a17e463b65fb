/** Connecting a client. */

import { Actor, type Observer, type OnChannel, type OnRegister } from "../actor.js";
import { micros } from "../actor/clock.js";
import type { FallbackHandler, Handler } from "../actor/handler-tasks.js";
import { clientConfig, type ConnectFailure } from "../client/interface.js";
import { ownPeerConnection, type PeerConnectionClass } from "../direct/peer-connection.js";
import type { DirectParts } from "../direct-parts.js";
import type { RawChannels } from "../direct/connection.js";
import { isClientId } from "../id.js";
import type { IceServers } from "../partner/driver.js";
import { pathConfig } from "../peer/path/config.js";
import { connectAuth, ownAuth, type Auth } from "../server/auth.js";
import type { Source } from "../server/server-link.js";
import type { RoomParts } from "../room-parts.js";
import { socketMaker, type Io, type SocketLike } from "../server/socket.js";
import { P2pClient } from "./client.js";
import { flag, fun, object, objectOrFunction, oneOf, signal as abortSignal, text, time, wrong, wrongOption } from "./check.js";
import type { Kind, Kinds } from "./check.js";
import { because, ConnectError, connectError, type P2pError } from "./error.js";
import { Observers, publicEvent, reportError } from "./events.js";
import { Handover, watchPage } from "./page.js";

/** The options of a client. Times are milliseconds. */
export interface ConnectSettings {
  /** The id of this client: 1 to 128 bytes. */
  id: string;
  /** Decides about requests of others to be paired with this client. Without it everybody is accepted. */
  onRegister?: OnRegister;
  /** Handlers of the partner's events, by name, which are there before the first event. */
  on2?: Record<string, Handler>;
  /** The handler of all other events. */
  onAny2?: FallbackHandler;
  /** Takes the channels that the partner opens. Without it they are closed. */
  onChannel?: OnChannel;
  /** The paths that emits take: `prefer-direct`, the default, `relay-only` or `direct-only`. */
  paths?: "prefer-direct" | "relay-only" | "direct-only";
  /** ICE servers for the direct path, or a function that returns them for each connection. None by default. */
  iceServers?: IceServers;
  /** An implementation of RTCPeerConnection, for programs that have none. Without one, only the relay is used. */
  PeerConnection?: PeerConnectionClass;
  /** Further fields for the server's hooks, as the auth of socket.io-client, or a function that returns them. */
  auth?: Auth;
  /** Further options of socket.io-client, if it is given a URL: `path`, `transports`, `query`, … */
  socket?: Record<string, unknown>;
  /** The function `io` of socket.io-client, where it cannot be found: in a page without a bundler. */
  io?: Io;
  /** True, the default, if a lost connection is replaced and the session resumed. */
  resumes?: boolean;
  /**
   * True if the next page of this tab goes on with this client: its session, its pairing and what is under way, as after
   * a lost connection. Then a page that is closed does not leave: its partner waits for the grace period. `connect`
   * returns the client with its `pairing`, if it still has one.
   */
  survivesReload?: boolean;
  /** The time in which the first attempt to connect is repeated after a failure that may pass. */
  retryConnect?: number;
  /** The time that each attempt to connect may take. 10,000 by default. */
  connectTimeout?: number;
  /** Gives connecting up, and later closes the client. */
  signal?: AbortSignal;
  /**
   * Is told what had no effect, for a log, and as `{ failed, error }` which function of the application failed: a
   * handler, or `onRegister`. Without it `console.warn` is told of those.
   */
  onComplaint?: (about: object) => void;
}

/** Makes the sockets of a client: a URL, or a socket with `autoConnect: false` that is this client's from then on. */
export type Target = string | SocketLike;

function sourceOf(target: Target, settings: ConnectSettings, io: Io | undefined, direct: boolean): Source {
  const own = typeof target === "string" ? undefined : ownAuth(target.auth);
  const auth = settings.auth ?? own;
  const make = settings.io ?? io;
  const authOf: Source["auth"] = (resume) => connectAuth(auth, settings.id, direct, resume);
  if (typeof target !== "string") {
    // A connection without the auth of this protocol is of no use.
    if (target.connected) target.disconnect();
    return { socket: () => target, auth: authOf };
  }
  if (!make) throw new ConnectError("bad-args", "socket.io-client is missing: give `io`", false);
  return { socket: socketMaker(make, target, settings.socket), auth: authOf };
}

const KINDS: Kinds<ConnectSettings> = {
  id: text,
  onRegister: fun,
  on2: ["an object of functions", (value) => object[1](value) && Object.values(value).every(fun[1])],
  onAny2: fun,
  onChannel: fun,
  paths: oneOf("prefer-direct", "relay-only", "direct-only"),
  iceServers: objectOrFunction,
  PeerConnection: fun,
  auth: objectOrFunction,
  socket: object,
  io: fun,
  resumes: flag,
  survivesReload: flag,
  retryConnect: time,
  connectTimeout: time,
  signal: abortSignal,
  onComplaint: fun,
};

const TARGET: Kind = [
  "a URL with http:// or https://, or a socket of socket.io-client",
  (value) => (typeof value === "string" ? isUrl(value) : fun[1](value?.connect)),
];

/** Returns true if socket.io-client can use this URL. In a page it may be relative to it. */
const isUrl = (url: string): boolean =>
  url.startsWith("/") ? !!globalThis.location : /^(https?|wss?):\/\//.test(url) && URL.canParse(url);

/** Returns a server for a text: without what may be a secret. */
const shown = (target: Target): string =>
  typeof target === "string" ? (target.split(/[?#]/)[0] ?? "").replace(/\/\/[^/]*@/, "//") : "(by its socket)";

/** Returns a failure with a hint, if another origin may be the cause. */
function hinted(failure: ConnectFailure, target: Target): ConnectFailure {
  const { location } = globalThis;
  const isForeign = location && typeof target === "string" && new URL(target, location.href).origin !== location.origin;
  if (failure.kind !== "unreachable" || !isForeign || !failure.message.startsWith("xhr")) return failure;
  const hint = "a page of another origin needs `socket: { transports: ['websocket'] }`, or CORS on the server";
  return { ...failure, message: `${failure.message}; ${hint}` };
}

/** Returns where a page leaves its client for the next one. */
function handoverOf(name: string): Handover {
  const { document, sessionStorage } = globalThis;
  if (!document || !sessionStorage) throw new ConnectError("bad-args", "connect: survivesReload needs a page");
  return new Handover(sessionStorage, name);
}

/** What an entry of the package gives: the code of the direct path, that of its raw channels, and that of rooms. */
export interface Parts {
  direct?: DirectParts;
  Channels?: RawChannels["Channels"];
  rooms?: RoomParts;
  /** The class of the clients. */
  Client?: typeof P2pClient;
}

/** Connects a client. Rejects with a `ConnectError` if the first attempt fails. */
export async function connectWith<Client extends P2pClient = P2pClient>(
  io: Io | undefined,
  target: Target,
  settings: ConnectSettings,
  parts: Parts & { Client?: new (actor: Actor, observers: Observers, id: string) => Client } = {},
): Promise<Client> {
  const bad = wrong("the server", target, TARGET) ?? wrongOption(settings, KINDS) ?? missingPart(settings, parts);
  if (bad) throw new ConnectError("bad-args", `connect: ${bad}`);
  const result = await begin(io, target, settings, parts);
  if (result instanceof P2pClient) return result as Client;
  // The error is made here, so that its stack shows the caller.
  if (result) throw connectError(shown(target), result);
  const { signal } = settings;
  throw new ConnectError(signal?.aborted ? "cancelled" : "closed", undefined, false, because(signal?.reason));
}

/** Returns what is wrong with options that are for a direct path, if the entry has none. */
const missingPart = ({ PeerConnection, iceServers, paths }: ConnectSettings, { direct }: Parts): string | undefined =>
  !direct && (PeerConnection || iceServers || paths === "direct-only")
    ? "the entry `core` of this package has no direct path"
    : undefined;

/** Returns the client, or why there is none: without a failure, it was closed. */
function begin(
  io: Io | undefined,
  target: Target,
  settings: ConnectSettings,
  parts: Parts,
): Promise<P2pClient | ConnectFailure | undefined> {
  const { id, onRegister, on2 = {}, onAny2, paths = "prefer-direct", retryConnect, connectTimeout, signal } = settings;
  return new Promise((resolve) => {
    if (!isClientId(id)) throw new ConnectError("bad-client-id");
    if (signal?.aborted) throw new ConnectError("cancelled", undefined, false, { cause: signal.reason });
    const PeerConnection = settings.PeerConnection ?? ownPeerConnection();
    const policy = PeerConnection && parts.direct ? paths : "relay-only";
    const config = clientConfig({
      direct: pathConfig({ policy, parts: parts.direct }),
      rooms: parts.rooms,
      ...(settings.resumes !== undefined && { resumes: settings.resumes }),
      ...(retryConnect !== undefined && { retryFirst: micros(retryConnect) }),
      ...(connectTimeout !== undefined && { connectTimeout: micros(connectTimeout) }),
    });
    const observers = new Observers();
    let failure: ConnectFailure | undefined;
    /** Why the client ends, if the next event is its end. */
    let last: P2pError | undefined;
    let client: P2pClient | undefined;
    const source = sourceOf(target, settings, io, policy !== "relay-only");
    const direct = PeerConnection && { PeerConnection, iceServers: settings.iceServers ?? [] };
    const name = `${id} ${typeof target === "string" ? target : ""}`;
    const handover = settings.survivesReload ? handoverOf(name) : undefined;
    const observer: Observer = {
      event: (event) => {
        const isFailure = event.kind === "connect-error";
        if (isFailure) failure = hinted(event.failure, target);
        const told = publicEvent(isFailure && failure ? { ...event, failure } : event, shown(target), last);
        // The second and the third once at most: after a reload.
        if ("id" in told) resolve((client ??= new (parts.Client ?? P2pClient)(actor, observers, told.id)));
        if (told.type === "connect-error" || told.type === "refused") {
          last = told.error;
          queueMicrotask(() => (last = undefined)); // An end that it caused is told before.
        }
        // Has no effect once it was resolved.
        if (told.type === "disconnected") resolve(signal?.aborted ? undefined : failure);
        observers.publish(told);
      },
      complaint: (about) => {
        if (!settings.onComplaint) {
          if ("failed" in about) console.warn(`socketio-p2p: ${about.failed} failed:`, about.error);
          return;
        }
        try {
          settings.onComplaint(about);
        } catch (error) {
          reportError(error);
        }
      },
    };
    const actor = new Actor(config, source, direct, observer, handover?.take(), parts.Channels);
    actor.onRegister = onRegister;
    if (settings.onChannel) actor.onChannel.set(undefined, settings.onChannel);
    actor.tasks.fallback = onAny2;
    for (const [event, handler] of Object.entries(on2)) actor.tasks.handlers.set(event, handler);
    const unwatch = watchPage(actor, handover);
    observers.on("disconnected", unwatch);
    const abort = () => {
      actor.feed({ kind: "command", command: { kind: "close" } });
    };
    signal?.addEventListener("abort", abort);
    observers.on("disconnected", () => signal?.removeEventListener("abort", abort));
  });
}
