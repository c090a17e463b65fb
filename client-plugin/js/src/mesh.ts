/**
 * The same with rooms: `joinMesh` of its clients joins one whose members are all connected to each other.
 *
 * This entry makes its connections with the socket.io-client that is installed.
 */

import { io } from "socket.io-client";

import { connectWith, type ConnectSettings, type Target } from "./api/connect.js";
import { MeshClient } from "./api/mesh/join.js";
import { DIRECT } from "./direct-parts.js";
import { Channels } from "./direct/channels.js";
import { ROOMS } from "./room-parts.js";
import type { Io } from "./server/socket.js";

export * from "./api.js";
export * from "./api-mesh.js";
export { P2pChannel } from "./direct/raw-channel.js";
export * from "./files.js";

/** Connects a client to the server at a URL, or by a socket that is given. Rejects with a `ConnectError`. */
export const connect = (target: Target, settings: ConnectSettings): Promise<MeshClient> =>
  connectWith(io as unknown as Io, target, settings, { direct: DIRECT, Channels, rooms: ROOMS, Client: MeshClient });
