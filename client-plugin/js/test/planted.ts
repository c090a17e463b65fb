/** Differences from the Rust crate, to be found by lockstep: each changes one decision. They are in no bundle. */

import { Args } from "../src/args.js";
import { Client } from "../src/client.js";
import { Watches } from "../src/client/watches.js";
import { Direct } from "../src/peer/direct.js";
import { Attempts } from "../src/peer/link/attempts.js";
import { Outbox } from "../src/peer/outbox.js";
import { Heartbeats } from "../src/peer/path/heartbeat.js";
import { Hold } from "../src/peer/path/hold.js";
import { MinRtt } from "../src/peer/path/min-rtt.js";
import { Selection } from "../src/peer/path/selection.js";
import { Session } from "../src/peer/session.js";
import { Inbox } from "../src/peer/session/inbox.js";
import { Outgoing } from "../src/peer/session/outgoing.js";
import { Window } from "../src/peer/session/window.js";
import { CandidatePlaces } from "../src/wire/signal/candidate.js";

type Method = (this: never, ...args: never[]) => unknown;

/** Puts another method in the place of one, which it can call. Private ones too: it is a fault, after all. */
function plant(of: { prototype: object }, name: string, fault: (method: Method) => Method): void {
  const prototype = of.prototype as Record<string, Method | undefined>;
  const method = prototype[name];
  if (!method) throw new Error(`no method ${name}`);
  prototype[name] = fault(method);
}

const always = (value: unknown) => () => () => value;

/** Calls the method with other arguments. */
const given = (change: (args: never[]) => unknown[]) => (method: Method): Method =>
  function (...args) {
    return method.apply(this, change(args) as never[]);
  };

/** Returns something else than the method. */
const yields = <T>(change: (value: T) => unknown) => (method: Method): Method =>
  function (...args) {
    return change(method.apply(this, args) as T);
  };

/** Those that matter soon in most runs. */
export const PLANTED: Record<string, () => void> = {
  "a frame leaves the window too early": () =>
    plant(Window, "acknowledge", given(([taken, arrived]) => [Number(taken) + 1, Math.max(taken ?? 0, arrived ?? 0)])),
  "frames are sent again in another order": () => plant(Window, "frames", yields((frames: unknown[]) => frames.reverse())),
  "an emit runs after its time to live": () =>
    plant(Inbox, "insert", given(([frame, ...rest]) => [{ ...(frame as unknown as object), ttl: undefined }, ...rest])),
  "a cancel is ignored": () => plant(Inbox, "cancel", always(undefined)),
  "a repeated frame is not acknowledged": () => plant(Inbox, "sawDuplicate", always(false)),
  "a refused path is tried again at once": () => plant(Session, "refused", always(undefined)),
  "lengths are counted in UTF-16": () =>
    plant(
      Args,
      "footprint",
      () =>
        function (this: Args) {
          return this.json.length;
        } as unknown as Method,
    ),
  "batches are smaller": () => plant(Outbox, "takeRelay", given(([message]) => [Number(message) / 64])),
  "silence is not noticed": () => plant(Heartbeats, "silentAt", always(Infinity)),
  "the longest round trip counts": () =>
    plant(
      MinRtt,
      "get",
      () =>
        function (this: { samples: number[] }) {
          return this.samples.length ? Math.max(...this.samples) : undefined;
        } as unknown as Method,
    ),
  "the wait between attempts is another": () => plant(Attempts, "delay", yields((wait: number) => wait + 1)),
  "a link that is given up is not closed": () =>
    plant(
      Attempts,
      "dropLink",
      () =>
        function (this: { link: unknown }) {
          this.link = undefined;
        } as unknown as Method,
    ),
  "use of the pairing does not hasten the next ping": () => plant(Direct, "used", always(undefined)),
  "a holder is not told of a change": () => plant(Watches, "told", always(undefined)),
  "a watch is not asked for on the next connection": () => plant(Watches, "watchAgain", always(undefined)),
  "a place in line is not reported": () =>
    plant(
      Client,
      "event",
      (method) =>
        function (event: { kind: string }) {
          return event.kind === "in-line" ? undefined : method.call(this, event as never);
        } as Method,
    ),
};

/** Those that matter only in long comparisons. */
export const RARE: Record<string, () => void> = {
  "the window is never full": () => plant(Window, "isFull", always(false)),
  "replies that wait do not count": () => plant(Outgoing, "load", always([0, 0])),
  "a value is begun without room for it": () => plant(Window, "fits", always(true)),
  "the partner's word counts at once": () =>
    plant(
      Heartbeats,
      "partnerSays",
      () =>
        function (this: { partnerReturns: boolean }, returns: boolean) {
          this.partnerReturns = returns;
        } as unknown as Method,
    ),
  "the paths are not compared": () => plant(Selection, "measured", always(undefined)),
  "any number of candidates has a place": () => plant(CandidatePlaces, "take", always(true)),
  "a path that changes loses the last part": () =>
    plant(
      Window,
      "frames",
      yields((frames: [number, { body: { last?: boolean } }][]) => frames.filter(([, { body }]) => !body.last)),
    ),
  "a changed network changes nothing for the hold": () => plant(Hold, "forgive", always(undefined)),
  "a path that was left is taken again at once": () => plant(Hold, "left", always(undefined)),
};
