//! The claims of a new connection.

use crate::{ClientId, Dialect, ResumeToken, wire::PROTOCOL};

/// The claims of a new connection, which the host has found to be true.
#[derive(Clone, Debug)]
pub struct Hello {
    pub(super) client: ClientId,
    pub(super) dialect: Dialect,
    pub(super) protocol: u8,
    pub(super) direct: bool,
    pub(super) resume: Option<ResumeToken>,
    pub(super) fresh: ResumeToken,
}

impl Hello {
    /// Creates the claims of a client with this name. `fresh` is the token for its next connection:
    /// draw it from a source of secrets, anew for each connection.
    #[must_use]
    pub const fn new(client: ClientId, dialect: Dialect, fresh: ResumeToken) -> Self {
        let protocol = match dialect {
            Dialect::V1 => dialect.number(),
            Dialect::V2 => PROTOCOL,
        };
        Self { client, dialect, protocol, direct: false, resume: None, fresh }
    }

    /// Sets the version of v2 on which the server and this client have agreed, which the welcome states.
    /// By default [`PROTOCOL`]. A v1 client has none.
    #[must_use]
    pub const fn protocol(mut self, version: u8) -> Self {
        if matches!(self.dialect, Dialect::V2) {
            self.protocol = version;
        }
        self
    }

    /// Sets whether it allows a direct path to a partner; a v1 client has none. No by default.
    #[must_use]
    pub const fn direct(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    /// Sets the token of an earlier connection that it shows.
    #[must_use]
    pub fn resume(mut self, token: Option<ResumeToken>) -> Self {
        self.resume = token;
        self
    }
}
