/** The frames that this end has sent and its partner has not taken yet. */

import type { Path } from "../../error.js";
import { PARTS_UNDER_WAY, V1_WINDOW_BYTES, WINDOW_BYTES, WINDOW_FRAMES } from "../../limits.js";
import type { Body } from "../../wire/frame.js";

/** The account of a frame: an emit stays until it was taken, a reply or a part until it has arrived. */
export type FrameRole = "emit" | "reply" | "part";

/** A frame that the partner has not acknowledged. */
export interface Unacked {
  body: Body;
  role: FrameRole;
  size: number;
  /** The time after which no handler may start for an emit. */
  expires?: number | undefined;
  /** The path that carries it while that path is there. */
  via?: Path | undefined;
  /** True if it answers the partner. */
  answers: boolean;
  /** True for a part, and for a `drop` that ends parts. The last part of a value counts as the value as well. */
  isPart: boolean;
}

/** Returns the account of a frame that is to be sent. */
export const unacked = (body: Body, role: FrameRole, size: number, answers = role === "reply"): Unacked => ({
  body,
  role,
  size,
  answers,
  isPart: body.t === "part" || body.t === "drop",
});

export class Window {
  /** The highest number of a frame. */
  private sent = 0;
  /** The highest number that has arrived there: no frame up to it is sent again. */
  arrived = 0;
  /** In the order of the numbers. */
  private readonly unacked = new Map<number, Unacked>();
  /** Numbers of frames, and their bytes. */
  readonly load = { emit: 0, reply: 0, part: 0 };
  readonly bytes = { emit: 0, reply: 0, part: 0 };
  /** Parts that have not arrived, the last ones included. */
  private parts = 0;
  private readonly most: number;

  constructor(isNarrow: boolean) {
    this.most = isNarrow ? V1_WINDOW_BYTES : WINDOW_BYTES;
  }

  /** Returns true if an emit has to wait. A reply does not: the number of handlers bounds that of replies. */
  isFull(): boolean {
    const { emit, reply, part } = this.bytes;
    return this.unacked.size >= WINDOW_FRAMES || emit + reply + part >= this.most;
  }

  /** Returns true if the partner has taken everything. */
  isEmpty(): boolean {
    return !this.unacked.size;
  }

  /** Returns true if an emit of this size fits beside the others. The largest fits alone. */
  fits(size: number): boolean {
    return !this.load.emit || this.bytes.emit + size <= this.most;
  }

  /** Returns true if another part may be sent. */
  takesParts(): boolean {
    return this.parts < PARTS_UNDER_WAY;
  }

  /** Adds a frame, and returns its number. */
  push(frame: Unacked): number {
    this.parts += Number(frame.isPart);
    this.load[frame.role]++;
    this.bytes[frame.role] += frame.size;
    this.unacked.set(++this.sent, frame);
    return this.sent;
  }

  /**
   * Removes the emits that the partner has taken, and the other frames that have arrived there. Returns false if it
   * names a number that was never sent.
   */
  acknowledge(taken: number, arrived: number): boolean {
    arrived = Math.max(arrived, taken);
    if (!this.wasSent(arrived)) return false;
    for (let seq = this.arrived + 1; seq <= arrived; seq++) {
      const frame = this.unacked.get(seq);
      if (!frame) continue;
      this.parts -= Number(frame.isPart);
      if (frame.role !== "emit") this.remove(seq, frame);
    }
    this.arrived = Math.max(this.arrived, arrived);
    for (const [seq, frame] of this.unacked) {
      if (seq > taken) break;
      this.remove(seq, frame);
    }
    return true;
  }

  private remove(seq: number, { role, size }: Unacked): void {
    this.unacked.delete(seq);
    this.load[role]--;
    this.bytes[role] -= size;
  }

  /** Returns true if a frame has had this number. */
  wasSent(seq: number): boolean {
    return seq <= this.sent;
  }

  /** Returns the frames that have not arrived, in order: those that are sent again on another path. */
  frames(): [number, Unacked][] {
    return [...this.unacked].filter(([seq]) => seq > this.arrived);
  }

  /** Returns true if a frame that has not arrived takes this path whatever the others do. */
  hasVia(path: Path): boolean {
    return this.frames().some(([, { via }]) => via === path);
  }

  /**
   * Puts other contents in the place of those for which there are any, in frames that have not arrived. Returns the
   * numbers of these frames. They count as before.
   */
  replace(substitute: (body: Body) => Body | undefined): number[] {
    return this.frames().flatMap(([seq, frame]) => {
      const body = substitute(frame.body);
      if (!body) return [];
      frame.body = body;
      return [seq];
    });
  }
}
