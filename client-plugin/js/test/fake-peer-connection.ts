/**
 * An RTCPeerConnection without a network: two of this process that exchange an offer and an answer are connected, and
 * what one sends arrives at the other in a task of its own, in order.
 */

import type { DataChannelLike, PeerConnectionLike } from "../src/direct/peer-connection.js";

type Listener = ((event: any) => void) | null;

/** The connections whose description was made, by the id of its session. */
const described = new Map<string, FakePeerConnection>();
let sessions = 0;

const sdpOf = (session: string): string =>
  [
    "v=0",
    `o=- ${session} 2 IN IP4 127.0.0.1`,
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "a=mid:0",
    `a=ice-ufrag:u${session}`,
    "a=ice-pwd:p",
    "a=fingerprint:sha-256 00",
    "",
  ].join("\r\n");

/** One end of a channel. */
export class FakeChannel implements DataChannelLike {
  readyState = "connecting";
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType = "blob";
  onopen: Listener = null;
  onclose: Listener = null;
  onerror: Listener = null;
  onmessage: Listener = null;
  onbufferedamountlow: Listener = null;
  /** The other end. */
  partner: FakeChannel | undefined;

  constructor(
    readonly label: string,
    readonly protocol: string,
    readonly ordered: boolean,
  ) {}

  send(data: string | Uint8Array): void {
    if (this.readyState !== "open") throw new Error("InvalidStateError");
    const copy = typeof data === "string" ? data : new Uint8Array(data).buffer;
    const length = typeof data === "string" ? data.length : data.byteLength;
    this.bufferedAmount += length;
    setImmediate(() => {
      this.bufferedAmount -= length;
      if (this.bufferedAmount <= this.bufferedAmountLowThreshold) this.onbufferedamountlow?.({});
      if (this.partner?.readyState === "open") this.partner.onmessage?.({ data: copy });
    });
  }

  close(): void {
    if (this.readyState === "closed") return;
    this.readyState = "closing";
    // Behind what was sent.
    setImmediate(() => {
      this.ended();
      this.partner?.ended();
    });
  }

  /** Opens this end. */
  opened(): void {
    if (this.readyState !== "connecting") return;
    this.readyState = "open";
    this.onopen?.({});
  }

  /** Has this end closed. */
  ended(): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.onclose?.({});
  }
}

export class FakePeerConnection implements PeerConnectionLike {
  connectionState = "new";
  onicecandidate: Listener = null;
  onconnectionstatechange: Listener = null;
  ondatachannel: Listener = null;
  private readonly session = String(++sessions);
  private readonly channels: FakeChannel[] = [];
  private partner: FakePeerConnection | undefined;

  createDataChannel(label: string, options: { protocol?: string; ordered?: boolean } = {}): FakeChannel {
    const channel = new FakeChannel(label, options.protocol ?? "", options.ordered ?? true);
    this.channels.push(channel);
    if (this.connectionState === "connected") setImmediate(() => this.open(channel));
    return channel;
  }

  async createOffer(): Promise<{ sdp: string }> {
    return { sdp: sdpOf(this.session) };
  }

  async createAnswer(): Promise<{ sdp: string }> {
    return { sdp: sdpOf(this.session) };
  }

  async setLocalDescription(): Promise<void> {
    described.set(this.session, this);
  }

  async setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
    this.partner = described.get(/o=- (\d+)/.exec(sdp)?.[1] ?? "");
    if (type === "answer" && this.partner) setImmediate(() => this.connected());
  }

  async addIceCandidate(): Promise<void> {}

  /** Ends the connection: the other one is told, and so is this one, unless its own end has closed it. */
  close(): void {
    if (this.connectionState === "closed") return;
    this.connectionState = "closed";
    for (const channel of this.channels) channel.readyState = "closed";
    const { partner } = this;
    setImmediate(() => partner?.failed());
  }

  private failed(): void {
    if (this.connectionState === "closed") return;
    this.connectionState = "failed";
    for (const channel of this.channels) channel.ended();
    this.onconnectionstatechange?.({});
  }

  private connected(): void {
    for (const end of [this, this.partner]) if (end) end.connectionState = "connected";
    for (const channel of this.channels) this.open(channel);
  }

  private open(channel: FakeChannel): void {
    const { partner } = this;
    if (!partner || partner.connectionState !== "connected") return;
    const other = new FakeChannel(channel.label, channel.protocol, channel.ordered);
    [channel.partner, other.partner] = [other, channel];
    partner.channels.push(other);
    other.readyState = "open";
    partner.ondatachannel?.({ channel: other });
    setImmediate(() => channel.opened());
  }
}
