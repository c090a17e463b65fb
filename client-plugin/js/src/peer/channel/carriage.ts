/** The way in which the messages of a raw channel travel. The end that opens the channel chooses it. */

/**
 * All of them arrive, by credit if both ends count; some are lost; those are lost of which a piece is lost; and those
 * that were overtaken by a later one as well.
 */
export type Carriage = "reliable" | "lossy" | "pieces" | "pieces-in-order";

/**
 * The end of a channel's protocol, by which a partner that knows this library learns of it: the accepting end may have no
 * other way to know.
 */
export const SUFFIXES: Record<Carriage, string> = {
  pieces: ";x-pieces;x-lossy",
  "pieces-in-order": ";x-pieces-in-order;x-lossy",
  lossy: ";x-lossy",
  reliable: "",
};

/** Chooses the carriage of a channel of this end: in pieces if nothing is sent again, and the partner takes them. */
export function chosenCarriage(isLossy: boolean, sendsAgain: boolean, inOrder: boolean, takesPieces: boolean): Carriage {
  if (!isLossy) return "reliable";
  if (sendsAgain || !takesPieces) return "lossy";
  return inOrder ? "pieces-in-order" : "pieces";
}

/** Returns the carriage of a channel with this protocol. */
export const carriageOf = (protocol: string): Carriage =>
  (Object.keys(SUFFIXES) as Carriage[]).find((carriage) => protocol.endsWith(SUFFIXES[carriage])) ?? "reliable";
