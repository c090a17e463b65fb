//! HTTP proxies: which one leads to a server, and the way through it.

use std::{env, fmt::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use socketio_p2p_protocol::Secret;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::{Host, Url};

/// The longest head of a proxy's answer, in bytes.
const HEAD_BYTES: usize = 8 << 10;

/// The proxies that are used.
#[derive(Clone, Debug, Default)]
pub(crate) enum ProxySetting {
    /// Those of the environment.
    #[default]
    Environment,
    /// None.
    Off,
    /// This one, with its password.
    Fixed(Secret),
}

impl ProxySetting {
    /// Returns the proxy that leads to a host, or `None` if the way is direct.
    ///
    /// # Errors
    ///
    /// The proxy is none that can be used.
    pub(crate) fn proxy_for(&self, host: &Host, is_secure: bool) -> Result<Option<Url>, String> {
        let proxy = match self {
            Self::Off => return Ok(None),
            Self::Fixed(proxy) => proxy.reveal().to_owned(),
            Self::Environment => match of_environment(&variable, host, is_secure) {
                Some(proxy) => proxy,
                None => return Ok(None),
            },
        };
        let text = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
        match Url::parse(&text) {
            Ok(url) if url.scheme() == "http" && url.has_host() => Ok(Some(url)),
            Ok(url) => Err(format!("a proxy of the kind {} cannot be used", url.scheme())),
            Err(error) => Err(format!("the URL of the proxy cannot be read: {error}")),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the proxy that the environment names, as curl reads it: a variable in lower case first, and
/// `HTTP_PROXY` not where it may be a header of a request.
fn of_environment(
    variable: &dyn Fn(&str) -> Option<String>,
    host: &Host,
    is_secure: bool,
) -> Option<String> {
    let either = |lower: &str, upper: &str| variable(lower).or_else(|| variable(upper));
    if is_loopback(host) || either("no_proxy", "NO_PROXY").is_some_and(|no| is_listed(host, &no)) {
        return None;
    }
    let own = match is_secure {
        true => either("https_proxy", "HTTPS_PROXY"),
        false if variable("REQUEST_METHOD").is_some() => variable("http_proxy"),
        false => either("http_proxy", "HTTP_PROXY"),
    };
    own.or_else(|| either("all_proxy", "ALL_PROXY"))
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Returns whether a host is in this list of names, domains and addresses.
fn is_listed(host: &Host, list: &str) -> bool {
    let host = host.to_string();
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
        entry == "*" || host == entry || host.ends_with(&format!(".{entry}"))
    })
}

/// Connects to a host and port through a proxy.
///
/// # Errors
///
/// The text is the proxy's.
pub(crate) async fn connect(proxy: &Url, authority: &str) -> Result<TcpStream, String> {
    let name = proxy.host_str().unwrap_or_default();
    let port = proxy.port_or_known_default().unwrap_or(80);
    let failed = |why: String| format!("{authority} by the proxy {name}:{port}: {why}");
    let through = async {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let mut stream = TcpStream::connect((bare, port)).await?;
        stream.write_all(request(proxy, authority).as_bytes()).await?;
        let head = read_head(&mut stream).await?;
        Ok::<_, std::io::Error>((stream, head))
    };
    let (stream, head) = through.await.map_err(|error| failed(error.to_string()))?;
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some(code) if code.len() == 3 && code.starts_with('2') => Ok(stream),
        _ => Err(failed(format!("it answered {status:?}"))),
    }
}

fn request(proxy: &Url, authority: &str) -> String {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(credentials) = credentials(proxy) {
        write!(request, "Proxy-Authorization: {credentials}\r\n").ok();
    }
    request + "\r\n"
}

/// Returns the name and the password in a URL as a header has them (RFC 7617), if there are any.
pub(super) fn credentials(url: &Url) -> Option<String> {
    let user = [url.username(), url.password().unwrap_or_default()];
    let has_any = user.iter().any(|part| !part.is_empty());
    has_any.then(|| format!("Basic {}", STANDARD.encode(user.map(decoded).join(&b':'))))
}

/// Reads the head of the answer and not a byte more: what follows belongs to the server.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES {
            return Err(std::io::Error::other("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Decodes a part of a URL.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(code) => {
                decoded.push(code);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn of(variables: &[(&str, &str)], host: &str, is_secure: bool) -> Option<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        of_environment(&variable, &Host::parse(host).unwrap(), is_secure)
    }

    #[test]
    fn the_environment_names_a_proxy_for_each_scheme_and_the_hosts_without_one() {
        let variables = [
            ("HTTPS_PROXY", "http://secure:1"),
            ("http_proxy", "plain:2"),
            ("NO_PROXY", "internal.example, .corp.example,10.0.0.7"),
        ];
        assert_eq!(of(&variables, "a.example", true).as_deref(), Some("http://secure:1"));
        assert_eq!(of(&variables, "a.example", false).as_deref(), Some("plain:2"));
        for host in ["internal.example", "x.corp.example", "10.0.0.7", "localhost", "127.0.0.1"] {
            assert_eq!(of(&variables, host, true), None, "{host}");
        }
        assert_eq!(of(&[("ALL_PROXY", "any:3")], "a.example", true).as_deref(), Some("any:3"));
        assert_eq!(of(&[("ALL_PROXY", "any:3"), ("no_proxy", "*")], "a.example", true), None);
        let cgi = [("HTTP_PROXY", "evil:4"), ("REQUEST_METHOD", "GET")];
        assert_eq!(of(&cgi, "a.example", false), None);
    }

    #[test]
    fn a_proxy_of_another_kind_is_refused_by_name() {
        let host = Host::parse("a.example").unwrap();
        let refused = ProxySetting::Fixed("socks5://proxy:1080".into()).proxy_for(&host, true);
        assert_eq!(refused.unwrap_err(), "a proxy of the kind socks5 cannot be used");
    }

    #[test]
    fn credentials_are_shown_to_the_proxy_as_they_are() {
        let proxy = Url::parse("http://us%40er:p%3Ass@proxy:3128").unwrap();

        let request = request(&proxy, "a.example:443");

        assert!(request.contains("Proxy-Authorization: Basic dXNAZXI6cDpzcw==\r\n"), "{request}");
        assert_eq!(
            credentials(&Url::parse("http://:key@proxy").unwrap()).unwrap(),
            "Basic OmtleQ=="
        );
        assert_eq!(credentials(&Url::parse("http://proxy").unwrap()), None);
    }

    #[tokio::test]
    async fn a_refusal_of_the_proxy_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").await.unwrap();
            head
        };

        let (refused, head) = tokio::join!(connect(&proxy, "a.example:443"), answering);

        assert!(head.starts_with("CONNECT a.example:443 HTTP/1.1\r\n"), "{head}");
        let refused = refused.unwrap_err();
        assert!(refused.ends_with(r#"it answered "HTTP/1.1 407 Who are you""#), "{refused}");
    }
}
