/** An event for all members of a room, and their answers. */

import type { EmitError } from "../error.js";

/** The answer of one member to an event for all: its reply, or the error that tells why there is none. */
export type MemberReply<T = any> =
  | { readonly member: string; readonly value: T; readonly error?: undefined }
  | { readonly member: string; readonly value?: undefined; readonly error: EmitError };

/** The call of one member. */
export interface MemberCall<T> {
  readonly member: string;
  readonly reply: Promise<T>;
}

/** Returns the answer of a member, once there is one. */
export const answered = <T>({ member, reply }: MemberCall<T>): Promise<MemberReply<T>> =>
  reply.then(
    (value) => ({ member, value }),
    (error: EmitError) => ({ member, error }),
  );

/**
 * The answers of all members to an event, as they come. It ends with the last one. Leaving a loop over it gives the answers
 * up that have not come; handlers that have begun run on.
 */
export class RequestMany<T = any> implements AsyncIterableIterator<MemberReply<T>> {
  private readonly answers: MemberReply<T>[] = [];
  private waiting: (() => void)[] = [];
  /** The answers that have not come. */
  private left: number;

  /** `stop` gives up what has not come. @internal */
  constructor(
    calls: readonly MemberCall<T>[],
    private readonly stop: () => void,
  ) {
    this.left = calls.length;
    for (const call of calls) {
      void answered(call).then((answer) => {
        if (!this.left) return; // Nobody waits for it.
        this.answers.push(answer);
        if (!--this.left) this.stop();
        this.wake();
      });
    }
    if (!this.left) this.stop();
  }

  /** Returns the next answer, once there is one. */
  async next(): Promise<IteratorResult<MemberReply<T>>> {
    while (!this.answers.length && this.left) await new Promise<void>((resolve) => this.waiting.push(resolve));
    const value = this.answers.shift();
    return value ? { done: false, value } : { done: true, value: undefined };
  }

  /** Gives up what has not come, as leaving a loop over it does. */
  return(): Promise<IteratorResult<MemberReply<T>>> {
    this.left = this.answers.length = 0;
    this.stop();
    this.wake();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Returns this iterator. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  private wake(): void {
    for (const resume of this.waiting.splice(0)) resume();
  }
}
