//! One error type for each operation: what failed, why, and what can be done.
//!
//! The text of an error tells what failed and why, in one line. An error is either in the text or the
//! `source`, never in both, as the Rust project's error handling group advises; here it is in the text. Names and
//! texts of others are bounded in it, and without characters that would garble a terminal or a log.

mod emit;

use std::{error::Error, time::Duration};

use socketio_p2p_protocol::{
    ClientIdError, Code, ConnectFailure, Refusal,
    text::{legible, quoted},
};

pub use self::emit::EmitError;

/// The reason for which [`connect`](crate::P2pBuilder::connect) failed. There is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The client id is malformed.
    #[error(transparent)]
    Id(#[from] ClientIdError),
    /// The auth is not an object, so the client id cannot be added to it.
    #[error("the auth is not an object")]
    Auth,
    /// The application's provider of the auth
    /// ([`auth_with`](crate::P2pBuilder::auth_with)) failed, with this message.
    #[error("no auth for the connection: {}", legible(.0))]
    NoAuth(String),
    /// The server cannot be reached, or does not speak Socket.IO.
    #[error("no connection to the server: {}", legible(transport_text(.0)))]
    Transport(Box<rust_socketio::Error>),
    /// There is no way to the server: its name has no address, no address answers, or the proxy refuses. The text
    /// tells what was tried.
    #[error("no connection to the server: {}", legible(.0))]
    Unreachable(String),
    /// The server refused the connection. The code tells whether another attempt can succeed.
    #[error("the server refused the connection: {}", Refusal::from(*.0))]
    Refused(Code),
    /// The application's own middleware on the server refused the connection, with this message.
    #[error("the server refused the connection: {}", legible(.0))]
    Rejected(String),
    /// The server's welcome cannot be read, though it states a version that this client speaks.
    #[error("the server's welcome cannot be read")]
    Welcome,
    /// The connection was closed or lost before the server's welcome.
    #[error("the connection was closed before the server's welcome")]
    Closed,
    /// The single builder of rust_socketio from which this client was to be made has been used already, by a
    /// clone. A recipe or a URL can be used again.
    #[error("the single builder of rust_socketio was used already")]
    Spent,
    /// A single builder of rust_socketio connects once, so
    /// [`retry_connect`](crate::P2pBuilder::retry_connect) needs something that can be used again: a URL, or a
    /// recipe `|| ClientBuilder::new(url)`. Nothing was sent.
    #[error(
        "a single builder of rust_socketio connects once: retry_connect needs a URL or a recipe"
    )]
    SingleBuilder,
    /// No welcome arrived in time: the server cannot be reached or is slow, or the plugin is not attached to that
    /// namespace.
    #[error(
        "no welcome within {0:?}: the server is slow or silent, or its P2P plugin is not attached to this namespace"
    )]
    Timeout(Duration),
}

impl ConnectError {
    /// Returns the code, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Id(_) => Code::BadClientId.as_str(),
            Self::Auth | Self::SingleBuilder | Self::Welcome => Code::BadArgs.as_str(),
            Self::Refused(code) => code.as_str(),
            Self::Rejected(_) | Self::NoAuth(_) => Code::Forbidden.as_str(),
            Self::Timeout(_) => Code::Timeout.as_str(),
            Self::Transport(_) | Self::Unreachable(_) | Self::Closed | Self::Spent => {
                Code::Closed.as_str()
            }
        }
    }

    /// Returns whether another attempt with the same settings can succeed. The application's own refusals
    /// are not known to be final.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(error) => !is_final(error),
            Self::Refused(code) => code.is_retryable(),
            Self::Rejected(_)
            | Self::NoAuth(_)
            | Self::Unreachable(_)
            | Self::Welcome
            | Self::Closed
            | Self::Timeout(_) => true,
            Self::Id(_) | Self::Auth | Self::SingleBuilder | Self::Spent => false,
        }
    }

    /// Returns the error for the last failure of a first attempt, if one was reported, and rust_socketio's error
    /// if there is one.
    pub(crate) fn of(
        failure: Option<ConnectFailure>,
        unreachable: Option<rust_socketio::Error>,
    ) -> Self {
        match (failure, unreachable) {
            (None, None) => Self::Spent,
            (Some(ConnectFailure::Unreachable(_)) | None, Some(error)) => {
                Self::Transport(Box::new(error))
            }
            (Some(ConnectFailure::Refused(Refusal { code: Code::Other(_), message })), _) => {
                Self::Rejected(message.into_owned())
            }
            (Some(ConnectFailure::Refused(refusal)), _) => Self::Refused(refusal.code),
            (Some(ConnectFailure::Unreachable(tried)), None) => Self::Unreachable(tried),
            (Some(ConnectFailure::Auth(why)), _) => Self::NoAuth(why),
            (Some(ConnectFailure::Welcome(_)), _) => Self::Welcome,
            (Some(ConnectFailure::Timeout(time)), _) => Self::Timeout(time),
            _ => Self::Closed,
        }
    }
}

/// The reason for which [`register_target`](crate::P2pClientExt::register_target) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The target's id is malformed. Nothing was sent.
    #[error("the target {}: {reason}", quoted(.target))]
    Target {
        /// The target, as it was given.
        target: Box<str>,
        /// The rule that it breaks.
        reason: ClientIdError,
    },
    /// The payload cannot be serialised. Nothing was sent.
    #[error("the payload for {} cannot be serialised: {}", quoted(.target), legible(.reason))]
    Payload {
        /// The target.
        target: Box<str>,
        /// The reason.
        reason: serde_json::Error,
    },
    /// The server or the target refused. The code tells whether another attempt can succeed. An existing
    /// pairing stays.
    #[error("the registration with {} was refused: {refusal}", quoted(.target))]
    Refused {
        /// The target.
        target: Box<str>,
        /// The reason.
        refusal: Refusal,
    },
    /// No answer arrived in time. The registration is taken back.
    #[error("no answer to the registration with {} within {after:?}", quoted(.target))]
    Timeout {
        /// The target.
        target: Box<str>,
        /// The time that has passed.
        after: Duration,
    },
    /// The client is closed, or lost its connection.
    #[error("no registration with {}: the client is closed", quoted(.target))]
    Closed {
        /// The target.
        target: Box<str>,
    },
}

impl RegisterError {
    /// Returns the target, as it was given.
    #[must_use]
    pub const fn target(&self) -> &str {
        match self {
            Self::Target { target, .. }
            | Self::Payload { target, .. }
            | Self::Refused { target, .. }
            | Self::Timeout { target, .. }
            | Self::Closed { target } => target,
        }
    }

    /// Returns the code, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Target { .. } => Code::BadClientId.as_str(),
            Self::Payload { .. } => Code::BadArgs.as_str(),
            Self::Refused { refusal, .. } => refusal.code.as_str(),
            Self::Timeout { .. } => Code::Timeout.as_str(),
            Self::Closed { .. } => Code::Closed.as_str(),
        }
    }

    /// Returns whether the same request can succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => refusal.code.is_retryable(),
            Self::Timeout { .. } => true,
            Self::Target { .. } | Self::Payload { .. } | Self::Closed { .. } => false,
        }
    }
}

/// The reason for which [`unregister_target`](crate::P2pClientExt::unregister_target) or
/// [`clients`](crate::P2pClientExt::clients) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server refused.
    #[error("the request was refused: {0}")]
    Refused(Refusal),
    /// No answer arrived in time.
    #[error("no answer from the server within {0:?}")]
    Timeout(Duration),
    /// The client is closed, or lost its connection. A pairing has ended with it.
    #[error("the client is closed")]
    Closed,
}

impl RequestError {
    /// Returns the code, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.code.as_str(),
            Self::Timeout(_) => Code::Timeout.as_str(),
            Self::Closed => Code::Closed.as_str(),
        }
    }

    /// Returns whether the same request can succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.code.is_retryable(),
            Self::Timeout(_) => true,
            Self::Closed => false,
        }
    }
}

/// The reason for which [`watch_target`](crate::P2pClientExt::watch_target) failed, or a
/// [`TargetWatch`](crate::TargetWatch) ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The target's id is malformed. Nothing was sent.
    #[error("the target {}: {reason}", quoted(.target))]
    Target {
        /// The target, as it was given.
        target: Box<str>,
        /// The rule that it breaks.
        reason: ClientIdError,
    },
    /// The server refused: its policy does not let this client watch the target (`forbidden`), too many watch
    /// it (`quota`), or it is of a version that knows no watches (`bad-event`).
    #[error("the watch of {} was refused: {refusal}", quoted(.target))]
    Refused {
        /// The target.
        target: Box<str>,
        /// The reason.
        refusal: Refusal,
    },
    /// No answer arrived in time.
    #[error("no answer to the watch of {} within {after:?}", quoted(.target))]
    Timeout {
        /// The target.
        target: Box<str>,
        /// The time that has passed.
        after: Duration,
    },
    /// The client is closed, or lost its connection.
    #[error("no watch of {}: the client is closed", quoted(.target))]
    Closed {
        /// The target.
        target: Box<str>,
    },
}

impl WatchError {
    /// Returns the target, as it was given.
    #[must_use]
    pub const fn target(&self) -> &str {
        match self {
            Self::Target { target, .. }
            | Self::Refused { target, .. }
            | Self::Timeout { target, .. }
            | Self::Closed { target } => target,
        }
    }

    /// Returns the code, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Target { .. } => Code::BadClientId.as_str(),
            Self::Refused { refusal, .. } => refusal.code.as_str(),
            Self::Timeout { .. } => Code::Timeout.as_str(),
            Self::Closed { .. } => Code::Closed.as_str(),
        }
    }

    /// Returns whether the same request can succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => refusal.code.is_retryable(),
            Self::Timeout { .. } => true,
            Self::Target { .. } | Self::Closed { .. } => false,
        }
    }
}

/// Returns whether every attempt with the same URL fails in the same way: it is none, or its scheme is unknown.
pub(crate) const fn is_final(error: &rust_socketio::Error) -> bool {
    use rust_engineio::Error as Engine;
    use rust_socketio::Error::{IncompleteResponseFromEngineIo, InvalidUrl, InvalidUrlScheme};
    match error {
        InvalidUrl(_) | InvalidUrlScheme(_) => true,
        IncompleteResponseFromEngineIo(error) => {
            matches!(error, Engine::InvalidUrl(_) | Engine::InvalidUrlScheme(_))
        }
        _ => false,
    }
}

/// Returns the text of rust_socketio's error. It tells of blocked websockets only by what they look like.
pub(crate) fn transport_text(error: &rust_socketio::Error) -> String {
    const BLOCKED: [&str; 3] =
        ["HTTP error: ", "without closing handshake", "WebSocket protocol error"];
    let text = chain(error);
    match BLOCKED.iter().any(|blocked| text.contains(blocked)) {
        true => {
            format!("{text} (no websocket was opened: a proxy or a firewall may block websockets)")
        }
        false => text,
    }
}

/// Returns the text of an error and of its sources, as far as they are not in it already.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
