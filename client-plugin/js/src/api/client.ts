/** The client, as the application sees it. */

import type { Actor, Caller } from "../actor.js";
import { micros, now } from "../actor/clock.js";
import type { FallbackHandler, Handler } from "../actor/handler-tasks.js";
import type { Answer, Command } from "../client/interface.js";
import { RegisterRetry } from "../client/retry.js";
import { isClientId } from "../id.js";
import { REQUEST_TIMEOUT } from "../limits.js";
import type { ClientEntry, PairingInfo } from "../wire/control/welcome.js";
import { emit, type EmitSettings, type Replied } from "./emit2.js";
import { P2pError, RequestError } from "./error.js";
import type { EventMap, EventReader, Observers } from "./events.js";
import { TargetWatch } from "./target-watch.js";

/** The options of a request to the server. */
export interface RequestSettings {
  /** The milliseconds to wait for the answer. 5,000 by default. */
  timeout?: number;
  /** Gives the request up. */
  signal?: AbortSignal;
}

/** The options of a registration. */
export interface RegisterSettings extends RequestSettings {
  /** Data for the target's decision: any JSON, at most 16 KiB. */
  payload?: unknown;
  /** The milliseconds that the target has for its decision; at most what the server allows, which is the default. */
  consentTime?: number;
  /** The milliseconds to wait in line while the target is busy. Without it the request is refused then. */
  waitInLine?: number;
  /** The milliseconds in which a request is repeated that was refused for a reason that may pass. */
  retry?: number;
}

/** One client: its connection to the server, and its pairing. */
export class P2pClient {
  constructor(
    private readonly actor: Actor,
    private readonly observers: Observers,
    /** The id that the server gave. */
    readonly id: string,
  ) {}

  /** The present pairing. */
  get pairing(): PairingInfo | undefined {
    return this.actor.client.pairing();
  }

  /** True while there is a connection to the server. */
  get isConnected(): boolean {
    return this.actor.client.state.kind === "ready";
  }

  /** True once the client is closed for good. */
  get isClosed(): boolean {
    return this.actor.client.state.kind === "closed";
  }

  /**
   * Asks the server to pair this client with `target`, and waits for the verdict. Given up, or without an answer in
   * time, the pairing may still come into being: `unregister` ends it in any case.
   */
  async register(target: string, settings: RegisterSettings = {}): Promise<PairingInfo> {
    const retry = settings.retry === undefined ? undefined : new RegisterRetry(micros(settings.retry), now());
    for (;;) {
      try {
        return await this.registerOnce(target, settings);
      } catch (error) {
        const wait = error instanceof RequestError && error.isRetryable ? retry?.nextWait(now()) : undefined;
        if (wait === undefined) throw error;
        await sleep(wait / 1_000, settings.signal);
      }
    }
  }

  private registerOnce(target: string, settings: RegisterSettings): Promise<PairingInfo> {
    const { timeout, payload, consentTime, waitInLine } = settings;
    const time = (setting: number | undefined) => (setting === undefined ? undefined : micros(setting));
    const make = (call: number): Command => ({
      kind: "register",
      call,
      target,
      payload,
      consentTime: time(consentTime),
      wait: time(waitInLine),
      deadline: timeout === undefined ? undefined : now() + micros(timeout),
    });
    if (!isClientId(target)) return Promise.reject(new RequestError("bad-client-id"));
    return this.request(make, settings.signal, (answer) => (answer.kind === "registered" ? answer.pairing : undefined));
  }

  /** Ends the pairing, once the partner has confirmed what was emitted. Without a pairing it returns at once. */
  async unregister(settings: RequestSettings = {}): Promise<void> {
    const make = (call: number): Command => ({ kind: "unregister", call, deadline: deadline(settings) });
    await this.request(make, settings.signal, (answer) => answer.kind === "unregistered" || undefined);
  }

  /** Lists the clients of the server, if it allows that. */
  clients(settings: RequestSettings = {}): Promise<ClientEntry[]> {
    const make = (call: number): Command => ({ kind: "list", call, deadline: deadline(settings) });
    return this.request(make, settings.signal, (answer) => (answer.kind === "clients" ? answer.clients : undefined));
  }

  /** Watches whether `target` is absent, free or busy, if the server allows that. */
  watchTarget(target: string, settings: RequestSettings = {}): Promise<TargetWatch> {
    if (!isClientId(target)) return Promise.reject(new RequestError("bad-client-id"));
    let watch: TargetWatch | undefined;
    let call = 0;
    const make = (number: number): Command => {
      call = number;
      return { kind: "watch", call, target, deadline: deadline(settings) };
    };
    const read = (answer: Answer) => {
      if (answer.kind !== "watching") return undefined;
      watch = new TargetWatch(target, answer.state, () => this.actor.cancel(call));
      return watch;
    };
    return this.request(make, settings.signal, read, {
      target: (state) => watch?.told(state),
      unwatched: (refusal) => watch?.ended(RequestError.of(refusal)),
      closed: () => watch?.ended(),
    });
  }

  /**
   * Emits an event to the partner, and returns the first argument of its reply. Events arrive in the order of these
   * calls. `with` sets options.
   */
  emit2(event: string, ...args: unknown[]): Promise<any> {
    return emit(this.actor, this.pairing?.id, {}, event, args);
  }

  /** Returns an `emit2` with these options. */
  with<const Settings extends EmitSettings>(settings: Settings): {
    emit2(event: string, ...args: unknown[]): Promise<Replied<Settings>>;
  } {
    return {
      emit2: (event, ...args) =>
        emit(this.actor, this.pairing?.id, settings, event, args) as Promise<Replied<Settings>>,
    };
  }

  /**
   * Sets the handler of an event of the partner. What it returns, or its promise, is the reply; what it throws is
   * reported to the caller. In a `function`, `this` tells who emitted the event, and whether anybody still waits.
   */
  on2(event: string, handler: Handler): this {
    this.actor.tasks.handlers.set(event, handler);
    return this;
  }

  /** Removes the handler of an event: from now on it is `unhandled`. */
  off2(event: string): this {
    this.actor.tasks.handlers.delete(event);
    return this;
  }

  /** Sets the handler of the events that have no handler of their own. */
  onAny2(handler: FallbackHandler | undefined): this {
    this.actor.tasks.fallback = handler;
    return this;
  }

  /** Adds a listener for an event of this client. */
  on<Type extends keyof EventMap>(type: Type, listener: (event: { type: Type } & EventMap[Type]) => void): this {
    this.observers.on(type, listener);
    return this;
  }

  /** Removes a listener. */
  off<Type extends keyof EventMap>(type: Type, listener: (event: { type: Type } & EventMap[Type]) => void): this {
    this.observers.off(type, listener);
    return this;
  }

  /** Returns the events of this client from now on, for `for await`. */
  events(): EventReader {
    return this.observers.read();
  }

  /** Restarts the direct path and checks the connection at once: this machine has other addresses than before. */
  networkChanged(): void {
    this.actor.feed({ kind: "command", command: { kind: "network-changed" } });
  }

  /** Closes the client, once the partner has confirmed what was emitted, after 1 s at the latest. */
  close(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      this.observers.on("disconnected", () => resolve());
      this.actor.feed({ kind: "command", command: { kind: "close" } });
    });
  }

  private request<T>(
    make: (call: number) => Command,
    signal: AbortSignal | undefined,
    read: (answer: Answer) => T | undefined,
    more: Omit<Caller, "answer"> = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal));
      const answer = (answer: Answer) => {
        signal?.removeEventListener("abort", abort);
        const value = read(answer);
        if (value !== undefined) resolve(value);
        else if (answer.kind === "refused") reject(RequestError.of(answer.refusal));
        else reject(new RequestError(answer.kind === "timed-out" ? "timeout" : "closed"));
      };
      const call = this.actor.ask(make, { ...more, answer });
      const abort = () => {
        this.actor.cancel(call);
        reject(aborted(signal as AbortSignal));
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

const deadline = ({ timeout }: RequestSettings): number =>
  now() + (timeout === undefined ? REQUEST_TIMEOUT : micros(timeout));

const aborted = (signal: AbortSignal): P2pError =>
  new P2pError("cancelled", undefined, undefined, { cause: signal.reason });

/** Waits so many milliseconds, unless the signal is aborted before. */
function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(aborted(signal as AbortSignal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
