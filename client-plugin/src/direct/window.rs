//! The window of a channel: bytes that may be under way, sent and not yet confirmed.
//!
//! A window that is too small leaves a long path empty. One that is too large lets a burst overflow the
//! partner's UDP buffer, and then everything stands for the second that webrtc 0.21 takes to send again. A
//! partner that states its buffer in its signals gets what fits into it. One that does not, a browser, gets
//! 64 KiB (74 MB/s on loopback; with 1 MiB it is 2 to 14), and more in proportion to the round-trip time,
//! since data on the wire fills no buffer.

use std::collections::VecDeque;
use std::time::Duration;

/// The window towards a partner that states nothing, in bytes.
pub(crate) const FLOOR: usize = 64 << 10;
/// The largest window, in bytes: SCTP's receive buffer on both sides.
pub(crate) const CEILING: usize = 1 << 20;
/// The rate that the growing window is meant to sustain, in bytes a second.
const RATE: usize = 50 << 20;
/// The part of the partner's UDP buffer that one channel may fill: datagrams of 1,200 bytes occupy
/// about twice that in the kernel, and there are other channels.
const SHARE: usize = 4;
/// Round trips that are remembered. The least of them counts: the others waited in queues.
const ROUND_TRIPS: usize = 8;

/// The window of a connection.
#[derive(Debug, Default)]
pub(crate) struct Window {
    partner_udp_buffer: usize,
    round_trips: VecDeque<Duration>,
}

impl Window {
    /// Records the UDP buffer that the partner states.
    pub(crate) fn partner_has(&mut self, udp_buffer_bytes: usize) {
        self.partner_udp_buffer = udp_buffer_bytes;
    }

    /// Records a round trip.
    pub(crate) fn measured(&mut self, round_trip: Duration) {
        if self.round_trips.len() == ROUND_TRIPS {
            self.round_trips.pop_front();
        }
        self.round_trips.push_back(round_trip);
    }

    /// Returns the least of the last [`ROUND_TRIPS`] round trips.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trips.iter().min().copied()
    }

    /// Returns the number of bytes that may be in flight.
    pub(crate) fn bytes(&self) -> usize {
        let micros = self.round_trip().map_or(0, |rtt| rtt.as_micros().min(1_000_000) as usize);
        let on_the_wire = RATE / 1_000_000 * micros;
        (self.partner_udp_buffer / SHARE).max(on_the_wire).clamp(FLOOR, CEILING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partner_about_whom_nothing_is_known_gets_the_floor() {
        assert_eq!(Window::default().bytes(), FLOOR);
    }

    #[test]
    fn the_window_grows_with_the_least_round_trip_up_to_the_ceiling() {
        let mut window = Window::default();

        window.measured(Duration::from_millis(4));
        window.measured(Duration::from_millis(900));
        assert_eq!(window.bytes(), 52 * 4_000);

        for _ in 0..ROUND_TRIPS {
            window.measured(Duration::from_millis(80));
        }
        assert_eq!(window.bytes(), CEILING);
    }

    #[test]
    fn a_partner_gets_what_fits_into_its_buffer() {
        let mut window = Window::default();

        window.partner_has(212_992);
        assert_eq!(window.bytes(), FLOOR);

        window.partner_has(usize::MAX);
        assert_eq!(window.bytes(), CEILING);
    }
}
