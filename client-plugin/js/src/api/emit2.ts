/** `emit2`: an event for the partner, and its reply. */

import type { Actor } from "../actor.js";
import { micros, now } from "../actor/clock.js";
import type { Args } from "../args.js";
import type { Answer } from "../client/interface.js";
import { cut } from "../bytes.js";
import type { Code, Outcome, Path } from "../error.js";
import { CALL_TIMEOUT, EVENT_NAME_BYTES } from "../limits.js";
import type { EmitOptions } from "../peer/session/interface.js";
import { oneOf, signal, text, time, wrong, wrongOption, type Kinds } from "./check.js";
import { describe } from "../bytes.js";
import { because, emitError } from "./error.js";
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
  /** What the handler returned, with bytes as `Uint8Array`. */
  args: unknown[];
  /** The path by which it came. */
  path: Path;
}

/** What an emit with these options returns. */
export type Replied<Settings extends EmitSettings, T = any> = Settings extends { reply: false }
  ? void
  : Settings extends { reply: "all" }
    ? Reply
    : T;

/** Emits an event to the partner of this pairing. Its errors are made here, so that their stacks show the caller. */
export async function emit(
  actor: Actor,
  pairing: string | undefined,
  settings: EmitSettings,
  event: string,
  values: readonly unknown[],
): Promise<unknown> {
  const notExecuted = (code: Code, message?: string, cause?: unknown) =>
    emitError(nameOf(event), { outcome: "not-executed", cause: { code, ...(message && { message }) } }, because(cause));
  const bad = wrong("the event", event, text) ?? wrongOption(settings, KINDS);
  if (bad) throw notExecuted("bad-args", bad);
  const { timeout, ttl, path, reply = true, signal } = settings;
  let args: Args;
  try {
    args = encode(values);
  } catch (error) {
    throw notExecuted("bad-args", `the arguments are not JSON: ${describe(error)}`, error);
  }
  if (signal?.aborted) throw notExecuted("cancelled", undefined, signal.reason);
  if (pairing === undefined) throw notExecuted(actor.client.state.kind === "closed" ? "closed" : "not-paired");
  const time = now();
  const deadline = time + (timeout === undefined ? CALL_TIMEOUT : micros(timeout));
  const expires = ttl === undefined ? undefined : time + micros(ttl);
  const isShort = expires !== undefined && expires < deadline;
  const options: EmitOptions = { replyBy: reply === false ? undefined : deadline, expires, via: path };
  const answer = await new Promise<Answer>((resolve) => {
    const failed = (outcome: "not-executed" | "unknown", code: Code) =>
      resolve({ kind: "outcome", outcome: { outcome, cause: { code } } });
    const call = actor.emit(
      (call) => ({ kind: "emit", call, pairing, event, args, options }),
      (Math.min(deadline, expires ?? deadline) - time) / 1_000,
      () => {
        signal?.removeEventListener("abort", abort);
        failed("not-executed", isShort ? "expired" : "timeout");
      },
      {
        answer: (answer) => {
          signal?.removeEventListener("abort", abort);
          resolve(answer);
        },
      },
    );
    const abort = () => failed(actor.cancel(call) ? "not-executed" : "unknown", "cancelled");
    signal?.addEventListener("abort", abort, { once: true });
  });
  if (answer.kind === "sent") return undefined;
  const outcome: Outcome =
    answer.kind === "outcome" ? answer.outcome : { outcome: "unknown", cause: { code: "closed" } };
  if (outcome.outcome !== "replied") {
    const isGivenUp = outcome.outcome !== "failed" && "code" in outcome.cause && outcome.cause.code === "cancelled";
    throw emitError(nameOf(event), outcome, isGivenUp ? because(signal?.reason) : undefined);
  }
  const all = decode(outcome.args);
  return reply === "all" ? { args: all, path: outcome.path } : all[0];
}

const nameOf = (event: unknown): string => `emit2 ${cut(JSON.stringify(event) ?? "", EVENT_NAME_BYTES)}`;
