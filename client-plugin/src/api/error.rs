//! One error for each operation: what failed, why, and what to do.

use std::time::Duration;

use socketio_p2p_protocol::{Cause, ClientIdError, Code, Refusal};

use crate::api::args::ArgsError;

/// Why [`connect`](crate::P2pBuilder::connect) failed. There is no connection then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The client id is malformed.
    #[error("the client id is malformed")]
    Id(#[from] ClientIdError),
    /// The auth is not an object: there is no place for the client id in it.
    #[error("the auth is not an object")]
    Auth,
    /// The server cannot be reached, or does not speak Socket.IO.
    #[error("no connection to the server")]
    Transport(#[source] Box<rust_socketio::Error>),
    /// The server refused the connection; the code says whether trying again can help.
    #[error("the server refused the connection: {0}")]
    Refused(Code),
    /// The application's own middleware on the server refused the connection, with this message.
    #[error("the server refused the connection: {0}")]
    Rejected(String),
    /// The server's welcome cannot be read: it speaks another version of the protocol.
    #[error("the server's welcome cannot be read")]
    Welcome,
    /// The server closed the connection before its welcome.
    #[error("the server closed the connection")]
    Closed,
    /// No welcome in time: perhaps the plugin is not on that namespace.
    #[error("no welcome from the server within {0:?}")]
    Timeout(Duration),
}

/// Why [`register_target`](crate::P2pClientExt::register_target) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The target's id is malformed. Nothing was sent.
    #[error("the target's client id is malformed")]
    Target(#[from] ClientIdError),
    /// The payload cannot be serialised. Nothing was sent.
    #[error("the payload cannot be serialised")]
    Payload(#[source] serde_json::Error),
    /// The server or the target said no; the code says whether trying again can help. An
    /// existing pairing stays.
    #[error("the registration was refused")]
    Refused(#[source] Refusal),
    /// No answer in time. The pairing may come about all the same:
    /// [`unregister_target`](crate::P2pClientExt::unregister_target) ends it in any case.
    #[error("no answer from the server within {0:?}")]
    Timeout(Duration),
    /// The client is closed, or lost its connection.
    #[error("the client is closed")]
    Closed,
}

/// Why [`unregister_target`](crate::P2pClientExt::unregister_target) or
/// [`clients`](crate::P2pClientExt::clients) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server said no.
    #[error("the request was refused")]
    Refused(#[source] Refusal),
    /// No answer in time.
    #[error("no answer from the server within {0:?}")]
    Timeout(Duration),
    /// The client is closed, or lost its connection. A pairing has ended with it.
    #[error("the client is closed")]
    Closed,
}

/// Why [`emit2`](crate::P2pClientExt::emit2) brought no reply. Told exactly once, and truthfully.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The arguments cannot be serialised. Nothing was sent.
    #[error("the arguments cannot be serialised")]
    Args(#[source] ArgsError),
    /// No handler ran, and none will.
    #[error("not executed: {0}")]
    NotExecuted(Cause),
    /// It was sent, and whether a handler ran cannot be known.
    #[error("outcome unknown: {0}")]
    Unknown(Cause),
    /// The partner's handler ran and failed.
    #[error("the partner's handler failed")]
    Failed(#[source] Refusal),
}

impl EmitError {
    /// Whether a handler ran: `Some(true)`, `Some(false)`, or not known.
    #[must_use]
    pub const fn executed(&self) -> Option<bool> {
        match self {
            Self::Args(_) | Self::NotExecuted(_) => Some(false),
            Self::Unknown(_) => None,
            Self::Failed(_) => Some(true),
        }
    }

    /// The code, or the reason for which the pairing ended, as it travels.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Args(_) => Code::BadArgs.as_str(),
            Self::NotExecuted(cause) | Self::Unknown(cause) => cause.as_str(),
            Self::Failed(refusal) => refusal.code.as_str(),
        }
    }
}

/// What a handler returns instead of a value: the caller is told its text, cut to 1 KiB.
///
/// Any error becomes one with `?`.
#[derive(Debug)]
pub struct HandlerError(pub(crate) String);

impl HandlerError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
