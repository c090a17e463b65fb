/**
 * Attempts to connect: their deadline, their failures, and which failures are final.
 *
 * An attempt begins when the host begins to make the connection, and ends with the welcome. The first attempt is the
 * only one of its kind, unless the application wants it repeated for some time: an application that starts its client
 * learns at once why that is not possible. After a first welcome, attempts are repeated unless none can succeed.
 */

import type { Client } from "../client.js";
import { isKnownCode, isRetryable, type Refusal } from "../error.js";
import { close } from "./closing.js";
import type { ConnectFailure } from "./interface.js";
import { askForLife, doubt, heard } from "./life.js";

/**
 * Returns whether another attempt can succeed. Only what is known to be final is: a refusal with a text that is no
 * known code may pass, for example that of the application's middleware.
 */
export function isRetryableFailure(failure: ConnectFailure): boolean {
  if (failure.kind !== "refused") return true;
  const { code } = failure.refusal;
  // After `bad-resume` the next attempt shows no token.
  return code === "bad-resume" || !isKnownCode(code) || isRetryable(code);
}

/** Notes that an attempt begins. Its deadline does not change when the connection is there. */
export function connecting(client: Client): void {
  if (client.state.kind === "away") client.beginAttempt(client.backoff.attemptTime(client.now));
}

/** Notes that the host has no connection. */
export function notConnected(client: Client, failure: ConnectFailure): void {
  if (client.state.kind === "ready") askForLife(client); // That one stands.
  else connectingFailed(client, failure);
}

/** Notes that the connection may be gone. */
export function suspected(client: Client): void {
  // Later attempts wait for their deadline: the connection may still work.
  if (client.isConnecting && !client.welcomed) connectingFailed(client, { kind: "closed" });
  else doubt(client);
}

export function garbledWelcome(client: Client, refusal: Refusal): void {
  if (!client.isConnecting) {
    heard(client);
    client.output({ kind: "complain", about: { server: refusal } });
    return;
  }
  const kind = refusal.code === "unsupported-protocol" ? "refused" : "welcome";
  connectingFailed(client, { kind, refusal });
}

/** Reports why an attempt failed, then makes the next one, unless none can succeed. */
export function connectingFailed(client: Client, failure: ConnectFailure): void {
  const mayRetry = client.welcomed ? client.config.resumes : client.now < (client.firstUntil ?? 0);
  if (failure.kind === "refused" && failure.refusal.code === "bad-resume") client.token = undefined;
  client.event({ kind: "connect-error", failure });
  if (mayRetry && isRetryableFailure(failure)) reconnect(client);
  else close(client);
}

/** Asks for another connection, unless this client is about to close. */
export function reconnect(client: Client, after = client.backoff.nextWait(client.now)): void {
  client.state = { kind: "away" };
  if (!client.ending.closes) client.output({ kind: "reconnect", resume: client.token, after });
}
