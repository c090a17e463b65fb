/** The server's messages, and the answers to what the server asks. */

import type { Client } from "../client.js";
import { isKnownCode, isRetryable, refusal as refusalOf, type Refusal } from "../error.js";
import type { PairingId } from "../id.js";
import { QUESTIONS } from "../limits.js";
import type * as peer from "../peer/interface.js";
import type { ReqId } from "../wire/control/client.js";
import type { ServerMessage } from "../wire/control/server.js";
import { close } from "./closing.js";
import { knowsAs, welcome } from "./connection.js";
import type { QuestionId } from "./interface.js";
import { everyPeer, feedPeer, forgottenPeer, paired, peerNamed } from "./peers.js";
import { endUnwanted, isWithdrawn, resolve, toldPlace } from "./requests.js";

const FIRST: readonly ServerMessage["kind"][] = ["welcome", "error", "farewell"];

export function received(client: Client, message: ServerMessage): void {
  if (client.state.kind !== "ready" && !FIRST.includes(message.kind)) {
    const refusal = refusalOf("bad-event", "the server sent a message before its welcome");
    return client.output({ kind: "complain", about: { server: refusal } });
  }
  switch (message.kind) {
    case "welcome":
      return welcome(client, message.welcome);
    case "register": {
      if (client.ending.closes) return; // The server answers it when this client leaves.
      const key = forgottenPeer(client);
      if (key === undefined) ask(client, message);
      else askedWhileForgotten(client, key, message.req, message.source);
      return;
    }
    case "registered": {
      takeReassertion(client, message.req);
      const isUnwanted = isWithdrawn(client, message.req);
      paired(client, message.pairing);
      resolve(client, message.req, { kind: "registered", pairing: message.pairing });
      if (isUnwanted) endUnwanted(client);
      return;
    }
    case "register-failed": {
      const { req, refusal } = message;
      if (!notGranted(client, req, refusal)) resolve(client, req, { kind: "refused", refusal });
      return;
    }
    case "disconnect": {
      const key = knowsAs(client, message.pairing);
      const { reason } = message;
      // A pairing of a room is not reasserted.
      const isInRoom = key !== undefined && client.rooms?.roomOf(key) !== undefined;
      const input: peer.Input = isInRoom ? { kind: "ended", reason } : { kind: "server", event: { event: "ended", reason } };
      if (key !== undefined) feedPeer(client, key, input);
      return resolve(client, message.req, { kind: "unregistered" });
    }
    case "partner": {
      const key = knowsAs(client, message.pairing);
      if (key !== undefined) feedPeer(client, key, { kind: "server", event: { event: "partner", state: message.state } });
      return;
    }
    case "clients":
      return resolve(client, message.req, { kind: "clients", clients: message.clients });
    case "error":
      return refused(client, message.refusal, message.req, message.pairing);
    case "signal-refused": {
      // The attempt that needs it fails, and is tried again. One that was under way at the end is not missed.
      const { refusal } = message;
      if (!isOver(refusal)) client.output({ kind: "complain", about: { refused: refusal } });
      return;
    }
    case "farewell": {
      const { refusal } = message;
      if (client.isConnecting) client.event({ kind: "connect-error", failure: { kind: "refused", refusal } });
      else client.event({ kind: "refused", refusal });
      return close(client);
    }
    case "line":
      return toldPlace(client, message.req, message.place);
    case "target":
      return client.watches.told(client, message.req, message.state);
    case "joined":
    case "member":
    case "exited":
      return client.rooms?.received(message);
    case "pong":
      return measured(client, message.req);
  }
}

function isOver({ code }: Refusal): boolean {
  return code === "stale-pairing" || code === "not-paired";
}

/** Notes that the server has answered a ping. */
function measured(client: Client, req: ReqId): void {
  if (client.asked?.req !== req) return;
  const time = client.now - client.asked.at;
  client.asked = undefined;
  client.serverRtt = time;
  client.doubt = undefined;
  everyPeer(client, { kind: "server", event: { event: "answered", time } });
}

function refused(client: Client, refusal: Refusal, req: ReqId | undefined, pairing: PairingId | undefined): void {
  if (notGranted(client, req, refusal) || client.watches.refused(client, req, refusal)) return;
  if (client.rooms?.refused(req, refusal)) return;
  const { code } = refusal;
  if (req !== undefined) {
    // A pairing that does not exist counts as ended.
    return resolve(client, req, code === "not-paired" ? { kind: "unregistered" } : { kind: "refused", refusal });
  }
  if (isOver(refusal)) return; // Frames that were under way when the pairing ended.
  const key = pairing === undefined ? undefined : peerNamed(client, pairing);
  const isUnknown = !isKnownCode(code);
  if (key === undefined ? code === "bad-args" || code === "bad-event" : isUnknown) {
    client.output({ kind: "complain", about: { refused: refusal } });
  } else if (key === undefined || !isRetryable(code)) {
    client.event({ kind: "refused", refusal });
  }
  if (key === undefined) return;
  // The relay dropped frames: they stay in the window and are sent again. Or it will never relay them, and whatever
  // follows waits for them.
  feedPeer(client, key, { kind: isUnknown || isRetryable(code) ? "relay-refused" : "undeliverable" });
}

/** Answers a request that a server makes which has forgotten this client's pairing. */
function askedWhileForgotten(client: Client, key: PairingId, req: ReqId, source: string): void {
  const partner = client.peers.get(key)?.info.partner;
  if (partner === undefined) return;
  client.send(partner === source ? { kind: "accept", req } : { kind: "reserve", req, partner });
}

/** Returns the peer whose reassertion has this number, which was answered. */
function takeReassertion(client: Client, req: ReqId | undefined): PairingId | undefined {
  if (req === undefined) return undefined;
  const key = client.reassertions.get(req);
  client.reassertions.delete(req);
  return key;
}

/** Returns true if this was the refusal of a reassertion. */
function notGranted(client: Client, req: ReqId | undefined, { code }: Refusal): boolean {
  const key = takeReassertion(client, req);
  if (key !== undefined) feedPeer(client, key, { kind: "server", event: { event: "not-granted", code } });
  return key !== undefined;
}

/**
 * Asks the application for its consent. The number is the client's own: the application may still think about a
 * question of an earlier connection.
 */
function ask(client: Client, asked: ServerMessage & { kind: "register" }): void {
  const { req, source, payload, consentTime } = asked;
  if (client.questions.length === QUESTIONS) client.questions.shift();
  const question = ++client.lastQuestion;
  client.questions.push({ question, req });
  client.output({ kind: "ask", question, source, payload, consentTime });
}

/** Sends the application's answer, unless this server did not ask. */
export function answerQuestion(client: Client, question: QuestionId, accept: boolean, reason?: string): void {
  const at = client.questions.findIndex((asked) => asked.question === question);
  const [asked] = at < 0 ? [] : client.questions.splice(at, 1);
  if (!asked) return;
  const { req } = asked;
  client.send(accept ? { kind: "accept", req } : { kind: "decline", req, reason });
}
