/**
 * One end of a raw channel: what it may send, what it gives back, and how the channel closes.
 *
 * A raw channel belongs to the application. SCTP has one receive buffer for all channels of a connection, so a channel
 * that is not read must not fill it. Ends that both state a window count every message of a channel that loses nothing:
 *
 * ```text
 * sender                                                receiver
 *   a message          ── counts down the window ──▶    is kept until it is read
 *   waits at zero
 *                      ◀── an empty binary message ──   has read a quarter of its window
 *   may send again
 *   leaves             ──────── an empty text ──────▶   reads what came, closes the channel
 * ```
 *
 * A channel that may lose messages is not counted: a message that does not fit is lost. Neither is a channel to a
 * partner that states no window. Such a channel is closed once too much of it is unread.
 */

import {
  CHANNEL_FAREWELL,
  CHANNEL_MESSAGE_BYTES,
  CHANNEL_OVERHEAD,
  CHANNEL_QUIET,
  CHANNEL_UNREAD_BYTES,
  CHANNEL_WINDOW,
  CHANNEL_WINDOW_MIN,
  CHANNELS,
  CHANNELS_IN_ALL,
} from "../limits.js";

export { carriageOf, chosenCarriage, type Carriage } from "./channel/carriage.js";
export { Pieces, pieces } from "./channel/pieces.js";
export { TimelyWindow } from "./channel/timely.js";

/** The part of a window that is given back at a time: one in so many. */
const PART = 4;
const GRANT = CHANNEL_WINDOW / PART;
/** Bytes that a channel of a partner that counts can hold: its window, which the last message may exceed. */
const SHARE = CHANNEL_WINDOW + CHANNEL_MESSAGE_BYTES + CHANNEL_OVERHEAD;
/** Bytes that all channels of a connection may hold: as much as a partner that counts can send. */
const UNREAD_IN_ALL = CHANNELS * SHARE;

/**
 * Why nothing more comes over a channel: this end closed it; the partner did, after everything that it sent; it was not
 * read, and the partner did not wait; or the connection ended.
 */
export type ChannelEnd = "here" | "partner" | "unread" | "connection";

/** A change that concerns a channel. */
export type Input =
  /** The application closes the channel, or the host does for this reason. */
  | { kind: "leave"; reason: ChannelEnd }
  /** The application has dropped the channel; the message of `leave` was sent; the channel was closed as asked. */
  | { kind: "abandoned" | "sent-leave" | "closed" }
  /** The channel is gone; the reason is what the host has seen of it. */
  | { kind: "ended"; seen: ChannelEnd }
  /** The time has come, and all messages that came before were reported. With the round trip of the connection. */
  | { kind: "timeout"; roundTrip: number };

/**
 * An action for the host: send an empty binary message; send an empty text, the last message, and report `sent-leave`;
 * close the channel, and report `closed`.
 */
export type Output = "grant" | "leave" | "close";

/**
 * The fate of a message that came: the application reads it; it is lost; it gave credit back; it was the partner's last;
 * or it is too much, so that everything that waits is lost, and this end closes the channel.
 */
export type Arrival = "kept" | "lost" | "credit" | "partner-left" | "overflowed";

/** Returns true if the windows of a partner that states this one are counted. One that states none has 0. */
export const isCounted = (window: number): boolean => window >= CHANNEL_WINDOW_MIN;

/**
 * Decides about a channel that the partner opens, of a connection that has `open` channels, and `inAll` with those that
 * are being closed: the application gets it, it is closed again, or the connection ends.
 */
export const admit = (open: number, inAll: number): "taken" | "refused" | "overrun" =>
  inAll >= CHANNELS_IN_ALL ? "overrun" : open >= CHANNELS ? "refused" : "taken";

/** Returns the cost of a message, at either end. */
export const weight = (length: number): number => length + CHANNEL_OVERHEAD;

/** One end of one raw channel. */
export class Channel {
  /** The partner's window, if both ends count. */
  private readonly partnerWindow: number | undefined;
  /** Weight of the messages that wait to be read. */
  unread = 0;
  /** Weight of the messages that were read and not given back. */
  private owed = 0;
  /** Rest of the partner's window. A message that exceeds the window makes it negative. */
  private credit: number;
  /** Time of the last message. */
  private cameAt: number | undefined;
  private isAbandoned = false;
  /** Reason for which this end closes the channel. */
  private leaving: ChannelEnd | undefined;
  /** Time at which this end sent its last message, or closed the channel. */
  private leftAt: number | undefined;
  /** Set by the partner's last message. */
  private hasPartnerLeft = false;
  private isClosing = false;
  private isClosed = false;
  /** Why nothing more comes, once that is known. */
  end: ChannelEnd | undefined;

  /** Creates an end of a channel to a partner that states this window, or 0. */
  constructor(
    partnerWindow: number,
    private readonly isLossy: boolean,
  ) {
    this.partnerWindow = isCounted(partnerWindow) && !isLossy ? partnerWindow : undefined;
    this.credit = this.partnerWindow ?? 0;
  }

  /** Takes a message that came. `unreadInAll` is the weight of what waits on all channels of the connection. */
  received(isText: boolean, length: number, unreadInAll: number, now: number): Arrival {
    this.cameAt = now;
    if (!length && this.partnerWindow !== undefined) return this.controlled(isText, this.partnerWindow);
    if (this.isAbandoned || this.end) return "lost";
    const unread = this.unread + weight(length);
    if (this.isLossy && unread > SHARE) return "lost";
    const isTooMuchInAll = unreadInAll + weight(length) > UNREAD_IN_ALL && unread > SHARE;
    if (unread > CHANNEL_UNREAD_BYTES || isTooMuchInAll) {
      this.unread = 0;
      this.end = "unread";
      this.leaving ??= "unread";
      return "overflowed";
    }
    this.unread = unread;
    return "kept";
  }

  /** Takes an empty message of a partner that counts. */
  private controlled(isText: boolean, window: number): Arrival {
    if (!isText) {
      // A partner that gives back more than it had gets no more of it.
      this.credit = Math.min(this.credit + Math.floor(window / PART), Number.MAX_SAFE_INTEGER);
      return "credit";
    }
    this.hasPartnerLeft = true;
    this.end ??= "partner";
    return "partner-left";
  }

  /** Records that the application has read a message of this length. Returns true if there is a new output. */
  read(length: number): boolean {
    this.unread = Math.max(this.unread - weight(length), 0);
    this.owed += weight(length);
    return this.partnerWindow !== undefined && this.owed >= GRANT;
  }

  /**
   * Counts a message that is about to be sent; the last one may exceed the window. Returns why it may not be sent now:
   * it has to wait for the partner, or the channel has ended.
   */
  spend(length: number): "full" | "closed" | undefined {
    if (this.end || this.leaving) return "closed";
    if (this.partnerWindow === undefined) return undefined;
    if (this.credit <= 0) return "full";
    this.credit -= weight(length);
    return undefined;
  }

  /** Takes back what `spend` counted, for a message that was not sent. */
  refund(length: number): void {
    if (this.partnerWindow !== undefined) this.credit += weight(length);
  }

  handle(input: Input, now: number): void {
    switch (input.kind) {
      case "leave":
        this.leaving ??= input.reason;
        return;
      case "abandoned":
        this.isAbandoned = true;
        this.unread = 0;
        return;
      case "sent-leave":
        this.leftAt ??= now;
        return;
      case "closed":
        this.leftAt ??= now;
        this.isClosed = true;
        return;
      case "ended":
        this.end ??= (this.leftAt === undefined ? undefined : this.leaving) ?? input.seen;
        this.isClosed = true;
        return;
      case "timeout":
        this.isClosing ||= this.closesAt(now, input.roundTrip) <= now;
    }
  }

  /** Returns the next action. The caller carries it out before it asks again. */
  pollOutput(): Output | undefined {
    if (this.isClosed) return undefined;
    if (this.isClosing) return "close";
    if (this.hasPartnerLeft || this.partnerWindow === undefined) return undefined;
    if (this.leaving) return this.leftAt === undefined ? "leave" : undefined;
    if (this.owed < GRANT) return undefined;
    this.owed -= GRANT;
    return "grant";
  }

  /** Returns true if either end leaves. Otherwise there is no timeout. */
  isEnding(): boolean {
    return !!this.leaving || this.hasPartnerLeft;
  }

  /** Returns when `timeout` is due, for a connection with this round trip. */
  pollTimeout(now: number, roundTrip: number): number | undefined {
    const at = this.isClosed ? Infinity : this.closesAt(now, roundTrip);
    return at === Infinity ? undefined : at;
  }

  /**
   * Returns when this end closes the channel: at once if the partner has left; of a partner that counts, when it has not
   * closed the channel in time; of another, when nothing comes any more.
   */
  private closesAt(now: number, roundTrip: number): number {
    if (this.hasPartnerLeft) return now;
    if (!this.leaving) return Infinity;
    const quietAt = this.cameAt === undefined ? now : this.cameAt + CHANNEL_QUIET + 2 * roundTrip;
    if (this.leftAt !== undefined) return Math.max(quietAt, this.leftAt + CHANNEL_FAREWELL);
    return this.partnerWindow === undefined ? quietAt : Infinity;
  }

  /** Returns true if this end has sent its last message or closed the channel, or the channel has ended. */
  hasLeft(): boolean {
    return this.leftAt !== undefined || !!this.end;
  }
}
