/** The server's knowledge of a pairing. See `reassertion.ts` for how it changes. */

import type { PairingId } from "../id.js";
import type { Peer } from "../peer.js";
import type { PairingInfo } from "../wire/control/welcome.js";

/** The server's knowledge of the pairing. */
export type ServerView =
  /** It knows the pairing by its name. */
  | { view: "known" }
  /** It has forgotten the pairing; a registration waits for its answer, or is due. */
  | { view: "forgotten"; isAsked: boolean; askAt: number }
  /** It has granted the pairing anew; the partner must use that name in time. The last ping under the former name. */
  | { view: "granted"; info: PairingInfo; until: number; after: number }
  /** It knows the pairing by its name, and the partner may not use that name yet. */
  | { view: "renamed"; after: number };

/** Returns true while the server has forgotten the pairing. */
export const isForgotten = ({ server }: Peer): boolean => server.view === "forgotten";

/** Returns true if both ends know the pairing by the name that the server has, so that the relay may carry. */
export const isKnown = ({ server }: Peer): boolean => server.view === "known";

/** Returns the name by which the server knows the pairing, or knew it. */
export const knownAs = ({ server, info }: Peer): PairingId => (server.view === "granted" ? server.info.id : info.id);
