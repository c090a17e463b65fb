/**
 * The same without raw channels and files: `channel` fails, and the partner's channels are closed.
 *
 * This entry makes its connections with the socket.io-client that is installed.
 */

import { io } from "socket.io-client";

import { connectWith, type ConnectSettings, type Target } from "./api/connect.js";
import type { P2pClient } from "./api/client.js";
import { DIRECT } from "./direct-parts.js";
import type { Io } from "./server/socket.js";

export * from "./api.js";

/** Connects a client to the server at a URL, or by a socket that is given. Rejects with a `ConnectError`. */
export const connect = (target: Target, settings: ConnectSettings): Promise<P2pClient> =>
  connectWith(io as unknown as Io, target, settings, { direct: DIRECT });
