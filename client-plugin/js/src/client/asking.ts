/** Requests that wait when a client has another connection. */

import type { Client } from "../client.js";
import { endPairing } from "./ending.js";
import { exclusivePeer } from "./peers.js";
import { endUnwanted, pairingWith, register, request } from "./requests.js";

/** Sends the requests again that were not answered on an earlier connection, unless the welcome answers them. */
export function askAgain(client: Client): void {
  const pending = [...client.requests.values()];
  client.requests.clear();
  for (const { call, request: asked, deadline, isCancelled } of pending) {
    if (asked.kind === "list") {
      request(client, call, asked, deadline);
    } else if (asked.kind === "unregister") {
      if (exclusivePeer(client)) endPairing(client, call, deadline);
      else client.answer(call, { kind: "unregistered" });
    } else {
      const pairing = pairingWith(client, asked.target);
      if (isCancelled) {
        if (pairing) endUnwanted(client);
      } else if (pairing) {
        client.answer(call, { kind: "registered", pairing });
      } else {
        register(client, call, asked, deadline);
      }
    }
  }
  client.watches.watchAgain(client);
}
