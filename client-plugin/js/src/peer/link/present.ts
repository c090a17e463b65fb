/** The present link, and its exchange of offer and answer. */

import { CandidatePlaces, type Candidate } from "../../wire/signal/candidate.js";
import type { WhyAnew } from "../../wire/signal.js";
import type { LinkId } from "../link.js";

/** An exchange of offer and answer, with the candidates that belong to it. */
export class Exchange {
  /** True once this end's description was sent. */
  isDescribed = false;
  /** The user name in the partner's description, once it was received. */
  remoteUfrag: string | undefined;
  /** Candidates that wait for the description of their end. */
  ownEarly: Candidate[] = [];
  remoteEarly: Candidate[] = [];
  /** The number of this end's candidates so far. */
  ownCount = 0;
  /** The places of the partner's candidates, besides those in its description. */
  readonly remotePlaces = new CandidatePlaces();

  constructor(
    readonly role: "offer" | "answer",
    readonly attempt: number,
  ) {}

  /** Returns true while this end's offer waits for its answer. */
  isUnanswered(): boolean {
    return this.role === "offer" && this.remoteUfrag === undefined;
  }
}

/** A connection that the driver makes or has made. */
export interface PresentLink {
  id: LinkId;
  /** The session id in the partner's description, which tells its connections apart. */
  remoteSession: string | undefined;
  exchange: Exchange;
  /** The time at which pings of both ends began to return, while they do. */
  aliveSince: number | undefined;
  /** The time by which a heartbeat must have returned; infinite while one does. */
  deadline: number;
  /** The time of the next restart, and its reason. */
  restart: { at: number; why: WhyAnew } | undefined;
}
