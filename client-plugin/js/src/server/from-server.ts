/** Events of the connection to the server as inputs of the client. */

import type { Input } from "../client/interface.js";
import { isKnownCode, refusal, type Refusal } from "../error.js";
import { serverMessage } from "../wire/control/server.js";
import { WireError } from "../wire/control/fields.js";
import { batchFromValue, frameFromBinary, type Frame } from "../wire/frame.js";
import { readLabel } from "../wire/label.js";
import { FRAME, SIGNAL, WELCOME } from "../wire/names.js";
import { ofPairing } from "../wire/signal.js";

/** Reads an event of the plugin's name space. */
export function fromServer(event: string, args: unknown[]): Input {
  if (event !== FRAME && event !== SIGNAL) return ofMessage(event, args);
  const read = ofPairing(args);
  if (read) {
    const [pairing, value] = read;
    if (event === SIGNAL) return { kind: "signalled", pairing, signal: value };
    const frames = readFrames(value);
    if (frames) return { kind: "frames", pairing, frames };
  }
  return { kind: "garbled", refusal: refusal("bad-args") };
}

function ofMessage(event: string, args: unknown[]): Input {
  const message = serverMessage(event, args);
  if (!(message instanceof WireError)) return { kind: "received", message };
  return { kind: event === WELCOME ? "garbled-welcome" : "garbled", refusal: message.refusal };
}

/** Reads frames: a value of JSON, or an attachment, which is one frame in its binary spelling. */
function readFrames(value: unknown): Frame[] | undefined {
  const bytes =
    value instanceof ArrayBuffer
      ? new Uint8Array(value)
      : ArrayBuffer.isView(value)
        ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
        : undefined;
  if (!bytes) return batchFromValue(value)?.frames;
  const read = frameFromBinary(bytes);
  return read && [read[1]];
}

/**
 * Returns the refusal of a connection. A text that is no known code may be that of a later version, or of the
 * application's own middleware on the server: it is kept, and also as the code, which is cut.
 */
export const connectRefusal = (message: string): Refusal =>
  isKnownCode(message) ? refusal(message) : refusal(readLabel(message) ?? "", message);
