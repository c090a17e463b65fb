/**
 * The same in one file, for `<script type="module">`. It makes its connections with the `io` that socket.io-client
 * leaves in a page, or that is given.
 */

import { connectWith, type ConnectSettings, type Target } from "./api/connect.js";
import type { P2pClient } from "./api/client.js";
import { DIRECT } from "./direct-parts.js";
import { Channels } from "./direct/channels.js";
import type { Io } from "./server/socket.js";

export * from "./api.js";
export { P2pChannel } from "./direct/raw-channel.js";
export * from "./files.js";

/** Connects a client to the server at a URL, or by a socket that is given. Rejects with a `ConnectError`. */
export const connect = (target: Target, settings: ConnectSettings): Promise<P2pClient> =>
  connectWith((globalThis as { io?: Io }).io, target, settings, { direct: DIRECT, Channels });
