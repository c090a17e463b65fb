/** The memberships of a client, and which peers are of which room. */

import type { PairingId } from "../../id.js";
import type { ReqId } from "../../wire/control/client.js";

export type MemberState =
  /** The server is asked, with this number if it is asked on the present connection. */
  | { kind: "asked"; req: ReqId | undefined }
  /** The server refused for a reason that may pass, and is asked again. */
  | { kind: "waits"; until: number }
  | { kind: "member" };

export class Membership {
  state: MemberState = { kind: "asked", req: undefined };
  /** True once the client was a member. */
  wasMember = false;
  /** The calls that wait until it is one, with their deadlines. */
  joins = new Map<number, number>();
  /** The calls that leave, and the time until which they wait for the other members. */
  exits: { calls: Set<number>; until: number } | undefined;

  constructor(
    readonly most: number | undefined,
    /** True if direct paths do not wait. */
    public upgrades: boolean,
  ) {}

  get isMember(): boolean {
    return this.state.kind === "member";
  }

  /** Returns when something of it is due. */
  nextDeadline(): number {
    const { state, exits, joins } = this;
    return Math.min(state.kind === "waits" ? state.until : Infinity, exits?.until ?? Infinity, ...joins.values());
  }
}

/** The rooms of which the client is a member, or wants to be. */
export class Memberships {
  readonly rooms = new Map<string, Membership>();
  /** The rooms of peers, by the keys of the peers. */
  readonly of = new Map<PairingId, string>();

  /** The names of the rooms, in their order. */
  names(): string[] {
    return [...this.rooms.keys()].sort();
  }

  isMember(room: string): boolean {
    return this.rooms.get(room)?.isMember === true;
  }

  /** Returns the keys of the peers of a room, in their order. */
  keysOf(room: string): PairingId[] {
    return [...this.of.keys()].filter((key) => this.of.get(key) === room).sort(comparePairings);
  }

  /** Returns the room about which the server was asked with this number. */
  askedWith(req: ReqId | undefined): string | undefined {
    if (req === undefined) return undefined;
    for (const [room, { state }] of this.rooms) if (state.kind === "asked" && state.req === req) return room;
    return undefined;
  }
}

/** Compares the ids of pairings by their two numbers. */
export function comparePairings(one: PairingId, other: PairingId): number {
  const [a, b] = [one.split("-"), other.split("-")];
  for (const at of [0, 1]) {
    const [x = "", y = ""] = [a[at], b[at]];
    // Without leading zeros, a longer one is greater.
    if (x !== y) return x.length - y.length || (x < y ? -1 : 1);
  }
  return 0;
}
