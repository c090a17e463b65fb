/** The same without raw channels and files, in one file for `<script type="module">`: see `page.ts`, `core-direct.ts`. */

import { connectWith, type ConnectSettings, type Target } from "./api/connect.js";
import type { P2pClient } from "./api/client.js";
import { DIRECT } from "./direct-parts.js";
import type { Io } from "./server/socket.js";

export * from "./api.js";

/** Connects a client to the server at a URL, or by a socket that is given. Rejects with a `ConnectError`. */
export const connect = (target: Target, settings: ConnectSettings): Promise<P2pClient> =>
  connectWith((globalThis as { io?: Io }).io, target, settings, { direct: DIRECT });
