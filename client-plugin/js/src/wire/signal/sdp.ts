/** A session description: the fields that a direct path needs. */

import { utf8Length } from "../../bytes.js";
import { SDP_BYTES } from "../../limits.js";
import { candidate, CandidatePlaces, type Candidate } from "./candidate.js";

/** A session description with one data channel section. Sections of media beside it are rejected in the answer. */
export interface Sdp {
  text: string;
  /** The id of the session. It differs between two connections of one end; an ICE restart keeps it. */
  session: string;
  /** The ICE user name. It differs between two attempts. */
  ufrag: string;
  /** The name of the data channel section, and its place among all sections. */
  mid: string;
  index: number;
  /** The number of other sections. */
  media: number;
  candidates: Candidate[];
  /** The length of the longest message that the sender takes, in bytes. */
  maxMessage: number;
  /** The buffer of the sender's UDP socket and the window of its raw channels in bytes, or 0 if it states none. */
  udpBuffer: number;
  channelWindow: number;
  /** True if the sender takes messages in pieces, on channels that may lose them. */
  takesPieces: boolean;
}

/** Why a description or a signal is left out. */
export type SignalError = "shape" | "unknown" | "too-large" | "media" | "sdp" | "candidate";

/** The longest message of a partner that states none: RFC 8841. */
const DEFAULT_MAX_MESSAGE = 64 * 1024;

/** Returns true if a section is that of a data channel. The port 0 refuses it, unless it is for its bundle only. */
function isData(section: string, following: string[]): boolean {
  const [, port] = /^application (\S*) (?:UDP|TCP)\/DTLS\/SCTP webrtc-datachannel$/.exec(section.trimEnd()) ?? [];
  if (port !== "0") return port !== undefined;
  const end = following.findIndex((line) => line.startsWith("m="));
  return following.slice(0, end < 0 ? undefined : end).some((line) => line.trimEnd() === "a=bundle-only");
}

/** Splits a text at the first separator. */
function split(text: string, separator: string): [string, string] | undefined {
  const at = text.indexOf(separator);
  return at < 0 ? undefined : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Returns the number that an attribute of ours states, or 0. A line that names another sender is an echo. */
function stated(lines: string[], attribute: string, ufrag: string): number {
  for (const line of [...lines].reverse()) {
    if (!line.startsWith(`a=${attribute}:`)) continue;
    const [size, sender] = split(line.slice(attribute.length + 3).trimEnd(), " ") ?? [];
    if (size && /^\+?\d+$/.test(size) && sender === ufrag) return Number(size);
  }
  return 0;
}

/** Reads the length of the longest message; 0 stands for any length. */
const maxMessage = (size: string): number | undefined =>
  /^\d+$/.test(size) ? Number(size) || Number.MAX_SAFE_INTEGER : undefined;

/** Reads a session description, or returns why it cannot be read. */
export function readSdp(text: string): Sdp | SignalError {
  if (utf8Length(text) > SDP_BYTES) return "too-large";
  if (/[^\P{Cc}\r\n]/u.test(text)) return "sdp";
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  if (lines.shift() !== "v=0") return "sdp";
  const sdp: Sdp = {
    text,
    session: "",
    ufrag: "",
    mid: "",
    index: 0,
    media: 0,
    candidates: [],
    maxMessage: DEFAULT_MAX_MESSAGE,
    udpBuffer: 0,
    channelWindow: 0,
    takesPieces: false,
  };
  const places = new CandidatePlaces();
  let [sections, inMedia, hasPassword, hasFingerprint] = [0, false, false, false];
  for (const [at, line] of lines.entries()) {
    const pair = split(line, "=");
    if (!pair) return "sdp";
    const [kind, value] = pair;
    if (kind === "o") sdp.session = value.split(" ")[1] ?? "";
    else if (kind === "m") {
      inMedia = !isData(value, lines.slice(at + 1));
      if (inMedia) sdp.media++;
      else {
        sections++;
        sdp.index = sdp.media;
      }
    } else if (kind === "a" && !inMedia) {
      const [name, rest] = split(value, ":") ?? ["", ""];
      if (name === "ice-ufrag") sdp.ufrag = rest.trimEnd();
      else if (name === "mid") sdp.mid = rest.trimEnd();
      else if (name === "ice-pwd") hasPassword = true;
      else if (name === "fingerprint") hasFingerprint = true;
      else if (name === "candidate") {
        const found = candidate(line);
        if (found && places.take(found)) sdp.candidates.push(found);
      } else if (name === "max-message-size") {
        const size = maxMessage(rest.trim());
        if (size === undefined) return "sdp";
        sdp.maxMessage = size;
      }
    }
  }
  if (sections > 1 || (!sections && sdp.media)) return "media";
  if (!sections || !sdp.session || !sdp.ufrag || !hasPassword || !hasFingerprint) return "sdp";
  sdp.udpBuffer = stated(lines, "x-udp-buffer", sdp.ufrag);
  sdp.channelWindow = stated(lines, "x-channel-window", sdp.ufrag);
  sdp.takesPieces = stated(lines, "x-channel-pieces", sdp.ufrag) > 0;
  return sdp;
}

/** Adds the window of this end's raw channels to the text of its description, and whether it takes pieces. */
export function withChannels(text: string, ufrag: string, window: number, pieces: boolean): string {
  return `${text}a=x-channel-window:${window} ${ufrag}\r\n${pieces ? `a=x-channel-pieces:1 ${ufrag}\r\n` : ""}`;
}

/**
 * Returns an answer of this end to an offer, in which media carry nothing. They are rejected, by the port 0, and in no bundle then. But
 * the one whose address is that of the data channel, the first of its bundle, is inactive: libwebrtc and Firefox cannot give
 * their only address to another section.
 */
export function answering(answer: string, { text, mid, index, media }: Sdp): string {
  if (!media) return answer;
  const bundles = [...text.matchAll(/^a=group:BUNDLE (.*)/gm)].map(([, mids = ""]) => mids.trim().split(/\s+/));
  const [first] = bundles.find((mids) => mids.includes(mid)) ?? [];
  const bundle = [mid];
  const [session = "", ...sections] = answer.split(/^(?=m=)/m).map((section, at) => {
    if (!at || at === index + 1) return section;
    const own = /^a=mid:(\S+)/m.exec(section)?.[1];
    if (own !== first || !first || /^m=\S+ 0 /.test(section)) return section.replace(/^(m=\S+) \d+/, "$1 0");
    bundle.unshift(first);
    return section.replace(/^a=(sendrecv|sendonly|recvonly)/m, "a=inactive");
  });
  return session.replace(/^a=group:BUNDLE.*/m, `a=group:BUNDLE ${bundle.join(" ")}`) + sections.join("");
}
