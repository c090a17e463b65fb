/** The link to the partner: the present WebRTC connection, and the ICE servers of the next one. */

import type { Input } from "../client/interface.js";
import type { Channels } from "../direct/channels.js";
import { DirectConnection, type RawChannels } from "../direct/connection.js";
import type { PeerConnectionClass } from "../direct/peer-connection.js";
import type { LinkCommand, LinkEvent, LinkId } from "../peer/link.js";

/** An ICE server, as RTCPeerConnection takes it. */
export interface IceServer {
  /** The addresses of the server: `stun:…`, `turn:…` or `turns:…`. */
  urls: string | string[];
  /** The name of the user of a TURN server. */
  username?: string;
  /** The user's password. */
  credential?: string;
}

/** The ICE servers, or a function that returns them for each connection. */
export type IceServers = IceServer[] | (() => IceServer[] | Promise<IceServer[]>);

/** The settings of direct connections. */
export interface DirectConfig {
  PeerConnection: PeerConnectionClass;
  iceServers: IceServers;
}

/** The link to the partner. `feed` takes what happens. */
export class PartnerLink {
  private present:
    | { id: LinkId; run: (command: LinkCommand) => void; close: () => void; channels: () => Channels | undefined }
    | undefined;

  constructor(
    private readonly config: DirectConfig | undefined,
    private readonly feed: (input: Input) => void,
    private readonly raw?: RawChannels,
  ) {}

  /** The raw channels of the present connection, while it is open. */
  get channels(): Channels | undefined {
    return this.present?.channels();
  }

  /** Carries out a command. */
  carryOut(link: LinkId, command: LinkCommand): void {
    const isPresent = this.present?.id === link;
    if (command.command === "offer" || (command.command === "answer" && !isPresent)) this.begin(link);
    else if (!isPresent) return;
    this.present?.run(command);
    if (command.command === "close") this.present = undefined;
  }

  /** Closes the present connection, and reports that. */
  drop(): void {
    const link = this.present?.id;
    this.close();
    if (link !== undefined) this.feed({ kind: "link", link, event: { event: "closed" } });
  }

  /** Closes the present connection. */
  close(): void {
    this.present?.close();
    this.present = undefined;
  }

  private begin(id: LinkId): void {
    this.close();
    const { config } = this;
    const closed = () => this.feed({ kind: "link", link: id, event: { event: "closed" } });
    if (!config) return closed();
    let connection: DirectConnection | undefined;
    /** Commands that wait for the ICE servers. */
    const waiting: LinkCommand[] = [];
    let isOver = false;
    const start = (iceServers: IceServer[]) => {
      if (isOver) return;
      const report = (event: LinkEvent) => {
        if (event.event === "closed" && this.present?.id === id) this.present = undefined;
        this.feed({ kind: "link", link: id, event });
      };
      connection = new DirectConnection(config.PeerConnection, { iceServers }, report, this.raw);
      for (const command of waiting) connection.carryOut(command);
    };
    this.present = {
      id,
      run: (command) => (connection ? connection.carryOut(command) : command.command === "close" ? this.close() : waiting.push(command)),
      close: () => {
        isOver = true;
        connection?.close();
      },
      channels: () => (connection?.isOpen ? connection.channels : undefined),
    };
    const { iceServers } = config;
    const attempt = (servers: IceServer[]) => {
      try {
        start(servers);
      } catch {
        isOver = true;
        closed(); // This implementation takes no further connection, or not these servers.
      }
    };
    if (typeof iceServers !== "function") return attempt(iceServers);
    // Without servers a connection may still come about.
    void Promise.resolve().then(iceServers).catch(() => []).then(attempt);
  }
}
