//! Attempts to connect: their deadline, their failures, and which failures are final.
//!
//! An attempt begins when the host begins to make the connection, and ends with the welcome. The first
//! attempt is the only one of its kind, unless the application wants it repeated for some time: an application
//! that starts its client learns at once why that is not possible. After a first welcome, attempts are
//! repeated unless none can succeed.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{Client, ClientEvent, Output, connection::ConnectionState};
use crate::{Code, Refusal, peer::Complaint};

/// The reason for which an attempt to connect failed. It serialises as `{"code", "message",
/// "isRetryable"}`; the code of a failure without a refusal is `forbidden` (no auth), `timeout` or `closed`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The server cannot be reached, or does not speak Socket.IO. The text tells what was tried.
    #[error("no connection to the server: {0}")]
    Unreachable(String),
    /// The application has no auth for the connection, for this reason.
    #[error("no auth for the connection: {0}")]
    Auth(String),
    /// The server refused the connection, or speaks no version that this client speaks.
    #[error("the server refused the connection: {0}")]
    Refused(Refusal),
    /// The server's welcome cannot be read, though it states a version that this client speaks.
    #[error("the server's welcome cannot be read: {0}")]
    Welcome(Refusal),
    /// The connection was closed or lost before the server's welcome.
    #[error("the connection was closed before the server's welcome")]
    Closed,
    /// No welcome arrived in time.
    #[error("no welcome from the server within {0:?}")]
    Timeout(Duration),
}

impl Serialize for ConnectFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ConnectFailure", 3)?;
        fields.serialize_field("code", &self.code())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.serialize_field("isRetryable", &self.is_retryable())?;
        fields.end()
    }
}

impl ConnectFailure {
    /// Returns the code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) | Self::Welcome(refusal) => refusal.code,
            Self::Timeout(_) => Code::Timeout,
            Self::Auth(_) => Code::Forbidden,
            Self::Unreachable(_) | Self::Closed => Code::Closed,
        }
    }

    /// Returns whether another attempt can succeed. Only what is known to be final is: a refusal with a text
    /// that is no known code may pass.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => match refusal.code {
                // The next attempt shows no token.
                Code::BadResume => true,
                // The application's middleware, or a server that is about to stop.
                Code::Other(_) => true,
                code => code.is_retryable(),
            },
            Self::Unreachable(_)
            | Self::Auth(_)
            | Self::Welcome(_)
            | Self::Closed
            | Self::Timeout(_) => true,
        }
    }
}

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
