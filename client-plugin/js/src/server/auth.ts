/** The CONNECT auth: the application's fields, and those of this protocol. */

import type { ClientId, ResumeToken } from "../id.js";
import { PROTOCOL } from "../wire/names.js";

/** The application's auth: its fields, or a function that returns them for each connection. */
export type Auth = Record<string, unknown> | (() => Record<string, unknown> | Promise<Record<string, unknown>>);

/** Returns the auth of the next connection. */
export async function connectAuth(
  auth: Auth | undefined,
  id: ClientId,
  direct: boolean,
  resume: ResumeToken | undefined,
): Promise<Record<string, unknown>> {
  const fields = typeof auth === "function" ? await auth() : auth;
  return { ...fields, clientId: id, p2p: PROTOCOL, binary: true, direct: direct || undefined, resume };
}

/**
 * Returns the auth that a given socket has already, in the form of this file. socket.io-client takes fields, or a
 * function that is given a callback.
 */
export function ownAuth(auth: unknown): Auth | undefined {
  if (typeof auth !== "function") return auth as Auth | undefined;
  return () => new Promise((resolve) => (auth as (give: typeof resolve) => void)(resolve));
}
