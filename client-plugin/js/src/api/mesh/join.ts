/** Joining a room, and leaving it. */

import type { Actor } from "../../actor.js";
import type { Answer, Command, RoomEvent } from "../../client/interface.js";
import { MESH_MEMBERS } from "../../limits.js";
import { isRoomName } from "../../wire/control/room-fields.js";
import { flag, type Kind, type Kinds } from "../check.js";
import { deadline, named, P2pClient, REQUEST, type RequestSettings } from "../client.js";
import { requestError } from "../error.js";
import type { Observers } from "../events.js";
import { Mesh } from "../mesh.js";

/** The options of a mesh. */
export interface MeshOptions extends RequestSettings {
  /**
   * The most members of the room, this client included: 10 by default. The smallest number that any of the members wants
   * counts, and at most 32, or what the server is set to.
   */
  maxPeers?: number;
  /**
   * True, the default, if direct paths are made at once. Otherwise everything takes the server until `upgrade` of either
   * side, and the members do not learn each other's addresses.
   */
  autoUpgrade?: boolean;
}

const positive: Kind = ["a whole number from 1", (value) => Number.isSafeInteger(value) && value > 0];
const JOIN: Kinds<MeshOptions> = { ...REQUEST, maxPeers: positive, autoUpgrade: flag };

/** A client that can be a member of rooms. */
export class MeshClient extends P2pClient {
  /** The rooms of which it is a member, or will be again. */
  private readonly meshes = new Map<string, Mesh>();

  /** @internal */
  constructor(actor: Actor, observers: Observers, id: string) {
    super(actor, observers, id);
    actor.onRoom = (event) => this.told(event);
    observers.on("disconnected", () => {
      for (const mesh of this.meshes.values()) mesh.ended();
      this.meshes.clear();
    });
  }

  /**
   * Joins a room, if the server allows it: this client gets a pairing with every member, now and later. To join is to
   * consent to them. A client that is a member already gets the same mesh.
   */
  async joinMesh(room: string, options: MeshOptions = {}): Promise<Mesh> {
    const name = named("joinMesh", room);
    if (!isRoomName(room)) throw requestError(name, "bad-args", "the name of a room has 1 to 128 bytes without control characters");
    const make = (call: number): Command => {
      const { maxPeers: most = MESH_MEMBERS, autoUpgrade: upgrades = true } = options;
      return { kind: "join", call, room, most, upgrades, deadline: deadline(options) };
    };
    const read = (answer: Answer) => (answer.kind === "joined" ? this.meshes.get(room) : undefined);
    return this.request(name, make, options, read, {}, JOIN);
  }

  /** Tells the mesh of a room what happens in it, and makes it when this client becomes a member. */
  private told(event: RoomEvent): void {
    const { room } = event;
    let mesh = this.meshes.get(room);
    if (!mesh && event.kind === "joined") {
      const exit = (settings: RequestSettings): Promise<void> => this.leaveRoom(room, mesh, settings);
      mesh = new Mesh(this.actor, room, exit);
      this.meshes.set(room, mesh);
    }
    mesh?.told(event);
    if (event.kind !== "exited" && event.kind !== "not-joined") return;
    this.meshes.delete(room);
    mesh?.ended();
  }

  /** Leaves a room, unless this mesh of it is over: the client may have joined again since. */
  private async leaveRoom(room: string, mesh: Mesh | undefined, settings: RequestSettings): Promise<void> {
    if (this.meshes.get(room) !== mesh) return;
    const make = (call: number): Command => ({ kind: "exit", call, room, deadline: deadline(settings) });
    const read = (answer: Answer) => answer.kind === "exited" || undefined;
    await this.request(`leave ${JSON.stringify(room)}`, make, settings, read);
  }
}
