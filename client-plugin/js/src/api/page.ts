/** What a page tells of its network, its sleep and its end. */

import type { Actor } from "../actor.js";

/** A place where a page leaves a client for the next one, and takes that of the last one. */
export class Handover {
  private readonly key: string;

  constructor(
    private readonly storage: Storage,
    name: string,
  ) {
    this.key = `socketio-p2p ${name}`;
  }

  /** Takes what the last page has left: a second page, as a duplicated one, finds nothing. */
  take(): string | undefined {
    const left = this.storage.getItem(this.key) ?? undefined;
    this.storage.removeItem(this.key);
    return left;
  }

  /** Leaves a client. Returns false if there is no room. */
  leave(client: string): boolean {
    try {
      this.storage.setItem(this.key, client);
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * Watches a page: its network may change, it may be frozen, kept for back and forward, or end. Returns a function that
 * ends that. Outside of a page, and in a worker, there is less to watch, or nothing.
 *
 * A client is handed over only from the end of a page to the beginning of the next one: while a page lives there is
 * nothing to copy, so that a duplicated page is a client of its own.
 */
export function watchPage(actor: Actor, handover: Handover | undefined): () => void {
  let isLeft = false;
  /** Leaves the client for the next page. What this page does from now on is not in there: it waits. */
  const leave = () => {
    handover?.take(); // What it left before is out of date.
    const saved = handover && actor.save();
    isLeft = saved !== undefined && handover?.leave(saved) === true;
    if (isLeft) actor.park();
    return isLeft;
  };
  const wake = () => {
    const wasLeft = isLeft;
    isLeft = false;
    // A later page may go on with it.
    if (wasLeft && handover?.take() === undefined) return actor.feed({ kind: "gave-up" });
    actor.wake();
    if (wasLeft) moved();
  };
  const hidden = (event: Event) => {
    if (leave()) return;
    // Without the connection a page can be kept for back and forward.
    if ((event as PageTransitionEvent).persisted) actor.park();
    else actor.leave(); // The partner need not wait.
  };
  const shown = (event: Event) => {
    if (!(event as PageTransitionEvent).persisted) return;
    wake();
    moved();
  };
  const moved = () => actor.feed({ kind: "addresses-changed" });
  const visible = () => {
    if (document.visibilityState === "visible") actor.wake();
  };
  const page = globalThis as unknown as EventTarget;
  const { document: own, navigator: device } = globalThis as Partial<typeof globalThis>;
  const all: [EventTarget | undefined, string, (event: Event) => void][] = [
    [page, "online", moved],
    [(device as { connection?: EventTarget } | undefined)?.connection, "change", moved],
    [page, "pagehide", hidden],
    [page, "pageshow", shown],
    [own, "freeze", leave], // A frozen page may be discarded.
    [own, "resume", wake],
    [own, "visibilitychange", visible],
  ];
  for (const [target, event, listener] of all) target?.addEventListener?.(event, listener);
  return () => {
    for (const [target, event, listener] of all) target?.removeEventListener?.(event, listener);
  };
}
