/** The application's commands. */

import type { Client } from "../client.js";
import { refuseClosed } from "./closing.js";
import { networkChanged } from "./connection.js";
import { beginToClose, endPairing } from "./ending.js";
import type { Command } from "./interface.js";
import { emit, everyPeer } from "./peers.js";
import { beginToRegister, cancelRequest, request } from "./requests.js";

export function command(client: Client, command: Command): void {
  if (client.ending.closes && command.kind !== "cancel") return refuseClosed(client, command);
  switch (command.kind) {
    case "register":
      return beginToRegister(client, command);
    case "unregister":
      return endPairing(client, command.call, command.deadline);
    case "list":
      return request(client, command.call, { kind: "list" }, command.deadline);
    case "watch":
      return client.watches.watch(client, command.call, command.target, command.deadline);
    case "emit": {
      const { call, pairing, event, args, options } = command;
      return emit(client, call, pairing, { kind: "emit", call, event, args, options });
    }
    case "join":
    case "exit":
    case "upgrade":
      return client.rooms?.command(command);
    case "cancel": {
      const { call } = command;
      cancelRequest(client, call);
      client.ending.cancel(call);
      client.watches.cancel(client, call);
      client.rooms?.cancel(call);
      return everyPeer(client, { kind: "cancelled", call });
    }
    case "network-changed":
      everyPeer(client, { kind: "network-changed" });
      return networkChanged(client);
    case "close":
      return beginToClose(client);
  }
}
