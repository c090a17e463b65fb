//! What is sent to a client: its socket, and the queue of what waits for it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use socketio_p2p_protocol::{
    Dialect,
    limits::{QUEUE_HARD_BYTES, RETRY_DELAY, UNMETERED_RATE, V1_QUEUE_BYTES},
    peer::v1::NoAck,
    relay::{SendFailure, Unread},
};
use socketioxide::{AckError, SendError, TransportType, adapter::Adapter, socket::Socket};

use super::{
    ack_args::AckArgs,
    arguments::Arguments,
    gate::{Attached, Gate, Intake},
    host_socket::{
        acknowledge, failure, frame_header, longest_message, ping_interval, takes_attachments,
    },
    late::{Answer, LateAnswers, Owned},
    pause::Pause,
    polling_session::Session,
    queue::{Class, Queue, QueueLimits},
    socket::{Acknowledged, Outlet},
    stream_handle::StreamHandle,
    streams,
};
use crate::{observe::peer_addr::peer_addr, tasks::Tasks};

/// A client's socket, and the queue of what waits for it.
pub(crate) struct Outflow<A: Adapter> {
    socket: Weak<Socket<A>>,
    /// `None` if only the number of packets bounds it.
    queue: Option<Arc<Queue>>,
    /// `true` if it was seen polling. If it becomes a websocket, it has another meter from then on.
    polls: AtomicBool,
    /// The session of its polls, if it began with polling.
    session: Option<Arc<Session>>,
    /// `true` once the queue has the meter of the polls.
    has_session_meter: AtomicBool,
    /// `None` for a v2 client, which has a window of its own.
    v1: Option<V1Flow>,
    /// The interval at which its client has to ping: a client of Engine.IO 4 only answers.
    pings_every: Option<Duration>,
    /// Set once it has a websocket over a stream that counts, or had one.
    websocket: OnceLock<Weak<StreamHandle>>,
    is_client: bool,
    this: Weak<Self>,
    tasks: Tasks,
}

/// A v1 client has no window: it is slowed down by not reading from it.
struct V1Flow {
    intake: Arc<Intake>,
    /// `true` once it has a websocket whose reading can wait.
    can_wait: AtomicBool,
    pause: Arc<Pause>,
    late: LateAnswers,
    /// It waits while its own answers wait.
    _slowed: Vec<Attached>,
}

impl<A: Adapter> Outflow<A> {
    pub(crate) fn new(
        socket: &Arc<Socket<A>>,
        dialect: Dialect,
        limits: Option<QueueLimits>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        Self::create(socket, (dialect, true), limits, tasks)
    }

    /// Returns the outflow to a connection that is no client's. As for a v2 client, nothing is kept for it.
    pub(crate) fn of_stranger(socket: &Arc<Socket<A>>, tasks: &Tasks) -> Arc<Self> {
        Self::create(socket, (Dialect::V2, false), None, tasks)
    }

    fn create(
        socket: &Arc<Socket<A>>,
        (dialect, is_client): (Dialect, bool),
        limits: Option<QueueLimits>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let limits = limits.map(|limits| match dialect {
            Dialect::V1 => QueueLimits { relayed: limits.soft.min(V1_QUEUE_BYTES), ..limits },
            Dialect::V2 => limits,
        });
        let queue = limits.map(|limits| Queue::new(limits, UNMETERED_RATE));
        let polls = socket.transport_type() == TransportType::Polling;
        let session = polls.then(|| Session::of(socket));
        let pings_every = ping_interval(socket);
        if let Some(session) = &session {
            pings_every.inspect(|interval| session.pings_every(*interval));
            // A connection that is no client's could not be informed.
            if is_client {
                session.leave_out_messages(longest_message(socket));
            }
        }
        let v1 = (dialect == Dialect::V1).then(|| {
            let late = LateAnswers::new(limits.map_or(QUEUE_HARD_BYTES, |limits| limits.hard));
            let intake = match (&session, streams::of(socket)) {
                (Some(session), _) => session.intake().clone(),
                (None, Some(stream)) => stream.intake(|| Arc::new(Intake::new())).clone(),
                (None, None) => Arc::new(Intake::new()),
            };
            let pause = Arc::new(Pause::new());
            let gates = queue.iter().map(|queue| queue.gate()).chain([late.gate(), pause.gate()]);
            let slowed = gates.map(|gate| gate.attach(&intake)).collect();
            V1Flow { intake, can_wait: AtomicBool::new(false), pause, late, _slowed: slowed }
        });
        let outflow = Arc::new_cyclic(|this| Self {
            socket: Arc::downgrade(socket),
            queue,
            polls: AtomicBool::new(polls),
            session,
            has_session_meter: AtomicBool::new(false),
            v1,
            pings_every,
            websocket: OnceLock::new(),
            is_client,
            this: this.clone(),
            tasks: tasks.clone(),
        });
        outflow.find_stream(socket);
        outflow
    }

    fn find_stream(&self, socket: &Arc<Socket<A>>) {
        let stream = streams::of(socket);
        if let Some(stream) = &stream {
            self.websocket.get_or_init(|| Arc::downgrade(stream));
            if self.is_client {
                stream.leave_out_messages(longest_message(socket));
            }
            if let Some(interval) = self.pings_every {
                stream.pings_every(interval);
            }
        } else if streams::has_ended(socket) {
            self.websocket.get_or_init(Weak::new);
        }
        if let (Some(V1Flow { intake, can_wait, .. }), Some(stream)) = (&self.v1, &stream) {
            stream.intake(|| intake.clone());
            can_wait.store(true, Ordering::Relaxed);
        }
        if let Some(queue) = &self.queue {
            queue.set_meter(stream.map(|stream| stream.meter()));
        }
    }

    /// Finds the meter of a client that was seen polling: that of its polls, once one was counted, or that of
    /// the websocket which it has become.
    fn follow_transport(&self, socket: &Arc<Socket<A>>) {
        if socket.transport_type() == TransportType::Websocket {
            if self.polls.swap(false, Ordering::Relaxed) {
                self.find_stream(socket);
            }
        } else if !self.has_session_meter.load(Ordering::Relaxed)
            && let Some(meter) = self.session.as_ref().and_then(|session| session.meter())
            && !self.has_session_meter.swap(true, Ordering::Relaxed)
            && let Some(queue) = &self.queue
        {
            queue.set_meter(Some(meter.clone()));
        }
    }

    /// Hands an answer over, or keeps it until there is room for it.
    fn answer(
        &self,
        V1Flow { late, .. }: &V1Flow,
        bytes: usize,
        args: Arguments<'_>,
        to_answer: impl FnOnce(Owned) -> Answer,
        send: impl FnOnce(&Arc<Socket<A>>) -> Result<(), SendError>,
    ) -> Result<(), SendFailure> {
        if late.are_none() {
            let sent = self.hand_over((bytes, Class::Answer), args, send);
            if sent != Err(SendFailure::Full) {
                return sent;
            }
        }
        let owned = Owned::new(args).ok_or(SendFailure::Full)?;
        if late.keep(to_answer(owned), bytes)? {
            let this = self.this.clone();
            self.tasks.spawn(async move {
                loop {
                    tokio::time::sleep(RETRY_DELAY).await;
                    let is_done = this.upgrade().is_none_or(|outflow| outflow.send_late());
                    if is_done {
                        return;
                    }
                }
            });
        }
        Ok(())
    }

    /// Sends the answers for which there was no room. Returns whether none is left.
    fn send_late(&self) -> bool {
        let Some(V1Flow { late, .. }) = &self.v1 else { return true };
        late.send(|answer| match answer {
            Answer::Event(event, args) => {
                let args = args.arguments();
                let (bytes, _) = args.cost(event);
                self.hand_over((bytes, Class::Answer), args, |socket| socket.emit(event, &args))
            }
            Answer::Ack(id, args) => {
                let args = args.arguments();
                self.hand_over((args.len(), Class::Answer), args, |socket| {
                    acknowledge(socket, *id, args)
                })
            }
        })
    }

    /// Hands something over if the client's queue has room for it.
    fn hand_over<T>(
        &self,
        (bytes, class): (usize, Class),
        args: Arguments<'_>,
        send: impl FnOnce(&Arc<Socket<A>>) -> Result<T, SendError>,
    ) -> Result<T, SendFailure> {
        let socket = self.socket.upgrade().ok_or(SendFailure::Gone)?;
        if args.has_attachments() && !takes_attachments(&socket) {
            return Err(SendFailure::Arguments);
        }
        if self.polls.load(Ordering::Relaxed) {
            self.follow_transport(&socket);
        }
        if class == Class::Relayed && self.v1.as_ref().is_some_and(|v1| !v1.late.are_none()) {
            return Err(SendFailure::Full);
        }
        let Some(queue) = &self.queue else {
            return send(&socket).map_err(failure);
        };
        let bytes =
            bytes + if self.polls.load(Ordering::Relaxed) { 0 } else { frame_header(bytes) };
        if !queue.reserve(bytes, class) {
            return Err(SendFailure::Full);
        }
        send(&socket).map_err(|error| {
            queue.release(bytes);
            let failure = failure(error);
            if failure == SendFailure::Full {
                queue.stall();
            }
            failure
        })
    }
}

impl<A: Adapter> Outlet for Outflow<A> {
    fn emit(&self, event: &str, args: Arguments<'_>) -> Result<(), SendFailure> {
        let (bytes, class) = args.cost(event);
        let send = |socket: &Arc<Socket<A>>| socket.emit(event, &args);
        match &self.v1 {
            Some(v1) if class == Class::Control => {
                self.answer(v1, bytes, args, |args| Answer::Event(event.to_owned(), args), send)
            }
            _ => self.hand_over((bytes, class), args, send),
        }
    }

    fn emit_with_ack(
        &self,
        event: &str,
        args: Arguments<'_>,
        timeout: Duration,
    ) -> Result<Acknowledged, SendFailure> {
        let ack = self.hand_over(args.cost(event), args, |socket| {
            socket.timeout(timeout).emit_with_ack::<_, AckArgs>(event, &args)
        })?;
        Ok(Box::pin(ack.map(|ack| {
            match ack {
                Ok(args) => Some(args.into_args())
                    .filter(|args| !Unread::is_acknowledgement(args))
                    .ok_or(NoAck::TooLarge),
                Err(AckError::Decode(_)) => Err(NoAck::Unreadable),
                Err(AckError::Timeout) => Err(NoAck::Missing),
                Err(AckError::Socket(_)) => Err(NoAck::Gone),
            }
        })))
    }

    fn ack(&self, id: i64, args: Arguments<'_>) -> Result<(), SendFailure> {
        // A client that waits for it may wait forever.
        let send = |socket: &Arc<Socket<A>>| acknowledge(socket, id, args);
        match &self.v1 {
            Some(v1) => self.answer(v1, args.len(), args, |args| Answer::Ack(id, args), send),
            None => self.hand_over((args.len(), Class::Control), args, send),
        }
    }

    fn stream(&self) -> Option<Arc<StreamHandle>> {
        self.socket.upgrade().and_then(|socket| streams::of(&socket))
    }

    fn poll_stream(&self) -> Option<Arc<StreamHandle>> {
        self.socket.upgrade().and_then(|socket| streams::of_poll(&socket))
    }

    fn polls(&self) -> bool {
        let is_polling = |socket: Arc<Socket<A>>| socket.transport_type() == TransportType::Polling;
        self.socket.upgrade().is_some_and(is_polling)
    }

    fn disconnect(&self) -> Result<(), SendFailure> {
        let socket = self.socket.upgrade().ok_or(SendFailure::Gone)?;
        socket.disconnect().map_err(|error| failure(SendError::Socket(error)))
    }

    fn is_connected(&self) -> bool {
        self.socket.upgrade().is_some_and(|socket| socket.connected())
    }

    fn is_flushed(&self) -> bool {
        self.v1.as_ref().is_none_or(|v1| v1.late.are_none())
            && self.queue.as_ref().is_some_and(|queue| queue.waiting() == 0)
    }

    fn is_overfull(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.is_overfull())
            || self.v1.as_ref().is_some_and(|v1| v1.late.is_overfull())
    }

    fn can_wait(&self) -> bool {
        let Some(V1Flow { can_wait, .. }) = &self.v1 else { return false };
        let by_session = || self.session.as_ref().is_some_and(|session| session.meter().is_some());
        can_wait.load(Ordering::Relaxed) || by_session()
    }

    fn wait(&self, time: Duration) {
        if let Some(V1Flow { pause, .. }) = &self.v1 {
            pause.extend(time, &self.tasks);
        }
    }

    fn intake(&self) -> Option<&Arc<Intake>> {
        self.v1.as_ref().map(|v1| &v1.intake)
    }

    fn gates(&self) -> Vec<Arc<Gate>> {
        let queue = self.queue.iter().map(|queue| queue.gate());
        let late = self.v1.iter().map(|v1| v1.late.gate());
        queue.chain(late).cloned().collect()
    }

    fn is_full(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.gate().is_closed())
            || self.v1.as_ref().is_some_and(|v1| v1.late.gate().is_closed())
    }

    fn is_gone(&self) -> bool {
        // Its stream lives as long as the connection.
        self.websocket.get().is_some_and(|stream| stream.strong_count() == 0)
    }

    fn cut_if_silent(&self) -> bool {
        if self.polls.load(Ordering::Relaxed)
            && let Some(socket) = self.socket.upgrade()
        {
            self.follow_transport(&socket);
        }
        let Some(stream) = self.websocket.get().and_then(Weak::upgrade) else { return false };
        let is_dead = stream.is_silent();
        if is_dead {
            stream.cut();
        }
        is_dead
    }

    fn address(&self) -> Option<SocketAddr> {
        self.socket.upgrade().and_then(|socket| peer_addr(socket.req_parts()))
    }

    fn has_stopped_polling(&self) -> bool {
        self.polls() && self.session.as_ref().is_some_and(|session| session.is_silent())
    }

    fn takes_attachments(&self) -> bool {
        self.socket.upgrade().is_none_or(|socket| takes_attachments(&socket))
    }
}
