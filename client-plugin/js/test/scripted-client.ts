/** A client of rooms without IO, in virtual time, whose server and members are the test. */

import { Args } from "../src/args.js";
import { Client } from "../src/client.js";
import { clientConfig, type Answer, type Input, type Output, type RoomEvent } from "../src/client/interface.js";
import { DIRECT } from "../src/direct-parts.js";
import { defaultLimits, S } from "../src/limits.js";
import { pathConfig } from "../src/peer.js";
import { ROOMS } from "../src/room-parts.js";
import type { ClientMessage } from "../src/wire/control/client.js";
import type { ServerMessage } from "../src/wire/control/server.js";
import type { PairingInfo, RoomState, Welcome } from "../src/wire/control/welcome.js";
import type { Frame } from "../src/wire/frame.js";

export const LOBBY = "lobby";
export const PATIENCE = 5 * S;

export const id = (serial: number): string => `1-${serial.toString(16)}`;

/** The pairing with the member "m" and this number. */
export const member = (serial: number, more?: Partial<PairingInfo>): PairingInfo => ({
  id: id(serial),
  partner: `m${serial}`,
  initiator: true,
  partnerProtocol: 2,
  direct: false,
  ...more,
});

export const state = (...serials: number[]): RoomState => ({ room: LOBBY, members: serials.map((serial) => member(serial)) });

export const welcome = (more?: Partial<Welcome>): Welcome => ({
  protocol: 2,
  clientId: "a",
  resume: "0".repeat(32),
  graceMs: 15_000,
  resumed: false,
  limits: defaultLimits(),
  rooms: [],
  ...more,
});

/** A client without IO, in virtual time, whose connections come at once. */
export class ScriptedClient {
  now = 0;
  readonly core = new Client(clientConfig({ rooms: ROOMS, direct: pathConfig({ parts: DIRECT }) }), 0);
  private all: Output[] = [];

  feed(input: Input): void {
    this.core.handle(input, this.now);
  }

  poll(): void {
    for (let output; (output = this.core.pollOutput()); ) this.all.push(output);
  }

  handle(input: Input): void {
    this.feed(input);
    this.poll();
  }

  hear(message: ServerMessage): void {
    this.handle({ kind: "received", message });
  }

  frames(serial: number, frames: Frame[]): void {
    this.handle({ kind: "frames", pairing: id(serial), frames, unread: false });
  }

  /** Lets time pass, with all that becomes due. */
  pass(time: number): void {
    const end = this.now + time;
    for (let due; (due = this.core.pollTimeout()) !== undefined && due <= end; ) {
      this.now = Math.max(due, this.now);
      this.handle({ kind: "timeout" });
      // The server is there.
      for (const { kind, message } of this.all.filter((output) => output.kind === "send")) {
        if (kind === "send" && message.kind === "ping" && this.core.asked?.req === message.req) this.hear({ kind: "pong", req: message.req });
      }
    }
    this.now = end;
    this.handle({ kind: "timeout" });
  }

  /** What was put out since this was last asked. */
  outputs(): Output[] {
    return this.all.splice(0);
  }

  said(): ClientMessage[] {
    return this.outputs().flatMap((output) => (output.kind === "send" ? [output.message] : []));
  }

  answers(): [number, Answer][] {
    return this.outputs().flatMap((output) => (output.kind === "answered" ? [[output.call, output.answer] as [number, Answer]] : []));
  }

  events(): RoomEvent[] {
    return this.outputs().flatMap((output) => (output.kind === "event" && "room" in output.event ? [output.event] : []));
  }

  /** The pairings and numbers of the emits that were sent. */
  sent(): [string, number][] {
    return this.outputs().flatMap((output) =>
      output.kind === "send-frames"
        ? output.frames.flatMap(({ seq, body }) => (body.t === "emit" ? [[output.pairing, seq] as [string, number]] : []))
        : [],
    );
  }

  /** The numbers of the requests to join, and of those to leave. */
  asked(): { joins: number[]; exits: number[] } {
    const said = this.said();
    const of = (kind: "join" | "exit") => said.flatMap((message) => (message.kind === kind ? [message.req] : []));
    return { joins: of("join"), exits: of("exit") };
  }

  /** Asks to join, and returns the number of the request. */
  join(call = 1, more?: { most?: number; upgrades?: boolean }): number {
    const deadline = this.now + PATIENCE;
    this.handle({ kind: "command", command: { kind: "join", call, room: LOBBY, most: 10, upgrades: true, deadline, ...more } });
    return this.asked().joins[0] ?? 0;
  }

  exit(call: number): void {
    this.handle({ kind: "command", command: { kind: "exit", call, room: LOBBY, deadline: this.now + PATIENCE } });
  }

  feedEmit(call: number, serial: number): void {
    const options = { replyBy: this.now + PATIENCE, expires: undefined, via: undefined };
    this.feed({ kind: "command", command: { kind: "emit", call, pairing: id(serial), event: "note", args: Args.of([call]), options } });
  }

  emit(call: number, serial: number): void {
    this.feedEmit(call, serial);
    this.poll();
  }

  /** Loses the connection, and gets another. */
  back(resumed: boolean, ...rooms: RoomState[]): void {
    this.handle({ kind: "lost" });
    this.handle({ kind: "opened" });
    this.hear({ kind: "welcome", welcome: welcome({ resumed, rooms }) });
  }
}
