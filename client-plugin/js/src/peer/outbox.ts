/**
 * Frames that wait for others to travel with them.
 *
 * All but acknowledgements are in the session's window, which bounds them and from which they are sent again: they can
 * be dropped at any time, and they are when the window is sent again.
 */

import type { PairingId } from "../id.js";
import type { Refusal } from "../error.js";
import { BATCH_BYTES, BATCH_FRAMES } from "../limits.js";
import { bodyArgs, bodySize, frameBinary, frameText, escapes, type Frame } from "../wire/frame.js";
import type { LinkId, LinkMessage } from "./link.js";

/** Numbers and names of fields of a frame, beyond those that the size of the content accounts for. */
const NUMBERS = 64;

/** Returns the most bytes that a frame takes in a message. */
function spelledSize({ body }: Frame): number {
  const text = body.t === "emit" ? body.event : body.t === "reply" ? ((body.result as Refusal).message ?? "") : "";
  return bodySize(body) + NUMBERS + escapes(text);
}

/** Returns true if the frame has blobs, which the binary spelling carries as they are. */
const hasBlobs = ({ body }: Frame): boolean => !!bodyArgs(body)?.blobs.length;

/**
 * Adds a frame. An acknowledgement takes the place of one that was added immediately before it: the window bounds all
 * other frames, so that it bounds acknowledgements too.
 */
function push(frames: Frame[], frame: Frame): void {
  if (frame.body.t === "ack" && frames.at(-1)?.body.t === "ack") frames.pop();
  frames.push(frame);
}

/**
 * Takes as many frames as travel together in a message of so many bytes. A frame that is larger than a batch travels
 * alone, and so does one with blobs in the binary spelling.
 */
function takeBatch(frames: Frame[], message: number, isBinary: boolean): Frame[] {
  let [bytes, spelled, count] = [0, 0, 0];
  for (const frame of frames.slice(0, BATCH_FRAMES)) {
    bytes += bodySize(frame.body);
    spelled += spelledSize(frame);
    if (bytes > BATCH_BYTES || spelled > message || (isBinary && hasBlobs(frame))) break;
    count++;
  }
  return frames.splice(0, Math.max(count, 1));
}

export class Outbox {
  private relay: Frame[] = [];
  private direct: Frame[] = [];
  /** The link that carries the frames for the direct path. */
  private link: LinkId | undefined;

  pushRelay(frame: Frame): void {
    push(this.relay, frame);
  }

  /** Adds a frame for this link. Frames for an earlier link are lost with it. */
  pushDirect(link: LinkId, frame: Frame): void {
    if (this.link !== link) this.direct = [];
    this.link = link;
    push(this.direct, frame);
  }

  clearRelay(): void {
    this.relay = [];
  }

  /** Drops everything: the session sends it again. */
  clear(): void {
    this.clearRelay();
    this.direct = [];
  }

  hasRelayed(): boolean {
    return this.relay.length > 0;
  }

  /** Takes the next batch of frames for the relay, which takes messages of so many bytes. */
  takeRelay(message: number): Frame[] | undefined {
    return this.hasRelayed() ? takeBatch(this.relay, message, false) : undefined;
  }

  /** Takes the next message with frames for the direct path. */
  takeDirect(pairing: PairingId): { link: LinkId; message: LinkMessage } | undefined {
    const { link, direct } = this;
    if (link === undefined || !direct.length) return undefined;
    const batch = takeBatch(direct, Infinity, true);
    const [first] = batch as [Frame];
    const texts = batch.map((frame) => frameText(frame));
    const message =
      batch.length > 1 ? `[${texts.join()}]` : hasBlobs(first) ? frameBinary(first, pairing) : (texts[0] as string);
    return { link, message };
  }
}
