/** A mesh: a room whose members are all connected to each other. */

import type { Actor } from "../actor.js";
import type { RoomEvent } from "../client/interface.js";
import type { Path } from "../error.js";
import type { PairingInfo, Presence } from "../wire/control/welcome.js";
import { fun, oneOf, wrong } from "./check.js";
import type { RequestSettings } from "./client.js";
import { emit, type EmitSettings, type Replied } from "./emit2.js";
import { P2pError } from "./error.js";
import { Observers, type EventOf, type EventReader } from "./events.js";
import { answered, RequestMany, type MemberCall, type MemberReply } from "./mesh/broadcast.js";

/** Another member of a room. */
export interface MeshMember {
  /** Its id. */
  readonly id: string;
  /** The pairing with it. */
  readonly pairing: PairingInfo;
  /** True while it has no connection to the server. */
  readonly isAway: boolean;
  /** The path that emits take, or undefined if there is none. */
  readonly path: Path | undefined;
}

/** The events of a mesh, by their names. */
export interface MeshEventMap {
  /** The client is a member again: a server had forgotten the room. */
  joined: { room: string; members: PairingInfo[] };
  /** The client is not a member any more: it has left, or was removed. No event follows. */
  exited: { room: string; reason: string };
  /** A server has forgotten the room, and this client will not be a member again. No event follows. */
  "not-joined": { room: string; error: P2pError };
  /** The room has another member. */
  "member-joined": { room: string; member: string; pairing: PairingInfo };
  /** The room has a member less. */
  "member-left": { room: string; member: string; pairing: PairingInfo; reason: string };
  /** A member lost its connection (`away`), or has one again (`back`). */
  member: { room: string; member: string; state: Presence };
  /** Emits to a member take another path from now on; `rttMs` is its round trip, as far as it is known. */
  "member-path": { room: string; member: string; path: Path | undefined; rttMs: number | undefined };
}

const NAMES: Record<keyof MeshEventMap, 1> = {
  joined: 1,
  exited: 1,
  "not-joined": 1,
  "member-joined": 1,
  "member-left": 1,
  member: 1,
  "member-path": 1,
};

/** The names of all events of a mesh. */
const TYPES: readonly string[] = Object.keys(NAMES);

/** An event of a mesh, with its name as `type`. */
export type MeshEvent = EventOf<MeshEventMap>;

/** Returns an event in the words of the application. */
function publicEvent(event: RoomEvent): MeshEvent {
  const { kind: type, room } = event;
  switch (type) {
    case "not-joined":
      return { type, room, error: new P2pError(event.refusal.code, event.refusal.message) };
    case "member-joined":
      return { type, room, member: event.pairing.partner, pairing: event.pairing };
    case "member-left":
      return { type, room, member: event.pairing.partner, pairing: event.pairing, reason: event.reason };
    case "member-path":
      return { type, room, member: event.member, path: event.path, rttMs: event.rtt === undefined ? undefined : event.rtt / 1_000 };
    default: {
      const { kind: _, ...fields } = event;
      return { type, ...fields } as MeshEvent;
    }
  }
}

/** The functions that emit to members, with options. */
export interface MeshEmits<Settings extends EmitSettings> {
  /** Emits an event to one member, and returns what the options ask for. */
  emit2To<T = any>(member: string, event: string, ...args: unknown[]): Promise<Replied<Settings, T>>;
  /** Emits an event to all members, and returns the outcome for each, in the order of their ids. */
  broadcast2<T = any>(event: string, ...args: unknown[]): Promise<MemberReply<Replied<Settings, T>>[]>;
  /** Emits an event to all members, and yields their answers as they come. */
  requestMany<T = any>(event: string, ...args: unknown[]): RequestMany<Replied<Settings, T>>;
}

/**
 * A room of which this client is a member, from `joinMesh`. It has a pairing with each other member, beside the one that
 * `register` may have made. Each gives the guarantees of `emit2`, while the path to that member changes; there is no order
 * between members. Handlers are those of `on2`, and `this.room` tells them the room.
 *
 * The client stays a member until it leaves, is removed or closes. After a lost connection the pairings go on. A restarted
 * server has forgotten the room: its pairings end, and the client joins again by itself, as soon as the server lets it.
 */
export class Mesh {
  private readonly observers = new Observers<MeshEventMap>();

  /** @internal */
  constructor(
    private readonly actor: Actor,
    /** The name of the room. */
    readonly room: string,
    private readonly leaves: (settings: RequestSettings) => Promise<void>,
  ) {}

  /** The other members, in the order of their ids. */
  get members(): MeshMember[] {
    const { peers, rooms } = this.actor.client;
    const keys = rooms?.memberships.keysOf(this.room) ?? [];
    const members = keys.flatMap((key) => {
      const peer = peers.get(key);
      if (!peer) return [];
      return [{ id: peer.info.partner, pairing: peer.info, isAway: peer.isPartnerAway, path: peer.reported }];
    });
    return members.sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /**
   * True while this client is a member. It is none after it has left or was removed, and while a restarted server has not
   * let it join again.
   */
  get isMember(): boolean {
    return this.actor.client.rooms?.memberships.isMember(this.room) === true;
  }

  /**
   * Emits an event to one member, and returns the first argument of its reply, as `emit2` does. If there is no such member,
   * it fails as not executed (`not-paired`).
   */
  emit2To<T = any>(member: string, event: string, ...args: unknown[]): Promise<T> {
    return this.emitBy(this.pairingWith(member), {}, event, args) as Promise<T>;
  }

  /**
   * Emits an event to the members of this moment, and returns the outcome for each: its `value`, or its `error`, an
   * `EmitError`. Members whose window is full hold up no others.
   */
  broadcast2<T = any>(event: string, ...args: unknown[]): Promise<MemberReply<T>[]> {
    return Promise.all(this.calls<T>(() => ({}), event, args).map(answered));
  }

  /** Emits an event to the members of this moment, and yields their answers as they come, for `for await`. */
  requestMany<T = any>(event: string, ...args: unknown[]): RequestMany<T> {
    return this.request<T>({}, event, args);
  }

  /** Returns the same functions with these options. */
  with<const Settings extends EmitSettings>(settings: Settings): MeshEmits<Settings> {
    return {
      emit2To: <T>(member: string, event: string, ...args: unknown[]) =>
        this.emitBy(this.pairingWith(member), settings, event, args) as Promise<Replied<Settings, T>>,
      broadcast2: <T>(event: string, ...args: unknown[]) =>
        Promise.all(this.calls<Replied<Settings, T>>(() => settings, event, args).map(answered)),
      requestMany: <T>(event: string, ...args: unknown[]) => this.request<Replied<Settings, T>>(settings, event, args),
    };
  }

  /**
   * Makes direct paths to all members, and to those who join later, as if `autoUpgrade` had been true ("go private"). A
   * member that allows direct paths takes part, whatever its own option is. What is emitted meanwhile takes the server, and
   * nothing is lost by the change.
   */
  upgrade(): void {
    this.actor.feed({ kind: "command", command: { kind: "upgrade", room: this.room } });
  }

  /** Adds a listener for an event of this mesh. */
  on<Type extends keyof MeshEventMap>(type: Type, listener: (event: { type: Type } & MeshEventMap[Type]) => void): this {
    const bad = wrong("the event", type, oneOf(...TYPES)) ?? wrong("the listener", listener, fun);
    if (bad) throw new P2pError("bad-args", `on: ${bad}`);
    this.observers.on(type, listener);
    return this;
  }

  /** Removes a listener. */
  off<Type extends keyof MeshEventMap>(type: Type, listener: (event: { type: Type } & MeshEventMap[Type]) => void): this {
    this.observers.off(type, listener);
    return this;
  }

  /** Returns the events of this mesh from now on, for `for await`. It ends when the client is a member no more. */
  events(): EventReader<MeshEvent> {
    return this.observers.read();
  }

  /**
   * Leaves the room, once the other members have confirmed what was emitted, after 1 s at the latest and at most half of the
   * timeout. A call that still waits for its reply then fails as unknown.
   */
  leave(settings: RequestSettings = {}): Promise<void> {
    return this.leaves(settings);
  }

  /** Tells the application. @internal */
  told(event: RoomEvent): void {
    this.observers.publish(publicEvent(event));
  }

  /** Notes that no event follows. @internal */
  ended(): void {
    this.observers.end();
  }

  private pairingWith(member: string): string | undefined {
    return this.members.find(({ id }) => id === member)?.pairing.id;
  }

  private emitBy(pairing: string | undefined, settings: EmitSettings, event: string, args: unknown[]): Promise<unknown> {
    return emit(this.actor, pairing, settings, event, args);
  }

  private calls<T>(settings: () => EmitSettings, event: string, args: unknown[]): MemberCall<T>[] {
    return this.members.map(({ id, pairing }) => ({
      member: id,
      reply: this.emitBy(pairing.id, settings(), event, args) as Promise<T>,
    }));
  }

  private request<T>(settings: EmitSettings, event: string, args: unknown[]): RequestMany<T> {
    const { signal } = settings;
    // What is no signal is refused where it is used.
    const isSignal = typeof signal?.addEventListener === "function";
    const stops: AbortController[] = [];
    const abort = () => stops.forEach((stop) => stop.abort(signal?.reason));
    /** Returns the options of one call, which has a signal of its own: Node warns of many listeners of one. */
    const own = (): EmitSettings => {
      const stop = new AbortController();
      stops.push(stop);
      if (signal?.aborted) stop.abort(signal.reason);
      return isSignal || signal === undefined ? { ...settings, signal: stop.signal } : settings;
    };
    if (isSignal) signal.addEventListener("abort", abort);
    return new RequestMany<T>(this.calls<T>(own, event, args), () => {
      if (isSignal) signal.removeEventListener("abort", abort);
      abort();
    });
  }
}
