/** One WebRTC connection to the partner: it carries out the commands of a link, and reports what happens. */

import { CHANNEL_MESSAGE_BYTES, CHANNELS_IN_ALL, CHUNK_BYTES, PARTS_UNDER_WAY, WINDOW_BYTES } from "../limits.js";
import type { LinkCommand, LinkEvent, LinkMessage } from "../peer/link.js";
import { candidate } from "../wire/signal/candidate.js";
import { answering, readSdp, type Sdp } from "../wire/signal/sdp.js";
import type { ChannelHost, Channels } from "./channels.js";
import type { DataChannelLike, Description, PeerConnectionClass, PeerConnectionLike } from "./peer-connection.js";

/** The label of the session's channel. A partner's first channel is the session's, whatever its label. */
const MAIN = "socketio-p2p";

/**
 * The bytes that may wait in the session's channel. Everything that is not confirmed is sent at once when a path is
 * taken: the window of emits, as much of replies, parts of large values; twice, for a path may be lost and taken again
 * before any of it has left. Beyond that the channel is useless.
 */
const SEND_BUFFER = 4 * (WINDOW_BYTES + PARTS_UNDER_WAY * CHUNK_BYTES);

/** What raw channels need beside the connection: their class, which may be missing, and the application's end. */
export interface RawChannels extends Pick<ChannelHost, "came" | "roundTrip"> {
  readonly Channels: (new (host: ChannelHost) => Channels) | undefined;
}

/** A connection. `report` takes its events; after `closed` there is none. */
export class DirectConnection {
  /** Its raw channels, if there are to be any. */
  readonly channels: Channels | undefined;
  private readonly connection: PeerConnectionLike;
  private channel: DataChannelLike | undefined;
  /** Steps of the negotiation, one after another. */
  private steps: Promise<void> = Promise.resolve();
  /** Channels of the partner that were closed at once. */
  private strays = 0;
  private isClosed = false;

  constructor(
    Connection: PeerConnectionClass,
    config: object,
    private readonly report: (event: LinkEvent) => void,
    raw?: RawChannels,
  ) {
    const connection = new Connection(config);
    this.connection = connection;
    this.channels =
      raw?.Channels &&
      new raw.Channels({
        connection,
        isOpen: () => this.isOpen,
        used: (event) => this.tell({ event }),
        came: raw.came,
        roundTrip: raw.roundTrip,
      });
    connection.onicecandidate = ({ candidate: found }) => {
      // An empty text, or none, stands for the end of the candidates, which is not sent.
      const own = found?.candidate && candidate(found.candidate, found.sdpMid, found.sdpMLineIndex);
      if (own) this.tell({ event: "gathered", candidate: own });
    };
    connection.onconnectionstatechange = () => {
      if (["failed", "closed"].includes(connection.connectionState)) this.fail();
    };
    connection.ondatachannel = ({ channel }) => {
      if (!this.channel) return this.take(channel);
      if (this.channels) return this.channels.came(channel) ? undefined : this.fail();
      channel.close();
      if (++this.strays >= CHANNELS_IN_ALL) this.fail();
    };
  }

  /** Carries out a command. */
  carryOut(command: LinkCommand): void {
    switch (command.command) {
      case "offer":
        return this.step(() => {
          this.take(this.connection.createDataChannel(MAIN));
          return this.offer(command.attempt);
        });
      case "restart":
        return this.step(() => this.offer(command.attempt, { iceRestart: true }));
      case "answer":
        this.channels?.describedBy(command.sdp);
        return this.step(() => this.answer(command.attempt, command.sdp));
      case "accept":
        this.channels?.describedBy(command.sdp);
        return this.step(() => this.connection.setRemoteDescription({ type: "answer", sdp: command.sdp.text }));
      case "add":
        // A candidate that cannot be used is no failure.
        return this.step(() => this.connection.addIceCandidate(command.candidate).catch(() => {}));
      case "send":
        return this.send(command.message);
      case "close":
        return this.close();
    }
  }

  /** Closes the connection. Nothing is reported any more. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.channels?.ended();
    this.channel?.close();
    this.connection.close();
  }

  /** True while the session's channel is open. */
  get isOpen(): boolean {
    const { channel, connection } = this;
    return !this.isClosed && channel?.readyState === "open" && !["failed", "closed"].includes(connection.connectionState);
  }

  private tell(event: LinkEvent): void {
    if (!this.isClosed) this.report(event);
  }

  private fail(): void {
    if (this.isClosed) return;
    this.close();
    this.report({ event: "closed" });
  }

  /** Does something after what was begun before. Its failure is that of the connection. */
  private step(step: () => Promise<void>): void {
    this.steps = this.steps.then(() => (this.isClosed ? undefined : step())).catch(() => this.fail());
  }

  private async offer(attempt: number, options?: object): Promise<void> {
    const { sdp = "" } = await this.connection.createOffer(options);
    await this.describe(attempt, { type: "offer", sdp });
  }

  private async answer(attempt: number, offer: Sdp): Promise<void> {
    // An unanswered offer of this end is void: setting the partner's rolls it back.
    await this.connection.setRemoteDescription({ type: "offer", sdp: offer.text });
    const { sdp = "" } = await this.connection.createAnswer();
    await this.describe(attempt, { type: "answer", sdp: answering(sdp, offer) });
  }

  private async describe(attempt: number, description: Description): Promise<void> {
    const sdp = readSdp(description.sdp);
    if (typeof sdp === "string") throw new Error(`a description of this end cannot be read: ${sdp}`);
    // Before the candidates, which are found from now on.
    this.tell({ event: "described", attempt, sdp: this.channels ? { ...sdp, text: this.channels.described(sdp) } : sdp });
    await this.connection.setLocalDescription(description);
  }

  private take(channel: DataChannelLike): void {
    this.channel = channel;
    channel.binaryType = "arraybuffer";
    channel.onclose = channel.onerror = () => this.fail();
    channel.onmessage = ({ data }) => {
      const message = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
      // An empty text: the partner leaves, and sends nothing more.
      if (data === "" || message.length > CHANNEL_MESSAGE_BYTES) return this.fail();
      this.tell({ event: "received", message });
    };
    const opened = () => this.tell({ event: "opened" });
    if (channel.readyState === "open") opened();
    else channel.onopen = opened;
  }

  private send(message: LinkMessage): void {
    const { channel } = this;
    try {
      if (!channel || channel.bufferedAmount > SEND_BUFFER) return this.fail();
      channel.send(message);
    } catch {
      this.fail();
    }
  }
}
