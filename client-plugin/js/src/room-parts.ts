/**
 * Rooms, as the entries that have them give them to a client. They are handed down from there and imported nowhere else, so
 * that the other entries are without their code.
 */

import { Rooms } from "./client/rooms.js";
import { PartnerLinks } from "./partner/links.js";
import { readRooms } from "./wire/control/room-fields.js";
import type { ReadRooms } from "./wire/control/server.js";

/** The parts of a client that only rooms need. */
export interface RoomParts {
  Rooms: typeof Rooms;
  PartnerLinks: typeof PartnerLinks;
  readRooms: ReadRooms;
}

export const ROOMS: RoomParts = { Rooms, PartnerLinks, readRooms };
