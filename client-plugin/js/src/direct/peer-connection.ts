/**
 * The parts of RTCPeerConnection that are used, and its peculiarities.
 *
 * - A page has it; in Node it is given: that of @roamhq/wrtc, of node-datachannel/polyfill or of werift.
 * - `icecandidate` may fire before `setLocalDescription` resolves: a description is reported before that is called.
 * - Candidates and descriptions of the partner are handled one after another: a candidate needs its description.
 * - A channel that the partner opened may be open already when it is reported, without an event (libwebrtc).
 * - libwebrtc closes a channel whose buffer is full (16 MiB), and node-datachannel throws.
 */

/** What is used of a data channel. */
export interface DataChannelLike {
  readonly label: string;
  readonly protocol: string;
  readonly ordered: boolean;
  readonly readyState: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  binaryType: string;
  onopen: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onbufferedamountlow: ((event: any) => void) | null;
  send(data: any): void;
  close(): void;
}

/** A description of a session. */
export interface Description {
  type: "offer" | "answer";
  sdp: string;
}

/** What is used of a peer connection. */
export interface PeerConnectionLike {
  readonly connectionState: string;
  onicecandidate: ((event: any) => void) | null;
  onconnectionstatechange: ((event: any) => void) | null;
  ondatachannel: ((event: any) => void) | null;
  createDataChannel(label: string, options?: any): DataChannelLike;
  createOffer(options?: any): Promise<{ sdp?: string | undefined }>;
  createAnswer(): Promise<{ sdp?: string | undefined }>;
  setLocalDescription(description: any): Promise<void>;
  setRemoteDescription(description: any): Promise<void>;
  addIceCandidate(candidate: any): Promise<void>;
  close(): void;
}

/** An implementation of RTCPeerConnection. */
export type PeerConnectionClass = new (config: any) => PeerConnectionLike;

/** Returns the implementation of this page. A worker has none, nor has Node. */
export const ownPeerConnection = (): PeerConnectionClass | undefined =>
  (globalThis as { RTCPeerConnection?: PeerConnectionClass }).RTCPeerConnection;
