//! The CONNECT auth of a client, and the version that both ends speak.

use serde_json::{Map, Value};

use super::{BINARY, CLIENT_ID, DIRECT, P2P, P2P_MIN, PROTOCOL, RESUME};
use crate::{ClientId, Code, Dialect, ResumeToken};

/// The versions of the v2 dialect that one end speaks: all from the lowest to the highest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Versions {
    lowest: u64,
    highest: u64,
}

impl Versions {
    /// The versions that this crate speaks.
    pub const OURS: Self = Self { lowest: PROTOCOL as u64, highest: PROTOCOL as u64 };

    /// Returns the versions from `lowest` to `highest`.
    #[must_use]
    pub const fn new(lowest: u64, highest: u64) -> Self {
        Self { lowest, highest }
    }

    /// Returns whether this version is among them.
    #[must_use]
    pub const fn contains(self, version: u64) -> bool {
        self.lowest <= version && version <= self.highest
    }

    /// Returns the highest version that both ends speak, if any.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u64> {
        let highest = self.highest.min(other.highest);
        (self.contains(highest) && other.contains(highest)).then_some(highest)
    }
}

/// The part of a client's handshake that this protocol defines, its id excepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectAuth {
    /// The dialect that the connection speaks.
    pub dialect: Dialect,
    /// `true` if the client accepts attachments.
    pub binary: bool,
    /// `true` if the client allows a direct path.
    pub direct: bool,
    /// The token of an earlier connection.
    pub resume: Option<ResumeToken>,
}

impl ConnectAuth {
    /// Reads a handshake. `auth` is the CONNECT auth; `said` returns the string or the number that
    /// the auth, or else the query, holds under a key.
    ///
    /// # Errors
    ///
    /// [`Code::UnsupportedProtocol`] if the client speaks no version that this crate speaks,
    /// [`Code::BadArgs`] if a version is no number, [`Code::BadResume`] if the token is malformed.
    pub fn read(
        auth: &Value,
        said: impl Fn(&str) -> Result<Option<String>, Code>,
    ) -> Result<Self, Code> {
        let number = |key| -> Result<Option<u64>, Code> {
            let number = said(key)?.map(|number| number.parse().map_err(|_| Code::BadArgs));
            number.transpose()
        };
        let dialect = match number(P2P)? {
            None | Some(..2) => Dialect::V1,
            Some(highest) => {
                let lowest = number(P2P_MIN)?.unwrap_or(2);
                let common = Versions::OURS.common(Versions::new(lowest, highest));
                common.map(|_| Dialect::V2).ok_or(Code::UnsupportedProtocol)?
            }
        };
        let says = |key| auth.get(key) == Some(&Value::Bool(true));
        // The token is never read from the query: queries end up in logs.
        let resume = match auth.get(RESUME) {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token.parse().map_err(|_| Code::BadResume)?),
            Some(_) => return Err(Code::BadResume),
        };
        Ok(Self { dialect, binary: says(BINARY), direct: says(DIRECT), resume })
    }

    /// Writes the fields of a v2 client into the auth of an application, in place of any of the
    /// same name. This and the welcome are the only places that write a token.
    pub fn write(&self, client: &ClientId, auth: &mut Map<String, Value>) {
        auth.insert(CLIENT_ID.to_owned(), client.as_str().into());
        auth.insert(P2P.to_owned(), PROTOCOL.into());
        for (key, value) in [(BINARY, self.binary), (DIRECT, self.direct)] {
            auth.remove(key);
            if value {
                auth.insert(key.to_owned(), true.into());
            }
        }
        auth.remove(RESUME);
        if let Some(token) = self.resume {
            auth.insert(RESUME.to_owned(), token.reveal().into());
        }
    }
}
