//! One error type for each operation: what failed, why, and what can be done.

use std::time::Duration;

use socketio_p2p_protocol::{Cause, ClientIdError, Code, ConnectFailure, Refusal};

use crate::api::args::ArgsError;

/// The reason for which [`connect`](crate::P2pBuilder::connect) failed. There is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The client id is malformed.
    #[error("the client id is malformed")]
    Id(#[from] ClientIdError),
    /// The auth is not an object, so the client id cannot be added to it.
    #[error("the auth is not an object")]
    Auth,
    /// The server cannot be reached, or does not speak Socket.IO.
    #[error("no connection to the server")]
    Transport(#[source] Box<rust_socketio::Error>),
    /// The server refused the connection. The code tells whether another attempt can succeed.
    #[error("the server refused the connection: {0}")]
    Refused(Code),
    /// The application's own middleware on the server refused the connection, with this message.
    #[error("the server refused the connection: {0}")]
    Rejected(String),
    /// The server's welcome cannot be read, though it states a version that this client speaks.
    #[error("the server's welcome cannot be read")]
    Welcome,
    /// The connection was closed or lost before the server's welcome.
    #[error("the connection was closed before the server's welcome")]
    Closed,
    /// No welcome arrived in time. The plugin may not be attached to that namespace.
    #[error("no welcome from the server within {0:?}")]
    Timeout(Duration),
}

impl ConnectError {
    /// Returns the error for the failure of the first attempt, and rust_socketio's error if there is one.
    pub(crate) fn of(
        failure: Option<ConnectFailure>,
        unreachable: Option<rust_socketio::Error>,
    ) -> Self {
        match (failure, unreachable) {
            (Some(ConnectFailure::Unreachable), Some(error)) => Self::Transport(Box::new(error)),
            (Some(ConnectFailure::Refused(Refusal { code: Code::Other(_), message })), _) => {
                Self::Rejected(message.into_owned())
            }
            (Some(ConnectFailure::Refused(refusal)), _) => Self::Refused(refusal.code),
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
    #[error("the target's client id is malformed")]
    Target(#[from] ClientIdError),
    /// The payload cannot be serialised. Nothing was sent.
    #[error("the payload cannot be serialised")]
    Payload(#[source] serde_json::Error),
    /// The server or the target refused. The code tells whether another attempt can succeed. An existing
    /// pairing stays.
    #[error("the registration was refused")]
    Refused(#[source] Refusal),
    /// No answer arrived in time. The pairing may still come into being:
    /// [`unregister_target`](crate::P2pClientExt::unregister_target) ends it in any case.
    #[error("no answer from the server within {0:?}")]
    Timeout(Duration),
    /// The client is closed, or lost its connection.
    #[error("the client is closed")]
    Closed,
}

/// The reason for which [`unregister_target`](crate::P2pClientExt::unregister_target) or
/// [`clients`](crate::P2pClientExt::clients) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server refused.
    #[error("the request was refused")]
    Refused(#[source] Refusal),
    /// No answer arrived in time.
    #[error("no answer from the server within {0:?}")]
    Timeout(Duration),
    /// The client is closed, or lost its connection. A pairing has ended with it.
    #[error("the client is closed")]
    Closed,
}

/// The reason for which [`emit2`](crate::P2pClientExt::emit2) returned no reply. Each call reports its
/// outcome exactly once, and truthfully.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The arguments cannot be serialised. Nothing was sent.
    #[error("the arguments cannot be serialised")]
    Args(#[source] ArgsError),
    /// No handler ran, and none will.
    #[error("not executed: {0}")]
    NotExecuted(Cause),
    /// The event was sent, and it cannot be known whether a handler ran.
    #[error("outcome unknown: {0}")]
    Unknown(Cause),
    /// The partner's handler ran and failed.
    #[error("the partner's handler failed")]
    Failed(#[source] Refusal),
    /// The partner's handler ran and succeeded, but its reply does not match the type that was asked for.
    #[error("the reply does not match the type")]
    Reply(#[source] ArgsError),
}

impl EmitError {
    /// Returns whether a handler ran, or `None` if that cannot be known.
    #[must_use]
    pub const fn executed(&self) -> Option<bool> {
        match self {
            Self::Args(_) | Self::NotExecuted(_) => Some(false),
            Self::Unknown(_) => None,
            Self::Failed(_) | Self::Reply(_) => Some(true),
        }
    }

    /// Returns the code, or the reason for which the pairing ended, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Args(_) | Self::Reply(_) => Code::BadArgs.as_str(),
            Self::NotExecuted(cause) | Self::Unknown(cause) => cause.as_str(),
            Self::Failed(refusal) => refusal.code.as_str(),
        }
    }
}

/// A handler's error. Its text, cut to 1 KiB, is sent to the caller.
///
/// The operator `?` converts any error into it.
#[derive(Debug)]
pub struct HandlerError(pub(crate) String);

impl HandlerError {
    /// Returns an error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
