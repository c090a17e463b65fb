/** What a page tells of its network and of its sleep. */

import type { Actor } from "../actor.js";

/**
 * Watches a page: its network may change, it may be frozen, or taken back from the cache for back and forward. Returns
 * a function that ends that. Outside of a page, and in a worker, there is less to watch, or nothing.
 */
export function watchPage(actor: Actor): () => void {
  const wake = () => actor.wake();
  const moved = () => actor.feed({ kind: "addresses-changed" });
  const shown = () => {
    if (document.visibilityState === "visible") wake();
  };
  // A page that is kept may come back; any other is gone, and its partner need not wait.
  const hidden = (event: Event) => (event as PageTransitionEvent).persisted || actor.leave();
  const all: [EventTarget | undefined, string, (event: Event) => void][] = [
    [globalThis as unknown as EventTarget, "online", moved],
    [(globalThis.navigator as { connection?: EventTarget } | undefined)?.connection, "change", moved],
    [globalThis as unknown as EventTarget, "pageshow", wake],
    [globalThis as unknown as EventTarget, "pagehide", hidden],
    [globalThis.document, "resume", wake],
    [globalThis.document, "visibilitychange", shown],
  ];
  for (const [target, event, listener] of all) target?.addEventListener?.(event, listener);
  return () => {
    for (const [target, event, listener] of all) target?.removeEventListener?.(event, listener);
  };
}
