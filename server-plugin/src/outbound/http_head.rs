//! The heads of the HTTP/1 requests on a connection, searched for those that ask for a websocket.
//!
//! It parses as hyper does, with the same parser. A connection that is no longer HTTP/1, or whose
//! requests cannot be followed, is left alone: its server answers, or refuses with a status.

use http::{Uri, header};
use socketio_p2p_protocol::wire::QUICK_ACK;

use super::{frames::Frames, http_body::Body, key::Key};

/// The longest head of a request that is followed, in bytes: as long as one that hyper reads. A longer
/// one it refuses with 431, so no websocket comes about unseen.
const HEAD_BYTES: usize = 8192 + 4096 * 100;

/// The most headers of a request, as in hyper.
const HEADERS: usize = 100;

/// The first bytes of a client that speaks HTTP/2 from the beginning.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Findings in what was read.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// A request. `quick`: the client asks for TCP acknowledgements at once. `key`: the identity of
    /// the websocket or of the session, if the request asks for a websocket or polls. `is_head`: its
    /// response has no body.
    Request { quick: bool, key: Option<Key>, is_head: bool },
    /// No websocket came of the last request.
    NoWebSocket,
}

/// The position of a client in its requests.
#[derive(Debug)]
pub(crate) enum Requests {
    /// In a head, of which these bytes were read.
    Head(Vec<u8>),
    /// In a body.
    Body(Body),
    /// Behind a request for a websocket. The next byte tells whether it was granted.
    Asked,
    /// In a websocket.
    Over(Frames),
    /// In something that cannot be followed.
    Lost,
}

impl Default for Requests {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl Requests {
    /// Returns whether a head is expected.
    pub(super) const fn are_in_head(&self) -> bool {
        matches!(self, Self::Head(_) | Self::Asked)
    }

    /// Returns whether a body is expected.
    pub(super) const fn are_in_body(&self) -> bool {
        matches!(self, Self::Body(_))
    }

    /// Returns the position in the websocket, if there is one.
    pub(super) const fn frames(&self) -> Option<&Frames> {
        match self {
            Self::Over(frames) => Some(frames),
            _ => None,
        }
    }

    /// Returns the position in the websocket, if there is one, to follow it elsewhere.
    pub(super) const fn frames_mut(&mut self) -> Option<&mut Frames> {
        match self {
            Self::Over(frames) => Some(frames),
            _ => None,
        }
    }

    /// Returns whether the connection can be followed.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    /// Reads received bytes.
    pub(crate) fn read(&mut self, bytes: &[u8], seen: impl FnMut(Seen)) {
        if self.follow(bytes, seen).is_none() {
            *self = Self::Lost;
        }
    }

    /// Reads received bytes. Returns `None` if the requests cannot be followed any further.
    fn follow(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Seen)) -> Option<()> {
        while !bytes.is_empty() {
            match self {
                Self::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    let Some(end) = end_of_head(head, before) else {
                        return (head.len() <= HEAD_BYTES).then_some(());
                    };
                    if end > HEAD_BYTES {
                        return None;
                    }
                    let (next, request) = read_head(&head[..end])?;
                    bytes = bytes.get(end - before..)?;
                    *self = next;
                    if let Some(request) = request {
                        seen(request);
                    }
                }
                Self::Body(body) => match body.read(bytes)? {
                    Some(rest) => {
                        bytes = rest;
                        *self = Self::default();
                    }
                    None => return Some(()),
                },
                Self::Asked => {
                    // The first byte of a websocket frame has none of these bits. The method of a
                    // request has, unless an empty line precedes it.
                    if bytes[0] & 0x70 == 0 && !b"\r\n".contains(&bytes[0]) {
                        *self = Self::Over(Frames::default());
                    } else {
                        seen(Seen::NoWebSocket);
                        *self = Self::default();
                    }
                }
                Self::Over(frames) => {
                    frames.read(bytes);
                    return Some(());
                }
                Self::Lost => return Some(()),
            }
        }
        Some(())
    }
}

/// Returns the end of a head that was searched up to `before`, if it ends.
fn end_of_head(head: &[u8], before: usize) -> Option<usize> {
    // Empty lines before a request are ignored.
    let start = head.iter().position(|byte| !b"\r\n".contains(byte))?;
    let from = before.saturating_sub(3).max(start);
    let ends = |at: &usize| {
        let rest = &head[*at..];
        rest.starts_with(b"\n\r\n") || rest.starts_with(b"\n\n")
    };
    let at = (from..head.len()).find(ends)?;
    Some(at + if head[at + 1] == b'\n' { 2 } else { 3 })
}

/// Returns what follows a head, and the finding in it; `None` if the end of the request is unclear.
fn read_head(head: &[u8]) -> Option<(Requests, Option<Seen>)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(head);
    let (Ok(httparse::Status::Complete(_)), Some(path)) = (parsed, request.path) else {
        // HTTP/2, a tunnel, or a request that the server refuses before it closes the connection.
        debug_assert!(parsed.is_err() || head.starts_with(HTTP_2));
        return Some((Requests::Lost, None));
    };
    let Ok(uri) = path.parse::<Uri>() else {
        return Some((Requests::Lost, None));
    };
    let all = |name: &str| {
        let named =
            request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect::<Vec<_>>()
    };
    let websocket = all(header::SEC_WEBSOCKET_KEY.as_str()).first().map(|key| Key::new(&uri, key));
    let body = Body::announced(request.headers)?.filter(|body| !body.is_empty());
    let next = match (body, &websocket) {
        (None, Some(_)) => Requests::Asked,
        // A request for a websocket has no body.
        (Some(_), Some(_)) => return None,
        (None, None) => Requests::default(),
        (Some(body), None) => Requests::Body(body),
    };
    let quick = !all(QUICK_ACK).is_empty();
    let key = websocket.or_else(|| Key::polling(request.method, &uri));
    let is_head = request.method == Some("HEAD");
    Some((next, Some(Seen::Request { quick, key, is_head })))
}

#[cfg(test)]
mod tests {
    use super::{super::http_body::CHUNK_LINE_BYTES, *};

    const UPGRADE: &str =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nSec-WebSocket-Key: abc==\r\n\r\n";

    /// Returns the facts in these bytes, regardless of how they are cut.
    fn seen(bytes: &[u8]) -> Vec<Seen> {
        let read = |piece: usize| {
            let (mut requests, mut all) = (Requests::default(), Vec::new());
            for piece in bytes.chunks(piece) {
                requests.read(piece, |seen| all.push(seen));
            }
            all
        };
        let whole = read(usize::MAX);
        for piece in [1, 2, 3, 7, 64] {
            assert_eq!(read(piece), whole);
        }
        whole
    }

    fn asked(text: &str) -> Vec<Option<Key>> {
        let key = |seen| match seen {
            Seen::Request { key, .. } => key,
            Seen::NoWebSocket => None,
        };
        seen(text.as_bytes()).into_iter().map(key).collect()
    }

    fn websocket() -> Option<Key> {
        Some(Key::asked(&"/socket.io/?EIO=4&transport=websocket".parse().unwrap(), b"abc=="))
    }

    #[test]
    fn a_request_for_a_websocket_tells_its_key() {
        assert_eq!(asked(UPGRADE), [websocket()]);
        assert_eq!(asked(&format!("\r\n{UPGRADE}")), [websocket()]);
        assert_eq!(asked(&UPGRADE.replace("\r\n", "\n")), [websocket()]);
        assert_eq!(asked("GET / HTTP/1.1\r\nhost: here\r\n\r\n"), [None]);
        assert_eq!(asked("GET / HTTP/1.1\r\nhost: he"), []);
    }

    #[test]
    fn an_upgraded_session_tells_its_id() {
        let upgrade = UPGRADE.replace(" HTTP", "&sid=first&sid=second HTTP");

        assert_eq!(asked(&upgrade), [Some(Key::Session("first".into()))]);
    }

    #[test]
    fn a_poll_tells_its_session() {
        let poll = "GET /socket.io/?EIO=4&transport=polling&sid=one HTTP/1.1\r\n\r\n";

        assert_eq!(asked(poll), [Some(Key::Poll("one".into()))]);
        assert_eq!(asked(&poll.replace("GET", "POST")), [Some(Key::Post("one".into()))]);
        assert_eq!(asked(&poll.replace("GET", "PUT")), [None]);
        assert_eq!(asked(&poll.replace("&sid=one", "")), [None], "it has no session yet");
    }

    #[test]
    fn a_websocket_may_come_after_other_requests() {
        let before = [
            "GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nGET /",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\na;x=y\r\n0123456789\r\n0\r\nz: 1\r\n\r\n",
        ];
        for request in before {
            assert_eq!(asked(&format!("{request}{UPGRADE}")), [None, websocket()], "{request}");
        }
    }

    #[test]
    fn a_websocket_that_was_refused_is_no_websocket() {
        let text = format!("{UPGRADE}{UPGRADE}");

        assert_eq!(asked(&text), [websocket(), None, websocket()]);
    }

    #[test]
    fn frames_of_a_websocket_are_not_read() {
        for first in [0x81, 0x82, 0x88, 0x89, 0x01] {
            let mut bytes = UPGRADE.as_bytes().to_vec();
            bytes.push(first);
            bytes.extend_from_slice(UPGRADE.as_bytes());

            assert_eq!(seen(&bytes).len(), 1, "{first}");
        }
    }

    #[test]
    fn http_2_is_left_alone() {
        let text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand frames\r\n\r\n";

        assert_eq!(seen(text.as_bytes()), []);
    }

    #[test]
    fn only_a_client_that_asks_is_acknowledged_at_once() {
        let quick = |text: &str| match &seen(text.as_bytes())[..] {
            [Seen::Request { quick, .. }] => *quick,
            other => panic!("{other:?}"),
        };

        assert!(quick("GET / HTTP/1.1\r\nP2P-Quick-Ack: 1\r\n\r\n"));
        assert!(!quick("GET /p2p-quick-ack HTTP/1.1\r\nhost: p2p-quick-ack\r\n\r\n"));
    }

    #[test]
    fn what_cannot_be_followed_is_left_to_the_server() {
        let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(HEAD_BYTES));
        let post = |headers: &str| format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n");
        for text in [
            long,
            "x".repeat(HEAD_BYTES + 1),
            post("content-length: 1\r\ncontent-length: 1"),
            post("content-length: 1\r\ntransfer-encoding: chunked"),
            post("transfer-encoding: gzip, chunked"),
            post("content-length: -1"),
            post("content-length: 1\r\nsec-websocket-key: k"),
            post("transfer-encoding: chunked") + "x\r\n",
            post("transfer-encoding: chunked") + &"1".repeat(2 * CHUNK_LINE_BYTES),
            post("transfer-encoding: chunked") + "ffffffffffffffff\r\n",
        ] {
            let before = seen(text.as_bytes()).len();
            assert_eq!(seen((text.clone() + UPGRADE).as_bytes()).len(), before, "{text}");
        }
    }
}
