//! The deadline of a connection that has not made a request yet: it would otherwise stay open for ever,
//! and with enough of them nobody else gets in.
//!
//! After the first request only its server knows whether something is in progress.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Time for the head of the first request. A head of 16 KiB takes 4 s at 30 kbit/s.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// The deadline for the first request of one connection.
#[derive(Debug)]
pub(super) struct FirstRequest {
    due: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    came: bool,
}

impl FirstRequest {
    pub(super) fn new() -> Self {
        Self { due: Instant::now() + FIRST_REQUEST, timer: None, came: false }
    }

    /// Notes that a request came, or something that cannot be followed.
    pub(super) fn came(&mut self) {
        self.came = true;
        self.timer = None;
    }

    /// Waits for the deadline, if there still is one.
    pub(super) fn poll_missing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.came {
            return Poll::Pending;
        }
        let due = self.due;
        self.timer.get_or_insert_with(|| Box::pin(sleep_until(due))).as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::outbound::meter::MeteredStream;

    const LONG: Duration = Duration::from_secs(3600);

    /// Returns the seconds after which a connection ends on which this is sent, a byte every three
    /// seconds after the first five; `None` if it lasts.
    async fn lasts(sent: &[u8]) -> Option<u64> {
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        let since = Instant::now();
        let reading = async {
            let mut bytes = [0; 1024];
            while let Ok(1..) = server.read(&mut bytes).await {}
        };
        let (first, rest) = sent.split_at(sent.len().min(5));
        let sending = async {
            client.write_all(first).await.ok();
            for byte in rest {
                tokio::time::sleep(Duration::from_secs(3)).await;
                client.write_all(&[*byte]).await.ok();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = reading => Some(since.elapsed().as_secs()),
            () = sending => None,
            () = tokio::time::sleep(LONG) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_ends_after_10_s() {
        assert_eq!(lasts(b"").await, Some(10));
        assert_eq!(lasts(b"GET /").await, Some(10));
        assert_eq!(lasts(b"GET / HTTP/1.1\r\n\r\n").await, Some(10), "it trickles");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_made_a_request_has_no_deadline() {
        for request in ["GET / HTTP/1.1\r\n\r\n", "no request at all\r\n\r\n"] {
            let (mut client, server) = duplex(1024);
            client.write_all(request.as_bytes()).await.unwrap();
            let mut server = MeteredStream::new(server);

            let read = async { while let Ok(1..) = server.read(&mut [0; 1024]).await {} };

            assert!(tokio::time::timeout(LONG, read).await.is_err(), "{request}");
        }
    }
}
