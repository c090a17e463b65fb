/** The links to several partners: one connection at a time for each pairing. */

import type { Client } from "../client.js";
import type { Channels } from "../direct/channels.js";
import type { RawChannels } from "../direct/connection.js";
import type { PairingId } from "../id.js";
import type { LinkCommand, LinkId } from "../peer/link.js";
import type { PartnerLink } from "./driver.js";

/** What an actor needs of the link to its partner, or of those to several. */
export type Links = Pick<PartnerLink, "channels" | "carryOut" | "drop" | "close">;

/** The links to the partners of all pairings, those of rooms included. On links of a room there are no raw channels. */
export class PartnerLinks implements Links {
  /** The links by the pairings as they were called when the links were made. */
  private readonly links = new Map<PairingId, { link: PartnerLink; isInRoom: boolean }>();

  /** `make` returns a link with these raw channels. */
  constructor(
    private readonly client: Client,
    private readonly make: (raw: RawChannels) => PartnerLink,
    private readonly raw: RawChannels,
  ) {}

  /** The raw channels of the exclusive pairing. */
  get channels(): Channels | undefined {
    for (const { link, isInRoom } of this.links.values()) if (!isInRoom && link.channels) return link.channels;
    return undefined;
  }

  /** Carries out a command. */
  carryOut(id: LinkId, command: LinkCommand): void {
    const pairing = id.split("/")[0] ?? "";
    const begins = command.command === "offer" || command.command === "answer";
    if (begins && !this.links.has(pairing)) {
      const isInRoom = this.client.rooms?.roomOf(pairing) !== undefined;
      const raw = isInRoom ? { ...this.raw, Channels: undefined } : this.raw;
      this.links.set(pairing, { link: this.make(raw), isInRoom });
    }
    const { link } = this.links.get(pairing) ?? {};
    if (command.command === "close") this.links.delete(pairing);
    link?.carryOut(id, command);
  }

  /** Closes all connections, and reports that. */
  drop(): void {
    for (const { link } of [...this.links.values()]) link.drop();
  }

  /** Closes all connections. */
  close(): void {
    for (const { link } of this.links.values()) link.close();
    this.links.clear();
  }
}
