//! The address of an ICE server: `stun:host:port`, `turn:host:port?transport=udp` (RFC 7064, RFC 7065).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::fault::IceFault;

/// The port of a server whose address names none.
const PORT: u16 = 3478;
/// Longest name of a host in the domain name system, in bytes.
const HOST_BYTES: usize = 253;

/// The kind of an ICE server.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum IceScheme {
    /// A server that reports the address from which this client is seen.
    Stun,
    /// A server that forwards to this client what arrives at an address of the server's.
    Turn,
}

/// The address of an ICE server that can be used. Its text is the one that all WebRTC stacks read.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct IceUrl {
    scheme: IceScheme,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
}

impl IceUrl {
    /// Reads an address. White space around it is ignored, and so is `transport=udp` behind a STUN server.
    ///
    /// # Errors
    ///
    /// The reason for which no client of this version can use such a server.
    pub fn parse(url: &str) -> Result<Self, IceFault> {
        let url = url.trim();
        if url.is_empty() {
            return Err(IceFault::Empty);
        }
        let (scheme, is_secure, rest) = split_scheme(url).ok_or(IceFault::Scheme)?;
        if rest.starts_with("//") {
            return Err(IceFault::Slashes);
        }
        if rest.contains('@') {
            return Err(IceFault::Userinfo);
        }
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let (host, port) = split_port(authority)?;
        let is_tcp = match query {
            None => false,
            Some(query) => match query.to_ascii_lowercase().as_str() {
                "transport=udp" => false,
                "transport=tcp" => true,
                _ => return Err(IceFault::Query),
            },
        };
        if is_secure || is_tcp {
            return Err(IceFault::Transport);
        }
        Ok(Self { scheme, host: host.to_owned(), port })
    }

    /// Returns the kind of the server.
    #[must_use]
    pub const fn scheme(&self) -> IceScheme {
        self.scheme
    }

    /// Returns `host:port` if the host is a name, which is to be looked up.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let is_address = self.host.parse::<IpAddr>().is_ok();
        (!is_address).then(|| format!("{}:{}", self.host, self.port))
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        let scheme = match scheme {
            IceScheme::Stun => "stun",
            IceScheme::Turn => "turn",
        };
        if host.contains(':') {
            write!(f, "{scheme}:[{host}]:{port}")
        } else {
            write!(f, "{scheme}:{host}:{port}")
        }
    }
}

/// Returns an address for logs and events: as it was configured, with `***` in place of what may be a secret.
pub(super) fn shown(url: &str) -> String {
    let url = url.trim();
    let scheme = split_scheme(url).map_or(0, |(_, _, rest)| url.len() - rest.len());
    let (scheme, rest) = url.split_at(scheme);
    let (before, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    match rest.split_once('?') {
        Some((authority, query)) if !is_transport(query) => {
            format!("{scheme}{before}{authority}?***")
        }
        _ => format!("{scheme}{before}{rest}"),
    }
}

fn is_transport(query: &str) -> bool {
    let value = query.split_once("transport=").filter(|(before, _)| before.is_empty());
    value.is_some_and(|(_, value)| value.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Splits an address behind its scheme. Returns the scheme, true for TLS, and the rest.
fn split_scheme(url: &str) -> Option<(IceScheme, bool, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let (scheme, is_secure) = match scheme.to_ascii_lowercase().as_str() {
        "stun" => (IceScheme::Stun, false),
        "stuns" => (IceScheme::Stun, true),
        "turn" => (IceScheme::Turn, false),
        "turns" => (IceScheme::Turn, true),
        _ => return None,
    };
    Some((scheme, is_secure, rest))
}

/// Splits `host:port`. A port that is not there is the usual one.
fn split_port(authority: &str) -> Result<(&str, u16), IceFault> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(IceFault::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| IceFault::Host)?;
            match port.strip_prefix(':') {
                Some(port) => (host, port),
                None if port.is_empty() => (host, ""),
                None => return Err(IceFault::Port),
            }
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            if !is_host(host) {
                return Err(IceFault::Host);
            }
            (host, port)
        }
    };
    let port = match port {
        "" => PORT,
        _ if !port.bytes().all(|byte| byte.is_ascii_digit()) => return Err(IceFault::Port),
        _ => port.parse().map_err(|_| IceFault::Port)?,
    };
    if port == 0 { Err(IceFault::Port) } else { Ok((host, port)) }
}

/// Returns whether a text is a name, or an address of IPv4.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.strip_suffix('.').unwrap_or(host);
    host.len() <= HOST_BYTES
        && name.split('.').all(is_label)
        // A name does not end with a number.
        && (!name.rsplit('.').next().is_some_and(is_number) || host.parse::<Ipv4Addr>().is_ok())
}
