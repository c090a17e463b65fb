/** Signals of a WebRTC negotiation in the shapes of simple-peer 9.11.1. See PROTOCOL.md, "Signals". */

import { isPairingId, type PairingId } from "../id.js";
import type { WireEvent } from "./control/client.js";
import { readLabel, type Label } from "./label.js";
import { SIGNAL } from "./names.js";
import { isObject, isWhole, type Fields } from "./shape.js";
import { candidateFromValue, type Candidate } from "./signal/candidate.js";
import { readSdp, type Sdp, type SignalError } from "./signal/sdp.js";

export type { Candidate } from "./signal/candidate.js";
export type { Sdp, SignalError } from "./signal/sdp.js";

/** Why an end asks its partner for a new offer. */
export type WhyAnew = Label<"silent" | "closed" | "changed">;

/** A step of a negotiation. */
export type Step =
  | { type: "offer" | "answer"; sdp: Sdp }
  | { type: "candidate"; candidate: Candidate }
  /** The sender has no more addresses. Never sent: it makes simple-peer fail. */
  | { type: "end" }
  /** A request for a new offer; without a reason it is about media. */
  | { type: "renegotiate"; why?: WhyAnew | undefined }
  /** A step about media. */
  | { type: "other" };

/** A step, with the attempt that it belongs to; signals of simple-peer name none. */
export interface Signal {
  attempt?: number | undefined;
  step: Step;
}

function readStep(fields: Fields): Step | SignalError {
  const type = fields["type"] ?? "candidate";
  if (type === "candidate") {
    if (fields["candidate"] === undefined) return "shape";
    const read = candidateFromValue(fields["candidate"]);
    if (read === undefined) return "candidate";
    return read ? { type: "candidate", candidate: read } : { type: "end" };
  }
  switch (type) {
    case "offer":
    case "answer": {
      if (typeof fields["sdp"] !== "string") return "shape";
      const sdp = readSdp(fields["sdp"]);
      return typeof sdp === "string" ? sdp : { type: type === "offer" ? "offer" : "answer", sdp };
    }
    case "end":
      return { type: "end" };
    case "renegotiate":
      return { type: "renegotiate", why: readLabel(fields["why"]) };
    case "transceiverRequest":
      return { type: "other" };
    default:
      return typeof type === "string" ? "unknown" : "shape";
  }
}

/** Reads the second argument of a `P2P_SIGNAL`, or returns why it is left out. Nothing depends on a single signal. */
export function signalFromValue(value: unknown): Signal | SignalError {
  if (!isObject(value)) return "shape";
  const { attempt } = value;
  if (attempt !== undefined && !(isWhole(attempt) && attempt <= Number.MAX_SAFE_INTEGER)) return "shape";
  const step = readStep(value);
  return typeof step === "string" ? step : { attempt, step };
}

/** Returns the second argument of a `P2P_SIGNAL`. */
export function signalValue({ attempt, step }: Signal): Fields {
  const { type } = step;
  return {
    ...(type !== "other" && { type }),
    ...("sdp" in step && { sdp: step.sdp.text }),
    ...("candidate" in step && { candidate: step.candidate }),
    ...(type === "renegotiate" && { renegotiate: true, ...(step.why !== undefined && { why: step.why }) }),
    ...(attempt !== undefined && { attempt }),
  };
}

/** Returns the signal as an event. */
export const signalEvent = (signal: Signal, pairing: PairingId): WireEvent => [SIGNAL, [pairing, signalValue(signal)]];

/** Reads the arguments of a `P2P_SIGNAL` or a `P2P_FRAME`: the pairing, and what is not read yet. */
export const ofPairing = ([pairing, value]: unknown[]): [PairingId, unknown] | undefined =>
  isPairingId(pairing) && value !== undefined ? [pairing, value] : undefined;
