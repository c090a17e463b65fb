//! Deadlines of a connection on which nothing is in progress: it would otherwise stay open for ever,
//! and with enough of them nobody else gets in.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::http_head::{Progress, Requests};

/// Time for the head of a request, from the beginning of the connection or from its first byte. A head
/// of 16 KiB takes 4 s at 30 kbit/s.
const HEAD: Duration = Duration::from_secs(10);

/// Longest silence inside the body of a request.
const BODY: Duration = Duration::from_secs(60);

/// Longest silence after a response has begun, until the next request. Longer than the keep-alive of
/// usual proxies, which then close first, and than any poll is left unanswered.
const IDLE: Duration = Duration::from_secs(100);

/// The times that count for the deadlines of one connection.
#[derive(Debug)]
pub(super) struct Deadlines {
    /// The beginning of the connection, or of the present head.
    head: Instant,
    /// The last byte, either way.
    last: Instant,
    /// `true` once a byte was read.
    began: bool,
    /// `true` if something was written since the last request.
    answered: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { head: now, last: now, began: false, answered: false, timer: None }
    }

    /// Notes that bytes were read, and the progress before and after them.
    pub(super) fn read(&mut self, before: Progress, after: Progress) {
        self.last = Instant::now();
        if self.began && before != Progress::Head && after == Progress::Head {
            self.head = self.last;
        }
        self.began = true;
        self.answered = false;
    }

    pub(super) fn wrote(&mut self) {
        self.last = Instant::now();
        self.answered = true;
    }

    fn due(&self, progress: Progress) -> Option<Instant> {
        match progress {
            Progress::Between if !self.began => Some(self.head + HEAD),
            Progress::Between => self.answered.then(|| self.last + IDLE),
            Progress::Head => Some(self.head + HEAD),
            Progress::Body => Some(self.last + BODY),
            Progress::Lost => Some(self.last + IDLE),
            Progress::Over => None,
        }
    }

    /// Waits for the deadline, if there is one.
    pub(super) fn poll(&mut self, requests: &Requests, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due(requests.progress()) else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::outbound::meter::MeteredStream;

    /// Reads until the connection ends, and returns the time that it took. Answers each request if
    /// `answers`.
    async fn lasts(mut server: MeteredStream<DuplexStream>, answers: bool) -> Duration {
        let since = Instant::now();
        let mut bytes = [0; 1024];
        while let Ok(1..) = server.read(&mut bytes).await {
            if answers {
                server.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            }
        }
        since.elapsed()
    }

    async fn after(sent: &[u8], answers: bool) -> Duration {
        let (mut client, server) = duplex(1024);
        client.write_all(sent).await.unwrap();
        lasts(MeteredStream::new(server), answers).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_ends() {
        assert_eq!(after(b"", false).await.as_secs(), 10);
        assert_eq!(after(b"GET / HT", false).await.as_secs(), 10);
        assert_eq!(after(b"GET / HTTP/1.1\r\n\r\n", true).await.as_secs(), 100);
        let body = b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n12345";
        assert_eq!(after(body, false).await.as_secs(), 60);
        assert_eq!(after(b"no request at all\r\n\r\n", false).await.as_secs(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_ends_its_connection() {
        let (mut client, server) = duplex(1024);
        let trickling = async {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        };

        let (lasted, ()) = tokio::join!(lasts(MeteredStream::new(server), false), trickling);

        assert_eq!(lasted.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_progress_has_no_deadline() {
        const LONG: Duration = Duration::from_secs(3600);
        let websocket = b"GET / HTTP/1.1\r\nsec-websocket-key: deadline\r\n\r\n\x81";
        let waits_for_its_response = b"GET / HTTP/1.1\r\n\r\n";
        for (sent, answers) in [(&websocket[..], true), (&waits_for_its_response[..], false)] {
            let (mut client, server) = duplex(1024);
            client.write_all(sent).await.unwrap();

            let ended =
                tokio::time::timeout(LONG, lasts(MeteredStream::new(server), answers)).await;

            assert!(ended.is_err());
            drop(client);
        }
    }
}
