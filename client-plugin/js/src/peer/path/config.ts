/** The settings of a client's paths. */

import type { DirectParts } from "../../direct-parts.js";
import * as limits from "../../limits.js";

/** The paths that a client uses for what it sends. */
export type PathPolicy = "prefer-direct" | "relay-only" | "direct-only";

/** The settings of a client's paths. Durations are microseconds. */
export interface PathConfig {
  policy: PathPolicy;
  /** The code of the direct path. Without it there is none, whatever the policy. */
  parts: DirectParts | undefined;
  /** The time in which an attempt must lead to a heartbeat that returns. */
  timeout: number;
  /** The time between two heartbeats while the pairing is in use, and the longest while it is not. */
  heartbeatInterval: number;
  heartbeatIdle: number;
  /** The silence after which the path is left. */
  heartbeatTimeout: number;
  /** The further silence after which the link is restarted. */
  restartAfter: number;
  /** The wait after the first failed attempt, and the longest. */
  retryMin: number;
  retryMax: number;
  /** The time for which a path that was left is not taken again, at first. */
  hold: number;
}

/** Returns settings, each duration bounded; those that are not given are the usual ones. */
export function pathConfig(given: Partial<PathConfig> = {}): PathConfig {
  const config: PathConfig = {
    policy: "prefer-direct",
    parts: undefined,
    timeout: limits.DIRECT_TIMEOUT,
    heartbeatInterval: limits.DIRECT_HEARTBEAT_INTERVAL,
    heartbeatIdle: limits.DIRECT_HEARTBEAT_IDLE,
    heartbeatTimeout: limits.DIRECT_HEARTBEAT_TIMEOUT,
    restartAfter: limits.DIRECT_RESTART_AFTER,
    retryMin: limits.DIRECT_RETRY_MIN,
    retryMax: limits.DIRECT_RETRY_MAX,
    hold: limits.DIRECT_HOLD,
    ...given,
  };
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === "number") Object.assign(config, { [name]: limits.setting(value) });
  }
  return config;
}
