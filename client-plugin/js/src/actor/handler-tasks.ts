/** Running the application's handlers, in the order of the events up to their first await. */

import { Args } from "../args.js";
import { describe } from "../bytes.js";
import { RunningHandlers } from "../client/handlers.js";
import { refusal, type Refusal } from "../error.js";
import type { PairingId } from "../id.js";
import { HandlerError } from "../api/error.js";
import { decode, encode, Values } from "../api/values.js";
import type { Delivery } from "../peer/session/interface.js";

/** An event of the partner. */
export interface Incoming {
  /** The name of the event. */
  readonly event: string;
  /** Its arguments, with bytes as `Uint8Array`. */
  readonly args: unknown[];
  /** The partner that sent it. */
  readonly source: string;
  /** The pairing to which it belongs. */
  readonly pairing: PairingId;
  /** The room in which it was sent, or undefined if it belongs to the exclusive pairing. */
  readonly room: string | undefined;
  /** True if the partner waits for a reply. */
  readonly wantsReply: boolean;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
}

/** A handler: what it returns is the reply, its first argument or `values(…)`. */
export type Handler = (this: Incoming, ...args: any[]) => unknown;

/** A handler of events that have no handler of their own. */
export type FallbackHandler = (incoming: Incoming) => unknown;

/** Tells a handler that nobody waits. Few handlers look at their signal, which is costly to make: it is made then. */
class Abort {
  isAborted = false;
  private controller: AbortController | undefined;

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.isAborted) this.controller.abort();
    }
    return this.controller.signal;
  }

  abort(): void {
    this.isAborted = true;
    this.controller?.abort();
  }
}

/** The application's handlers, and those of them that run. */
export class HandlerTasks {
  readonly handlers = new Map<string, Handler>();
  fallback: FallbackHandler | undefined;
  private readonly running = new RunningHandlers();
  private readonly aborts = new Map<string, Abort>();

  /**
   * `broken` is told of a handler that failed otherwise than by a `HandlerError`; `isPresent` tells whether a pairing is
   * not over.
   */
  constructor(
    private readonly finished: (pairing: PairingId, seq: number, result: Args | Refusal) => void,
    private readonly broken: (failed: string, error: unknown) => void,
    private readonly isPresent: (pairing: PairingId) => boolean,
  ) {}

  /** Starts the handler of a delivered event. */
  start(pairing: PairingId, source: string, { seq, event, args, wantsReply }: Delivery, room?: string): void {
    const handler = this.handlers.get(event);
    const { fallback } = this;
    if (!handler && !fallback) return this.finished(pairing, seq, refusal("unhandled"));
    const key = keyOf(pairing, seq);
    const abort = new Abort();
    const full = this.running.start(pairing, seq, () => this.end(key), this.isPresent);
    if (full) return this.finished(pairing, seq, full);
    this.aborts.set(key, abort);
    const done = (result: Args | Refusal) => {
      this.running.finished(pairing, seq);
      this.aborts.delete(key);
      this.finished(pairing, seq, result);
    };
    const fail = (error: unknown) => {
      // What the handler chose to report, or stopped with because nobody waits, is no fault.
      const isMeant = error instanceof HandlerError || (abort.isAborted && error === abort.signal.reason);
      if (!isMeant) this.broken(`${handler ? "on2" : "onAny2"} ${JSON.stringify(event)}`, error);
      done(failed(error));
    };
    const succeed = (value: unknown) => {
      let args: Args;
      try {
        args = reply(value);
      } catch (error) {
        return fail(error);
      }
      done(args);
    };
    try {
      const values = decode(args);
      const incoming: Incoming = {
        event,
        args: values,
        source,
        pairing,
        room,
        wantsReply,
        get signal() {
          return abort.signal;
        },
      };
      const result = handler ? handler.apply(incoming, values) : fallback?.(incoming);
      if (isThenable(result)) result.then(succeed, fail);
      else succeed(result);
    } catch (error) {
      fail(error);
    }
  }

  /** Notes that nobody awaits the result of a handler any more. */
  abandon(pairing: PairingId, seq: number): void {
    this.running.abandon(pairing, seq);
    this.aborts.get(keyOf(pairing, seq))?.abort();
  }

  private end(key: string): void {
    this.aborts.get(key)?.abort();
    this.aborts.delete(key);
  }

  /** Tells all handlers that nobody waits any more. */
  close(): void {
    for (const abort of this.aborts.values()) abort.abort();
    this.aborts.clear();
  }
}

const keyOf = (pairing: PairingId, seq: number): string => `${pairing} ${seq}`;

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | undefined)?.then === "function";

const reply = (result: unknown): Args =>
  encode(result instanceof Values ? result.values : result === undefined ? [] : [result]);

/** The partner learns the code and the message of a `HandlerError`, and the message of any other error. */
function failed(error: unknown): Refusal {
  if (error instanceof HandlerError) return refusal(error.code, describe(error));
  return refusal("handler-failed", describe(error));
}
