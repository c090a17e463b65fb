/** Codes, reasons, refusals and outcomes: one vocabulary for every layer. */

import type { Args } from "./args.js";
import { cut, whole } from "./bytes.js";
import { MESSAGE_BYTES } from "./limits.js";
import type { Label } from "./wire/label.js";

/** How frames travel: through the server, or over a data channel between the two. */
export type Path = "relay" | "direct";

/** The codes that this version knows, each with a sentence for people. */
const MESSAGES = {
  offline: "the target is offline",
  self: "a client cannot be paired with itself",
  "source-busy": "the source is already paired or waits for an answer",
  "target-busy": "the target is already paired",
  "queue-full": "too many wait for the target",
  declined: "the target declined",
  timeout: "no answer in time",
  "not-paired": "not paired with that client",
  "stale-pairing": "that pairing has ended",
  "bad-args": "arguments are missing, malformed or of the wrong type",
  "bad-event": "that event is not allowed",
  "too-large": "the message is too large or nested too deeply",
  "rate-limited": "too many messages",
  congested: "the receiver cannot keep up",
  forbidden: "the server does not allow that",
  "duplicate-id": "the client id is in use",
  "bad-client-id": "the client id is malformed",
  "bad-resume": "the session cannot be resumed",
  quota: "a quota of the server is exhausted",
  "shutting-down": "the server is shutting down",
  unhandled: "the partner has no handler for that event",
  "handler-failed": "the partner's handler failed",
  expired: "the message's time to live has expired",
  cancelled: "the request was cancelled",
  closed: "the client is closed",
  "no-route": "the requested path does not exist at present",
  "unsupported-protocol": "no common version of the protocol",
};

export type KnownCode = keyof typeof MESSAGES;

/** The reason of a refusal or a failure. */
export type Code = Label<KnownCode>;

/** The reason for which a pairing ended. */
export type EndReason = Label<
  "unregistered" | "disconnected" | "timed-out" | "replaced" | "kicked" | "node-lost" | "shutting-down"
>;

const words = (text: string): Set<string> => new Set(text.split(" "));

const RETRYABLE = words(
  "offline source-busy target-busy queue-full timeout expired rate-limited congested duplicate-id quota " +
    "shutting-down no-route",
);

/** The codes of replies that report that no handler ran, or that it is unknown. */
const NOT_OF_HANDLER = words("unhandled bad-event bad-args congested offline expired timeout");

/** Returns true if this version knows the code. */
export const isKnownCode = (code: Code): code is KnownCode => Object.hasOwn(MESSAGES, code);

/** Returns one sentence for people. */
export const codeMessage = (code: Code): string =>
  isKnownCode(code) ? MESSAGES[code] : "refused with a code of another version";

/** Returns true if the same request can succeed later without any change. An unknown code is final. */
export const isRetryable = (code: Code): boolean => RETRYABLE.has(code);

/** Returns true if a reply with this code reports that a handler ran and failed. */
export const isOfHandler = (code: Code): boolean => !NOT_OF_HANDLER.has(code);

/** A refusal: its code for programs, and a message for people. */
export interface Refusal {
  code: Code;
  message: string;
}

/** Returns a refusal. Without a message it has that of its code. */
export const refusal = (code: Code, message = codeMessage(code)): Refusal => ({
  code,
  message: cut(whole(message), MESSAGE_BYTES),
});

/** Why an emit was not executed, or why its outcome is unknown: a code, or the reason for which its pairing ended. */
export type Cause = { code: Code; message?: string } | { ended: EndReason };

/** The outcome of an acknowledged emit, reported exactly once. */
export type Outcome =
  /** The handler ran and returned these arguments; the reply arrived by this path. */
  | { outcome: "replied"; args: Args; path: Path }
  /** The handler ran and failed. */
  | { outcome: "failed"; refusal: Refusal }
  /** No handler ran and none will; or the emit was sent, and it cannot be known whether one ran. */
  | { outcome: "not-executed" | "unknown"; cause: Cause };
