/** The raw channels of one connection: those of either end, what the partner states of them, and the unread bytes in all. */

import { now } from "../actor/clock.js";
import { P2pError } from "../api/error.js";
import { CHANNEL_MESSAGE_BYTES, CHANNEL_WINDOW, CHANNELS, MS } from "../limits.js";
import { admit, carriageOf, chosenCarriage } from "../peer/channel.js";
import { SUFFIXES } from "../peer/channel/carriage.js";
import { withChannels, type Sdp } from "../wire/signal/sdp.js";
import type { DataChannelLike, PeerConnectionLike } from "./peer-connection.js";
import { P2pChannel, type ChannelGroup } from "./raw-channel.js";

/** The microseconds for which a message is known to the session: each message would be known at great cost. */
const USE = 50 * MS;

/** The options of a channel that this end opens. */
export interface ChannelSettings {
  /** The name of the application's own protocol. Empty by default. */
  protocol?: string;
  /** True, the default, if messages are to arrive in the order in which they were sent. */
  ordered?: boolean;
  /** The number of times that a lost message is sent again. Without either limit, no message is lost. */
  maxRetransmits?: number;
  /** The milliseconds in which a lost message is sent again. */
  maxPacketLifeTime?: number;
  /** Closes the channel. */
  signal?: AbortSignal;
}

/** The connection, as its channels see it. */
export interface ChannelHost {
  readonly connection: PeerConnectionLike;
  /** Returns true while the session's channel is open. */
  isOpen(): boolean;
  /** Notes that the pairing is used. */
  used(event: "heard" | "sent"): void;
  /** Takes a channel of the partner. */
  came(channel: P2pChannel): void;
  /** Returns the shortest recent round trip in microseconds, 0 if it is unknown. */
  roundTrip(): number;
}

export class Channels implements ChannelGroup {
  partnerWindow = 0;
  maxMessage = CHANNEL_MESSAGE_BYTES;
  unread = 0;
  private takesPieces = false;
  private readonly all = new Set<P2pChannel>();
  private readonly usedAt = { heard: -Infinity, sent: -Infinity };

  constructor(private readonly host: ChannelHost) {}

  /** Returns the description of this end as the partner gets it: it states the window of this end's channels. */
  described({ text, ufrag }: Sdp): string {
    return withChannels(text, ufrag, CHANNEL_WINDOW, true);
  }

  /** Notes what the partner's description states. */
  describedBy({ channelWindow, maxMessage, takesPieces }: Sdp): void {
    this.partnerWindow = channelWindow;
    this.maxMessage = Math.min(maxMessage, CHANNEL_MESSAGE_BYTES);
    this.takesPieces = takesPieces;
  }

  /** Opens a channel, and waits until the partner has confirmed it. */
  open(label: string, settings: ChannelSettings): Promise<P2pChannel> {
    const { protocol = "", ordered = true, maxRetransmits, maxPacketLifeTime, signal } = settings;
    const failed = (code: string, message?: string, cause?: unknown) =>
      new P2pError(code, `channel ${JSON.stringify(label)}: ${message}`, code === "quota", cause === undefined ? {} : { cause });
    return new Promise((resolve, reject) => {
      if (this.countOpen() >= CHANNELS) throw failed("quota", `the connection has ${CHANNELS} channels already`);
      const isLossy = maxRetransmits !== undefined || maxPacketLifeTime !== undefined;
      const carriage = chosenCarriage(isLossy, maxRetransmits !== 0, ordered, this.takesPieces);
      const options = {
        // Pieces keep the order by themselves, if it is wanted.
        ordered: ordered && !carriage.startsWith("pieces"),
        protocol: protocol + SUFFIXES[carriage],
        ...(maxRetransmits !== undefined && { maxRetransmits }),
        ...(maxPacketLifeTime !== undefined && { maxPacketLifeTime }),
      };
      let raw: DataChannelLike;
      try {
        raw = this.host.connection.createDataChannel(label, options);
      } catch (error) {
        throw failed("bad-args", `it cannot be opened: ${String(error)}`, error);
      }
      const channel = new P2pChannel(raw, carriage, protocol, this);
      this.all.add(channel);
      const abort = () => {
        channel.refuse();
        reject(failed("cancelled", "the request was cancelled", signal?.reason));
      };
      raw.onopen = () => resolve(channel);
      void channel.closed.then(() => {
        signal?.removeEventListener("abort", abort);
        reject(failed("closed", "it was closed before it was open"));
      });
      if (raw.readyState === "open") resolve(channel);
      signal?.addEventListener("abort", abort);
    });
  }

  /** Takes a channel that the partner opens. Returns false if the partner opens too many. */
  came(raw: DataChannelLike): boolean {
    const admission = admit(this.countOpen(), this.all.size);
    if (admission === "overrun") return false;
    const carriage = carriageOf(raw.protocol);
    const protocol = raw.protocol.slice(0, raw.protocol.length - SUFFIXES[carriage].length);
    const channel = new P2pChannel(raw, carriage, protocol, this);
    this.all.add(channel);
    if (admission === "taken") this.host.came(channel);
    else channel.refuse();
    return true;
  }

  /** Notes that the connection has ended. */
  ended(): void {
    for (const channel of [...this.all]) channel.lost();
  }

  roundTrip(): number {
    return this.host.roundTrip();
  }

  isOpen(): boolean {
    return this.host.isOpen();
  }

  used(event: "heard" | "sent"): void {
    const time = now();
    if (time - this.usedAt[event] < USE) return;
    this.usedAt[event] = time;
    this.host.used(event);
  }

  gone(channel: P2pChannel): void {
    this.all.delete(channel);
  }

  /** Returns the number of channels that neither end has left. */
  private countOpen(): number {
    return [...this.all].filter((channel) => channel.isOpen).length;
  }
}
