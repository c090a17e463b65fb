//! The failures of an attempt to connect, and which of them are final.

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{Code, Refusal};

/// The reason for which an attempt to connect failed. It serialises as `{"code", "message",
/// "isRetryable"}`; the code of a failure without a refusal is `forbidden` (no auth), `timeout` or `closed`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The server cannot be reached, or does not speak Socket.IO. The text states what was tried.
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
