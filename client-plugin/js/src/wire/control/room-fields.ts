/** The fields of the server's messages about rooms. */

import { isClientId } from "../../id.js";
import * as names from "../names.js";
import { isObject, type Fields } from "../shape.js";
import { bad, label, some, whole } from "./fields.js";
import { toObject, type ServerMessage } from "./server.js";
import { readPairing, readWelcome, type RoomState } from "./welcome.js";

/** Returns true if the value is the name of a room: 1 to 128 bytes of UTF-8 without control characters, as a client id. */
export const isRoomName: (value: unknown) => value is string = isClientId;

function readName({ room }: Fields): string {
  return isRoomName(room) ? room : bad("room is no name of a room");
}

function readState(fields: Fields): RoomState {
  const { members } = fields;
  if (!Array.isArray(members)) return bad("members is not an array");
  return { room: readName(fields), members: members.map((pairing) => readPairing({ pairing }, "pairing")) };
}

/** Reads an entry of the rooms of a welcome. One that cannot be read is left out. */
function readEntry(entry: unknown): RoomState[] {
  try {
    return isObject(entry) ? [readState(entry)] : [];
  } catch {
    return [];
  }
}

/** Reads a message that is about rooms, or may name some. Returns undefined if it is another. */
export function readRooms(event: string, args: unknown[]): ServerMessage | undefined {
  switch (event) {
    case names.WELCOME: {
      const fields = toObject(args[0]);
      const welcome = readWelcome(fields);
      const { rooms } = fields;
      return { kind: "welcome", welcome: { ...welcome, rooms: Array.isArray(rooms) ? rooms.flatMap(readEntry) : [] } };
    }
    case names.JOINED: {
      const fields = toObject(args[0]);
      return { kind: "joined", req: whole(fields, "req"), state: readState(fields) };
    }
    case names.MEMBER: {
      const fields = toObject(args[0]);
      return { kind: "member", room: readName(fields), pairing: readPairing(fields, "pairing") };
    }
    case names.EXITED: {
      const fields = toObject(args[0]);
      return { kind: "exited", room: readName(fields), reason: label(fields, "reason"), req: some(whole, fields, "req") };
    }
    default:
      return undefined;
  }
}
