//! Limits on what one client may cost the server.

use std::{num::NonZeroU32, time::Duration};

use governor::Quota;
use socketio_p2p_protocol::limits::{
    BYTE_BURST, BYTE_RATE, CLIENTS, JOINS, LISTS, Limits, MESSAGE_BURST, MESSAGE_RATE,
    QUEUE_HARD_BYTES, QUEUE_SOFT_BYTES, REGISTRATIONS, REQUEST_PERIOD, ROOM_MEMBERS, ROOMS,
    SIGNAL_WINDOW, SIGNALS, STRIKES, STRIKES_FORGIVEN, setting,
};

use crate::outbound::queue::QueueLimits;

const SECOND: Duration = Duration::from_secs(1);

/// Limits on what one client may cost the server, for [`P2pServerBuilder::limits`].
///
/// Each limit can be set, and switched off with `None`. Messages over a limit are refused with a
/// typed error, and nothing is lost for others. A v2 session sends them again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use socketio_p2p_server::{Rate, ServerLimits};
///
/// let limits = ServerLimits::default()
///     .messages(Rate::new(500, Duration::from_secs(1)).burst(1_000))
///     .registrations(None);
/// # drop(limits);
/// ```
///
/// [`P2pServerBuilder::limits`]: crate::P2pServerBuilder::limits
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerLimits {
    pub(crate) messages: Option<Rate>,
    pub(crate) bytes: Option<Rate>,
    pub(crate) registrations: Option<Rate>,
    pub(crate) lists: Option<Rate>,
    pub(crate) joins: Option<Rate>,
    pub(crate) signals: Option<Rate>,
    pub(crate) strikes: Option<Rate>,
    pub(crate) queue: Option<QueueLimits>,
    pub(crate) clients: usize,
    pub(crate) room_members: usize,
    pub(crate) rooms: usize,
}

/// A rate: a count in a period, and a count at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    count: u32,
    period: Duration,
    burst: u32,
}

impl ServerLimits {
    /// Returns limits without rates, for servers whose clients are all trusted. Queues keep their
    /// limits.
    #[must_use]
    pub fn unlimited_rates() -> Self {
        let unlimited = Self::default().messages(None).bytes(None).registrations(None);
        unlimited.lists(None).joins(None).signals(None).strikes(None)
    }

    /// Limits the messages from one connection. 2,000 a second and 4,000 at once by default. The welcome
    /// states this rate in whole messages a second, so a slower one counts as 1 a second. Emits of a v1 client
    /// over a metered listener are not refused over the rates: the client is read more slowly.
    #[must_use]
    pub fn messages(self, rate: impl Into<Option<Rate>>) -> Self {
        Self { messages: rate.into().map(Rate::at_least_one_a_second), ..self }
    }

    /// Limits the bytes from one connection. 8 MiB a second and 16 MiB at once by default. A rate below 1
    /// byte a second counts as that.
    #[must_use]
    pub fn bytes(self, rate: impl Into<Option<Rate>>) -> Self {
        Self { bytes: rate.into().map(Rate::at_least_one_a_second), ..self }
    }

    /// Limits the registrations of one connection. 5 in 10 s by default.
    #[must_use]
    pub fn registrations(self, rate: impl Into<Option<Rate>>) -> Self {
        Self { registrations: rate.into(), ..self }
    }

    /// Limits the requests of one connection for the list of clients. 5 in 10 s by default.
    #[must_use]
    pub fn lists(self, rate: impl Into<Option<Rate>>) -> Self {
        Self { lists: rate.into(), ..self }
    }

    /// Limits the rooms that one connection joins. 16 in 10 s by default.
    #[must_use]
    pub fn joins(self, rate: impl Into<Option<Rate>>) -> Self {
        Self { joins: rate.into(), ..self }
    }

    /// Limits the signals of one connection, for its direct path, and to each member of a room by itself. 200 in 10 s
    /// by default.
    #[must_use]
    pub fn signals(self, rate: impl Into<Option<Rate>>) -> Self {
        Self { signals: rate.into(), ..self }
    }

    /// Limits the refused messages of one connection, as far as they are its own fault. Beyond them it is
    /// removed. 1,000 at once by default, of which 100 are forgiven each second.
    #[must_use]
    pub fn strikes(self, rate: impl Into<Option<Rate>>) -> Self {
        Self { strikes: rate.into(), ..self }
    }

    /// Limits what waits for one client, in bytes. Beyond `soft` its partner's messages are refused
    /// with `congested`, beyond `hard` the client is disconnected. 256 KiB and 1 MiB by default. For a v1 client
    /// no more than 128 KiB of its partner's events wait, whatever `soft` is; the server keeps the others. With
    /// `soft` 0 one message may wait at a time; `hard` counts as at least `soft` and 1.
    #[must_use]
    pub fn queue(self, soft: usize, hard: usize) -> Self {
        Self {
            queue: Some(QueueLimits { relayed: soft, soft, hard: hard.max(soft).max(1) }),
            ..self
        }
    }

    /// Removes the limit on the bytes that wait for a client. The number of packets is still limited.
    #[must_use]
    pub fn unlimited_queue(self) -> Self {
        Self { queue: None, ..self }
    }

    /// Limits the number of clients, including those that are away. 100,000 by default; beyond it a
    /// new client is refused with `quota`.
    #[must_use]
    pub fn clients(self, clients: usize) -> Self {
        Self { clients, ..self }
    }

    /// Limits the members of a room. 32 by default, which is also the most; beyond it a client is refused with
    /// `quota`. Clients that join may want fewer.
    #[must_use]
    pub fn room_members(self, members: usize) -> Self {
        Self { room_members: members.clamp(1, ROOM_MEMBERS), ..self }
    }

    /// Limits the number of rooms. 100,000 by default; beyond it the first member of another is refused with `quota`.
    #[must_use]
    pub fn rooms(self, rooms: usize) -> Self {
        Self { rooms, ..self }
    }

    /// Returns the limits that the welcome states.
    pub(crate) fn stated(&self) -> Limits {
        // Zero says that there is no limit.
        let messages = self.messages.map_or((0, 0), Rate::stated);
        let bytes = self.bytes.map_or((0, 0), Rate::stated);
        Limits::default().with_rates(messages, (bytes.0.into(), bytes.1.into()))
    }
}

/// The limits on the queue of a v2 client.
const QUEUE: QueueLimits =
    QueueLimits { relayed: QUEUE_SOFT_BYTES, soft: QUEUE_SOFT_BYTES, hard: QUEUE_HARD_BYTES };

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            messages: Some(Rate::new(MESSAGE_RATE, SECOND).burst(MESSAGE_BURST)),
            bytes: Some(Rate::new(BYTE_RATE, SECOND).burst(BYTE_BURST)),
            registrations: Some(Rate::new(REGISTRATIONS, REQUEST_PERIOD)),
            lists: Some(Rate::new(LISTS, REQUEST_PERIOD)),
            joins: Some(Rate::new(JOINS, REQUEST_PERIOD)),
            signals: Some(Rate::new(SIGNALS, SIGNAL_WINDOW)),
            strikes: Some(Rate::new(STRIKES_FORGIVEN, SECOND).burst(STRIKES)),
            queue: Some(QUEUE),
            clients: CLIENTS,
            room_members: ROOM_MEMBERS,
            rooms: ROOMS,
        }
    }
}

impl Rate {
    /// Creates a rate of `count` in a period, all of which may come at once.
    ///
    /// A count or a burst of zero counts as one, and of a period 1 ms to
    /// 100 years count.
    #[must_use]
    pub const fn new(count: u32, period: Duration) -> Self {
        Self { count, period, burst: count }
    }

    /// Sets how many may come at once.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    pub(crate) fn quota(self) -> Quota {
        let each = Quota::with_period(self.each()).unwrap_or(Quota::per_second(NonZeroU32::MAX));
        each.allow_burst(self.at_once())
    }

    /// Returns the time in which one comes, and that in which as many come as may come at once.
    pub(crate) fn times(self) -> (Duration, Duration) {
        (self.each(), self.each() * self.at_once().get())
    }

    /// Returns the time in which one comes.
    fn each(self) -> Duration {
        /// The limiter counts in nanoseconds of 64 bits, and a burst must fit in with room to
        /// spare: about 146 years.
        const BURST_TIME: Duration = Duration::from_nanos(u64::MAX / 4);
        let each = setting(self.period) / self.count.max(1);
        each.min(BURST_TIME / self.at_once().get()).max(Duration::from_nanos(1))
    }

    fn at_once(self) -> NonZeroU32 {
        NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN)
    }

    fn at_least_one_a_second(self) -> Self {
        if self.each() > SECOND { Self { count: 1, period: SECOND, ..self } } else { self }
    }

    /// Returns the whole number a second that this rate allows, and the number at once.
    fn stated(self) -> (u32, u32) {
        let exact =
            SECOND.as_nanos() * u128::from(self.count.max(1)) / setting(self.period).as_nanos();
        // A period of nanoseconds is rounded, mostly down.
        let a_second = exact.min(SECOND.as_nanos() / self.each().as_nanos()).max(1);
        (u32::try_from(a_second).unwrap_or(u32::MAX), self.at_once().get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_states_the_rates() {
        let limits = ServerLimits::default();

        assert_eq!(limits.stated().message_rate, MESSAGE_RATE);
        assert_eq!(limits.stated().message_burst, MESSAGE_BURST);
        assert_eq!(limits.stated().byte_rate, u64::from(BYTE_RATE));
        assert_eq!(limits.stated().byte_burst, u64::from(BYTE_BURST));
    }

    #[test]
    fn a_rate_that_is_off_is_stated_as_none() {
        let limits = ServerLimits::default().messages(None).bytes(None);

        assert_eq!(limits.stated(), Limits::default());
    }

    #[test]
    fn a_rate_over_a_longer_time_is_stated_a_second() {
        let rate = Rate::new(50, Duration::from_secs(10)).burst(7);

        let stated = ServerLimits::default().messages(rate).stated();

        assert_eq!((stated.message_rate, stated.message_burst), (5, 7));
    }

    #[test]
    fn a_client_that_keeps_to_the_stated_rate_is_never_refused() {
        for count in [0, 1, 3, 30, 700, u32::MAX] {
            for period in [Duration::ZERO, SECOND, Duration::from_secs(60), Duration::MAX] {
                for burst in [0, 1, 1_000] {
                    let rate = Rate::new(count, period).burst(burst);
                    let limits = ServerLimits::default().messages(rate);

                    let (stated, enforced) = (limits.stated(), limits.messages.unwrap());

                    let stated_each = SECOND / stated.message_rate;
                    assert!(stated_each + Duration::from_nanos(1) >= enforced.each(), "{rate:?}");
                    assert_eq!(stated.message_burst, enforced.at_once().get());
                }
            }
        }
    }

    #[test]
    fn no_rate_is_too_odd_for_a_quota() {
        for count in [0, 1, u32::MAX] {
            for period in [Duration::ZERO, SECOND, Duration::MAX] {
                for burst in [0, 1, u32::MAX] {
                    let rate = Rate::new(count, period).burst(burst);

                    let limiter = governor::RateLimiter::direct(rate.quota());

                    assert!(limiter.check().is_ok(), "{rate:?}");
                    assert!(limiter.check_n(NonZeroU32::MIN).is_ok(), "{rate:?}");
                    let stated = ServerLimits::default().messages(rate).stated();
                    assert!(stated.message_rate >= 1 && stated.message_burst >= 1);
                }
            }
        }
    }
}
