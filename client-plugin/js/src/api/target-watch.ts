/** A watch of a target: its state, and each change of it. */

import type { TargetState } from "../wire/control/welcome.js";
import type { RequestError } from "./error.js";

/**
 * A watch of a target. Iterating it yields the present state, then each that is newer than the last one that was read.
 * It ends with `close`, when the client closes, or with an error if the server refuses it on a later connection.
 */
export class TargetWatch implements AsyncIterableIterator<TargetState> {
  private isNew = true;
  private isOver = false;
  private error: RequestError | undefined;
  private waiting: (() => void)[] = [];

  /** @internal */
  constructor(
    /** The target. */
    readonly target: string,
    /** The present state, as the server told it last. */
    public state: TargetState,
    private readonly cancel: () => void,
  ) {}

  /** Notes a state. @internal */
  told(state: TargetState): void {
    this.isNew ||= state !== this.state;
    this.state = state;
    if (this.isNew) this.wake();
  }

  /** Notes that it has ended. @internal */
  ended(error?: RequestError): void {
    this.isOver = true;
    this.error ??= error;
    this.wake();
  }

  /** Ends the watch. */
  close(): void {
    if (!this.isOver) this.cancel();
    this.ended();
  }

  /** Returns the next state, once there is one. */
  async next(): Promise<IteratorResult<TargetState>> {
    while (!this.isNew && !this.isOver) await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (this.isNew) {
      this.isNew = false;
      return { done: false, value: this.state };
    }
    const { error } = this;
    this.error = undefined;
    if (error) throw error;
    return { done: true, value: undefined };
  }

  /** Ends the watch, as leaving a loop over it does. */
  return(): Promise<IteratorResult<TargetState>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Returns this watch. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  private wake(): void {
    for (const resume of this.waiting.splice(0)) resume();
  }
}
