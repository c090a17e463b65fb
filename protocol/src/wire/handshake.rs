//! The CONNECT auth of a client, and the version that both sides speak.

use serde_json::{Map, Value};

use super::{BINARY, CLIENT_ID, DIRECT, P2P, P2P_MIN, PROTOCOL, RESUME};
use crate::{ClientId, Code, Dialect, ResumeToken};

/// The versions of the v2 dialect that one side speaks: all from the lowest to the highest.
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

    /// Returns the highest version that both sides speak, if any.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u64> {
        let highest = self.highest.min(other.highest);
        (self.contains(highest) && other.contains(highest)).then_some(highest)
    }
}

/// The part of a client's handshake that this protocol defines, its id excepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectAuth {
    /// The version that the connection speaks, which both sides speak: 1 for v1, 2 or more for v2. A
    /// client writes the highest that it speaks.
    pub protocol: u8,
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
        Self::read_as(Versions::OURS, auth, said)
    }

    /// Reads a handshake at a side that speaks these versions.
    fn read_as(
        ours: Versions,
        auth: &Value,
        said: impl Fn(&str) -> Result<Option<String>, Code>,
    ) -> Result<Self, Code> {
        let number = |key| -> Result<Option<u64>, Code> {
            let number = said(key)?.map(|number| number.parse().map_err(|_| Code::BadArgs));
            number.transpose()
        };
        let protocol = match number(P2P)? {
            None | Some(..2) => Dialect::V1.number(),
            Some(highest) => {
                let lowest = number(P2P_MIN)?.unwrap_or(2);
                let common = ours.common(Versions::new(lowest, highest));
                let common = common.and_then(|version| u8::try_from(version).ok());
                common.ok_or(Code::UnsupportedProtocol)?
            }
        };
        let says = |key| auth.get(key) == Some(&Value::Bool(true));
        // The token is never read from the query: queries end up in logs.
        let resume = match auth.get(RESUME) {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token.parse().map_err(|_| Code::BadResume)?),
            Some(_) => return Err(Code::BadResume),
        };
        Ok(Self { protocol, binary: says(BINARY), direct: says(DIRECT), resume })
    }

    /// Returns the dialect that the connection speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        if self.protocol < Dialect::V2.number() { Dialect::V1 } else { Dialect::V2 }
    }

    /// Writes the fields of a v2 client into the auth of an application, in place of any of the
    /// same name. This and the welcome are the only places that write a token.
    pub fn write(&self, client: &ClientId, auth: &mut Map<String, Value>) {
        auth.insert(CLIENT_ID.to_owned(), client.as_str().into());
        auth.insert(P2P.to_owned(), self.protocol.into());
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_speaks_the_highest_version_that_both_ends_speak() {
        let ours = Versions::new(2, 4);
        let agreed = |auth: Value| {
            let said = |key: &str| Ok(auth.get(key).map(Value::to_string));
            ConnectAuth::read_as(ours, &auth, said).map(|read| (read.protocol, read.dialect()))
        };

        assert_eq!(agreed(json!({ "p2p": 2 })), Ok((2, Dialect::V2)));
        assert_eq!(agreed(json!({ "p2p": 3 })), Ok((3, Dialect::V2)));
        assert_eq!(agreed(json!({ "p2p": 9, "p2pMin": 3 })), Ok((4, Dialect::V2)));
        assert_eq!(agreed(json!({ "p2p": 9, "p2pMin": 5 })), Err(Code::UnsupportedProtocol));
        assert_eq!(agreed(json!({})), Ok((1, Dialect::V1)));
    }
}
