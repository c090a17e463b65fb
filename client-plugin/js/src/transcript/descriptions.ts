/** The lines of session descriptions, read and answered. See `protocol/examples/lockstep/descriptions.rs`. */

import { answering, readSdp, type Sdp } from "../wire/signal/sdp.js";
import type { Fields } from "../wire/shape.js";
import type { Machine } from "./terms.js";

/** A larger number counts as this one. */
const exact = (number: number): number => Math.min(number, Number.MAX_SAFE_INTEGER);

/** Reads and answers descriptions, one after another. */
export class DescriptionMachine implements Machine {
  private readonly outputs: Fields[] = [];

  handle(line: Fields): void {
    const text = line["sdp"] as string;
    if (line["in"] === "answer") {
      const answer = answering(text, readSdp(line["offer"] as string) as Sdp);
      this.outputs.push({ out: "answered", sections: summary(answer) });
      return;
    }
    const sdp = readSdp(text);
    this.outputs.push(typeof sdp === "string" ? { out: "unreadable", why: sdp } : { out: "read", sdp: fields(sdp) });
  }

  pollOutput(): Fields | undefined {
    return this.outputs.shift();
  }

  pollTimeout(): undefined {
    return undefined;
  }
}

const fields = (sdp: Sdp): Fields => ({
  session: sdp.session,
  ufrag: sdp.ufrag,
  mid: sdp.mid,
  index: sdp.index,
  candidates: sdp.candidates.map(({ candidate }) => candidate),
  max_message: exact(sdp.maxMessage),
  udp_buffer: exact(sdp.udpBuffer),
  channel_window: exact(sdp.channelWindow),
  takes_pieces: sdp.takesPieces,
});

/** Returns the bundle and the sections of an answer: kind, name, and what becomes of it. */
function summary(answer: string): string[] {
  const [session = "", ...sections] = answer.split("m=");
  const [bundle] = /^a=group:BUNDLE[^\r\n]*/m.exec(session) ?? [];
  const all = sections.map((section) => {
    const [kind, port] = section.split(" ");
    const state = port === "0" ? "rejected" : section.includes("a=inactive") ? "inactive" : "active";
    return `${kind} ${/^a=mid:(.*?)\r?$/m.exec(section)?.[1] ?? ""} ${state}`;
  });
  return bundle === undefined ? all : [bundle, ...all];
}
