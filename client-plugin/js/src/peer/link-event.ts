/** Events of the direct path's link. */

import type { Peer } from "../peer.js";
import type { Input } from "./direct.js";
import type { LinkEvent, LinkId } from "./link.js";
import { partnerNames } from "./reassertion.js";
import { direct } from "./switching.js";

/** Handles an event of the present link. */
export function linkEvent(peer: Peer, link: LinkId, event: LinkEvent, now: number): void {
  if (peer.direct?.link() !== link) return;
  if (event.event !== "received") return direct(peer, { kind: "link", link, event }, now);
  const read = peer.direct.read(event.message);
  const heard: Input = { kind: "link", link, event: { event: "heard" } };
  if (!read) {
    // Its frames are sent again on the other path.
    peer.outputs.push({ kind: "complain", about: { direct: "unreadable" } });
    direct(peer, { kind: "link", link, event: { event: "closed" } }, now);
  } else if (read.kind === "heartbeat") {
    direct(peer, { kind: "heartbeat", link, heartbeat: read.heartbeat }, now);
    partnerNames(peer, read.heartbeat, now);
  } else if (read.kind === "frames") {
    direct(peer, heard, now);
    for (const frame of read.batch.frames) peer.inSession({ kind: "received", path: "direct", frame }, now);
    if (read.batch.unread) peer.outputs.push({ kind: "complain", about: { partner: "frame" } });
  } else {
    // A sign of life, and nothing else.
    peer.outputs.push({ kind: "complain", about: { partner: "unknown" } });
    direct(peer, heard, now);
  }
}
