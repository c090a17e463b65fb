/** Connecting a client. */

import { Actor, type Observer, type OnRegister } from "../actor.js";
import { micros } from "../actor/clock.js";
import type { FallbackHandler, Handler } from "../actor/handler-tasks.js";
import { clientConfig } from "../client/interface.js";
import { ownPeerConnection, type PeerConnectionClass } from "../direct/peer-connection.js";
import { isClientId } from "../id.js";
import type { IceServers } from "../partner/driver.js";
import { pathConfig } from "../peer/path/config.js";
import { connectAuth, ownAuth, type Auth } from "../server/auth.js";
import type { Source } from "../server/server-link.js";
import { socketMaker, type Io, type SocketLike } from "../server/socket.js";
import { P2pClient } from "./client.js";
import { ConnectError } from "./error.js";
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

/** Connects a client. Rejects with a `ConnectError` if the first attempt fails. */
export function connectWith(io: Io | undefined, target: Target, settings: ConnectSettings): Promise<P2pClient> {
  const { id, onRegister, on2 = {}, onAny2, paths = "prefer-direct", retryConnect, connectTimeout, signal } = settings;
  return new Promise((resolve, reject) => {
    if (!isClientId(id)) throw new ConnectError("bad-client-id");
    if (signal?.aborted) throw new ConnectError("cancelled", undefined, false, { cause: signal.reason });
    const PeerConnection = settings.PeerConnection ?? ownPeerConnection();
    const policy = PeerConnection ? paths : "relay-only";
    const config = clientConfig({
      direct: pathConfig({ policy }),
      ...(settings.resumes !== undefined && { resumes: settings.resumes }),
      ...(retryConnect !== undefined && { retryFirst: micros(retryConnect) }),
      ...(connectTimeout !== undefined && { connectTimeout: micros(connectTimeout) }),
    });
    const observers = new Observers();
    let failure: ConnectError | undefined;
    let client: P2pClient | undefined;
    const source = sourceOf(target, settings, io, policy !== "relay-only");
    const direct = PeerConnection && { PeerConnection, iceServers: settings.iceServers ?? [] };
    const name = `${id} ${typeof target === "string" ? target : ""}`;
    const handover = settings.survivesReload ? new Handover(sessionStorage, name) : undefined;
    const observer: Observer = {
      event: (event) => {
        const told = publicEvent(event);
        // The second and the third once at most: after a reload.
        if ("id" in told) resolve((client ??= new P2pClient(actor, observers, told.id)));
        if (told.type === "connect-error") failure = told.error;
        // Has no effect once it was resolved.
        if (told.type === "disconnected") reject(failure ?? new ConnectError("closed"));
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
    const actor = new Actor(config, source, direct, observer, handover?.take());
    actor.onRegister = onRegister;
    actor.tasks.fallback = onAny2;
    for (const [event, handler] of Object.entries(on2)) actor.tasks.handlers.set(event, handler);
    const unwatch = watchPage(actor, handover);
    observers.on("disconnected", unwatch);
    const abort = () => {
      failure ??= new ConnectError("cancelled", undefined, false, { cause: signal?.reason });
      actor.feed({ kind: "command", command: { kind: "close" } });
    };
    signal?.addEventListener("abort", abort);
    observers.on("disconnected", () => signal?.removeEventListener("abort", abort));
  });
}
