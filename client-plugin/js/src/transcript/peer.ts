/** The lines of a peer. */

import type { EndReason } from "../error.js";
import { Peer, type Input, type Output, type ServerEvent } from "../peer.js";
import { present } from "../wire/control/client.js";
import { readLimits, readPairing } from "../wire/control/welcome.js";
import { batchFromValue, frameValue } from "../wire/frame.js";
import type { Fields } from "../wire/shape.js";
import { signalFromValue, signalValue, type Signal } from "../wire/signal.js";
import { readConfig, readEvent, writeCommand, writeComplaint } from "./link.js";
import { readArgs, readOptions, readResult, writeDelivery, writeOutcome, type Machine } from "./terms.js";

export class PeerMachine implements Machine {
  readonly peer: Peer;

  constructor(config: Fields) {
    const { paths, limits, server_rtt: rtt } = config as { paths: Fields; limits: Fields; server_rtt?: number };
    this.peer = new Peer(readConfig(paths), readPairing(config, "pairing"), readLimits(limits), rtt, 0);
  }

  handle(line: Fields, at: number): void {
    this.peer.handle(readInput(line), at);
  }

  pollOutput(): Fields | undefined {
    const output = this.peer.pollOutput();
    if (output) return writeOutput(output);
    const frames = this.peer.pollRelay();
    if (frames) return { out: "frames", frames: frames.map(frameValue) };
    const sent = this.peer.pollDirect();
    return sent && { out: "link", link: sent.link, ...writeCommand({ command: "send", message: sent.message }) };
  }

  pollTimeout(): number | undefined {
    return this.peer.pollTimeout();
  }
}

function readInput(line: Fields): Input {
  const kind = line["in"] as string;
  switch (kind) {
    case "frames":
      return { kind: "relayed", frames: batchFromValue(line["frames"])?.frames ?? [] };
    case "signal":
      return { kind: "signalled", signal: signalFromValue(line["signal"]) as Signal };
    case "link":
      return { kind, link: line["link"] as string, event: readEvent(line) };
    case "emit":
      return {
        kind,
        call: line["call"] as number,
        event: line["event"] as string,
        args: readArgs(line),
        options: readOptions(line),
      };
    case "cancel":
      return { kind: "cancelled", call: line["call"] as number };
    case "finished":
      return { kind, seq: line["seq"] as number, result: readResult(line) };
    case "server":
      return { kind, event: readServerEvent(line) };
    case "parted":
    case "ended":
      return { kind, reason: line["reason"] as EndReason };
    default:
      return { kind } as Input;
  }
}

function readServerEvent(line: Fields): ServerEvent {
  const event = line["event"] as ServerEvent["event"];
  switch (event) {
    case "welcomed":
      return { event, limits: readLimits(line["limits"] as Fields) };
    case "granted":
      return { event, pairing: readPairing(line, "pairing") };
    default:
      return line as unknown as ServerEvent;
  }
}

function writeOutput(output: Output): Fields {
  const { kind: out } = output;
  switch (output.kind) {
    case "signal":
      return { out, signal: signalValue(output.signal) };
    case "link":
      return { out, link: output.link, ...writeCommand(output.command) };
    case "deliver":
      return { out, ...writeDelivery(output.delivery) };
    case "resolved":
      return { out, call: output.call, ...writeOutcome(output.outcome) };
    case "complain":
      return { out, about: writeComplaint(output.about) };
    default: {
      const { kind, ...fields } = output;
      return { out: kind, ...present(fields) };
    }
  }
}
