/** The client, as the application sees it. */

import type { Actor, Caller, OnChannel } from "../actor.js";
import { micros, now } from "../actor/clock.js";
import type { FallbackHandler, Handler } from "../actor/handler-tasks.js";
import type { Answer, Command } from "../client/interface.js";
import { RegisterRetry } from "../client/retry.js";
import type { ChannelSettings } from "../direct/channels.js";
import type { P2pChannel } from "../direct/raw-channel.js";
import { isClientId } from "../id.js";
import { REQUEST_TIMEOUT } from "../limits.js";
import type { ClientEntry, PairingInfo } from "../wire/control/welcome.js";
import { emit, type EmitSettings, type Replied } from "./emit2.js";
import { count, flag, fun, json, oneOf, signal, text, time, wrong, wrongOption, type Kinds } from "./check.js";
import { P2pError, RequestError, requestError } from "./error.js";
import { TYPES, type EventMap, type EventReader, type Observers } from "./events.js";
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
  /**
   * The milliseconds to wait for the verdict, for each attempt if `retry` is set. By default `waitInLine` and
   * `consentTime`, each at most what the server allows, and 2,000 more.
   */
  timeout?: number;
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
  /** @internal */
  constructor(
    protected readonly actor: Actor,
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
   * time, the request is taken back, and a pairing that is granted nevertheless is ended. Only if the connection is lost
   * at that moment, the next one may bring the pairing: `unregister` ends it.
   */
  async register(target: string, settings: RegisterSettings = {}): Promise<PairingInfo> {
    const retry = settings?.retry === undefined ? undefined : new RegisterRetry(micros(settings.retry), now());
    for (;;) {
      try {
        return await this.registerOnce(target, settings);
      } catch (error) {
        const wait = error instanceof RequestError && error.isRetryable ? retry?.nextWait(now()) : undefined;
        if (wait === undefined) throw error;
        await sleep(named("register", target), wait / 1_000, settings.signal);
      }
    }
  }

  private registerOnce(target: string, settings: RegisterSettings): Promise<PairingInfo> {
    const within = (setting: number | undefined) => (setting === undefined ? undefined : micros(setting));
    const make = (call: number): Command => ({
      kind: "register",
      call,
      target,
      payload: settings.payload,
      consentTime: within(settings.consentTime),
      wait: within(settings.waitInLine),
      deadline: settings.timeout === undefined ? undefined : now() + micros(settings.timeout),
    });
    const read = (answer: Answer) => (answer.kind === "registered" ? answer.pairing : undefined);
    return this.request(named("register", target), make, settings, read, {}, REGISTER, target);
  }

  /** Ends the pairing, once the partner has confirmed what was emitted. Without a pairing it returns at once. */
  async unregister(settings: RequestSettings = {}): Promise<void> {
    const make = (call: number): Command => ({ kind: "unregister", call, deadline: deadline(settings) });
    await this.request("unregister", make, settings, (answer) => answer.kind === "unregistered" || undefined);
  }

  /** Lists the clients of the server, if it allows that. */
  clients(settings: RequestSettings = {}): Promise<ClientEntry[]> {
    const make = (call: number): Command => ({ kind: "list", call, deadline: deadline(settings) });
    const read = (answer: Answer) => (answer.kind === "clients" ? answer.clients : undefined);
    return this.request("clients", make, settings, read);
  }

  /** Watches whether `target` is absent, free or busy, if the server allows that. */
  watchTarget(target: string, settings: RequestSettings = {}): Promise<TargetWatch> {
    const name = named("watchTarget", target);
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
    const more: Omit<Caller, "answer"> = {
      target: (state) => watch?.told(state),
      unwatched: ({ code, message }) => watch?.ended(requestError(name, code, message)),
      closed: () => watch?.ended(),
    };
    return this.request(name, make, settings, read, more, REQUEST, target);
  }

  /**
   * Emits an event to the partner, and returns the first argument of its reply. Events arrive in the order of these
   * calls. `with` sets options.
   */
  emit2<T = any>(event: string, ...args: unknown[]): Promise<T> {
    return emit(this.actor, this.pairing?.id, {}, event, args) as Promise<T>;
  }

  /** Returns an `emit2` with these options. */
  with<const Settings extends EmitSettings>(settings: Settings): {
    /** Emits an event to the partner, and returns what the options ask for. */
    emit2<T = any>(event: string, ...args: unknown[]): Promise<Replied<Settings, T>>;
  } {
    return {
      emit2: <T>(event: string, ...args: unknown[]) =>
        emit(this.actor, this.pairing?.id, settings, event, args) as Promise<Replied<Settings, T>>,
    };
  }

  /**
   * Sets the handler of an event of the partner. What it returns, or its promise, is the reply; what it throws is
   * reported to the caller. In a `function`, `this` tells who emitted the event, and whether anybody still waits.
   */
  on2(event: string, handler: Handler): this {
    refuse("on2", wrong("the event", event, text) ?? wrong("the handler", handler, fun));
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
    refuse("onAny2", handler && wrong("the handler", handler, fun));
    this.actor.tasks.fallback = handler;
    return this;
  }

  /**
   * Opens a channel of the direct path to the partner: messages as they are, beside the events. Without a direct path it
   * fails at once (`no-route`), and the channel ends with that path.
   */
  async channel(label: string, settings: ChannelSettings = {}): Promise<P2pChannel> {
    refuse("channel", wrong("the label", label, text) ?? wrongOption(settings, CHANNEL));
    const name = named("channel", label);
    if (settings.signal?.aborted) throw aborted(name, settings.signal);
    const { channels, hasChannels } = this.actor;
    if (!hasChannels) throw new P2pError("bad-args", `${name}: this entry of the package has no channels`);
    if (!channels) throw new P2pError("no-route", `${name}: there is no direct path at present`);
    return channels.open(label, settings);
  }

  /**
   * Sets the handler of the channels that the partner opens: those with a label, or all for which there is no other. Without
   * one they are closed.
   */
  onChannel(handler: OnChannel | undefined, label?: string): this {
    const bad = (handler && wrong("the handler", handler, fun)) ?? (label === undefined ? undefined : wrong("the label", label, text));
    refuse("onChannel", bad);
    if (handler) this.actor.onChannel.set(label, handler);
    else this.actor.onChannel.delete(label);
    return this;
  }

  /** Adds a listener for an event of this client. */
  on<Type extends keyof EventMap>(type: Type, listener: (event: { type: Type } & EventMap[Type]) => void): this {
    refuse("on", wrong("the event", type, oneOf(...TYPES)) ?? wrong("the listener", listener, fun));
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

  /** @internal */
  protected async request<T>(
    name: string,
    make: (call: number) => Command,
    settings: RequestSettings,
    read: (answer: Answer) => T | undefined,
    more: Omit<Caller, "answer"> = {},
    kinds: Kinds<any> = REQUEST,
    target?: string,
  ): Promise<T> {
    const bad = wrongOption(settings, kinds);
    if (bad) throw requestError(name, "bad-args", bad);
    if ((kinds === REGISTER || more.target) && !isClientId(target)) throw requestError(name, "bad-client-id");
    const { signal } = settings;
    if (signal?.aborted) throw aborted(name, signal);
    const [answer, value] = await new Promise<[Answer?, T?]>((resolve) => {
      const abort = () => {
        this.actor.cancel(call);
        resolve([]);
      };
      const answer = (answer: Answer) => {
        signal?.removeEventListener("abort", abort);
        resolve([answer, read(answer)]);
      };
      const call = this.actor.ask(make, { ...more, answer });
      signal?.addEventListener("abort", abort, { once: true });
    });
    // Errors are made here, so that their stacks show the caller.
    if (value !== undefined) return value;
    if (!answer) throw aborted(name, signal as AbortSignal);
    if (answer.kind === "refused") throw requestError(name, answer.refusal.code, answer.refusal.message);
    throw requestError(name, answer.kind === "timed-out" ? "timeout" : "closed");
  }
}

export const REQUEST: Kinds<RequestSettings> = { timeout: time, signal };
const REGISTER: Kinds<RegisterSettings> = { ...REQUEST, payload: json, consentTime: time, waitInLine: time, retry: time };

const CHANNEL: Kinds<ChannelSettings> = {
  protocol: text,
  ordered: flag,
  maxRetransmits: count,
  maxPacketLifeTime: count,
  signal,
};

export const named = (request: string, target: unknown): string => `${request} ${JSON.stringify(target)}`;

/** Throws what is wrong with the arguments of a function, if anything is. */
function refuse(name: string, bad: string | undefined): void {
  if (bad) throw new P2pError("bad-args", `${name}: ${bad}`);
}

export const deadline = ({ timeout }: RequestSettings): number =>
  now() + (timeout === undefined ? REQUEST_TIMEOUT : micros(timeout));

const aborted = (name: string, signal: AbortSignal): RequestError =>
  requestError(name, "cancelled", undefined, signal.reason);

/** Waits so many milliseconds, unless the signal is aborted before. */
function sleep(name: string, milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(aborted(name, signal as AbortSignal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
