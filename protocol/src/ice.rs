//! The ICE servers and addresses of a client: which of them are used, and the reports about servers that are not.
//!
//! An entry that cannot be used is left out and reported once. The other entries, and the addresses of the host
//! itself, are used as if it was not there.

mod addresses;
mod fault;
mod server;
mod url;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

pub use self::{
    addresses::{CandidatePlaces, HostAddress},
    fault::IceFault,
    server::IceServer,
    url::{IceScheme, IceUrl},
};
use crate::limits::cut;

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
