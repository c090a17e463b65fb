//! The reasons for which an ICE server is left out.

use crate::limits::ICE_URLS;

/// The reason for which an ICE server is left out.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[non_exhaustive]
pub enum IceFault {
    /// There is no address.
    #[error("it has no address")]
    Empty,
    /// The address begins with no known scheme.
    #[error("it begins with neither `stun:` nor `turn:`")]
    Scheme,
    /// The address is written like that of a page.
    #[error("no `//` may follow its scheme")]
    Slashes,
    /// The address contains credentials.
    #[error("credentials do not belong in its address")]
    Userinfo,
    /// The host is neither a name nor an address. One of IPv6 stands in brackets.
    #[error("its host cannot be read")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("its port cannot be read")]
    Port,
    /// The query is not `transport=udp`.
    #[error("its query is not `?transport=udp`")]
    Query,
    /// The server is reached by TCP or TLS, which this version does not support.
    #[error("only UDP is supported")]
    Transport,
    /// A TURN server has no user name or no credential.
    #[error("a TURN server needs a user name and a credential")]
    NoCredentials,
    /// The name of its host does not resolve. Later connections try it again.
    #[error("its name does not resolve")]
    Unresolved,
    /// There are [`ICE_URLS`] addresses before it.
    #[error("there are {ICE_URLS} addresses before it")]
    TooMany,
}

impl IceFault {
    /// Returns the code of the reason, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::Scheme | Self::Slashes | Self::Host | Self::Port | Self::Query => {
                "bad-address"
            }
            Self::Userinfo => "credentials-in-address",
            Self::Transport => "not-supported",
            Self::NoCredentials => "no-credentials",
            Self::Unresolved => "unresolved",
            Self::TooMany => "too-many",
        }
    }
}
