/** The errors of this package. Each has a `code`, and tells whether the same request can succeed later. */

import { isRetryableFailure } from "../client/connecting.js";
import type { ConnectFailure } from "../client/interface.js";
import { codeMessage, isOfHandler, isRetryable as isRetryableCode, type Cause, type Code, type Outcome, type Refusal } from "../error.js";

/** An error with a stable code. */
export class P2pError extends Error {
  override readonly name: string = "P2pError";
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
  override readonly name = "ConnectError";

  static of(failure: ConnectFailure): ConnectError {
    const [code, message] = described(failure);
    return new ConnectError(code, message, isRetryableFailure(failure));
  }
}

function described(failure: ConnectFailure): [Code, string] {
  switch (failure.kind) {
    case "refused":
      return [failure.refusal.code, `the server refused the connection: ${failure.refusal.message}`];
    case "welcome":
      return [failure.refusal.code, `the server's welcome cannot be read: ${failure.refusal.message}`];
    case "auth":
      return ["forbidden", `no auth for the connection: ${failure.message}`];
    case "unreachable":
      return ["closed", `no connection to the server: ${failure.message}`];
    case "closed":
      return ["closed", "the connection was closed before the server's welcome"];
    case "timeout":
      return ["timeout", `no welcome from the server within ${failure.time / 1_000} ms`];
  }
}

/** Why a request to the server failed: to register, to unregister, to watch, or to list. */
export class RequestError extends P2pError {
  override readonly name = "RequestError";

  static of({ code, message }: Refusal): RequestError {
    return new RequestError(code, message);
  }
}

/** Why an emit returned no reply. Each call reports its outcome exactly once, and truthfully. */
export class EmitError extends P2pError {
  override readonly name = "EmitError";

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

  static of(outcome: Exclude<Outcome, { outcome: "replied" }>): EmitError {
    if (outcome.outcome === "failed") return new EmitError("failed", outcome.refusal.code, outcome.refusal.message);
    return EmitError.because(outcome.outcome, outcome.cause);
  }

  static because(outcome: "not-executed" | "unknown", cause: Cause): EmitError {
    if ("code" in cause) return new EmitError(outcome, cause.code, cause.message);
    return new EmitError(outcome, cause.ended, `the pairing ended: ${cause.ended}`);
  }
}

/**
 * An error that a handler throws to choose the code that the caller gets. A code that would report that no handler
 * ran is replaced by `handler-failed`.
 */
export class HandlerError extends Error {
  override readonly name = "HandlerError";
  readonly code: string;

  constructor(code: string, message: string = codeMessage(code)) {
    super(message);
    this.code = isOfHandler(code) ? code : "handler-failed";
  }
}
