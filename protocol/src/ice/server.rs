//! An ICE server as it is configured, and the choice of those that can be used.

use std::{convert::Infallible, str::FromStr};

use super::{IceFault, IceScheme, IceUrl, IceWarning};
use crate::{Secret, limits::ICE_URLS};

/// A STUN or TURN server that helps two clients to find a path to each other.
///
/// An address that cannot be used is left out, and reported by an [`IceWarning`] that names it. So is a TURN server
/// that lacks a user name or a credential, and one that is reached by TCP or TLS: this version uses UDP only.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IceServer {
    /// Addresses: `stun:host:port`, `turn:host:port?transport=udp`. The port is 3478 by default.
    pub urls: Vec<String>,
    /// User of a TURN server; empty for STUN.
    pub username: String,
    /// Password of that user; empty for STUN.
    pub credential: Secret,
}

impl IceServer {
    /// Returns a STUN server, which needs no credentials.
    pub fn stun(url: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], ..Self::default() }
    }

    /// Returns a TURN server with its credentials.
    pub fn turn(
        url: impl Into<String>,
        username: impl Into<String>,
        credential: impl Into<Secret>,
    ) -> Self {
        Self { urls: vec![url.into()], username: username.into(), credential: credential.into() }
    }

    /// Returns those of some servers that can be used, each with one address, and reports about the others: one for
    /// each address, the first [`ICE_URLS`].
    #[must_use]
    pub fn usable(servers: &[Self]) -> (Vec<Self>, Vec<IceWarning>) {
        let (mut usable, mut warnings) = (Vec::new(), Vec::new());
        for server in servers {
            let nothing = server.urls.is_empty().then_some("");
            for url in server.urls.iter().map(String::as_str).chain(nothing) {
                match server.at(url) {
                    Ok(_) if usable.len() == ICE_URLS => {
                        warnings.push(IceWarning::left_out(url, IceFault::TooMany));
                    }
                    Ok(server) => usable.push(server),
                    Err(fault) => warnings.push(IceWarning::left_out(url, fault)),
                }
            }
        }
        warnings.truncate(ICE_URLS);
        (usable, warnings)
    }

    /// Reads an address in which credentials may stand: `turn:user:password@host:port`. The user name may contain `:`;
    /// elsewhere `:`, `@` and `%` are written `%3A`, `%40` and `%25`.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let parts = text.split_once(':').and_then(|(scheme, rest)| {
            let (credentials, host) = rest.rsplit_once('@').filter(|_| !rest.starts_with("//"))?;
            let (user, password) = credentials.rsplit_once(':')?;
            Some((format!("{scheme}:{host}"), decoded(user), decoded(password)))
        });
        match parts {
            Some((url, user, password)) => Self::turn(url, user, password),
            None => Self::stun(text),
        }
    }

    /// Returns this server with one address only.
    fn at(&self, url: &str) -> Result<Self, IceFault> {
        let url = IceUrl::parse(url)?;
        match url.scheme() {
            IceScheme::Stun => Ok(Self::stun(url.to_string())),
            IceScheme::Turn if self.username.is_empty() || self.credential.reveal().is_empty() => {
                Err(IceFault::NoCredentials)
            }
            IceScheme::Turn => {
                Ok(Self::turn(url.to_string(), self.username.clone(), self.credential.clone()))
            }
        }
    }
}

impl FromStr for IceServer {
    type Err = Infallible;

    /// Reads an address as [`IceServer::read`] does.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::read(text))
    }
}

/// Returns a text with each `%` and two hexadecimal digits replaced by the byte for which they stand, if that is UTF-8.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.get(..2).filter(|digits| !digits.starts_with('+'));
        let digits = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(digits.unwrap_or(b'%'));
        rest = if digits.is_some() { &after[2..] } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
