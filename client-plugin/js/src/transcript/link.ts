/** The lines of a transcript about direct paths, and the configuration of paths. */

import { fromBase64, toBase64 } from "../bytes.js";
import { DIRECT } from "../direct-parts.js";
import type { Complaint, LinkCommand, LinkEvent, LinkMessage, PathConfig } from "../peer.js";
import type { Violation } from "../peer/session/interface.js";
import type { Fields } from "../wire/shape.js";
import { signalFromValue, type Candidate } from "../wire/signal.js";
import { readSdp, type Sdp } from "../wire/signal/sdp.js";

export function readConfig(fields: Fields): PathConfig {
  const name = (key: string) => key.replace(/_./g, (part) => part.slice(1).toUpperCase());
  const given = Object.fromEntries(Object.entries(fields).map(([key, value]) => [name(key), value]));
  return { ...(given as unknown as PathConfig), parts: DIRECT };
}

const readMessage = (line: Fields): LinkMessage =>
  (line["text"] as string | undefined) ?? (fromBase64(line["binary"] as string) as Uint8Array);

export function readEvent(line: Fields): LinkEvent {
  const event = line["event"] as LinkEvent["event"];
  switch (event) {
    case "described":
      return { event, attempt: line["attempt"] as number, sdp: readSdp(line["sdp"] as string) as Sdp };
    case "gathered": {
      const signal = signalFromValue({ type: "candidate", candidate: line["candidate"] });
      return { event, candidate: (signal as unknown as { step: { candidate: Candidate } }).step.candidate };
    }
    case "received":
      return { event, message: readMessage(line) };
    default:
      return { event };
  }
}

export function writeCommand(command: LinkCommand): Fields {
  if (command.command === "send") {
    const { message } = command;
    return { command: "send", ...(typeof message === "string" ? { text: message } : { binary: toBase64(message) }) };
  }
  return { ...command, ...("sdp" in command && { sdp: command.sdp.text }) };
}

const VIOLATIONS: Record<Violation, string> = {
  window: "the partner exceeded its window",
  ack: "the partner acknowledged a frame that was never sent",
  event: "the partner emitted a forbidden event",
  frame: "the partner sent a frame that cannot be read",
  value: "the partner sent parts that form no value",
  reply: "the partner replied to a call that was never made",
  unknown: "the partner sent a message of an unknown kind",
};

export const writeComplaint = (about: Complaint): Fields =>
  "partner" in about ? { partner: VIOLATIONS[about.partner] } : { ...about };
