/** Frames of a session: one codec for every path, in two spellings. See PROTOCOL.md, "The session". */

import { BATCH_FRAMES } from "../limits.js";
import type { Frame } from "./frame/content.js";
import { frameFromValue, isFrame } from "./frame/json.js";

/** Frames that travelled together. */
export interface Batch {
  /** The frames that could be read, in order. */
  frames: Frame[];
  /** True if others could not be read. */
  unread: boolean;
}

/** Reads one frame, or an array of them. Returns undefined if nothing can be read. */
export function batchFromValue(value: unknown): Batch | undefined {
  const values = Array.isArray(value) ? value : [value];
  if (values.length > BATCH_FRAMES) return undefined;
  const frames = values.map((frame) => frameFromValue(frame)).filter(isFrame);
  return frames.length ? { frames, unread: frames.length < values.length } : undefined;
}

export {
  bodyArgs,
  bodySize,
  escapes,
  FRAME_BYTES,
  spelled,
  type Body,
  type Frame,
  type Result,
} from "./frame/content.js";
export { bodyFromText, bodyText, frameFromValue, frameText, frameValue } from "./frame/json.js";
export { frameBinary, frameFromBinary } from "./frame/binary.js";
