//! A question for life on a websocket: a ping of its protocol (RFC 6455, 5.5.2), which browsers and libraries answer
//! by themselves.

use std::sync::atomic::{AtomicU8, Ordering};

/// A ping without a payload, as a server sends it.
pub(super) const PING: &[u8] = &[0x89, 0];

const NOTHING: u8 = 0;
const WANTED: u8 = 1;
const ASKED: u8 = 2;

/// The question on one stream.
#[derive(Debug, Default)]
pub(super) struct Question(AtomicU8);

impl Question {
    /// Wants a ping, unless one is without an answer.
    pub(super) fn want(&self) {
        self.0.compare_exchange(NOTHING, WANTED, Ordering::AcqRel, Ordering::Relaxed).ok();
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Acquire) == WANTED
    }

    /// Notes that a ping was sent.
    pub(super) fn asked(&self) {
        self.0.store(ASKED, Ordering::Release);
    }

    /// Notes that the peer was heard, or that the server does not read from it at present.
    pub(super) fn heard(&self) {
        if self.0.load(Ordering::Relaxed) == ASKED {
            self.0.store(NOTHING, Ordering::Release);
        }
    }

    /// Returns whether a ping is without an answer; `None` if one is wanted and could not be sent yet.
    pub(super) fn is_open(&self) -> Option<bool> {
        match self.0.load(Ordering::Acquire) {
            WANTED => None,
            state => Some(state == ASKED),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use socketio_p2p_protocol::relay::Sign;
    use tokio::io::{
        AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
    };

    use super::*;
    use crate::outbound::{meter::MeteredStream, oversize::Longest, polling_session::Session};

    /// A masked frame with a text of five bytes.
    const FRAME: &[u8] = b"\x81\x850000later";

    /// A websocket of which one frame was read.
    async fn websocket() -> (DuplexStream, MeteredStream<DuplexStream>) {
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        let request = "GET /?transport=websocket HTTP/1.1\r\nsec-websocket-key: question\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        client.write_all(FRAME).await.unwrap();
        server.read_exact(&mut vec![0; request.len() + FRAME.len()]).await.unwrap();
        (client, server)
    }

    /// Lets the server look for something to read, and returns how many bytes there are.
    async fn read(server: &mut MeteredStream<DuplexStream>) -> usize {
        let mut bytes = [0; 64];
        let mut buf = ReadBuf::new(&mut bytes);
        poll_fn(|cx| {
            let _ = std::pin::Pin::new(&mut *server).poll_read(cx, &mut buf);
            Poll::Ready(buf.filled().len())
        })
        .await
    }

    #[tokio::test]
    async fn whatever_is_heard_is_the_answer() {
        let (mut client, mut server) = websocket().await;
        let handle = server.handle.clone();
        server.flush().await.unwrap();
        assert_eq!(handle.sign(), Sign::Alive, "nothing was asked");

        handle.ask();
        assert_eq!(handle.sign(), Sign::Unknown, "it is not sent yet");
        assert_eq!(read(&mut server).await, 0);
        assert_eq!(handle.sign(), Sign::Silent);

        let mut asked = [0; 2];
        client.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, PING);
        client.write_all(FRAME).await.unwrap();
        assert!(read(&mut server).await > 0);
        assert_eq!(handle.sign(), Sign::Alive);
    }

    #[tokio::test]
    async fn nobody_is_asked_within_a_frame() {
        let (mut client, mut server) = websocket().await;
        let handle = server.handle.clone();
        server.write_all(b"\x81\x05hal").await.unwrap();

        handle.ask();
        read(&mut server).await;
        assert_eq!(handle.sign(), Sign::Unknown);
        server.write_all(b"lo").await.unwrap();
        server.flush().await.unwrap();
        read(&mut server).await;

        assert_eq!(handle.sign(), Sign::Silent);
        let mut all = [0; 9];
        client.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"\x81\x05hallo\x89\x00");
    }

    #[tokio::test]
    async fn nobody_is_asked_whose_session_still_becomes_a_websocket() {
        // Its messages are looked at, as those of every client of the plugin.
        let session = Session::with_id("asked");
        session.leave_out_messages(Longest { bytes: 1000, namespace: "/".into() });
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        let request =
            "GET /?transport=websocket&sid=asked HTTP/1.1\r\nsec-websocket-key: x\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        server.read_exact(&mut vec![0; request.len()]).await.unwrap();
        server.flush().await.unwrap();
        let handle = server.handle.clone();
        handle.ask();

        // The probe, then the upgrade.
        client.write_all(b"\x81\x8600002probe").await.unwrap();
        assert_eq!(read(&mut server).await, 12);
        assert_eq!(read(&mut server).await, 0);
        assert_eq!(handle.sign(), Sign::Unknown);

        client.write_all(b"\x81\x8100005").await.unwrap();
        assert_eq!(read(&mut server).await, 7);
        assert_eq!(read(&mut server).await, 0);
        assert_eq!(handle.sign(), Sign::Silent);
    }

    #[tokio::test]
    async fn nobody_is_asked_who_has_no_websocket() {
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        server.flush().await.unwrap();

        server.handle.ask();
        read(&mut server).await;

        assert_eq!(server.handle.sign(), Sign::Unknown);
    }
}
