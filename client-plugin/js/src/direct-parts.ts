/**
 * The direct path, as the entries that have one give it to a client. It is handed down from there and imported nowhere else,
 * so that the entry `core` is without its code.
 */

import { PartnerLink } from "./partner/driver.js";
import { Direct } from "./peer/direct.js";
import { signalEvent, signalFromValue } from "./wire/signal.js";

/** The parts of a client that only a direct path needs. */
export interface DirectParts {
  PartnerLink: typeof PartnerLink;
  Direct: typeof Direct;
  signalEvent: typeof signalEvent;
  signalFromValue: typeof signalFromValue;
}

export const DIRECT: DirectParts = { PartnerLink, Direct, signalEvent, signalFromValue };
