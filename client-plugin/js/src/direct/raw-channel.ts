/**
 * One end of a raw channel, around the credit of `peer/channel.ts`: the messages that were not read, those that wait to be
 * sent, and streams of both.
 *
 *   RTCDataChannel ─▶ messages that were not read ─▶ receive, readable
 *          │ ▲                      │
 *          │ └── an empty message ◀─┘ a quarter of the window was read
 *          └──◀ messages that wait for credit, or for the transport ◀── send, writable
 */

import { now } from "../actor/clock.js";
import { utf8Length } from "../bytes.js";
import { P2pError } from "../api/error.js";
import { CHANNEL_PATIENCE } from "../limits.js";
import type { ChannelMessage as Content } from "../peer/channel/pieces.js";
import { Channel, Pieces, pieces, TimelyWindow, type Carriage, type ChannelEnd, type Input } from "../peer/channel.js";
import type { DataChannelLike } from "./peer-connection.js";

/** A message of a channel: a text, or bytes. */
export type ChannelMessage = string | Uint8Array;

/** Bytes to be sent: a view of them, or all of a buffer. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** The bytes that may wait in the transport for one channel. What waits in here can still be given up. */
const HANDED_OVER = 256 * 1024;
/** The milliseconds between two looks at a transport that holds messages which may be lost. */
const LOOK_AGAIN = 5;
/** The milliseconds that the end of a channel waits for the partner's. */
const FAREWELL = 1_000;

/** What the channels of one connection share. */
export interface ChannelGroup {
  /** The window that the partner states, or 0. */
  readonly partnerWindow: number;
  /** The length of the longest message that the partner takes, in bytes. */
  readonly maxMessage: number;
  /** The weight of what waits to be read on all channels. */
  unread: number;
  /** Returns the shortest recent round trip in microseconds, 0 if it is unknown. */
  roundTrip(): number;
  /** Returns true while the connection stands. */
  isOpen(): boolean;
  /** Notes that the pairing is used. */
  used(event: "heard" | "sent"): void;
  /** Notes that a channel is no more. */
  gone(channel: P2pChannel): void;
}

/** A message that is to be sent. */
type Outgoing = Omit<Waiting, "done">;

interface Waiting {
  readonly data: ChannelMessage;
  readonly length: number;
  /** The time until which it waits, for a channel that may lose messages. */
  readonly until: number;
  readonly done: (sent: boolean | P2pError) => void;
}

const WHY_CLOSED: Record<ChannelEnd, string> = {
  connection: "the direct path is closed",
  unread: "it was not read, and the partner did not wait",
  partner: "the partner has closed it",
  here: "it is closed",
};

/** The bytes of a message of a stream, at most. */
const STREAMED = 64 * 1024;

/** Returns bytes as such. They are not copied. */
const bytesOf = (bytes: Bytes): Uint8Array =>
  ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A data channel to the partner: messages as they are, over the direct path only. It ends with that path.
 *
 * Each end keeps what it has not read, and a sender waits when 1 MiB is unread at a partner that counts as well: this
 * library. A channel of any other partner is closed when 8 MiB are unread. On a channel that may lose messages, none waits.
 */
export class P2pChannel {
  /** The name that the opener gave it. Several channels may have the same. */
  readonly label: string;
  /** The application's own protocol, which the opener named, or an empty text. */
  readonly protocol: string;
  /** True if messages arrive in the order in which they were sent. */
  readonly ordered: boolean;
  /** Resolves when nothing more comes, with the reason. */
  readonly closed: Promise<ChannelEnd>;

  private readonly name: string;
  private readonly channel: Channel;
  private readonly messages: ChannelMessage[] = [];
  private readonly readers: ((message: ChannelMessage | undefined) => void)[] = [];
  private readonly waiting: Waiting[] = [];
  private readonly pieces: Pieces | undefined;
  private readonly timely = new TimelyWindow();
  private number = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Set while a look at the transport is due. */
  private look: ReturnType<typeof setTimeout> | undefined;
  /** Those that wait until something is so. */
  private watchers: { is: () => boolean; resolve: () => void }[] = [];
  private ended: ((end: ChannelEnd) => void) | undefined;
  private isGone = false;
  private input: ReadableStream<ChannelMessage> | undefined;
  private output: WritableStream<ChannelMessage | Bytes> | undefined;

  /** @internal */
  constructor(
    private readonly raw: DataChannelLike,
    private readonly carriage: Carriage,
    protocol: string,
    private readonly group: ChannelGroup,
  ) {
    this.label = raw.label;
    this.name = `channel ${JSON.stringify(raw.label)}`;
    this.protocol = protocol;
    this.ordered = carriage === "pieces-in-order" || (carriage !== "pieces" && raw.ordered !== false);
    this.channel = new Channel(group.partnerWindow, carriage !== "reliable");
    this.pieces = carriage.startsWith("pieces") ? new Pieces(this.ordered) : undefined;
    this.closed = new Promise((resolve) => (this.ended = resolve));
    raw.binaryType = "arraybuffer";
    raw.bufferedAmountLowThreshold = this.ordered ? HANDED_OVER / 4 : 0;
    raw.onbufferedamountlow = () => this.flush();
    raw.onmessage = ({ data }) => this.received(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
    raw.onclose = () => this.end(group.isOpen() ? "partner" : "connection");
    raw.onerror = () => {}; // The end of the channel follows.
  }

  /** The length of the longest message that the partner takes, in bytes. */
  get maxMessage(): number {
    return this.group.maxMessage;
  }

  /** The messages of the partner, as a stream. An end that is nobody's wish is an error. */
  get readable(): ReadableStream<ChannelMessage> {
    return (this.input ??= new ReadableStream<ChannelMessage>(
      {
        pull: async (controller) => {
          const message = await this.receive();
          if (message !== undefined) return controller.enqueue(message);
          const end = this.channel.end;
          if (end === "unread" || end === "connection") controller.error(this.failure());
          else controller.close();
        },
        cancel: () => {
          this.handle({ kind: "abandoned" });
          return this.close();
        },
      },
      { highWaterMark: 0 }, // What waits in here was not read: it gives nothing back.
    ));
  }

  /** Messages for the partner, as a stream. Bytes that are longer than 64 KiB are cut. Its end is that of the channel. */
  get writable(): WritableStream<ChannelMessage | Bytes> {
    return (this.output ??= new WritableStream<ChannelMessage | Bytes>({
      write: async (message) => {
        const data = typeof message === "string" ? message : bytesOf(message);
        const most = typeof data === "string" ? Infinity : Math.min(this.maxMessage, STREAMED);
        for (let at = 0; at < data.length; at += most) await this.send(typeof data === "string" ? data : data.subarray(at, at + most));
      },
      close: () => this.close(),
      abort: () => this.close(),
    }));
  }

  /**
   * Sends one message, once the partner has read enough of the earlier ones and the transport takes it. On a channel that
   * may lose messages it returns false if the message could not leave within 100 ms, and was given up. Bytes are not
   * copied: they stay as they are until then.
   */
  async send(message: ChannelMessage | Bytes): Promise<boolean> {
    const content = this.checked(message);
    return new Promise((resolve, reject) => {
      const done = (sent: boolean | P2pError) => (typeof sent === "boolean" ? resolve(sent) : reject(sent));
      this.waiting.push({ ...content, until: now() + CHANNEL_PATIENCE, done });
      this.flush();
    });
  }

  /** Sends one message if it need not wait. Returns false if it would have to: nothing was sent then. */
  trySend(message: ChannelMessage | Bytes): boolean {
    const content = this.checked(message);
    if (this.waiting.length) return false;
    const sent = this.put({ ...content, until: -Infinity });
    if (sent instanceof P2pError) throw sent;
    if (sent) this.group.used("sent");
    return !!sent;
  }

  /** Returns a message with its length. Throws if no channel takes it. */
  private checked(message: ChannelMessage | Bytes): Pick<Waiting, "data" | "length"> {
    const data = typeof message === "string" ? message : bytesOf(message);
    const length = typeof data === "string" ? utf8Length(data) : data.length;
    if (!length) throw new P2pError("bad-args", `${this.name}: a message must not be empty`);
    if (length <= this.maxMessage) return { data, length };
    throw new P2pError("too-large", `${this.name}: a message has ${length} bytes, and the partner takes ${this.maxMessage}`);
  }

  /** Returns the next message, or undefined after the last one. */
  receive(): Promise<ChannelMessage | undefined> {
    const message = this.messages.shift();
    if (message === undefined) {
      return this.channel.end ? Promise.resolve(undefined) : new Promise((resolve) => this.readers.push(resolve));
    }
    this.read(message);
    return Promise.resolve(message);
  }

  /** Yields the messages of the partner. To leave the loop early does not close the channel. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelMessage, void> {
    for (let message; (message = await this.receive()) !== undefined; ) yield message;
  }

  /**
   * Closes the channel on both sides, after what was sent. What the partner has sent until then still arrives, and can be
   * read.
   */
  async close(): Promise<void> {
    const { channel, raw, waiting } = this;
    // The last message may overtake others on a channel without an order.
    await this.until(() => !!channel.end || (!waiting.length && (this.ordered || !raw.bufferedAmount)));
    this.handle({ kind: "leave", reason: "here" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isLate = new Promise<void>((resolve) => (timer = setTimeout(resolve, FAREWELL)));
    await Promise.race([this.until(() => channel.hasLeft()), isLate]);
    clearTimeout(timer);
  }

  /** The connection has ended. @internal */
  lost(): void {
    this.end("connection");
  }

  /** Closes a channel that nobody takes. @internal */
  refuse(): void {
    this.handle({ kind: "abandoned" });
    this.handle({ kind: "leave", reason: "here" });
  }

  /** True until either end leaves. @internal */
  get isOpen(): boolean {
    return !this.channel.end && !this.channel.isEnding();
  }

  /** Returns why nothing can be sent or read any more. */
  private failure(): P2pError {
    const { end } = this.channel;
    return new P2pError("closed", `${this.name}: ${WHY_CLOSED[end ?? "here"]}`);
  }

  private received(data: ChannelMessage): void {
    const message = this.pieces ? this.collected(data) : data;
    if (message === undefined) return;
    const { channel, group } = this;
    const isText = typeof message === "string";
    const before = channel.unread;
    const arrival = channel.received(isText, isText ? utf8Length(message) : message.length, group.unread, now());
    this.settle(before);
    group.used("heard");
    if (arrival === "kept") {
      const reader = this.readers.shift();
      if (!reader) this.messages.push(message);
      else {
        this.read(message);
        reader(message);
      }
    } else if (arrival === "credit") this.flush();
    else if (arrival !== "lost") this.stirred();
  }

  /** Returns the message that a piece completes, if it does. */
  private collected(data: ChannelMessage): ChannelMessage | undefined {
    const whole = typeof data === "string" ? undefined : this.pieces?.received(data);
    return whole && (whole.isText ? decoder.decode(whole.bytes) : whole.bytes);
  }

  /** Notes that the application has a message. */
  private read(message: ChannelMessage): void {
    const before = this.channel.unread;
    const isDue = this.channel.read(typeof message === "string" ? utf8Length(message) : message.length);
    this.settle(before);
    if (isDue) this.stirred();
  }

  private handle(input: Input): void {
    const before = this.channel.unread;
    this.channel.handle(input, now());
    this.settle(before);
    this.stirred();
  }

  private until(is: () => boolean): Promise<void> {
    return is() ? Promise.resolve() : new Promise((resolve) => this.watchers.push({ is, resolve }));
  }

  /** Brings the total of the connection in line with the channel, and drops what will not be read. */
  private settle(before: number): void {
    const { unread } = this.channel;
    this.group.unread += unread - before;
    if (!unread) this.messages.length = 0;
  }

  private end(seen: ChannelEnd): void {
    if (this.isGone) return;
    this.isGone = true;
    this.handle({ kind: "ended", seen });
    this.group.gone(this);
  }

  /** Carries out the duties of the channel. */
  private stirred(): void {
    const { channel, raw } = this;
    for (let duty; (duty = channel.pollOutput()); ) {
      try {
        if (duty === "grant") raw.send(new Uint8Array(0));
        else if (duty === "leave") raw.send("");
        else raw.close();
      } catch {} // The channel is about to end.
      if (duty === "grant") continue;
      channel.handle({ kind: duty === "leave" ? "sent-leave" : "closed" }, now());
    }
    if (channel.end) {
      this.ended?.(channel.end);
      for (const reader of this.readers.splice(0)) reader(undefined);
    }
    this.flush();
    clearTimeout(this.timer);
    const due = channel.isEnding() ? channel.pollTimeout(now(), this.group.roundTrip()) : undefined;
    if (due === undefined) return;
    const wait = Math.max(Math.ceil((due - now()) / 1_000), 0);
    this.timer = setTimeout(() => this.handle({ kind: "timeout", roundTrip: this.group.roundTrip() }), wait);
  }

  /** Sends what may be sent by now. */
  private flush(): void {
    for (let next; (next = this.waiting[0]); ) {
      const sent = this.put(next);
      if (sent === undefined) break;
      this.waiting.shift();
      if (sent === true) this.group.used("sent");
      next.done(sent);
    }
    this.watchers = this.watchers.filter(({ is, resolve }) => !is() || resolve());
  }

  /** Sends a message. Returns undefined if it has to wait, and false if it is given up. */
  private put(message: Outgoing): boolean | P2pError | undefined {
    return this.carriage === "reliable" ? this.sendCounted(message) : this.sendInTime(message);
  }

  /** Sends a message that is not lost. Returns undefined if it has to wait. */
  private sendCounted({ data, length }: Outgoing): boolean | P2pError | undefined {
    const { channel, raw } = this;
    if (!channel.end && raw.bufferedAmount > HANDED_OVER) return undefined;
    const why = channel.spend(length);
    if (why === "full") return undefined;
    return why ? this.failure() : this.handOver(data);
  }

  /** Sends a message that may be lost, if the transport is not behind. Returns undefined if it has to wait. */
  private sendInTime({ data, length, until }: Outgoing): boolean | P2pError | undefined {
    const { channel, raw, timely } = this;
    if (channel.spend(0)) return this.failure();
    const time = now();
    if (!timely.room(raw.bufferedAmount, this.group.roundTrip(), time)) {
      if (time >= until) return false;
      this.look ??= setTimeout(() => {
        this.look = undefined;
        this.flush();
      }, LOOK_AGAIN);
      return undefined;
    }
    if (this.carriage === "lossy") {
      timely.handedOver(length, time);
      return this.handOver(data);
    }
    const message: Content = typeof data === "string" ? { isText: true, bytes: encoder.encode(data) } : { isText: false, bytes: data };
    for (const piece of pieces(this.number++ % 2 ** 32, message)) {
      timely.handedOver(piece.length, time);
      const sent = this.handOver(piece);
      if (sent !== true) return sent;
    }
    return true;
  }

  private handOver(data: ChannelMessage): true | P2pError {
    try {
      this.raw.send(data);
      return true;
    } catch {
      return this.failure(); // It is closed, and the event is under way.
    }
  }
}
