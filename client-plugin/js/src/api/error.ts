/** The errors of this package. Each has a `code`, and tells whether the same request can succeed later. */

import { isText } from "../bytes.js";
import { isRetryableFailure } from "../client/connecting.js";
import type { ConnectFailure } from "../client/interface.js";
import { codeMessage, isOfHandler, isRetryable as isRetryableCode, type Cause, type Code, type Outcome } from "../error.js";

/** Gives a class of errors a name that stays when a bundler shortens names: stacks begin with it. */
function named(of: { prototype: Error }, value: string): void {
  for (const owner of [of, of.prototype]) Object.defineProperty(owner, "name", { value, configurable: true });
}

/** Returns the options of an error with a cause, if there is one. */
export const because = (cause: unknown): ErrorOptions | undefined => (cause === undefined ? undefined : { cause });

/** An error with a stable code. */
export class P2pError extends Error {
  static {
    named(this, "P2pError");
  }
  /** True if the same request can succeed later without any change. */
  readonly isRetryable: boolean;

  constructor(
    /** The reason, for programs: PROTOCOL.md, "Codes and reasons". */
    readonly code: string,
    message: string = codeMessage(code),
    isRetryable = isRetryableCode(code),
    options?: ErrorOptions,
  ) {
    super(`${message} (${code})`, options);
    this.isRetryable = isRetryable;
  }
}

/** Why there is no connection. */
export class ConnectError extends P2pError {
  static {
    named(this, "ConnectError");
  }
}

/** Returns the error of a failure to connect to a server. */
export function connectError(server: string, failure: ConnectFailure): ConnectError {
  const [code, message] = described(failure);
  return new ConnectError(code, `connect ${server}: ${message}`, isRetryableFailure(failure));
}

/** What helps against some refusals. */
const HINT: Record<string, string> = {
  "duplicate-id": "; that of a program that was killed is free after the server's grace period, see `retryConnect`",
};

function described(failure: ConnectFailure): [Code, string] {
  switch (failure.kind) {
    case "refused": {
      const { code, message } = failure.refusal;
      return [code, `the server refused the connection: ${message}${HINT[code] ?? ""}`];
    }
    case "welcome":
      return [failure.refusal.code, `the server's welcome cannot be read: ${failure.refusal.message}`];
    case "auth":
      return ["forbidden", `no auth for the connection: ${failure.message}`];
    case "unreachable":
      return ["unreachable", `no connection to the server: ${failure.message}`];
    case "closed":
      return ["closed", "the connection was closed before the server's welcome"];
    case "timeout":
      return ["timeout", `no welcome from the server within ${failure.time / 1_000} ms`];
  }
}

/** Why a request to the server failed: to register, to unregister, to watch, or to list. */
export class RequestError extends P2pError {
  static {
    named(this, "RequestError");
  }
}

/** Returns the error of a request, which is named. */
export const requestError = (request: string, code: Code, message = codeMessage(code), cause?: unknown): RequestError =>
  new RequestError(code, `${request}: ${message}`, undefined, because(cause));

/** Why an emit returned no reply. Each call reports its outcome exactly once, and truthfully. */
export class EmitError extends P2pError {
  static {
    named(this, "EmitError");
  }

  constructor(
    /**
     * `failed`: the partner's handler ran and failed. `not-executed`: no handler ran, and none will. `unknown`: the
     * event was sent, and it cannot be known whether a handler ran.
     */
    readonly outcome: "failed" | "not-executed" | "unknown",
    code: string,
    message?: string,
    options?: ErrorOptions,
  ) {
    super(code, message, outcome !== "unknown" && isRetryableCode(code), options);
  }

  /** Whether a handler ran; undefined if that cannot be known. */
  get executed(): boolean | undefined {
    return this.outcome === "unknown" ? undefined : this.outcome === "failed";
  }
}

/** Returns the error of an emit, which is named. */
export function emitError(emit: string, failed: Exclude<Outcome, { outcome: "replied" }>, options?: ErrorOptions): EmitError {
  const why: Cause = failed.outcome === "failed" ? failed.refusal : failed.cause;
  const [code, message] =
    "code" in why ? [why.code, why.message ?? codeMessage(why.code)] : [why.ended, `the pairing ended: ${why.ended}`];
  return new EmitError(failed.outcome, code, `${emit}: ${message}`, options);
}

/**
 * An error that a handler throws to choose the code that the caller gets. A code that would report that no handler
 * ran is replaced by `handler-failed`.
 */
export class HandlerError extends Error {
  static {
    named(this, "HandlerError");
  }

  /** The code that the caller gets. */
  readonly code: string;

  constructor(code: string, message: string = codeMessage(code)) {
    super(message);
    this.code = isText(code) && isOfHandler(code) ? code : "handler-failed";
  }
}
