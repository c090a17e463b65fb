/** The end of a client. */

import type { Client } from "../client.js";
import type { Command } from "./interface.js";
import { everyPeer } from "./peers.js";
import { closeRequests } from "./requests.js";

export function close(client: Client): void {
  everyPeer(client, { kind: "ended", reason: "disconnected" });
  closeRequests(client);
  client.state = { kind: "closed" };
  client.event({ kind: "disconnected" });
  client.output({ kind: "close" });
}

/** Refuses a command: the client is closed, or about to. */
export function refuseClosed(client: Client, command: Command): void {
  if (command.kind === "emit") {
    client.answer(command.call, { kind: "outcome", outcome: { outcome: "not-executed", cause: { code: "closed" } } });
  } else if ("call" in command && command.kind !== "cancel") {
    client.answer(command.call, { kind: "closed" });
  }
}
