//! Ends that this client wants: each waits until the partner has confirmed what was emitted.
//!
//! The end of a pairing is sent by the server and overtakes frames that take the direct path, or that
//! wait for the pace. What overtakes them makes the partner drop them.

use std::time::Instant;

use super::{Client, connection::ConnectionState};
use crate::{
    ClientMessage,
    limits::CONFIRM_TIMEOUT,
    peer::{self, Peer},
    session::CallId,
};

/// The terminations that wait.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The calls that unregister, with their deadlines.
    unregister: Vec<(CallId, Instant)>,
    /// True once the application has asked to close the client.
    closes: bool,
    /// The time at which they no longer wait.
    until: Option<Instant>,
}

impl Ending {
    pub(super) const fn closes(&self) -> bool {
        self.closes
    }

    pub(super) const fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn cancel(&mut self, call: CallId) {
        self.unregister.retain(|(waiting, _)| *waiting != call);
    }

    /// Takes the calls that unregister.
    pub(super) fn take_unregister(&mut self) -> Vec<(CallId, Instant)> {
        std::mem::take(&mut self.unregister)
    }

    fn wait_until(&mut self, until: Instant) {
        self.until = Some(self.until.map_or(until, |present| present.min(until)));
    }
}

impl Client {
    /// Returns true while a partner that can be reached has not confirmed everything.
    fn is_unconfirmed(&self) -> bool {
        match self.ending.closes {
            true => self.peers.values().any(Peer::is_unconfirmed),
            false => self.exclusive_peer().is_some_and(Peer::is_unconfirmed),
        }
    }

    /// Ends the pairing once everything is confirmed, within half of the time until the deadline.
    pub(super) fn end_pairing(&mut self, call: CallId, deadline: Instant, now: Instant) {
        if !self.is_unconfirmed() {
            return self.unregister(call, deadline, now);
        }
        let half = deadline.saturating_duration_since(now) / 2;
        self.ending.unregister.push((call, deadline));
        self.ending.wait_until(now + half.min(CONFIRM_TIMEOUT));
    }

    /// Closes the client once everything is confirmed. Nothing is delivered any more.
    pub(super) fn begin_to_close(&mut self, now: Instant) {
        self.ending.closes = true;
        self.ending.wait_until(now + CONFIRM_TIMEOUT);
        self.every_peer(&peer::Input::Paused, now);
    }

    /// Carries out the terminations that wait, if everything is confirmed or the time is over.
    pub(super) fn end_if_confirmed(&mut self, now: Instant) {
        let Some(until) = self.ending.until else { return };
        if self.state == ConnectionState::Closed || (now < until && self.is_unconfirmed()) {
            return;
        }
        self.ending.until = None;
        for (call, deadline) in self.ending.take_unregister() {
            self.unregister(call, deadline, now);
        }
        if self.ending.closes {
            self.send(ClientMessage::Leave); // After the frames that were collected.
            self.close(now);
        }
    }
}
