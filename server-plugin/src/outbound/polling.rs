//! The requests of sessions that poll, on one stream: what their polls take, and the reading of what they send.
//!
//! A polling client sends one request after the other, each with what it has collected. While the reading
//! from it is held back, its request is not handed to the server, which therefore does not answer it.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::ReadBuf;

use super::{
    key::Key,
    polling_session::{OpenPoll, Session},
};

/// The last request on a stream, as far as it is one of a polling session.
#[derive(Debug, Default)]
enum Request {
    #[default]
    Other,
    Poll(OpenPoll),
    /// A request that sends. `is_new`: its head is among what was read last.
    Post {
        session: Arc<Session>,
        is_new: bool,
    },
}

/// The polling on one stream.
#[derive(Debug, Default)]
pub(super) struct Polling {
    request: Request,
    /// Bytes that were read and not handed to the server. There are no more than it asked for.
    kept: Vec<u8>,
}

impl Polling {
    /// Notes a request with this key.
    pub(super) fn began(&mut self, key: Option<&Key>) {
        self.request = match key {
            Some(Key::Poll(id)) => Session::find(id)
                .map_or_else(Request::default, |session| Request::Poll(OpenPoll::new(session))),
            Some(Key::Post(id)) => Session::find(id).map_or_else(Request::default, |session| {
                session.heard();
                Request::Post { session, is_new: true }
            }),
            Some(Key::Asked(_) | Key::Opened(_) | Key::Session(_)) | None => Request::Other,
        };
    }

    /// Notes that something was read.
    pub(super) fn heard(&self) {
        if let Request::Post { session, .. } = &self.request {
            session.heard();
        }
    }

    /// Waits until the server may have more of the request. `in_body`: the next byte belongs to it.
    pub(super) fn poll_open(&self, in_body: bool, cx: &Context<'_>) -> Poll<()> {
        match &self.request {
            Request::Post { session, .. } if in_body || !self.kept.is_empty() => {
                session.intake().poll_open(cx)
            }
            _ => Poll::Ready(()),
        }
    }

    /// Hands over bytes that were kept. Returns `false` if there are none.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let bytes = self.kept.len().min(buf.remaining());
        buf.put_slice(&self.kept[..bytes]);
        self.kept.drain(..bytes);
        bytes > 0
    }

    /// Keeps what was read if it belongs to a request that has to wait. `in_body`: the request began before.
    /// Returns whether it does.
    pub(super) fn keep(&mut self, in_body: bool, buf: &mut ReadBuf<'_>, before: usize) -> bool {
        let Request::Post { session, is_new } = &mut self.request else { return false };
        let is_part = std::mem::take(is_new) || in_body;
        if !is_part || !session.intake().is_held() || buf.filled().len() == before {
            return false;
        }
        self.kept.extend_from_slice(&buf.filled()[before..]);
        buf.set_filled(before);
        true
    }

    /// Counts bytes that were written, of which `first` are the first.
    pub(super) fn wrote(&mut self, first: &[u8], bytes: usize) {
        if let Request::Poll(poll) = &mut self.request {
            poll.wrote(first, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::outbound::{gate::Gate, meter::MeteredStream};

    fn request(method: &str, sid: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "{method} /?transport=polling&sid={sid} HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    }

    fn stream() -> (DuplexStream, MeteredStream<DuplexStream>) {
        let (client, server) = duplex(1 << 16);
        (client, MeteredStream::new(server))
    }

    /// Returns whether nothing can be read now.
    async fn waits(server: &mut MeteredStream<DuplexStream>) -> bool {
        let mut bytes = [0; 1024];
        let mut reading = std::pin::pin!(server.read(&mut bytes));
        poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx).is_pending())).await
    }

    async fn reads(server: &mut MeteredStream<DuplexStream>, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        server.read_exact(&mut bytes).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_request_that_sends_is_kept_while_a_gate_is_closed() {
        let session = Session::with_id("kept");
        let gate = Gate::new();
        let _attached = gate.attach(session.intake());
        let (mut client, mut server) = stream();
        let post = request("POST", "kept", "42[]");

        for closed in [true, false] {
            gate.set_closed(closed);
            client.write_all(post.as_bytes()).await.unwrap();
            if closed {
                assert!(waits(&mut server).await && waits(&mut server).await);
                gate.set_closed(false);
            }
            reads(&mut server, &post).await;
        }
    }

    #[tokio::test]
    async fn the_rest_of_a_body_waits_too() {
        let session = Session::with_id("rest");
        let gate = Gate::new();
        let _attached = gate.attach(session.intake());
        let (mut client, mut server) = stream();
        let post = request("POST", "rest", "42[1]42[2]");
        let (first, rest) = post.split_at(post.len() - 5);
        client.write_all(first.as_bytes()).await.unwrap();
        reads(&mut server, first).await;

        gate.set_closed(true);
        client.write_all(rest.as_bytes()).await.unwrap();
        assert!(waits(&mut server).await);
        gate.set_closed(false);

        reads(&mut server, rest).await;
    }

    #[tokio::test]
    async fn polls_and_requests_of_others_never_wait() {
        let session = Session::with_id("full");
        let gate = Gate::new();
        let _attached = gate.attach(session.intake());
        let (mut client, mut server) = stream();
        let post = request("POST", "full", "42[]");
        client.write_all(post.as_bytes()).await.unwrap();
        reads(&mut server, &post).await;

        gate.set_closed(true);
        for next in [request("GET", "full", ""), request("POST", "other", "42[]")] {
            client.write_all(next.as_bytes()).await.unwrap();
            reads(&mut server, &next).await;
        }
    }

    #[tokio::test]
    async fn the_bodies_of_all_polls_of_a_session_are_counted() {
        let session = Session::with_id("meter");
        assert!(session.meter().is_none(), "no poll has come");
        let poll = request("GET", "meter", "");

        for _ in 0..2 {
            let (mut client, mut server) = stream();
            for (request, response) in [(&poll, "42[]"), (&request("POST", "meter", ""), "ok")] {
                client.write_all(request.as_bytes()).await.unwrap();
                reads(&mut server, request).await;
                let response = format!("HTTP/1.1 200 OK\r\n\r\n{response}");
                server.write_all(response.as_bytes()).await.unwrap();
            }
        }

        assert_eq!(session.meter().unwrap().total(), 8);
    }
}
