//! Handles to the streams of clients.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use socketio_p2p_protocol::relay::Sign;

use super::{gate::Intake, oversize::Longest, question::Question, queue::Meter, silence::Silence};

/// A handle to a stream: the bytes that it took, and ways to hold back its reading and to end it.
#[derive(Debug)]
pub(crate) struct StreamHandle {
    pub(super) meter: Arc<Meter>,
    pub(super) silence: Silence,
    pub(super) question: Question,
    is_cut: AtomicBool,
    /// `true` from a request until the first byte of its response.
    waits: AtomicBool,
    /// Set once the stream carries a websocket whose reading may have to wait.
    intake: OnceLock<Arc<Intake>>,
    /// The longest message that its websocket takes. Set once it carries the socket of a client.
    pub(super) longest: OnceLock<Longest>,
    /// The task that waits for something to read.
    reader: Mutex<Option<Waker>>,
}

impl StreamHandle {
    pub(crate) fn new() -> Self {
        let meter = Arc::new(Meter::new());
        Self {
            meter,
            silence: Silence::new(),
            question: Question::default(),
            is_cut: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            intake: OnceLock::new(),
            longest: OnceLock::new(),
            reader: Mutex::new(None),
        }
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    /// Ends the stream: its reader finds it aborted, and nothing more is written.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.wake();
    }

    /// Asks the peer of a websocket for a sign of life.
    pub(crate) fn ask(&self) {
        self.question.want();
        self.wake();
    }

    /// Returns whether its websocket is not read at present.
    pub(crate) fn is_held(&self) -> bool {
        self.intake.get().is_some_and(|intake| intake.is_held())
    }

    /// Returns what is seen of the peer of a websocket since it was asked last.
    pub(crate) fn sign(&self) -> Sign {
        match self.question.is_open() {
            None => Sign::Unknown,
            Some(true) => Sign::Silent,
            Some(false) => Sign::Alive,
        }
    }

    /// Notes that the peer was heard, or that the server does not read from it at present.
    pub(super) fn heard(&self) {
        self.silence.heard();
        self.question.heard();
    }

    /// Returns the reading from the websocket on this stream, which is `intake` unless there is one already.
    pub(crate) fn intake(&self, intake: impl FnOnce() -> Arc<Intake>) -> &Arc<Intake> {
        self.intake.get_or_init(intake)
    }

    /// Has messages left out that are longer.
    pub(crate) fn leave_out_messages(&self, longest: Longest) {
        self.longest.get_or_init(|| longest);
    }

    /// Waits until the websocket may be read.
    pub(super) fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        self.intake.get().map_or(Poll::Ready(()), |intake| intake.poll_open(cx))
    }

    /// Notes that the peer has to ping at this interval.
    pub(crate) fn pings_every(&self, interval: Duration) {
        self.silence.pings_every(interval);
    }

    /// Returns whether the peer should have been heard by now.
    pub(crate) fn is_silent(&self) -> bool {
        self.silence.is_too_long()
    }

    /// Returns whether a request waits for its response.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// Notes that a request came, or that its response has begun.
    pub(crate) fn set_waits(&self, waits: bool) {
        if self.waits.load(Ordering::Relaxed) != waits {
            self.waits.store(waits, Ordering::Release);
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_cut() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Lets the reader wait also for [`Self::cut`], which may have been called already.
    pub(super) fn wait(&self, cx: &Context<'_>) {
        let mut reader = self.lock();
        if !reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            *reader = Some(cx.waker().clone());
        }
    }

    fn wake(&self) {
        if let Some(reader) = self.lock().take() {
            reader.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
