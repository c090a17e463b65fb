//! Limits on the lines of those who wait for a busy target.

use std::time::Duration;

/// Registrations in the line of one target. When the first leaves the line, each of the others is sent another
/// place.
pub const LINE_LENGTH: usize = 64;

/// Time after a place that was sent in which no other is sent: clients that come and go at the head of a line
/// cost each of the others one message in this time.
pub const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time that a registration waits in line, unless the server is set otherwise: longer than a person
/// waits. A client that is gone loses its place earlier.
pub const LINE_TIME: Duration = Duration::from_secs(10 * 60);

/// Time for which those in line wait for the partner of a target, if the target says that the two are paired and
/// the server has forgotten it: as long as a pairing is kept for a partner that has not come back.
pub const RESERVED_TIME: Duration = super::GRACE;

/// Longest time in line that a server can be set to.
pub const LINE_TIME_MAX: Duration = Duration::from_secs(60 * 60);
