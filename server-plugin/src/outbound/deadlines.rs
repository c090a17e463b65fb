//! The deadlines of a client that has something to send: a connection that says nothing would otherwise stay open for
//! ever, and with enough of them no other client gets in.
//!
//! | it has to send | within |
//! |---|---|
//! | its first request | 10 s |
//! | its next request, after the response to the last one | 75 s |
//! | more of the body of a request | 75 s after the last bytes |
//!
//! A websocket, and a connection that cannot be followed, have no deadline here.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Time for the head of the first request. A head of 16 KiB takes 4 s at 30 kbit/s.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// Time for the next request, and between two pieces of a body. Proxies keep idle connections for 60 s: were it
/// shorter, a request could meet the end of its connection.
const IDLE: Duration = Duration::from_secs(75);

/// The deadline of one connection.
#[derive(Debug)]
pub(super) struct Deadline {
    /// The time of the present deadline, if there is one.
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// `true` until the first request came.
    is_new: bool,
}

impl Deadline {
    pub(super) fn new() -> Self {
        Self { due: Some(Instant::now() + FIRST_REQUEST), timer: None, is_new: true }
    }

    /// Notes that a request came, or something that cannot be followed.
    pub(super) fn came(&mut self) {
        self.is_new = false;
        self.clear();
    }

    /// Notes that more of a body came, or that the server does not read at present.
    pub(super) fn heard(&mut self) {
        if !self.is_new {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.due = None;
        self.timer = None;
    }

    /// Waits for the deadline. `owes`: after the first request, the client still has something to send.
    pub(super) fn poll_missed(&mut self, owes: bool, cx: &mut Context<'_>) -> Poll<()> {
        if !owes && !self.is_new {
            self.clear();
            return Poll::Pending;
        }
        let due = *self.due.get_or_insert_with(|| Instant::now() + IDLE);
        self.timer.get_or_insert_with(|| Box::pin(sleep_until(due))).as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        task::JoinSet,
    };

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
    async fn a_connection_whose_request_waits_for_its_response_has_no_deadline() {
        for request in ["GET / HTTP/1.1\r\n\r\n", "no request at all\r\n\r\n"] {
            let (mut client, server) = duplex(1024);
            client.write_all(request.as_bytes()).await.unwrap();
            let mut server = MeteredStream::new(server);

            let read = async { while let Ok(1..) = server.read(&mut [0; 1024]).await {} };

            assert!(tokio::time::timeout(LONG, read).await.is_err(), "{request}");
        }
    }

    /// The only connection to a server.
    struct Once(Option<MeteredStream<DuplexStream>>);

    impl axum::serve::Listener for Once {
        type Io = MeteredStream<DuplexStream>;
        type Addr = ();

        async fn accept(&mut self) -> (Self::Io, ()) {
            match self.0.take() {
                Some(stream) => (stream, ()),
                None => std::future::pending().await,
            }
        }

        fn local_addr(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A client of an application that answers `/` at once and `/slow` after an hour.
    struct Client {
        stream: DuplexStream,
        _serving: JoinSet<std::io::Result<()>>,
    }

    impl Client {
        fn new() -> Self {
            let (stream, server) = duplex(1024);
            let slow = || async {
                tokio::time::sleep(LONG).await;
                "at last"
            };
            let echo = |body: String| async { body };
            let app = axum::Router::new()
                .route("/", axum::routing::get("at once").post(echo))
                .route("/slow", axum::routing::get(slow));
            let mut serving = JoinSet::new();
            let listener = Once(Some(MeteredStream::new(server)));
            serving.spawn(axum::serve(listener, app).into_future());
            Self { stream, _serving: serving }
        }

        async fn send(&mut self, text: &str) {
            self.stream.write_all(text.as_bytes()).await.unwrap();
        }

        /// Returns all responses, the seconds from now to their end, and those from there to the end of the
        /// connection.
        async fn end(&mut self) -> (String, u64, u64) {
            let (began, mut answered) = (Instant::now(), Instant::now());
            let (mut text, mut bytes) = (String::new(), [0; 1024]);
            while let Ok(read @ 1..) = self.stream.read(&mut bytes).await {
                text += std::str::from_utf8(&bytes[..read]).unwrap();
                answered = Instant::now();
            }
            (text, (answered - began).as_secs(), answered.elapsed().as_secs())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_75_s_after_its_last_response() {
        for (request, takes) in [("GET /", 0), ("GET /slow", 3600), ("HEAD /", 0), ("GET /no", 0)] {
            let request = format!("{request} HTTP/1.1\r\nhost: here\r\n\r\n");
            for (sent, responses) in
                [(request.clone(), 1), (request.repeat(2), 2), (request.clone() + "GET / HT", 1)]
            {
                let mut client = Client::new();
                client.send(&sent).await;

                let (text, began, idle) = client.end().await;

                assert_eq!(text.matches("HTTP/1.1 ").count(), responses, "{sent}");
                assert_eq!((began, idle), (takes * responses as u64, 75), "{sent}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_go_on_for_75_s_ends_its_connection() {
        let head = "POST / HTTP/1.1\r\nhost: here\r\n";
        for rest in ["content-length: 9\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n5\r\nabc"] {
            let mut client = Client::new();
            client.send(head).await;
            client.send(rest).await;

            let (_, answered, idle) = client.end().await;

            assert_eq!(answered + idle, 75, "{rest}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_piece_of_a_body_has_its_time() {
        let mut client = Client::new();
        client.send("POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\n").await;
        for _ in 0..9 {
            tokio::time::sleep(Duration::from_secs(70)).await;
            client.send("x").await;
        }

        assert!(client.end().await.0.ends_with("xxxxxxxxx"));
    }
}
