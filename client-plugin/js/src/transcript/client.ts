/** The lines of a client. */

import { Client } from "../client.js";
import {
  clientConfig,
  type Answer,
  type ClientComplaint,
  type ClientEvent,
  type Command,
  type ConnectFailure,
  type Input,
  type Output,
} from "../client/interface.js";
import { ROOMS } from "../room-parts.js";
import { refusal, type Code } from "../error.js";
import { clientEvent, present } from "../wire/control/client.js";
import { serverMessage, type ServerMessage } from "../wire/control/server.js";
import { batchFromValue, frameValue } from "../wire/frame.js";
import type { Fields } from "../wire/shape.js";
import { signalValue } from "../wire/signal.js";
import { readConfig, readEvent, writeCommand, writeComplaint } from "./link.js";
import { readArgs, readOptions, readRefusal, readResult, writeDelivery, writeOutcome, type Machine } from "./terms.js";

export class ClientMachine implements Machine {
  readonly client: Client;

  constructor(config: Fields) {
    const time = (name: string) => config[name] as number;
    this.client = new Client(
      clientConfig({
        connectTimeout: time("connect_timeout"),
        heartbeatInterval: time("heartbeat_interval"),
        heartbeatTimeout: time("heartbeat_timeout"),
        resumes: config["resumes"] as boolean,
        direct: readConfig(config["paths"] as Fields),
        rooms: ROOMS,
      }),
      0,
    );
  }

  handle(line: Fields, at: number): void {
    this.client.handle(readInput(line), at);
  }

  pollOutput(): Fields | undefined {
    const output = this.client.pollOutput();
    return output && writeOutput(output);
  }

  pollTimeout(): number | undefined {
    return this.client.pollTimeout();
  }
}

function readInput(line: Fields): Input {
  const kind = line["in"] as string;
  const pairing = line["pairing"] as string;
  switch (kind) {
    case "message":
      return { kind: "received", message: serverMessage(line["event"] as string, line["args"] as [], ROOMS.readRooms) as ServerMessage };
    case "frames":
      return { kind, pairing, frames: batchFromValue(line["frames"])?.frames ?? [], unread: line["unread"] === true };
    case "signal":
      return { kind: "signalled", pairing, signal: line["signal"] };
    case "unreadable":
      return { kind: "garbled", refusal: readRefusal(line["refusal"]) };
    case "unreadable-welcome":
      return { kind: "garbled-welcome", refusal: readRefusal(line["refusal"]) };
    case "unreachable":
    case "no-auth":
      return { kind, message: "" };
    case "rejected":
      return { kind, refusal: refusal(line["code"] as Code, line["message"] as string | undefined) };
    case "link":
      return { kind, link: line["link"] as string, event: readEvent(line) };
    case "command":
      return { kind, command: readCommand(line) };
    case "answer": {
      const { question, accept, reason } = line as { question: number; accept: boolean; reason?: string };
      return { kind, question, accept, reason };
    }
    case "finished":
      return { kind, pairing, seq: line["seq"] as number, result: readResult(line) };
    default:
      return { kind } as Input;
  }
}

function readCommand(line: Fields): Command {
  const { command: kind, call, deadline } = line as { command: string; call: number; deadline?: number };
  const target = line["target"] as string;
  switch (kind) {
    case "register": {
      const { payload, consent: consentTime, wait } = line as { payload?: unknown; consent?: number; wait?: number };
      return { kind: "register", call, target, payload, consentTime, wait, deadline };
    }
    case "emit": {
      const { pairing, event } = line as { pairing: string; event: string };
      return { kind: "emit", call, pairing, event, args: readArgs(line), options: readOptions(line) };
    }
    default: {
      const { room, most, upgrades } = line;
      return present({ kind, call, target, room, most: most ?? undefined, upgrades, deadline }) as unknown as Command;
    }
  }
}

function writeOutput(output: Output): Fields {
  switch (output.kind) {
    case "send": {
      const [event, args] = clientEvent(output.message);
      return { out: "message", event, args };
    }
    case "send-frames":
      return { out: "frames", pairing: output.pairing, frames: output.frames.map(frameValue) };
    case "signal":
      return { out: "signal", pairing: output.pairing, signal: signalValue(output.signal) };
    case "link":
      return { out: "link", link: output.link, ...writeCommand(output.command) };
    case "answered":
      return { out: "answered", call: output.call, ...writeAnswer(output.answer) };
    case "ask": {
      const { kind: out, consentTime: consent, ...fields } = output;
      return { out, consent, ...present(fields) };
    }
    case "deliver":
      return { out: "deliver", pairing: output.pairing, source: output.source, ...writeDelivery(output.delivery) };
    case "event":
      return { out: "event", ...writeEvent(output.event) };
    case "complain":
      return { out: "complain", about: writeAbout(output.about) };
    case "reconnect":
      return present({ out: "reconnect", resume: output.resume });
    default: {
      const { kind: out, ...fields } = output;
      return { out, ...fields };
    }
  }
}

function writeAnswer(answer: Answer): Fields {
  if (answer.kind === "outcome") return { answer: "outcome", ...writeOutcome(answer.outcome) };
  const { kind, ...fields } = answer;
  return { answer: kind, ...fields };
}

function writeEvent(event: ClientEvent): Fields {
  switch (event.kind) {
    case "connected":
    case "resumed":
    case "restarted":
      return { event: event.kind };
    case "connect-error":
      return { event: event.kind, ...writeFailure(event.failure) };
    case "joined":
      return { event: event.kind, state: { room: event.room, members: event.members } };
    case "member-left":
      return { event: event.kind, room: event.room, pairing: event.pairing.id, reason: event.reason };
    default: {
      const { kind, ...fields } = event;
      return { event: kind, ...present(fields) };
    }
  }
}

const FAILURES: Partial<Record<ConnectFailure["kind"], string>> = { auth: "no-auth", welcome: "unreadable-welcome" };

function writeFailure(failure: ConnectFailure): Fields {
  const fields = { failure: FAILURES[failure.kind] ?? failure.kind };
  return "refusal" in failure ? { ...fields, refusal: failure.refusal } : fields;
}

const writeAbout = (about: ClientComplaint): Fields =>
  "partner" in about || "direct" in about ? writeComplaint(about) : { ...about };
