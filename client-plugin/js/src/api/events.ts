/** Events of a client for the application: listeners, and an async iterator. */

import type { ClientEvent } from "../client/interface.js";
import { connectError, type ConnectError, P2pError } from "./error.js";
import type { PairingInfo, Presence } from "../wire/control/welcome.js";

/** The events of a client, by their names. */
export interface EventMap {
  /** The server has welcomed the client. */
  connected: { id: string };
  /** The connection is lost, and another is being made. Calls under way and the pairing wait for it. */
  away: {};
  /** An attempt to connect failed. The next one follows, unless the error is not retryable. */
  "connect-error": { error: ConnectError };
  /** There is another connection, and the session goes on. */
  resumed: { id: string };
  /** There is another connection, and the server does not know the session any more. */
  restarted: { id: string };
  /** The client is paired. */
  paired: { pairing: PairingInfo };
  /** A registration waits for a busy target: 1 for the next, 0 once the target is asked. */
  "in-line": { target: string; place: number };
  /** The client is not paired any more. */
  unpaired: { pairing: PairingInfo; reason: string };
  /** The partner lost its connection, or is back. */
  partner: { state: Presence };
  /** Emits take another path from now on; `rttMs` is its round trip, as far as it is known. */
  path: { path: "relay" | "direct" | undefined; rttMs: number | undefined };
  /** The server knows the pairing again, by this name. */
  reasserted: { pairing: PairingInfo };
  /** The server refused something that no call waits for. */
  refused: { error: P2pError };
  /** The connection is gone, and the client makes no other. The server's refusal, if that is why, is the error. */
  disconnected: { error: P2pError | undefined };
}

const NAMES: Record<keyof EventMap, 1> = {
  connected: 1,
  away: 1,
  "connect-error": 1,
  resumed: 1,
  restarted: 1,
  paired: 1,
  "in-line": 1,
  unpaired: 1,
  partner: 1,
  path: 1,
  reasserted: 1,
  refused: 1,
  disconnected: 1,
};

/** The names of all events. */
export const TYPES: readonly string[] = Object.keys(NAMES);

/** The events of a map, each with its name as `type`. */
export type EventOf<Events> = { [Type in keyof Events]: { type: Type } & Events[Type] }[keyof Events];

/** An event, with its name as `type`. */
export type P2pEvent = EventOf<EventMap>;

/** What an iterator yields: an event, or the number of those that it missed, because it was not read. */
export type Read<Event = P2pEvent> = Event | { type: "lagged"; missed: number };

/** The events that wait for the reader of an iterator. */
const WAITING = 256;

/** Returns an event in the words of the application. */
export function publicEvent(event: ClientEvent, server: string, last: P2pError | undefined): P2pEvent {
  switch (event.kind) {
    case "connected":
    case "resumed":
    case "restarted":
      return { type: event.kind, id: event.welcome.clientId };
    case "connect-error":
      return { type: "connect-error", error: connectError(server, event.failure) };
    case "path":
      return { type: "path", path: event.path, rttMs: event.rtt === undefined ? undefined : event.rtt / 1_000 };
    case "refused":
      return { type: "refused", error: new P2pError(event.refusal.code, event.refusal.message) };
    case "disconnected":
      return { type: "disconnected", error: last };
    default: {
      const { kind, ...fields } = event;
      return { type: kind, ...fields } as P2pEvent;
    }
  }
}

/** A queue that is read by an async iterator. When it is full, the oldest are dropped and counted. */
export class EventReader<Event = P2pEvent> implements AsyncIterableIterator<Read<Event>> {
  private readonly queue: Event[] = [];
  private missed = 0;
  private waiting: ((read: IteratorResult<Read<Event>>) => void)[] = [];
  private isOver = false;

  /** @internal */
  constructor(private readonly closed: (reader: EventReader<Event>) => void) {}

  /** Adds an event. @internal */
  push(event: Event): void {
    const reader = this.waiting.shift();
    if (reader) return reader({ done: false, value: event });
    if (this.queue.push(event) <= WAITING) return;
    this.queue.shift();
    this.missed++;
  }

  /** Notes that no event follows. What waits can still be read. @internal */
  end(): void {
    this.isOver = true;
    for (const reader of this.waiting.splice(0)) reader({ done: true, value: undefined });
  }

  /** Returns the next event, once there is one. */
  next(): Promise<IteratorResult<Read<Event>>> {
    if (this.missed) {
      const value = { type: "lagged" as const, missed: this.missed };
      this.missed = 0;
      return Promise.resolve({ done: false, value });
    }
    const value = this.queue.shift();
    if (value) return Promise.resolve({ done: false, value });
    if (this.isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Ends the reader, as leaving a loop over it does. */
  return(): Promise<IteratorResult<Read<Event>>> {
    this.queue.length = this.missed = 0;
    this.end();
    this.closed(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Returns this reader. */
  [Symbol.asyncIterator](): this {
    return this;
  }
}

type Listener<Events, Type extends keyof Events> = (event: { type: Type } & Events[Type]) => void;

/** The listeners and readers of a client's events, or of others. */
export class Observers<Events = EventMap> {
  private readonly listeners = new Map<keyof Events, Set<(event: any) => void>>();
  private readonly readers = new Set<EventReader<EventOf<Events>>>();
  private isOver = false;

  publish(event: EventOf<Events>): void {
    for (const reader of this.readers) reader.push(event);
    // A listener may add others, and remove itself.
    for (const listener of [...(this.listeners.get(event.type) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        reportError(error);
      }
    }
    if (event.type === "disconnected") this.end();
  }

  /** Notes that no event follows. */
  end(): void {
    this.isOver = true;
    for (const reader of this.readers) reader.end();
    this.readers.clear();
  }

  on<Type extends keyof Events>(type: Type, listener: Listener<Events, Type>): void {
    const listeners = this.listeners.get(type) ?? new Set();
    this.listeners.set(type, listeners.add(listener));
  }

  off<Type extends keyof Events>(type: Type, listener: Listener<Events, Type>): void {
    this.listeners.get(type)?.delete(listener);
  }

  read(): EventReader<EventOf<Events>> {
    const reader = new EventReader<EventOf<Events>>((reader) => this.readers.delete(reader));
    if (this.isOver) reader.end();
    else this.readers.add(reader);
    return reader;
  }
}

/** Reports an error of the application as if nothing had caught it, without an effect on this client. */
export function reportError(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
