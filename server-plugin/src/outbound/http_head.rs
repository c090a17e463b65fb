//! The heads of the HTTP/1 requests on a connection, searched for those that ask for a websocket.
//!
//! It parses as hyper does, with the same parser. A connection that is no longer HTTP/1, or whose
//! requests cannot be followed, is left alone: its server answers, or refuses with a status.

use http::{Uri, header};
use socketio_p2p_protocol::wire::QUICK_ACK;

use super::{frames::Frames, key::Key};

/// The longest head of a request that is followed, in bytes: as long as one that hyper reads. A longer
/// one it refuses with 431, so no websocket comes about unseen.
const HEAD_BYTES: usize = 8192 + 4096 * 100;

/// The most headers of a request, as in hyper.
const HEADERS: usize = 100;

/// The longest line with the size of a chunk, and the longest trailer, in bytes.
const CHUNK_LINE_BYTES: usize = 1024;

/// The first bytes of a client that speaks HTTP/2 from the beginning.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Findings in what was read.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// A request. `quick`: the client asks for TCP acknowledgements at once. `key`: the identity of
    /// the websocket or of the session, if the request asks for a websocket or polls.
    Request { quick: bool, key: Option<Key> },
    /// No websocket came of the last request.
    NoWebSocket,
}

/// The position of a client in its requests.
#[derive(Debug)]
pub(crate) enum Requests {
    /// In a head, of which these bytes were read.
    Head(Vec<u8>),
    /// In a body of which so many bytes are left.
    Body(u64),
    /// In the line before a chunk, of which these bytes were read.
    ChunkSize(Vec<u8>),
    /// In a chunk of which so many bytes are left.
    Chunk(u64),
    /// Behind the last chunk, in a line of which these bytes were read.
    Trailer(Vec<u8>),
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
    /// Returns whether a body is expected.
    pub(super) const fn are_in_body(&self) -> bool {
        matches!(self, Self::Body(_) | Self::ChunkSize(_) | Self::Chunk(_) | Self::Trailer(_))
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
                Self::Body(left) => {
                    bytes = skip(bytes, left);
                    if *left == 0 {
                        *self = Self::default();
                    }
                }
                Self::ChunkSize(line) => {
                    let Some(rest) = read_line(bytes, line)? else { return Some(()) };
                    bytes = rest;
                    *self = match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Complete((_, 0))) => Self::Trailer(Vec::new()),
                        // The line break behind the chunk counts.
                        Ok(httparse::Status::Complete((_, size))) => {
                            Self::Chunk(size.checked_add(2)?)
                        }
                        _ => return None,
                    };
                }
                Self::Chunk(left) => {
                    bytes = skip(bytes, left);
                    if *left == 0 {
                        *self = Self::ChunkSize(Vec::new());
                    }
                }
                Self::Trailer(line) => {
                    let Some(rest) = read_line(bytes, line)? else { return Some(()) };
                    bytes = rest;
                    let is_last = line.trim_ascii().is_empty();
                    line.clear();
                    if is_last {
                        *self = Self::default();
                    }
                }
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

fn skip<'a>(bytes: &'a [u8], left: &mut u64) -> &'a [u8] {
    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= skipped as u64;
    &bytes[skipped..]
}

/// Adds bytes to a line, and returns what follows the line if it ends. Returns `None` if the line is
/// too long.
fn read_line<'a>(bytes: &'a [u8], line: &mut Vec<u8>) -> Option<Option<&'a [u8]>> {
    let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    let (more, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    if line.len() + more.len() > CHUNK_LINE_BYTES {
        return None;
    }
    line.extend_from_slice(more);
    Some(end.map(|_| rest))
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
    let body =
        match (&*all(header::TRANSFER_ENCODING.as_str()), &*all(header::CONTENT_LENGTH.as_str())) {
            ([], []) => Requests::default(),
            ([], [length]) => {
                let length =
                    std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
                Requests::Body(length?)
            }
            ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => {
                Requests::ChunkSize(Vec::new())
            }
            _ => return None,
        };
    let next = match (body, &websocket) {
        (Requests::Body(0) | Requests::Head(_), Some(_)) => Requests::Asked,
        // A request for a websocket has no body.
        (_, Some(_)) => return None,
        (Requests::Body(0), None) => Requests::default(),
        (body, None) => body,
    };
    let quick = !all(QUICK_ACK).is_empty();
    let key = websocket.or_else(|| Key::polling(request.method, &uri));
    Some((next, Some(Seen::Request { quick, key })))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        Some(Key::websocket(&"/socket.io/?EIO=4&transport=websocket".parse().unwrap(), b"abc=="))
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
