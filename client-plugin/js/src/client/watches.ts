/** Watches of targets. Each stands until its last holder ends it, on each connection anew. */

import type { Client } from "../client.js";
import type { Refusal } from "../error.js";
import type { ReqId } from "../wire/control/client.js";
import type { TargetState } from "../wire/control/welcome.js";
import { nextReq } from "./life.js";

class Watch {
  /** Its number on the present connection. */
  req: ReqId | undefined;
  /** The state that the server told last on the present connection. */
  state: TargetState | undefined;
  /** The calls that were answered, and are told each state. */
  readonly holders = new Set<number>();
  /** The calls that wait for the first state, with their deadlines. */
  readonly waiting = new Map<number, number>();
}

/** The watches, by target. All holders of one target share its watch. Calls are numbered as they are made. */
export class Watches {
  private readonly all = new Map<string, Watch>();

  nextDeadline(): number {
    let next = Infinity;
    for (const { waiting } of this.all.values()) for (const deadline of waiting.values()) next = Math.min(next, deadline);
    return next;
  }

  /** Notes that the connection is gone, and with it what the server told on it. */
  lost(): void {
    for (const watch of this.all.values()) watch.req = watch.state = undefined;
  }

  watch(client: Client, call: number, target: string, deadline: number): void {
    if (!client.welcomed) return client.answer(call, { kind: "closed" });
    const watch = this.all.get(target) ?? new Watch();
    this.all.set(target, watch);
    if (watch.state !== undefined) {
      watch.holders.add(call);
      return client.answer(call, { kind: "watching", state: watch.state });
    }
    watch.waiting.set(call, deadline);
    if (watch.req === undefined) ask(client, target, watch);
  }

  /** Asks for all watches on another connection. */
  watchAgain(client: Client): void {
    for (const [target, watch] of this.sorted()) ask(client, target, watch);
  }

  /** Passes a state on. One of a watch that has ended meanwhile is ignored. */
  told(client: Client, req: ReqId, state: TargetState): void {
    const watch = this.named(req)?.[1];
    if (!watch) return;
    watch.state = state;
    const holders = inOrder(watch.holders);
    const waiting = inOrder(watch.waiting.keys());
    watch.waiting.clear();
    for (const call of waiting) watch.holders.add(call);
    for (const call of holders) client.output({ kind: "target", call, state });
    for (const call of waiting) client.answer(call, { kind: "watching", state });
  }

  /** Ends a watch that the server refuses. Returns false if the number is that of no watch. */
  refused(client: Client, req: ReqId | undefined, refusal: Refusal): boolean {
    const [target, watch] = this.named(req) ?? [];
    if (target === undefined || !watch) return false;
    this.all.delete(target);
    for (const call of inOrder(watch.holders)) client.output({ kind: "unwatched", call, refusal });
    for (const call of inOrder(watch.waiting.keys())) client.answer(call, { kind: "refused", refusal });
    return true;
  }

  /** Forgets a holder. Its last one ends the watch. */
  cancel(client: Client, call: number): void {
    for (const watch of this.all.values()) {
      watch.holders.delete(call);
      watch.waiting.delete(call);
    }
    this.endUnheld(client);
  }

  expire(client: Client): void {
    for (const [, { waiting }] of this.sorted()) {
      for (const call of inOrder(waiting.keys())) {
        if ((waiting.get(call) ?? 0) > client.now) continue;
        waiting.delete(call);
        client.answer(call, { kind: "timed-out" });
      }
    }
    this.endUnheld(client);
  }

  close(client: Client): void {
    const watches = this.sorted();
    this.all.clear();
    for (const [, { waiting }] of watches) {
      for (const call of inOrder(waiting.keys())) client.answer(call, { kind: "closed" });
    }
  }

  private named(req: ReqId | undefined): [string, Watch] | undefined {
    return req === undefined ? undefined : [...this.all].find(([, watch]) => watch.req === req);
  }

  private endUnheld(client: Client): void {
    for (const [target, { req, holders, waiting }] of this.sorted()) {
      if (holders.size || waiting.size) continue;
      this.all.delete(target);
      if (req !== undefined) client.send({ kind: "cancel", req });
    }
  }

  private sorted(): [string, Watch][] {
    return [...this.all].sort(([one], [other]) => (one < other ? -1 : 1));
  }
}

/** Asks the server, if there is a connection. Otherwise the next welcome does. */
function ask(client: Client, target: string, watch: Watch): void {
  if (client.state.kind !== "ready") return;
  watch.req = nextReq(client);
  client.send({ kind: "watch", req: watch.req, target });
}

function inOrder(calls: Iterable<number>): number[] {
  return [...calls].sort((one, other) => one - other);
}
