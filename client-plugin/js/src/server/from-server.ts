/** Events of the connection to the server as inputs of the client. */

import type { Input } from "../client/interface.js";
import { isKnownCode, refusal, type Refusal } from "../error.js";
import { serverMessage, type ReadRooms } from "../wire/control/server.js";
import { WireError } from "../wire/control/fields.js";
import { batchFromValue, frameFromBinary } from "../wire/frame.js";
import { readLabel } from "../wire/label.js";
import { FRAME, SIGNAL, WELCOME } from "../wire/names.js";
import { ofPairing } from "../wire/signal.js";

/** Reads an event of the plugin's name space. */
export function fromServer(event: string, args: unknown[], rooms?: ReadRooms): Input {
  if (event !== FRAME && event !== SIGNAL) return ofMessage(event, args, rooms);
  // Frames have exactly these arguments.
  const read = event === FRAME && args.length !== 2 ? undefined : ofPairing(args);
  if (event === SIGNAL) {
    if (read) return { kind: "signalled", pairing: read[0], signal: read[1] };
  } else if (read) {
    const batch = batchFromValue(read[1]);
    if (batch) return { kind: "frames", pairing: read[0], ...batch };
  } else {
    // One frame in its binary spelling, which names the pairing.
    const bytes = bytesOf(args[0]);
    const [pairing, frame] = (bytes && frameFromBinary(bytes)) ?? [];
    if (pairing !== undefined && frame) return { kind: "frames", pairing, frames: [frame], unread: false };
  }
  return { kind: "garbled", refusal: refusal("bad-args") };
}

function ofMessage(event: string, args: unknown[], rooms: ReadRooms | undefined): Input {
  const message = serverMessage(event, args, rooms);
  if (!(message instanceof WireError)) return { kind: "received", message };
  return { kind: event === WELCOME ? "garbled-welcome" : "garbled", refusal: message.refusal };
}

/** Returns an attachment: a page gets an ArrayBuffer, Node a Buffer. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

/**
 * Returns the refusal of a connection. A text that is no known code may be that of a later version, or of the
 * application's own middleware on the server: it is kept, and also as the code, which is cut.
 */
export const connectRefusal = (message: string): Refusal =>
  isKnownCode(message) ? refusal(message) : refusal(readLabel(message) ?? "", message);
