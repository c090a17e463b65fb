/**
 * Rooms: the memberships of a client, and its peers in them. Each member of a room has a peer here, with a session of its
 * own.
 *
 * | state | input | new state | output |
 * |---|---|---|---|
 * | – | the application joins | Asked | `P2P_JOIN` |
 * | Asked | `P2P_JOINED` | Member | a peer for each other member |
 * | Asked | a refusal | –, or Waits if the client was a member and the refusal may pass | the call is refused |
 * | Waits | its time is over | Asked | `P2P_JOIN` |
 * | Member | `P2P_MEMBER` | Member | another peer |
 * | Member | a welcome that lists the room | Member | peers that it does not list end; new ones for others |
 * | Member | a welcome without `resumed` | Asked | its peers end; `P2P_JOIN` |
 * | Asked | a welcome that lists the room | Asked | `P2P_EXIT`, `P2P_JOIN`: others may have sent to that membership |
 * | any | the application leaves | – | `P2P_EXIT`; its peers end |
 *
 * An entry of the package gives this to a client, so that those without rooms are without its code.
 */

import type { Client } from "../client.js";
import { isRetryable, refusal as refusalOf, type EndReason, type Refusal } from "../error.js";
import type { PairingId } from "../id.js";
import { CONFIRM_TIMEOUT, REASSERT_INTERVAL } from "../limits.js";
import type { Output as PeerOutput } from "../peer/interface.js";
import { waitingPeer } from "../peer/upgrade.js";
import type { ReqId } from "../wire/control/client.js";
import type { RoomMessage } from "../wire/control/server.js";
import type { PairingInfo, RoomState } from "../wire/control/welcome.js";
import type { ClientEvent, Command, RoomCommand } from "./interface.js";
import { askForLife, nextReq } from "./life.js";
import { carryOutPeer, feedPeer, keyOf } from "./peers.js";
import { comparePairings, Membership, Memberships } from "./rooms/memberships.js";

const inOrder = (calls: Iterable<number>): number[] => [...calls].sort((one, other) => one - other);

export class Rooms {
  readonly memberships = new Memberships();

  constructor(private readonly client: Client) {}

  get isEmpty(): boolean {
    return !this.memberships.rooms.size;
  }

  /** Returns the room of a peer, by its key: the name of its pairing, which does not change. */
  roomOf(key: PairingId): string | undefined {
    return this.memberships.of.get(key);
  }

  /** Returns the pairings with the other members of a room, or undefined if the client is no member. */
  members(room: string): PairingInfo[] | undefined {
    return this.memberships.isMember(room) ? this.stateOf(room).members : undefined;
  }

  private stateOf(room: string): RoomState {
    const { peers } = this.client;
    return { room, members: this.memberships.keysOf(room).flatMap((key) => peers.get(key)?.info ?? []) };
  }

  nextDeadline(): number {
    let next = Infinity;
    for (const membership of this.memberships.rooms.values()) next = Math.min(next, membership.nextDeadline());
    return next;
  }

  /** Carries out a command about a room. */
  command(command: RoomCommand): void {
    if (command.kind === "join") this.join(command);
    else if (command.kind === "exit") this.exit(command);
    else this.upgrade(command.room);
  }

  private join({ call, room, most, upgrades, deadline }: Command & { kind: "join" }): void {
    const { client, memberships } = this;
    if (!client.welcomed) return client.answer(call, { kind: "closed" });
    this.finishExit(room);
    if (upgrades) this.upgrade(room);
    if (memberships.isMember(room)) return client.answer(call, { kind: "joined", state: this.stateOf(room) });
    const former = memberships.rooms.get(room);
    const membership = former ?? new Membership(most, upgrades);
    memberships.rooms.set(room, membership);
    membership.joins.set(call, deadline);
    if (!former) this.askToJoin(room, membership);
  }

  /** Asks the server, if there is a connection. Otherwise the next welcome does. */
  private askToJoin(room: string, membership: Membership): void {
    const { client } = this;
    const req = client.state.kind === "ready" ? nextReq(client) : undefined;
    membership.state = { kind: "asked", req };
    const { most } = membership;
    if (req !== undefined) client.send({ kind: "join", req, room, ...(most !== undefined && { most }) });
  }

  /** Handles a message of the server about a room. */
  received(message: RoomMessage): void {
    if (message.kind === "joined") {
      const { req, state } = message;
      const room = this.memberships.askedWith(req);
      if (room === state.room) this.becomeMember(state);
    } else if (message.kind === "member") this.toldMember(message.room, message.pairing);
    else this.toldExited(message.room, message.reason);
  }

  private becomeMember({ room, members }: RoomState): void {
    const { client } = this;
    const membership = this.memberships.rooms.get(room);
    if (!membership) return;
    membership.state = { kind: "member" };
    membership.wasMember = true;
    const joins = inOrder(membership.joins.keys());
    membership.joins.clear();
    const added = members.filter((info) => this.addMember(room, info));
    const state = this.stateOf(room);
    client.event({ kind: "joined", ...state });
    for (const call of joins) client.answer(call, { kind: "joined", state });
    for (const { id } of added) carryOutPeer(client, id);
  }

  /** Adds the peer for a member. Returns false if there is one. Its outputs are to be carried out. */
  private addMember(room: string, info: PairingInfo): boolean {
    const { client } = this;
    const membership = this.memberships.rooms.get(room);
    if (!membership || keyOf(client, info.id) !== undefined) return false;
    const { config, limits, now } = client;
    const peer = waitingPeer(config.direct, info, limits, () => client.serverRtt, now);
    if (membership.upgrades) peer.handle({ kind: "upgrade" }, now);
    const wantsRtt = peer.hasDirect() && client.serverRtt === undefined && !client.asked;
    client.peers.set(info.id, peer);
    this.memberships.of.set(info.id, room);
    this.sort();
    if (wantsRtt) askForLife(client);
    return true;
  }

  /** Puts the peers in the order of their keys. */
  sort(): void {
    const { peers } = this.client;
    const entries = [...peers].sort(([one], [other]) => comparePairings(one, other));
    peers.clear();
    for (const [key, peer] of entries) peers.set(key, peer);
  }

  /** Notes a new member. */
  private toldMember(room: string, pairing: PairingInfo): void {
    if (!this.memberships.isMember(room) || !this.addMember(room, pairing)) return;
    this.client.event({ kind: "member-joined", room, pairing });
    carryOutPeer(this.client, pairing.id);
  }

  /** Notes that the server has ended a membership. The answer to an exit names one that this client has ended. */
  private toldExited(room: string, reason: EndReason): void {
    const membership = this.memberships.rooms.get(room);
    if (!membership?.isMember) return;
    this.endMembers(room, reason);
    // Again at the next server.
    if (reason === "shutting-down" || reason === "node-lost") membership.state = { kind: "asked", req: undefined };
    else this.endMembership(room, reason);
  }

  private endMembers(room: string, reason: EndReason): void {
    for (const key of this.memberships.keysOf(room)) feedPeer(this.client, key, { kind: "ended", reason });
  }

  private endMembership(room: string, reason: EndReason): void {
    const { client, memberships } = this;
    const membership = memberships.rooms.get(room);
    if (!membership) return;
    memberships.rooms.delete(room);
    if (membership.wasMember) client.event({ kind: "exited", room, reason });
    for (const call of inOrder(membership.joins.keys())) {
      client.answer(call, { kind: "refused", refusal: refusalOf("cancelled") });
    }
    for (const call of inOrder(membership.exits?.calls ?? [])) client.answer(call, { kind: "exited" });
  }

  /** Ends a membership that a request is for which the server refuses. Returns false if the number is that of none. */
  refused(req: ReqId | undefined, refusal: Refusal): boolean {
    const { client, memberships } = this;
    const room = memberships.askedWith(req);
    const membership = room === undefined ? undefined : memberships.rooms.get(room);
    if (room === undefined || !membership) return false;
    const joins = inOrder(membership.joins.keys());
    membership.joins.clear();
    if (membership.wasMember && isRetryable(refusal.code)) {
      membership.state = { kind: "waits", until: client.now + REASSERT_INTERVAL };
    } else {
      memberships.rooms.delete(room);
      if (membership.wasMember) client.event({ kind: "not-joined", room, refusal });
    }
    for (const call of joins) client.answer(call, { kind: "refused", refusal });
    return true;
  }

  /** Leaves a room, once everything is confirmed, within half of the time until the deadline. */
  private exit({ call, room, deadline }: Command & { kind: "exit" }): void {
    const { client } = this;
    const membership = this.memberships.rooms.get(room);
    if (!membership) return client.answer(call, { kind: "exited" });
    const half = Math.max(deadline - client.now, 0) / 2;
    const until = client.now + Math.min(half, CONFIRM_TIMEOUT);
    membership.exits ??= { calls: new Set(), until };
    membership.exits.calls.add(call);
    membership.exits.until = Math.min(membership.exits.until, until);
    if (!this.isUnconfirmed(room)) this.finishExit(room);
  }

  private isUnconfirmed(room: string): boolean {
    return this.memberships.keysOf(room).some((key) => this.client.peers.get(key)?.isUnconfirmed());
  }

  /** Carries out the exits that wait, if everything is confirmed or the time is over. */
  exitIfConfirmed(): void {
    for (const room of this.memberships.names()) {
      const exits = this.memberships.rooms.get(room)?.exits;
      if (exits && (exits.until <= this.client.now || !this.isUnconfirmed(room))) this.finishExit(room);
    }
  }

  /** Leaves a room that is to be left. */
  private finishExit(room: string): void {
    if (this.memberships.rooms.get(room)?.exits) this.leave(room);
  }

  /** Leaves the room of a peer for which the server relays nothing any more. Returns false if it is one of no room. */
  exitRoomOf(key: PairingId): boolean {
    const room = this.roomOf(key);
    if (room !== undefined) this.leave(room);
    return room !== undefined;
  }

  /** Leaves a room at once. If the server does not hear of it, it is told after the next welcome. */
  private leave(room: string): void {
    this.tellExit(room); // After the frames that were collected.
    this.endMembers(room, "unregistered");
    this.endMembership(room, "unregistered");
  }

  private upgrade(room: string): void {
    const membership = this.memberships.rooms.get(room);
    if (membership) membership.upgrades = true;
    for (const key of this.memberships.keysOf(room)) feedPeer(this.client, key, { kind: "upgrade" });
  }

  /** Compares the memberships with those that the server lists in its welcome. */
  welcome(rooms: RoomState[] = [], resumed: boolean): void {
    const { memberships } = this;
    const listed = new Map(rooms.map(({ room, members }) => [room, members]));
    for (const room of memberships.names()) {
      const membership = memberships.rooms.get(room);
      const members = listed.get(room);
      listed.delete(room);
      if (!membership) continue;
      if (membership.isMember && members) this.stillMember(room, members);
      else if (membership.isMember) {
        // A pairing may have ended before for another reason, which was missed.
        this.endMembers(room, "disconnected");
        if (resumed) this.endMembership(room, "kicked");
        else this.askToJoin(room, membership);
      } else {
        if (members) this.tellExit(room);
        this.askToJoin(room, membership);
      }
    }
    for (const room of [...listed.keys()].sort()) this.tellExit(room);
  }

  private tellExit(room: string): void {
    this.client.send({ kind: "exit", req: nextReq(this.client), room });
  }

  /** Compares the members of a room with those that the server lists. */
  private stillMember(room: string, members: PairingInfo[]): void {
    const { client } = this;
    for (const key of this.memberships.keysOf(room)) {
      feedPeer(client, key, { kind: "server", event: { event: "welcomed", limits: client.limits } });
      const isListed = members.some(({ id }) => id === key);
      if (isListed) feedPeer(client, key, { kind: "server", event: { event: "known" } });
      else feedPeer(client, key, { kind: "ended", reason: "disconnected" });
    }
    for (const info of members) this.toldMember(room, info);
  }

  /** Notes that time has passed. */
  expire(): void {
    const { client, memberships } = this;
    const due: string[] = [];
    const late: number[] = [];
    for (const room of memberships.names()) {
      const membership = memberships.rooms.get(room);
      for (const call of inOrder(membership?.joins.keys() ?? [])) {
        if ((membership?.joins.get(call) ?? Infinity) > client.now) continue;
        membership?.joins.delete(call);
        late.push(call);
      }
      if (membership?.state.kind === "waits" && membership.state.until <= client.now) due.push(room);
    }
    for (const call of late) client.answer(call, { kind: "timed-out" });
    for (const room of due) {
      const membership = memberships.rooms.get(room);
      if (membership) this.askToJoin(room, membership);
    }
    this.endUnwantedJoins();
  }

  /** Forgets a call that waits to be a member. */
  cancel(call: number): void {
    for (const { joins } of this.memberships.rooms.values()) joins.delete(call);
    this.endUnwantedJoins();
  }

  /** Takes back requests for which no call waits any more. */
  private endUnwantedJoins(): void {
    for (const room of this.memberships.names()) {
      const membership = this.memberships.rooms.get(room);
      if (!membership || membership.wasMember || membership.joins.size || membership.exits) continue;
      this.memberships.rooms.delete(room);
      this.endMembers(room, "unregistered");
      this.tellExit(room);
    }
  }

  close(): void {
    const { client, memberships } = this;
    const all = memberships.names().map((room) => memberships.rooms.get(room));
    memberships.rooms.clear();
    for (const membership of all) {
      const calls = [...inOrder(membership?.joins.keys() ?? []), ...inOrder(membership?.exits?.calls ?? [])];
      for (const call of calls) client.answer(call, { kind: "closed" });
    }
  }

  /** Returns the event of the room of a peer for what the peer puts out, or undefined if it is one of no room. */
  event(key: PairingId, { partner: member }: PairingInfo, output: PeerOutput & { kind: "partner" | "path" }): ClientEvent | undefined {
    const room = this.roomOf(key);
    if (room === undefined) return undefined;
    if (output.kind === "partner") return { kind: "member", room, member, state: output.state };
    return { kind: "member-path", room, member, path: output.path, rtt: output.rtt };
  }

  /** Forgets a peer that has ended. Returns the event of its room, or undefined if it is one of no room. */
  forget(key: PairingId, pairing: PairingInfo, reason: EndReason): ClientEvent | undefined {
    const room = this.roomOf(key);
    if (room === undefined) return undefined;
    this.memberships.of.delete(key);
    return { kind: "member-left", room, pairing, reason };
  }
}
