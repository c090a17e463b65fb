//! What goes into a negotiation and what comes out of it.

use std::{fmt, time::Duration};

use crate::{
    Candidate, Frame, PairingId, Sdp, Signal, SignalError,
    limits::{
        BEAT_INTERVAL, BEAT_TIMEOUT, DIRECT_HOLD, DIRECT_RESTART_AFTER, DIRECT_RETRY_MAX,
        DIRECT_RETRY_MIN, DIRECT_TIMEOUT,
    },
    wire::Beat,
};

/// Which paths a client uses for what it says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PathPolicy {
    /// The relay at once, and the direct path as soon as there is one.
    #[default]
    PreferDirect,
    /// The relay. The partner is shown no address of this client, and the server forwards none.
    RelayOnly,
    /// The direct path: what is emitted waits for it. What the partner says by the relay is taken
    /// nevertheless, and answered by it while there is no direct path.
    DirectOnly,
}

impl PathPolicy {
    /// Whether a direct path may be tried: what the CONNECT auth says as `direct`.
    #[must_use]
    pub const fn allows_direct(self) -> bool {
        !matches!(self, Self::RelayOnly)
    }
}

/// What a negotiation is told once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PathConfig {
    /// Which paths are used. The direct one if there is one, by default.
    pub policy: PathPolicy,
    /// How long an attempt may take until a heartbeat has returned. 10 s by default.
    pub timeout: Duration,
    /// How often the heartbeat goes. 200 ms by default.
    pub beat_interval: Duration,
    /// Silence after which the path is left. 900 ms by default.
    pub beat_timeout: Duration,
    /// How much longer it must stay silent until it is tried anew, if it does not come back by itself.
    /// 1.5 s by default.
    pub restart_after: Duration,
    /// How long after the first failure it is tried again; twice as long after each more. 1 s by
    /// default.
    pub retry_min: Duration,
    /// How long it is at most, and so often for ever. 60 s by default.
    pub retry_max: Duration,
    /// How long after it was left the path is not taken again; twice as long each time. 2 s by
    /// default.
    pub hold: Duration,
}

impl Default for PathConfig {
    fn default() -> Self {
        Self {
            policy: PathPolicy::default(),
            timeout: DIRECT_TIMEOUT,
            beat_interval: BEAT_INTERVAL,
            beat_timeout: BEAT_TIMEOUT,
            restart_after: DIRECT_RESTART_AFTER,
            retry_min: DIRECT_RETRY_MIN,
            retry_max: DIRECT_RETRY_MAX,
            hold: DIRECT_HOLD,
        }
    }
}

/// What is longer is as good as never, and can be added to any time.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl PathConfig {
    /// The same, with which one can reckon.
    pub(super) fn bounded(self) -> Self {
        Self {
            policy: self.policy,
            timeout: self.timeout.min(NEVER),
            beat_interval: self.beat_interval.min(NEVER),
            beat_timeout: self.beat_timeout.min(NEVER),
            restart_after: self.restart_after.min(NEVER),
            retry_min: self.retry_min.min(NEVER),
            retry_max: self.retry_max.min(NEVER),
            hold: self.hold.min(NEVER),
        }
    }
}

/// One connection between the two ends, never the name of another. It does not travel.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId {
    pub(super) pairing: PairingId,
    pub(super) serial: u32,
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pairing, self.serial)
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The partner's signal came.
    Signalled(Signal),
    /// The host reports something of a connection.
    Link(LinkId, LinkEvent),
    /// Whether both ends have their connection to the server: signals get through, and frames.
    Relay(bool),
    /// How long the server took to answer.
    ServerAnswered(Duration),
    /// The application wants the path made anew, for the host has other addresses than before.
    NetworkChanged,
    /// The host has noticed that. What it has may well go on: only what does not is made anew.
    AddressesChanged,
    /// The pairing is over.
    Ended,
    /// Some deadline may be due.
    Timeout,
}

/// What a host reports of a connection that it makes.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    /// The description that was wanted for this attempt is there: an offer or an answer.
    Described(u64, Sdp),
    /// This end may be reached there.
    Gathered(Candidate),
    /// The first channel can be used.
    Opened,
    /// A heartbeat came in on it.
    Beat(Beat),
    /// Something else came in, on whatever channel.
    Heard,
    /// The connection is closed, or it failed.
    Closed,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell the partner by the server.
    Signal(Signal),
    /// Have the host do something about a connection.
    Link(LinkId, LinkCommand),
    /// The direct path carries from now on what this end says.
    Taken {
        /// Its round-trip time, as measured so far.
        rtt: Duration,
    },
    /// The direct path no longer carries what this end says.
    Left(WhyLeft),
}

/// What a host is to do about a connection. Whatever fails is reported as [`LinkEvent::Closed`].
#[derive(Clone, Debug, PartialEq)]
pub enum LinkCommand {
    /// Make it, with one ordered and reliable channel, and describe the offer of this attempt.
    Offer(u64),
    /// Describe another offer for it, with an ICE restart. The last one may be unanswered.
    Restart(u64),
    /// Take the offer of this attempt, on a connection made for it if there is none of this name,
    /// and describe the answer. An offer of this end's own that is unanswered counts for nothing.
    Answer(u64, Sdp),
    /// Take this answer.
    Accept(Sdp),
    /// The partner may be reached there. It does not matter if that cannot be used.
    Add(Candidate),
    /// Send a heartbeat on its first channel.
    Beat(Beat),
    /// Send a frame on its first channel.
    Send(Frame),
    /// Close it and forget it. It need not be reported.
    Close,
}

/// Why a direct path no longer carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhyLeft {
    /// No heartbeat returns.
    Silent,
    /// The connection is closed, or it failed.
    Closed,
    /// The round trip by the relay is clearly shorter. How much goes through is not compared.
    Slower,
}

impl LinkEvent {
    /// A description that the host has made for this attempt.
    ///
    /// # Errors
    ///
    /// As for that of a partner: what cannot be read here, nobody else reads.
    pub fn described(attempt: u64, sdp: &str) -> Result<Self, SignalError> {
        Ok(Self::Described(attempt, sdp.parse()?))
    }
}
