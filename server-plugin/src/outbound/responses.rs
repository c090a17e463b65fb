//! The responses of a server on one connection: whether it still owes one.

use std::collections::VecDeque;

use http::StatusCode;

use super::{http_body::Body, opening::Opening};

/// The longest head of a response that is followed, in bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// The most headers of a response.
const HEADERS: usize = 100;

/// The position of a server in its responses.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// The requests without a complete response. `true`: that response has no body, as one to HEAD. The server
    /// has them in its buffer, except the first, which bounds their number.
    open: VecDeque<bool>,
    position: Position,
}

#[derive(Debug)]
enum Position {
    /// In a head, of which these bytes were written.
    Head(Vec<u8>),
    Body(Body),
    /// In a websocket, of whose first message these bytes were written.
    WebSocket(Opening),
    /// In something that ends with the connection or cannot be followed.
    Lost,
}

impl Default for Position {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl Responses {
    /// Notes a request.
    pub(super) fn asked(&mut self, is_head: bool) {
        if matches!(self.position, Position::Head(_) | Position::Body(_)) {
            self.open.push_back(is_head);
        }
    }

    /// Returns whether each request has its complete response, as far as the responses can be followed.
    pub(super) fn are_complete(&self) -> bool {
        self.open.is_empty() && matches!(self.position, Position::Head(_))
    }

    /// Follows written bytes. Returns the id of a session that began on a websocket, once it was written.
    pub(super) fn wrote(&mut self, bytes: &[u8]) -> Option<Box<str>> {
        let mut session = None;
        if self.follow(bytes, &mut session).is_none() {
            self.position = Position::Lost;
            self.open = VecDeque::new();
        }
        session
    }

    /// Follows written bytes. Returns `None` if the rest need not or cannot be followed.
    fn follow(&mut self, mut bytes: &[u8], session: &mut Option<Box<str>>) -> Option<()> {
        while !bytes.is_empty() {
            match &mut self.position {
                Position::Head(head) => {
                    let is_head = *self.open.front()?;
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    let Some((end, next)) = read_head(head, is_head)? else {
                        return (head.len() <= HEAD_BYTES).then_some(());
                    };
                    bytes = bytes.get(end.checked_sub(before)?..)?;
                    self.position = match next {
                        Next::Head => Position::default(),
                        Next::Body(body) => Position::Body(body),
                        Next::WebSocket => Position::WebSocket(Opening::default()),
                        Next::Request => {
                            self.open.pop_front();
                            Position::default()
                        }
                    };
                }
                Position::Body(body) => {
                    let Some(rest) = body.read(bytes)? else { return Some(()) };
                    bytes = rest;
                    self.open.pop_front();
                    self.position = Position::default();
                }
                Position::WebSocket(opening) => {
                    let Some(opened) = opening.wrote(bytes) else { return Some(()) };
                    *session = opened;
                    return None;
                }
                Position::Lost => return Some(()),
            }
        }
        Some(())
    }
}

/// What follows the head of a response.
enum Next {
    /// Another head: the response was a provisional one.
    Head,
    Body(Body),
    WebSocket,
    /// The response to the next request.
    Request,
}

/// Returns the length of a head and what follows it, if it is complete. Returns `None` if the end of the response
/// is unclear.
fn read_head(head: &[u8], is_head: bool) -> Option<Option<(usize, Next)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = response.parse(head).ok()? else { return Some(None) };
    let status = StatusCode::from_u16(response.code?).ok()?;
    let next = match status {
        StatusCode::SWITCHING_PROTOCOLS => Next::WebSocket,
        _ if status.is_informational() => Next::Head,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Next::Request,
        _ if is_head => Next::Request,
        // Without its length, a body ends with the connection.
        _ => match Body::announced(response.headers)?? {
            body if body.is_empty() => Next::Request,
            body => Next::Body(body),
        },
    };
    Some(Some((end, next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether these responses answer as many requests, regardless of how they are cut.
    fn answer(requests: &[bool], responses: &str) -> bool {
        let follow = |piece: usize| {
            let mut all = Responses::default();
            for is_head in requests {
                all.asked(*is_head);
            }
            for piece in responses.as_bytes().chunks(piece) {
                assert_eq!(all.wrote(piece), None);
            }
            all.are_complete()
        };
        let whole = follow(usize::MAX);
        for piece in [1, 2, 3, 7, 64] {
            assert_eq!(follow(piece), whole, "{responses}");
        }
        whole
    }

    #[test]
    fn a_response_is_complete_at_the_end_of_its_body() {
        for response in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert!(answer(&[false], response), "{response}");
            assert!(!answer(&[false], &response[..response.len() - 1]), "{response}");
            assert!(!answer(&[false, false], response), "{response}");
            assert!(answer(&[false, false], &response.repeat(2)), "{response}");
        }
    }

    #[test]
    fn a_response_to_head_has_no_body() {
        assert!(answer(&[true], "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"));
        assert!(answer(
            &[true, false],
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
        ));
    }

    #[test]
    fn what_cannot_be_followed_is_never_complete() {
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(HEAD_BYTES));
        for responses in [
            "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nand more that nobody asked for",
            "no response\r\n\r\n",
            &long,
        ] {
            assert!(!answer(&[false], responses), "{responses}");
        }
    }
}
