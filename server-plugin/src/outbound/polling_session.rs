//! Sessions of clients that poll: the bytes that all their polls took, and the polls that are due.

use std::{
    sync::{Arc, LazyLock, OnceLock, Weak},
    time::Duration,
};

use dashmap::{DashMap, Entry};
use socketioxide::{adapter::Adapter, socket::Socket};

use super::{gate::Intake, oversize::Longest, queue::Meter, silence::Silence};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The polling sessions of all clients, by their ids in socketioxide. An entry lives no longer than its
/// session.
static SESSIONS: LazyLock<DashMap<Box<str>, Weak<Session>>> = LazyLock::new(DashMap::new);

/// A session that polls, or polled.
#[derive(Debug)]
pub(crate) struct Session {
    id: Box<str>,
    meter: Arc<Meter>,
    intake: Arc<Intake>,
    /// `true` once a poll came over a stream that counts.
    is_metered: AtomicBool,
    /// Another poll is expected of it once the last one has its response.
    silence: Silence,
    /// The number of its polls.
    polls: AtomicU64,
    /// The longest message that its websocket takes, once it has one.
    longest: OnceLock<Longest>,
}

impl Session {
    /// Returns the session of a socket.
    pub(crate) fn of<A: Adapter>(socket: &Socket<A>) -> Arc<Self> {
        Self::with_id(socket.id.as_str())
    }

    pub(super) fn with_id(id: &str) -> Arc<Self> {
        let create = || {
            Arc::new(Self {
                id: id.into(),
                meter: Arc::new(Meter::new()),
                intake: Arc::new(Intake::new()),
                is_metered: AtomicBool::new(false),
                silence: Silence::new(),
                polls: AtomicU64::new(0),
                longest: OnceLock::new(),
            })
        };
        match SESSIONS.entry(id.into()) {
            Entry::Vacant(entry) => {
                let session = create();
                entry.insert(Arc::downgrade(&session));
                session
            }
            // Sockets of several namespaces share a session.
            Entry::Occupied(mut entry) => entry.get().upgrade().unwrap_or_else(|| {
                let session = create();
                entry.insert(Arc::downgrade(&session));
                session
            }),
        }
    }

    pub(super) fn find(id: &str) -> Option<Arc<Self>> {
        SESSIONS.get(id)?.upgrade()
    }

    /// Returns the meter of its polls, unless they come over streams that do not count.
    pub(crate) fn meter(&self) -> Option<&Arc<Meter>> {
        self.is_metered.load(Ordering::Relaxed).then_some(&self.meter)
    }

    pub(crate) const fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// Has messages left out that are longer, on the websocket to which it is upgraded.
    pub(crate) fn leave_out_messages(&self, longest: Longest) {
        self.longest.get_or_init(|| longest);
    }

    /// Returns the longest message on that websocket.
    pub(super) fn longest(&self) -> Option<&Longest> {
        self.longest.get()
    }

    /// Notes that its client has to ping at this interval.
    pub(crate) fn pings_every(&self, interval: Duration) {
        self.silence.pings_every(interval);
    }

    /// Notes that something was read of a request that sends.
    pub(super) fn heard(&self) {
        self.silence.heard_otherwise();
    }

    /// Returns whether it should have polled by now, if its polls are seen.
    pub(crate) fn is_silent(&self) -> bool {
        if self.intake.is_held() {
            // It is not listened to.
            self.silence.heard_otherwise();
        }
        self.is_metered.load(Ordering::Relaxed) && self.silence.is_too_long()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        SESSIONS.remove_if(&self.id, |_, session| session.strong_count() == 0);
    }
}

/// The last poll on a stream, with the response to it.
#[derive(Debug)]
pub(super) struct OpenPoll {
    session: Arc<Session>,
    /// Its place among the polls of the session.
    number: u64,
    /// `true` while nothing of its response is written.
    in_head: bool,
}

impl OpenPoll {
    pub(super) fn new(session: Arc<Session>) -> Self {
        session.is_metered.store(true, Ordering::Relaxed);
        session.silence.heard();
        let number = session.polls.fetch_add(1, Ordering::Relaxed) + 1;
        Self { session, number, in_head: true }
    }

    /// Notes that bytes of a response were written: the next poll is due. The head of the response is not
    /// counted.
    pub(super) fn wrote(&mut self, first: &[u8], bytes: usize) {
        let head = if std::mem::take(&mut self.in_head) { head_of(first) } else { 0 };
        self.session.meter.took(bytes.saturating_sub(head));
        self.is_over(bytes);
    }

    fn is_over(&self, bytes: usize) {
        // The client may have given it up for another one.
        if self.session.polls.load(Ordering::Relaxed) == self.number {
            self.session.silence.sent(bytes);
        }
    }
}

impl Drop for OpenPoll {
    fn drop(&mut self) {
        if self.in_head {
            self.is_over(0);
        }
    }
}

/// Returns the length of the head of a response.
fn head_of(response: &[u8]) -> usize {
    /// The end of a head.
    const END: &[u8] = b"\r\n\r\n";
    let end = response.windows(END.len()).position(|bytes| bytes == END);
    end.map_or(0, |at| at + END.len())
}

#[cfg(test)]
mod tests {
    use socketio_p2p_protocol::limits::SILENCE;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::advance,
    };

    use super::*;
    use crate::outbound::{gate::Gate, meter::MeteredStream};

    const LATER: Duration = Duration::from_millis(10);

    #[test]
    fn a_session_that_is_gone_is_forgotten() {
        let (first, second) = (Session::with_id("gone"), Session::with_id("gone"));
        assert!(Arc::ptr_eq(&first, &second));

        drop((first, second));

        assert!(Session::find("gone").is_none() && !SESSIONS.contains_key("gone"));
    }

    /// Lets the client of a session make a request, and the server respond to it unless this is empty.
    async fn asks(
        method: &str,
        id: &str,
        response: &str,
    ) -> (DuplexStream, MeteredStream<DuplexStream>) {
        let (mut client, server) = duplex(1 << 16);
        let mut server = MeteredStream::new(server);
        let request =
            format!("{method} /?transport=polling&sid={id} HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        server.read_exact(&mut vec![0; request.len()]).await.unwrap();
        server.write_all(response.as_bytes()).await.unwrap();
        (client, server)
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_whose_poll_waits_may_be_silent_for_ever() {
        let session = Session::with_id("waits");
        advance(SILENCE * 10).await;
        assert!(!session.is_silent(), "its polls are not seen");

        let _first = asks("GET", "waits", "HTTP/1.1 200 OK\r\n\r\n2").await;
        let second = asks("GET", "waits", "").await;
        advance(SILENCE * 10).await;
        assert!(!session.is_silent());

        drop(second);
        advance(SILENCE).await;
        assert!(!session.is_silent());
        advance(LATER).await;
        assert!(session.is_silent(), "the poll ended without a response");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_dead_that_does_not_poll_again_in_time() {
        let session = Session::with_id("stops");
        let response = "HTTP/1.1 200 OK\r\n\r\n2";
        let _poll = asks("GET", "stops", response).await;

        advance(SILENCE).await;
        let _post = asks("POST", "stops", response).await;
        advance(SILENCE).await;
        assert!(!session.is_silent(), "it is heard");
        advance(LATER).await;
        assert!(session.is_silent(), "but it does not poll");

        let _next = asks("GET", "stops", "").await;
        assert!(!session.is_silent());
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_was_given_up_for_another_one_does_not_count() {
        let session = Session::with_id("again");
        let first = asks("GET", "again", "").await;
        let _second = asks("GET", "again", "").await;

        drop(first);

        advance(SILENCE * 10).await;
        assert!(!session.is_silent());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_not_read_is_not_expected_to_poll() {
        let session = Session::with_id("held");
        let gate = Gate::new();
        let _attached = gate.attach(session.intake());
        gate.set_closed(true);
        let _poll = asks("GET", "held", "HTTP/1.1 200 OK\r\n\r\n2").await;

        for _ in 0..10 {
            advance(SILENCE).await;
            assert!(!session.is_silent());
        }
        gate.set_closed(false);
        advance(SILENCE + LATER).await;
        assert!(session.is_silent());
    }
}
