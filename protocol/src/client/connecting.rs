//! Attempts to connect: their deadline, and what follows a failure.
//!
//! An attempt begins when the host begins to make the connection, and ends with the welcome. The first
//! attempt is the only one of its kind, unless the application wants it repeated for some time: an application
//! that starts its client learns at once why that is not possible. After a first welcome, attempts are
//! repeated unless none can succeed.

use std::time::{Duration, Instant};

use super::{Client, ClientEvent, ConnectFailure, Output, connection::ConnectionState};
use crate::{Code, Refusal, peer::Complaint};

impl Client {
    pub(super) const fn is_connecting(&self) -> bool {
        matches!(self.state, ConnectionState::Connecting { .. })
    }

    /// Notes that an attempt begins. Its deadline does not change when the connection is there.
    pub(super) fn connecting(&mut self, now: Instant) {
        if self.state == ConnectionState::Away {
            let time = self.backoff.attempt_time(&self.config, now);
            self.state = ConnectionState::connecting(time, now);
        }
    }

    /// Notes that the host has no connection.
    pub(super) fn not_connected(&mut self, failure: ConnectFailure, now: Instant) {
        match self.state {
            ConnectionState::Ready => self.ask_for_life(now), // That one stands.
            _ => self.connecting_failed(failure, now),
        }
    }

    /// Notes that the connection may be gone.
    pub(super) fn suspected(&mut self, now: Instant) {
        // Later attempts wait for their deadline: the connection may still work.
        if self.is_connecting() && !self.welcomed {
            self.connecting_failed(ConnectFailure::Closed, now);
        } else {
            self.doubt(now);
        }
    }

    pub(super) fn garbled_welcome(&mut self, refusal: Refusal, now: Instant) {
        if !self.is_connecting() {
            self.heard(now);
            return self.outputs.push_back(Output::Complain(Complaint::Server(refusal)));
        }
        let failure = match refusal.code {
            Code::UnsupportedProtocol => ConnectFailure::Refused(refusal),
            _ => ConnectFailure::Welcome(refusal),
        };
        self.connecting_failed(failure, now);
    }

    /// Reports why an attempt failed, then makes the next one, unless none can succeed.
    pub(super) fn connecting_failed(&mut self, failure: ConnectFailure, now: Instant) {
        let may_retry = if self.welcomed {
            self.config.resumes
        } else {
            self.first_until.is_some_and(|until| now < until)
        };
        let is_final = !may_retry || !failure.is_retryable();
        if let ConnectFailure::Refused(Refusal { code: Code::BadResume, .. }) = failure {
            self.token = None;
        }
        self.event(ClientEvent::ConnectError(failure));
        if is_final { self.close(now) } else { self.reconnect(now) }
    }

    /// Asks for another connection, unless this client is about to close.
    pub(super) fn reconnect(&mut self, now: Instant) {
        let after = self.backoff.next_wait(&self.config, now);
        self.reconnect_after(after);
    }

    /// Asks for another connection after this wait, unless this client is about to close.
    pub(super) fn reconnect_after(&mut self, after: Duration) {
        self.state = ConnectionState::Away;
        if !self.ending.closes() {
            self.outputs.push_back(Output::Reconnect { resume: self.token, after });
        }
    }
}
