/** `emit2`: an event for the partner, and its reply. */

import type { Actor } from "../actor.js";
import { micros, now } from "../actor/clock.js";
import type { Args } from "../args.js";
import type { Answer } from "../client/interface.js";
import type { Path } from "../error.js";
import { CALL_TIMEOUT } from "../limits.js";
import { oneOf, signal, text, time, wrong, wrongOption, type Kinds } from "./check.js";
import { EmitError } from "./error.js";
import { decode, encode } from "./values.js";

/** The options of an emit. */
export interface EmitSettings {
  /** The milliseconds to wait for room in the window and for the reply, together. 10,000 by default. */
  timeout?: number;
  /** A time to live in milliseconds: no handler starts after it. Unlimited by default. */
  ttl?: number;
  /** The path that the event is to take. The present one by default. */
  path?: Path;
  /**
   * `true`, the default, returns the first argument of the reply, `"all"` a `Reply`. `false` wants no reply: the call
   * returns when the event is on its way.
   */
  reply?: boolean | "all";
  /** Gives the call up. Before the event was sent, it is not sent. */
  signal?: AbortSignal;
}

const KINDS: Kinds<EmitSettings> = {
  timeout: time,
  ttl: time,
  path: oneOf("relay", "direct"),
  reply: oneOf(true, false, "all"),
  signal,
};

/** All arguments of a reply, and the path by which it came. */
export interface Reply {
  args: unknown[];
  path: Path;
}

/** What an emit with these options returns. */
export type Replied<Settings extends EmitSettings> = Settings extends { reply: false }
  ? void
  : Settings extends { reply: "all" }
    ? Reply
    : any;

/** Emits an event to the partner of this pairing. */
export function emit(
  actor: Actor,
  pairing: string | undefined,
  settings: EmitSettings,
  event: string,
  values: readonly unknown[],
): Promise<unknown> {
  const notExecuted = (code: string, message?: string, options?: ErrorOptions) =>
    Promise.reject(new EmitError("not-executed", code, message, options));
  const bad = wrong("the event", event, text) ?? wrongOption(settings, KINDS);
  if (bad) return notExecuted("bad-args", bad);
  const { timeout, ttl, path, reply = true, signal } = settings;
  let args: Args;
  try {
    args = encode(values);
  } catch (error) {
    return notExecuted("bad-args", undefined, { cause: error });
  }
  if (signal?.aborted) return notExecuted("cancelled", undefined, { cause: signal.reason });
  if (pairing === undefined) return notExecuted(actor.client.state.kind === "closed" ? "closed" : "not-paired");
  const time = now();
  const deadline = time + (timeout === undefined ? CALL_TIMEOUT : micros(timeout));
  const expires = ttl === undefined ? undefined : time + micros(ttl);
  const isShort = expires !== undefined && expires < deadline;
  const options = { replyBy: reply === false ? undefined : deadline, expires, via: path };
  return new Promise((resolve, reject) => {
    const settle = (result: () => void) => {
      signal?.removeEventListener("abort", abort);
      result();
    };
    const call = actor.emit(
      (call) => ({ kind: "emit", call, pairing, event, args, options }),
      (Math.min(deadline, expires ?? deadline) - time) / 1_000,
      () => settle(() => reject(new EmitError("not-executed", isShort ? "expired" : "timeout"))),
      { answer: (answer) => settle(() => finish(answer, reply, resolve, reject)) },
    );
    const abort = () => {
      const outcome = actor.cancel(call) ? "not-executed" : "unknown";
      settle(() => reject(new EmitError(outcome, "cancelled", undefined, { cause: signal?.reason })));
    };
    signal?.addEventListener("abort", abort);
  });
}

function finish(
  answer: Answer,
  reply: boolean | "all",
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): void {
  if (answer.kind === "sent") return resolve(undefined);
  if (answer.kind !== "outcome") return reject(new EmitError("unknown", "closed"));
  const { outcome } = answer;
  if (outcome.outcome !== "replied") return reject(EmitError.of(outcome));
  const args = decode(outcome.args);
  resolve(reply === "all" ? { args, path: outcome.path } : args[0]);
}
