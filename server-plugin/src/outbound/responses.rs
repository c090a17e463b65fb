//! The responses of a server on one connection: whether it still owes one.

use std::collections::VecDeque;

use http::StatusCode;

use super::{http_body::Body, opening::Opening};

/// The longest head of a response that is followed, in bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// The most headers of a response.
const HEADERS: usize = 100;

/// The statuses of requests that are too large: they do not reach the application, which could log them.
const TOO_LARGE: [StatusCode; 2] =
    [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE];

/// Findings in what was written.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// A session with this id began on a websocket.
    Session(Box<str>),
    /// A request was refused with this status, because it is too large.
    TooLarge(StatusCode),
}

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

    /// Follows written bytes.
    pub(super) fn wrote(&mut self, bytes: &[u8], said: impl FnMut(Said)) {
        if self.follow(bytes, said).is_none() {
            self.position = Position::Lost;
            self.open = VecDeque::new();
        }
    }

    /// Follows written bytes. Returns `None` if the rest need not or cannot be followed.
    fn follow(&mut self, mut bytes: &[u8], mut said: impl FnMut(Said)) -> Option<()> {
        while !bytes.is_empty() {
            match &mut self.position {
                Position::Head(head) => {
                    // A head that could not be read is refused, too.
                    let is_head = self.open.front();
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    let Some(Head { end, status, next }) = read_head(head, is_head == Some(&true))?
                    else {
                        return (head.len() <= HEAD_BYTES).then_some(());
                    };
                    if TOO_LARGE.contains(&status) {
                        said(Said::TooLarge(status));
                    }
                    is_head?;
                    let next = next?;
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
                    let Some(session) = opening.wrote(bytes) else { return Some(()) };
                    session.map(Said::Session).map(said);
                    return None;
                }
                Position::Lost => return Some(()),
            }
        }
        Some(())
    }
}

/// The head of a response.
struct Head {
    /// Its length.
    end: usize,
    status: StatusCode,
    /// `None` if the end of the response is unclear.
    next: Option<Next>,
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

/// Reads a head, if it is complete. Returns `None` if it is none.
fn read_head(head: &[u8], is_head: bool) -> Option<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = response.parse(head).ok()? else { return Some(None) };
    let status = StatusCode::from_u16(response.code?).ok()?;
    let next = Some(match status {
        StatusCode::SWITCHING_PROTOCOLS => Next::WebSocket,
        _ if status.is_informational() => Next::Head,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Next::Request,
        _ if is_head => Next::Request,
        // Without its length, a body ends with the connection.
        _ => match Body::announced(response.headers).flatten() {
            None => return Some(Some(Head { end, status, next: None })),
            Some(body) if body.is_empty() => Next::Request,
            Some(body) => Next::Body(body),
        },
    });
    Some(Some(Head { end, status, next }))
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
                all.wrote(piece, |_| ());
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
    fn what_is_refused_for_its_size_is_seen() {
        let said = |requests: usize, responses: &str| {
            let (mut all, mut said) = (Responses::default(), Vec::new());
            for _ in 0..requests {
                all.asked(false);
            }
            for byte in responses.as_bytes() {
                all.wrote(&[*byte], |seen| said.push(seen));
            }
            said
        };
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let body = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nno";
        // The request has a head that is not followed, either.
        let head = "HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n";

        assert_eq!(said(2, &[ok, ok].concat()), []);
        let [too_large, too_many] = TOO_LARGE.map(Said::TooLarge);
        assert_eq!(said(2, &[body, ok].concat()), [too_large]);
        assert_eq!(said(1, &[ok, head].concat()), [too_many]);
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
