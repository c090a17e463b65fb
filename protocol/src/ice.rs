//! The ICE servers and addresses of a client: which of them are used, and the reports about servers that are not.
//!
//! An entry that cannot be used is left out and reported once. The other entries, and the addresses of the host
//! itself, are used as if it was not there.

mod addresses;
mod server;
mod url;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

pub use self::{
    addresses::{CandidatePlaces, HostAddress},
    server::IceServer,
    url::{IceScheme, IceUrl},
};
use crate::limits::{ICE_URLS, cut};

/// A report that ICE servers are left out. Connections are made without them.
///
/// It serialises as `{"server", "code", "message"}`, without `server` if the provider of servers failed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[non_exhaustive]
pub enum IceWarning {
    /// A server is left out.
    #[error("the ICE server {server:?} is left out: {fault}")]
    LeftOut {
        /// The server's address as it was configured, with `***` in place of credentials.
        server: String,
        /// The reason.
        fault: IceFault,
    },
    /// The application's provider of servers failed, with this text.
    #[error("the provider of ICE servers failed: {0}")]
    NoServers(String),
}

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

impl IceWarning {
    /// Returns a report about the server that was configured with this address.
    #[must_use]
    pub fn left_out(url: &str, fault: IceFault) -> Self {
        Self::LeftOut { server: cut(&url::shown(url)).to_owned(), fault }
    }

    /// Returns a report that the application's provider of servers failed, with this text.
    #[must_use]
    pub fn no_servers(why: &str) -> Self {
        Self::NoServers(cut(why).to_owned())
    }

    /// Returns the code of the reason, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::LeftOut { fault, .. } => fault.code(),
            Self::NoServers(_) => "no-servers",
        }
    }

    /// Returns the address of the server as it was configured, with `***` in place of credentials.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::LeftOut { server, .. } => Some(server),
            Self::NoServers(_) => None,
        }
    }
}

impl Serialize for IceWarning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("IceWarning", 3)?;
        match self.server() {
            Some(server) => fields.serialize_field("server", server)?,
            None => fields.skip_field("server")?,
        }
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.end()
    }
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
