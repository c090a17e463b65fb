//! The plugin's view of a socket of socketioxide, and that library's peculiarities (0.18.9).
//!
//! - `emit` fails on a full buffer, and so does `disconnect`, which then does not close: "gone" is
//!   a state of our own, and closing is tried again.
//! - A socket's data lives as long as anybody holds the socket. We hold it weakly, so that its end
//!   drops our guard in its extensions; an application that keeps a socket delays that, so there is
//!   a sweep.
//! - One connect handler a namespace, one disconnect and one fallback handler a socket: they belong
//!   to the application.
//! - The future of a message handler is spawned; order is kept only in
//!   [`MessageHandler::call`](socketioxide::handler::MessageHandler), which is what we implement.
//! - Handlers are registered before CONNECT is answered, or the first message could be missed;
//!   registering one inside a handler deadlocks.
//! - Attachments for an Engine.IO 3 client over polling lack their packet type (engineioxide
//!   0.17.9), on which stock clients throw: they are refused before.

use std::{
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::value::RawValue;
use socketio_p2p_protocol::{
    Args, Frame, PairingId, ServerMessage, limits::UNMETERED_RATE, peer::v1::NoAck,
    relay::SendFailure, wire::FRAME,
};
use socketioxide::{
    AckError, ProtocolVersion, SendError, SocketError, TransportType,
    adapter::Adapter,
    extract::AckSender,
    handler::{FromMessageParts, Value},
    socket::Socket,
};

use super::{
    ack_args::AckArgs,
    arguments::Arguments,
    meter::StreamHandle,
    queue::{Class, Queue, QueueLimits},
    streams,
};

/// A client's acknowledgement.
pub(crate) type Acknowledged = Pin<Box<dyn Future<Output = Result<Args, NoAck>> + Send>>;

/// A socket with any adapter that an application may use.
pub(crate) trait Outlet: Send + Sync + 'static {
    fn emit(&self, event: &str, args: Arguments<'_>) -> Result<(), SendFailure>;
    fn emit_with_ack(
        &self,
        event: &str,
        args: Arguments<'_>,
        timeout: Duration,
    ) -> Result<Acknowledged, SendFailure>;
    fn ack(&self, id: i64, args: Arguments<'_>) -> Result<(), SendFailure>;
    fn disconnect(&self) -> Result<(), SendFailure>;
    /// Returns the stream below a websocket, if it can be ended from here.
    fn stream(&self) -> Option<Arc<StreamHandle>>;
    /// Returns the stream on which a poll waits now. It may carry requests of others afterwards.
    fn poll_stream(&self) -> Option<Arc<StreamHandle>>;
    /// Returns whether it polls.
    fn polls(&self) -> bool;
    fn is_connected(&self) -> bool;
    /// Returns whether everything is written that was handed over, as far as that is known.
    fn is_flushed(&self) -> bool;
    /// Returns whether it missed a message because too much waits for it.
    fn is_overfull(&self) -> bool;
    /// Returns whether its transport takes blobs as attachments at present.
    fn takes_attachments(&self) -> bool;
}

/// Sends a message to a v2 client.
pub(crate) fn send_v2(outlet: &dyn Outlet, message: &ServerMessage) -> Result<(), SendFailure> {
    let Some((event, args)) = message.to_event() else {
        return Ok(());
    };
    outlet.emit(event, Arguments::Values(&args))
}

/// Sends frames to a v2 client as text, each in a message of its own.
pub(crate) fn send_frames(
    outlet: &dyn Outlet,
    pairing: PairingId,
    frames: &[Frame],
) -> Result<(), SendFailure> {
    let raw = |text| RawValue::from_string(text).map_err(|_| SendFailure::Arguments);
    let pairing = raw(format!("\"{pairing}\""))?;
    for frame in frames {
        let frame = raw(frame.to_text())?;
        outlet.emit(FRAME, Arguments::Raw(&[&pairing, &frame]))?;
    }
    Ok(())
}

/// A client's socket, and the queue of what waits for it.
pub(crate) struct Outflow<A: Adapter> {
    socket: Weak<Socket<A>>,
    /// `None` if only the number of packets bounds it.
    queue: Option<Queue>,
    /// `true` if it was seen polling. If it becomes a websocket, it has a meter from then on.
    polls: AtomicBool,
}

impl<A: Adapter> Outflow<A> {
    pub(crate) fn new(socket: &Arc<Socket<A>>, limits: Option<QueueLimits>) -> Self {
        let queue = limits.map(|limits| Queue::new(limits, UNMETERED_RATE));
        let polls = AtomicBool::new(socket.transport_type() == TransportType::Polling);
        let outflow = Self { socket: Arc::downgrade(socket), queue, polls };
        outflow.find_meter(socket);
        outflow
    }

    fn find_meter(&self, socket: &Socket<A>) {
        if let Some(queue) = &self.queue {
            queue.set_meter(streams::of(socket).map(|stream| stream.meter()));
        }
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
        let Some(queue) = &self.queue else {
            return send(&socket).map_err(failure);
        };
        if self.polls.load(Ordering::Relaxed)
            && socket.transport_type() == TransportType::Websocket
            && self.polls.swap(false, Ordering::Relaxed)
        {
            self.find_meter(&socket);
        }
        if !queue.reserve(bytes, class) {
            return Err(SendFailure::Full);
        }
        send(&socket).map_err(|error| {
            queue.release(bytes);
            failure(error)
        })
    }
}

fn failure(error: SendError) -> SendFailure {
    match error {
        SendError::Socket(SocketError::InternalChannelFull) => SendFailure::Full,
        SendError::Socket(SocketError::Closed) => SendFailure::Gone,
        SendError::Serialize(_) => SendFailure::Arguments,
    }
}

/// Returns the stream below a socket, if it can be ended from here.
pub(crate) fn stream_of<A: Adapter>(socket: &Socket<A>) -> Option<Arc<StreamHandle>> {
    streams::of(socket).or_else(|| streams::of_poll(socket))
}

fn takes_attachments<A: Adapter>(socket: &Socket<A>) -> bool {
    socket.protocol() != ProtocolVersion::V4 || socket.transport_type() != TransportType::Polling
}

impl<A: Adapter> Outlet for Outflow<A> {
    fn emit(&self, event: &str, args: Arguments<'_>) -> Result<(), SendFailure> {
        self.hand_over(args.cost(event), args, |socket| socket.emit(event, &args))
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
        Ok(Box::pin(async move {
            match ack.await {
                Ok(args) => Ok(args.into_args()),
                Err(AckError::Decode(_)) => Err(NoAck::Unreadable),
                Err(AckError::Timeout) => Err(NoAck::Missing),
                Err(AckError::Socket(_)) => Err(NoAck::Gone),
            }
        }))
    }

    fn ack(&self, id: i64, args: Arguments<'_>) -> Result<(), SendFailure> {
        // A client that waits for it may wait forever.
        let cost = (args.len(), Class::Control);
        self.hand_over(cost, args, |socket| {
            let mut unused = Value::Str("[]".into(), None);
            let Ok(sender) = AckSender::from_message_parts(socket, &mut unused, &Some(id));
            sender.send(&args)
        })
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
        self.queue.as_ref().is_some_and(|queue| queue.waiting() == 0)
    }

    fn is_overfull(&self) -> bool {
        self.queue.as_ref().is_some_and(Queue::is_overfull)
    }

    fn takes_attachments(&self) -> bool {
        self.socket.upgrade().is_none_or(|socket| takes_attachments(&socket))
    }
}
