/**
 * The one place that owns a client's half of the protocol: it feeds inputs to the client, and carries out the client's
 * outputs. Inputs of one task of the event loop are fed before outputs are taken, so that the frames that they cause
 * travel together.
 */

import { CoarseTimer, now } from "./actor/clock.js";
import { EmitQueue } from "./actor/emit-queue.js";
import { HandlerTasks } from "./actor/handler-tasks.js";
import { whole } from "./bytes.js";
import type { Channels } from "./direct/channels.js";
import type { RawChannels } from "./direct/connection.js";
import type { P2pChannel } from "./direct/raw-channel.js";
import { Client } from "./client.js";
import { keyOf } from "./client/peers.js";
import type { Answer, ClientComplaint, ClientConfig, ClientEvent, Command, Input, Output, RoomEvent } from "./client/interface.js";
import type { Refusal } from "./error.js";
import { HEARTBEAT_INTERVAL, QUESTIONS } from "./limits.js";
import type { DirectConfig } from "./partner/driver.js";
import type { Links } from "./partner/links.js";
import { ServerLink, type Source } from "./server/server-link.js";
import { restoreClient, saveClient } from "./snapshot.js";
import type { TargetState } from "./wire/control/welcome.js";

/** A request of another client to be paired. */
export interface PairingRequest {
  /** The client that asks. */
  readonly source: string;
  /** The data that it sent for the decision. */
  readonly payload: unknown;
}

/** A decision: true for yes, false or a text with the reason for no. */
export type Consent = boolean | string;

/** Takes the channels that the partner opens. */
export type OnChannel = (channel: P2pChannel) => unknown;

/** Decides about requests. A promise that is rejected, or takes too long, means no. */
export type OnRegister = (request: PairingRequest) => Consent | Promise<Consent>;

/** A caller that waits for an answer, or holds a watch. */
export interface Caller {
  answer(answer: Answer): void;
  target?(state: TargetState): void;
  unwatched?(refusal: Refusal): void;
  /** The client is closed, and this holder of a watch is told no more. */
  closed?(): void;
}

/** A function of the application that failed: its name, and what it threw. */
export interface Failure {
  failed: string;
  error: unknown;
}

/** What an actor reports. */
export interface Observer {
  event(event: ClientEvent): void;
  complaint(about: ClientComplaint | Failure): void;
}

export class Actor {
  readonly client: Client;
  readonly tasks: HandlerTasks;
  onRegister: OnRegister | undefined;
  /** The handlers of channels, by label, and that of all others as undefined. */
  readonly onChannel = new Map<string | undefined, OnChannel>();
  readonly hasChannels: boolean;
  private readonly server: ServerLink;
  /** The link to the partner, if the client has the code of a direct path. */
  private readonly partner: Links | undefined;
  private readonly emits = new EmitQueue();
  private readonly timer: CoarseTimer;
  private readonly callers = new Map<number, Caller>();
  private calls = 0;
  private isScheduled = false;
  private deciding = 0;
  /** Is told of rooms, if the client has the code of rooms. */
  onRoom: ((event: RoomEvent) => void) | undefined;

  constructor(
    config: ClientConfig,
    source: Source,
    direct: DirectConfig | undefined,
    private readonly observer: Observer,
    saved?: string,
    Channels?: RawChannels["Channels"],
  ) {
    this.client = new Client(config, now());
    try {
      if (saved !== undefined) restoreClient(this.client, saved);
    } catch {
      this.client = new Client(config, now()); // Another program has written it.
    }
    const feed = (input: Input) => this.feed(input);
    this.server = new ServerLink(source, feed, config.rooms?.readRooms);
    this.hasChannels = !!Channels;
    const came = (channel: P2pChannel) => this.came(channel);
    const raw: RawChannels = { Channels, came, roundTrip: () => this.client.directRtt() };
    const { parts } = config.direct;
    const link = parts && ((raw: RawChannels) => new parts.PartnerLink(direct, feed, raw));
    this.partner = link && (config.rooms ? new config.rooms.PartnerLinks(this.client, link, raw) : link(raw));
    this.tasks = new HandlerTasks(
      (pairing, seq, result) => feed({ kind: "finished", pairing, seq, result }),
      (failed, error) => observer.complaint({ failed, error }),
      (pairing) => keyOf(this.client, pairing) !== undefined,
    );
    this.timer = new CoarseTimer(() => this.schedule());
    void this.server.connect(this.client.token);
    this.schedule();
  }

  /** The raw channels of the direct path, while there is one. */
  get channels(): Channels | undefined {
    return this.partner?.channels;
  }

  /** Feeds an input. What follows is carried out after the present task. */
  feed(input: Input): void {
    this.client.handle(input, now());
    this.schedule();
  }

  /** Notes that this program runs again after it stood still, or that its connections may be dead. */
  wake(): void {
    if (this.client.state.kind === "ready") {
      this.feed({ kind: "heard" });
      this.feed({ kind: "suspected" });
    }
    this.feed({ kind: "timeout" });
  }

  /** Returns this client as text, for a later page, or undefined if none could go on with it. */
  save(): string | undefined {
    this.carryOut();
    return saveClient(this.client);
  }

  /** Leaves at once: this program ends, and nobody waits for what the partner has not confirmed. */
  leave(): void {
    this.carryOut();
    if (this.client.state.kind === "ready") this.server.send({ kind: "leave" });
    this.feed({ kind: "gave-up" });
    this.carryOut();
  }

  /** Gives both connections up: from now on nothing is sent or delivered, until there are others. */
  park(): void {
    this.partner?.drop();
    this.feed({ kind: "lost" });
    this.carryOut();
  }

  /** Gives a command, whose answer is for this caller. Returns the number of the call. */
  ask(command: (call: number) => Command, caller: Caller): number {
    const call = ++this.calls;
    this.callers.set(call, caller);
    this.feed({ kind: "command", command: command(call) });
    return call;
  }

  /** Gives an emit, or lets it wait for room, at most so many milliseconds. */
  emit(
    make: (call: number) => Command & { kind: "emit" },
    milliseconds: number,
    expired: () => void,
    caller: Caller,
  ): number {
    const call = ++this.calls;
    const command = make(call);
    this.callers.set(call, caller);
    if (!this.emits.has(command.pairing) && this.client.takesEmits(command.pairing)) this.feed({ kind: "command", command });
    else
      this.emits.push(command, milliseconds, () => {
        this.callers.delete(call);
        expired();
      });
    return call;
  }

  /** Forgets a call: the caller no longer waits. Returns true if it was an emit that was not sent. */
  cancel(call: number): boolean {
    this.callers.delete(call);
    if (this.emits.withdraw(call)) return true;
    this.feed({ kind: "command", command: { kind: "cancel", call } });
    return false;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      this.carryOut();
    });
  }

  private keepTime(): void {
    const time = now();
    if (time < this.timer.at) return;
    const late = time - (this.client.pollTimeout() ?? Infinity);
    // This program stood still: the silence was its own. The server has a moment for a sign of life.
    if (late > HEARTBEAT_INTERVAL) this.wake();
    else if (late >= 0) this.client.handle({ kind: "timeout" }, time);
  }

  /** Carries out the client's outputs, in order, and gives it the emits for which there is room. */
  private carryOut(): void {
    const { client } = this;
    this.keepTime();
    this.drain();
    const due = client.pollTimeout();
    // What has become due meanwhile does not wait for a timer, which a page in the background gets late.
    if (due !== undefined && due <= now()) {
      client.handle({ kind: "timeout" }, now());
      this.drain();
    }
    this.timer.set(client.pollTimeout());
  }

  private drain(): void {
    const { client, emits } = this;
    for (;;) {
      for (let output; (output = client.pollOutput()); ) this.carryOutOne(output);
      let isAny = false;
      for (let emit; (emit = emits.take((pairing) => client.takesEmits(pairing))); isAny = true) {
        client.handle({ kind: "command", command: emit }, now());
      }
      if (!isAny) return;
    }
  }

  private carryOutOne(output: Output): void {
    const { server } = this;
    switch (output.kind) {
      case "send":
        return server.send(output.message);
      case "send-frames":
        return server.sendFrames(output.pairing, output.frames);
      case "signal": {
        const event = this.client.config.direct.parts?.signalEvent(output.signal, output.pairing);
        return event && server.emit(...event);
      }
      case "link":
        return this.partner?.carryOut(output.link, output.command);
      case "answered": {
        const caller = this.callers.get(output.call);
        // The holder of a watch is told more.
        if (output.answer.kind !== "watching") this.callers.delete(output.call);
        return caller?.answer(output.answer);
      }
      case "target":
        return this.callers.get(output.call)?.target?.(output.state);
      case "unwatched": {
        const caller = this.callers.get(output.call);
        this.callers.delete(output.call);
        return caller?.unwatched?.(output.refusal);
      }
      case "ask":
        return this.decide(output);
      case "deliver":
        return this.tasks.start(output.pairing, output.source, output.delivery, this.client.rooms?.roomOf(output.pairing));
      case "abandoned":
        return this.tasks.abandon(output.pairing, output.seq);
      case "event":
        if ("room" in output.event) return this.onRoom?.(output.event);
        return this.observer.event(output.event);
      case "complain":
        return this.observer.complaint(output.about);
      case "reconnect":
        return server.reconnect(output.resume, output.after);
      case "close":
        this.timer.stop();
        server.close();
        this.partner?.close();
        this.tasks.close();
        for (const caller of this.callers.values()) caller.closed?.();
    }
  }

  /** Gives the application a channel of the partner. Without a handler it is closed. */
  private came(channel: P2pChannel): void {
    const handler = this.onChannel.get(channel.label) ?? this.onChannel.get(undefined);
    if (!handler) return channel.refuse();
    Promise.resolve(channel)
      .then(handler)
      .catch((error: unknown) => {
        channel.refuse();
        this.observer.complaint({ failed: `onChannel of ${JSON.stringify(channel.label)}`, error });
      });
  }

  /** Asks the application for its consent. Without a handler everybody is accepted. */
  private decide({ question, source, payload, consentTime }: Output & { kind: "ask" }): void {
    const answer = (accept: boolean, reason?: string) => this.feed({ kind: "answer", question, accept, reason });
    const { onRegister } = this;
    if (!onRegister) return answer(true);
    if (this.deciding >= QUESTIONS) return answer(false, "too many requests wait for a decision");
    this.deciding++;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isLate = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), consentTime / 1_000); // The server waits no longer.
    });
    const asked = Promise.resolve()
      .then(() => onRegister({ source, payload }))
      .then((consent) => {
        if (typeof consent === "boolean" || typeof consent === "string") return consent;
        throw new TypeError("onRegister returned neither true nor false nor a reason");
      })
      .catch((error: unknown) => {
        this.observer.complaint({ failed: `onRegister of ${JSON.stringify(source)}`, error });
        return false;
      });
    void Promise.race([asked, isLate]).then((consent) => {
      clearTimeout(timer);
      this.deciding--;
      if (typeof consent === "string") answer(false, whole(consent));
      else answer(consent);
    });
  }
}
