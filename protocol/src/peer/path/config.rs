//! The settings of a client's paths.

use std::time::Duration;

use crate::limits::{
    DIRECT_HEARTBEAT_IDLE, DIRECT_HEARTBEAT_INTERVAL, DIRECT_HEARTBEAT_TIMEOUT, DIRECT_HOLD,
    DIRECT_RESTART_AFTER, DIRECT_RETRY_MAX, DIRECT_RETRY_MIN, DIRECT_TIMEOUT, setting,
};

/// The paths that a client uses for what it sends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PathPolicy {
    /// The relay at once, and the direct path as soon as there is one.
    #[default]
    PreferDirect,
    /// The relay. The partner learns no address of this client, and the server forwards none.
    RelayOnly,
    /// The direct path: emits wait for it. What the partner sends over the relay is received
    /// nevertheless, and answered over the relay while there is no direct path.
    DirectOnly,
}

impl PathPolicy {
    /// Returns true if a direct path may be tried: the value of `direct` in the CONNECT auth.
    #[must_use]
    pub const fn allows_direct(self) -> bool {
        !matches!(self, Self::RelayOnly)
    }
}

/// The settings of a client's paths. A duration counts as 1 ms at least and 100 years at most
/// ([`setting`]).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PathConfig {
    /// The paths that are used. The direct one if there is one, by default.
    pub policy: PathPolicy,
    /// The time in which an attempt must lead to a heartbeat that returns. 10 s by default.
    pub timeout: Duration,
    /// The time between two heartbeats while the pairing is in use. 200 ms by default.
    pub heartbeat_interval: Duration,
    /// The longest time between two heartbeats while it is not. The time grows as long as nothing is sent
    /// or received, and is the short one again with the next emit. 4 s by default. A NAT forgets a flow
    /// after 15 s or more.
    pub heartbeat_idle: Duration,
    /// The silence after which the path is left; longer on a path with a long round trip, on which it
    /// takes longer to send a lost message again. 900 ms by default.
    pub heartbeat_timeout: Duration,
    /// The further silence after which the link is restarted, if the path does not come back by
    /// itself. 1.5 s by default.
    pub restart_after: Duration,
    /// The wait after the first failed attempt. It doubles after each further one. 1 s by default.
    pub retry_min: Duration,
    /// The longest wait between attempts, which go on as long as the pairing. 60 s by default.
    pub retry_max: Duration,
    /// The time for which a path that was left is not taken again. It doubles each time, up to
    /// 2 min or this setting, whichever is longer. 2 s by default.
    pub hold: Duration,
}

impl Default for PathConfig {
    fn default() -> Self {
        Self {
            policy: PathPolicy::default(),
            timeout: DIRECT_TIMEOUT,
            heartbeat_interval: DIRECT_HEARTBEAT_INTERVAL,
            heartbeat_idle: DIRECT_HEARTBEAT_IDLE,
            heartbeat_timeout: DIRECT_HEARTBEAT_TIMEOUT,
            restart_after: DIRECT_RESTART_AFTER,
            retry_min: DIRECT_RETRY_MIN,
            retry_max: DIRECT_RETRY_MAX,
            hold: DIRECT_HOLD,
        }
    }
}

impl PathConfig {
    /// Sets [`Self::policy`].
    #[must_use]
    pub const fn policy(mut self, policy: PathPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets [`Self::timeout`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`Self::heartbeat_interval`] and [`Self::heartbeat_timeout`].
    #[must_use]
    pub const fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        self.heartbeat_interval = interval;
        self.heartbeat_timeout = timeout;
        self
    }

    /// Sets [`Self::heartbeat_idle`].
    #[must_use]
    pub const fn heartbeat_idle(mut self, interval: Duration) -> Self {
        self.heartbeat_idle = interval;
        self
    }

    /// Sets [`Self::restart_after`].
    #[must_use]
    pub const fn restart_after(mut self, silence: Duration) -> Self {
        self.restart_after = silence;
        self
    }

    /// Sets [`Self::retry_min`] and [`Self::retry_max`].
    #[must_use]
    pub const fn retry(mut self, min: Duration, max: Duration) -> Self {
        self.retry_min = min;
        self.retry_max = max;
        self
    }

    /// Sets [`Self::hold`].
    #[must_use]
    pub const fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// Returns the same settings, each duration bounded by [`setting`].
    pub(in crate::peer) fn bounded(self) -> Self {
        Self {
            policy: self.policy,
            timeout: setting(self.timeout),
            heartbeat_interval: setting(self.heartbeat_interval),
            heartbeat_idle: setting(self.heartbeat_idle),
            heartbeat_timeout: setting(self.heartbeat_timeout),
            restart_after: setting(self.restart_after),
            retry_min: setting(self.retry_min),
            retry_max: setting(self.retry_max),
            hold: setting(self.hold),
        }
    }
}
