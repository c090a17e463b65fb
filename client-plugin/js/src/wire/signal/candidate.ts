/** An ICE candidate: an address at which one end may be reached. */

import { isText, utf8Length } from "../../bytes.js";
import { CANDIDATE_BYTES, CANDIDATES, SERVER_CANDIDATES } from "../../limits.js";
import { isObject, isWhole, type Fields } from "../shape.js";

/** A candidate, as a browser writes it. */
export interface Candidate {
  /** `candidate:…` */
  candidate: string;
  sdpMid: string | null;
  sdpMLineIndex: number | null;
}

const FORM =
  /^candidate:[!-~]+ (\+?\d+) (?:udp|tcp) (\+?\d+) [!-~]+ (\+?\d+) typ (?:host|srflx|prflx|relay)(?: [!-~]* [!-~]*)*$/i;

/** Returns true if a text is `candidate:<id> <component> <transport> <priority> <address> <port> typ <type> …` */
function isCandidate(text: string): boolean {
  const [, component, priority, port] = (FORM.exec(text) ?? []).map(Number);
  return (
    component !== undefined &&
    component < 2 ** 16 &&
    (priority as number) < 2 ** 32 &&
    (port as number) < 2 ** 16 &&
    // Only the name of the transport may have capitals.
    text.startsWith("candidate:") &&
    /^[a-z]+$/.test(candidateKind(text)) &&
    text.split(" ")[6] === "typ"
  );
}

/** Reads a candidate of this media section. Returns undefined if it is too long or cannot be read. */
export function candidate(text: string, mid: string | null = null, index: number | null = null): Candidate | undefined {
  if (Math.max(utf8Length(text), utf8Length(mid ?? "")) > CANDIDATE_BYTES) return undefined;
  // Some senders write it as a line of an SDP.
  const plain = text.replace(/^a=/, "").trimEnd();
  return isCandidate(plain) && !/\p{Cc}/u.test(mid ?? "")
    ? { candidate: plain, sdpMid: mid, sdpMLineIndex: index }
    : undefined;
}

/**
 * Reads the `toJSON` of a browser, or the text alone as an old simple-peer sends it. `null` stands for the end of the
 * candidates, undefined for what cannot be read.
 */
export function candidateFromValue(value: unknown): Candidate | null | undefined {
  const fields: Fields = isObject(value) ? value : {};
  const text = value === null ? "" : isText(value) ? value : fields["candidate"];
  if (!isText(text)) return undefined;
  if (!text) return null;
  const { sdpMid: mid, sdpMLineIndex: index } = fields;
  return candidate(text, isText(mid) ? mid : null, isWhole(index) && index < 2 ** 16 ? index : null);
}

/** Returns the kind: `host`, `srflx`, `prflx` or `relay`. */
export const candidateKind = (text: string): string => text.split(" ")[7] ?? "";

/** Returns the user name of the description that the candidate belongs to, if it states one. */
export function candidateUfrag({ candidate }: Candidate): string | undefined {
  const fields = candidate.split(" ").slice(8);
  const at = fields.indexOf("ufrag");
  return at < 0 ? undefined : fields[at + 1];
}

/** The places of one end's candidates in an attempt. Each kind has its own: those of ICE servers come last. */
export class CandidatePlaces {
  private hosts = CANDIDATES;
  private seen = SERVER_CANDIDATES;
  private relayed = SERVER_CANDIDATES;

  /** Takes a place for a candidate. Returns false if there is none. */
  take({ candidate }: Candidate): boolean {
    const kind = candidateKind(candidate);
    const places = kind === "host" ? "hosts" : kind === "relay" ? "relayed" : "seen";
    return this[places] > 0 && this[places]-- > 0;
  }
}
