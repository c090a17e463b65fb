/** Names of events, and of keys of the handshake. No other folder holds a string of the wire. */

import { isText, utf8Length } from "../bytes.js";
import { EVENT_NAME_BYTES } from "../limits.js";

/** The version of the v2 dialect that this client speaks. */
export const PROTOCOL = 2;

export const WELCOME = "P2P_WELCOME";
export const REGISTER = "P2P_REGISTER";
export const REGISTER_SUCCESS = "P2P_REGISTER_SUCCESS";
export const REGISTER_FAILED = "P2P_REGISTER_FAILED";
export const UNREGISTER = "P2P_UNREGISTER";
export const DISCONNECT = "P2P_DISCONNECT";
export const PARTNER = "P2P_PARTNER";
export const FRAME = "P2P_FRAME";
export const SIGNAL = "P2P_SIGNAL";
export const LEAVE = "P2P_LEAVE";
export const JOIN = "P2P_JOIN";
export const JOINED = "P2P_JOINED";
export const MEMBER = "P2P_MEMBER";
export const EXIT = "P2P_EXIT";
export const EXITED = "P2P_EXITED";
export const LIST = "P2P_LIST";
export const CLIENTS = "P2P_CLIENTS";
export const WATCH = "P2P_WATCH";
export const LINE = "P2P_LINE";
export const CANCEL = "P2P_CANCEL";
export const TARGET = "P2P_TARGET";
export const PING = "P2P_PING";
export const PONG = "P2P_PONG";
export const ERROR = "P2P_ERROR";

/** Names that Socket.IO reserves: a relayed event with such a name would look like its own. */
const RESERVED = "connect connect_error disconnect disconnecting newListener removeListener".split(" ");

/** Returns true if an event of this name may be emitted: it is neither reserved, nor the plugin's own, nor too long. */
export const isEmittable = (event: string): boolean =>
  !(
    event.startsWith("P2P_") ||
    event === "SERVER_ERROR" ||
    RESERVED.includes(event) ||
    utf8Length(event) > EVENT_NAME_BYTES ||
    !isText(event)
  );
