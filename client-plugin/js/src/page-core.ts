/** The same without the direct path, in one file for `<script type="module">`: see `page.ts` and `core.ts`. */

import { connectWith, type ConnectSettings, type Target } from "./api/connect.js";
import type { P2pClient } from "./api/client.js";
import type { Io } from "./server/socket.js";

export * from "./api.js";

/** Connects a client to the server at a URL, or by a socket that is given. Rejects with a `ConnectError`. */
export const connect = (target: Target, settings: ConnectSettings): Promise<P2pClient> =>
  connectWith((globalThis as { io?: Io }).io, target, settings);
