/** A server in this process, without limits and checks: it welcomes clients, pairs them, has rooms, and relays between two. */

import { after } from "node:test";

import { connectWith, type ConnectSettings } from "../src/api/connect.js";
import type { P2pClient } from "../src/api/client.js";
import { DIRECT } from "../src/direct-parts.js";
import { MeshClient } from "../src/api/mesh/join.js";
import { Channels } from "../src/direct/channels.js";
import { ROOMS } from "../src/room-parts.js";
import type { Io, SocketLike } from "../src/server/socket.js";

type Listener = (...args: any[]) => void;
type Fields = Record<string, any>;

/** One end of a connection: what a client uses of its socket, and what the server tells it. */
class FakeSocket implements SocketLike {
  connected = false;
  auth: any;
  readonly io = { reconnection: () => {}, on: () => {}, off: () => {} };
  partner: FakeSocket | undefined;
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly any = new Set<Listener>();

  constructor(private readonly server: FakeServer) {}

  connect(): void {
    setImmediate(() => this.server.joined(this));
  }

  disconnect(): void {
    if (!this.connected) return;
    this.connected = false;
    this.server.left(this);
  }

  emit(event: string, ...args: unknown[]): void {
    setImmediate(() => this.server.received(this, event, structuredClone(args)));
  }

  on(event: string, listener: Listener): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
  }

  off(event: string, listener: Listener): void {
    this.listeners.get(event)?.delete(listener);
  }

  onAny(listener: Listener): void {
    this.any.add(listener);
  }

  offAny(listener: Listener): void {
    this.any.delete(listener);
  }

  /** Has an event of the connection itself. */
  happens(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...args);
  }

  /** Has an event of the server. */
  tell(event: string, ...args: unknown[]): void {
    for (const listener of [...this.any]) listener(event, ...args);
  }
}

/** The clients of this process. Those that a failed test has left open would keep it alive. */
const clients = new Set<P2pClient>();

if (process.argv[1]?.endsWith(".test.js")) {
  after(() => {
    for (const client of clients) void client.close();
  });
}

export class FakeServer {
  /** The error with which connections fail, if any. */
  failure: Error | undefined;
  /** The raw channels that clients have, as an entry of the package gives them. */
  Channels: typeof Channels | undefined = Channels;
  /** The arguments of all frames and signals that were relayed. */
  readonly frames: unknown[][] = [];
  /** The number of connections that were begun. */
  attempts = 0;
  private readonly sockets = new Map<string, FakeSocket>();
  private readonly questions = new Map<number, (accept: boolean, reason?: string) => void>();
  private readonly watches: { socket: FakeSocket; req: number; target: string }[] = [];
  private numbers = 0;
  /** The members of rooms, and the two of each of their pairings. */
  private readonly rooms = new Map<string, Set<FakeSocket>>();
  private readonly inRooms = new Map<string, { room: string; two: [FakeSocket, FakeSocket] }>();

  readonly io: Io = () => new FakeSocket(this);

  /** Connects a client. */
  async connect(id: string, settings: Partial<ConnectSettings> = {}): Promise<MeshClient> {
    const parts = { direct: DIRECT, Channels: this.Channels, rooms: ROOMS, Client: MeshClient };
    const client = await connectWith(this.io, "http://server.test", { id, paths: "relay-only", ...settings }, parts);
    clients.add(client);
    return client;
  }

  /** Connects two clients, and pairs them. */
  async pair(one: Partial<ConnectSettings> = {}, other: Partial<ConnectSettings> = {}): Promise<[P2pClient, P2pClient]> {
    const pair: [P2pClient, P2pClient] = [await this.connect("one", one), await this.connect("other", other)];
    await pair[0].register("other");
    return pair;
  }

  /** Ends all connections. Nobody is known any more. */
  restart(): void {
    const sockets = [...this.sockets.values()];
    this.sockets.clear();
    this.rooms.clear();
    this.inRooms.clear();
    for (const socket of sockets) {
      socket.connected = false;
      socket.happens("disconnect");
    }
  }

  joined(socket: FakeSocket): void {
    this.attempts++;
    if (this.failure) return socket.happens("connect_error", this.failure);
    const { clientId } = socket.auth;
    if (this.sockets.has(clientId)) {
      return socket.happens("connect_error", Object.assign(new Error("duplicate-id"), { data: {} }));
    }
    socket.connected = true;
    this.sockets.set(clientId, socket);
    socket.happens("connect");
    const resume = String(++this.numbers).padStart(32, "0");
    socket.tell("P2P_WELCOME", { protocol: 2, clientId, resume, graceMs: 15_000, resumed: false });
    this.changed();
  }

  left(socket: FakeSocket): void {
    if (this.sockets.get(socket.auth.clientId) === socket) this.sockets.delete(socket.auth.clientId);
    this.parted(socket, "disconnected");
    for (const room of [...this.rooms.keys()]) this.exit(socket, room, "disconnected");
    this.changed();
  }

  /** Removes a client from a room. */
  kick(id: string, room: string): void {
    const socket = this.sockets.get(id);
    if (!socket) return;
    this.exit(socket, room, "kicked");
    socket.tell("P2P_EXITED", { room, reason: "kicked" });
  }

  private exit(socket: FakeSocket, room: string, reason: string): void {
    this.rooms.get(room)?.delete(socket);
    for (const [pairing, { room: of, two }] of this.inRooms) {
      if (of !== room || !two.includes(socket)) continue;
      this.inRooms.delete(pairing);
      for (const other of two) if (other !== socket) other.tell("P2P_DISCONNECT", { pairing, reason });
    }
  }

  private join(socket: FakeSocket, room: string, req: number, most: number): void {
    const members = this.rooms.get(room) ?? new Set();
    if (members.size >= most) return socket.tell("P2P_ERROR", { req, code: "quota", message: "the room is full" });
    this.rooms.set(room, members);
    const info = (id: string, partner: FakeSocket, initiator: boolean) => {
      const direct = !!(socket.auth.direct && partner.auth.direct);
      return { id, partner: partner.auth.clientId as string, initiator, partnerProtocol: 2, direct };
    };
    const own = [...members].map((other) => {
      const id = `2-${(++this.numbers).toString(16)}`;
      this.inRooms.set(id, { room, two: [socket, other] });
      setImmediate(() => other.tell("P2P_MEMBER", { room, pairing: info(id, socket, false) }));
      return info(id, other, true);
    });
    members.add(socket);
    socket.tell("P2P_JOINED", { req, room, members: own });
  }

  private parted(socket: FakeSocket, reason: string, req?: number): void {
    const { partner } = socket;
    if (!partner) return;
    socket.partner = partner.partner = undefined;
    const fields = { pairing: "1-1", reason };
    partner.tell("P2P_DISCONNECT", fields);
    socket.tell("P2P_DISCONNECT", req === undefined ? fields : { ...fields, req });
    this.changed();
  }

  private stateOf(target: string): string {
    const socket = this.sockets.get(target);
    return socket ? (socket.partner ? "busy" : "free") : "absent";
  }

  /** Tells the watches the states of their targets. */
  private changed(): void {
    for (const { socket, req, target } of this.watches) socket.tell("P2P_TARGET", { req, state: this.stateOf(target) });
  }

  received(socket: FakeSocket, event: string, args: any[]): void {
    if (!socket.connected) return;
    const [first, second] = args as [Fields, Fields];
    const { req } = (typeof first === "string" ? second : first) ?? {};
    switch (event) {
      case "P2P_REGISTER":
        return this.register(socket, String(first), req, second["payload"]);
      case "P2P_REGISTER_SUCCESS":
        return this.questions.get(req)?.(true);
      case "P2P_REGISTER_FAILED":
        return this.questions.get(req)?.(false, first["reason"]);
      case "P2P_UNREGISTER":
        return this.parted(socket, "unregistered", req);
      case "P2P_WATCH":
        this.watches.push({ socket, req, target: String(first) });
        return socket.tell("P2P_TARGET", { req, state: this.stateOf(String(first)) });
      case "P2P_PING":
        return socket.tell("P2P_PONG", { req });
      case "P2P_JOIN":
        return this.join(socket, String(first), req, second["most"]);
      case "P2P_EXIT":
        this.exit(socket, String(first), "unregistered");
        return socket.tell("P2P_EXITED", { req, room: first, reason: "unregistered" });
      case "P2P_FRAME":
      case "P2P_SIGNAL": {
        this.frames.push(args);
        const two = this.inRooms.get(String(first))?.two;
        const partner = two ? two.find((other) => other !== socket) : socket.partner;
        partner?.tell(event, ...args);
      }
    }
  }

  private register(socket: FakeSocket, target: string, req: number, payload: unknown): void {
    const source = socket.auth.clientId as string;
    const other = this.sockets.get(target);
    if (!other) return socket.tell("P2P_REGISTER_FAILED", { req, code: "offline", message: "the target is offline" });
    const question = ++this.numbers;
    this.questions.set(question, (accept, reason) => {
      const refused = { req, code: "declined", message: reason ?? "the target declined" };
      if (!accept) return socket.tell("P2P_REGISTER_FAILED", refused);
      [socket.partner, other.partner] = [other, socket];
      const direct = !!(socket.auth.direct && other.auth.direct);
      const pairing = (partner: string, initiator: boolean) => ({ id: "1-1", partner, initiator, partnerProtocol: 2, direct });
      other.tell("P2P_REGISTER_SUCCESS", { pairing: pairing(source, false) });
      socket.tell("P2P_REGISTER_SUCCESS", { req, pairing: pairing(target, true) });
      this.changed();
    });
    other.tell("P2P_REGISTER", source, { req: question, consentMs: 10_000, payload });
  }
}

/** Returns the error with which a call fails, at once or later. */
export async function rejection(call: () => unknown): Promise<any> {
  let value: unknown;
  try {
    value = await call();
  } catch (error) {
    return error;
  }
  throw new Error(`it did not fail: ${JSON.stringify(value)}`);
}
