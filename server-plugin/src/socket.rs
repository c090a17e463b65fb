//! What is asked of socketioxide, and its peculiarities (0.18.9).
//!
//! - `emit` fails on a full buffer, and so does `disconnect`, which then does not close: "gone" is
//!   a state of our own, and closing is tried again.
//! - A socket's data lives as long as anybody holds the socket. We hold it weakly, so that its end
//!   drops our [`Departure`]; an application that keeps a socket delays that, so there is a sweep.
//! - One connect handler a namespace, one disconnect and one fallback handler a socket: they belong
//!   to the application.
//! - The future of a message handler is spawned; order is kept only in
//!   [`MessageHandler::call`](socketioxide::handler::MessageHandler), which is what we implement.
//! - Handlers are registered before CONNECT is answered, or the first message could be missed;
//!   registering one inside a handler deadlocks.
//! - Attachments for an Engine.IO 3 client over polling lack their packet type (engineioxide
//!   0.17.9), on which stock clients throw: they are refused before.
//! - A value that serialises as a tuple becomes several arguments, anything else becomes one.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeTuple};
use serde_json::{Value, value::RawValue};
use socketio_p2p_protocol::{Args, Code, ConnId, limits::UNMETERED_RATE};
use socketioxide::{
    AckError, ProtocolVersion, SendError, SocketError, TransportType, adapter::Adapter,
    extract::AckSender, handler::FromMessageParts, socket::Socket,
};

use crate::{
    ack::AckArgs,
    meter::{self, Line},
    queue::{Class, Queue, QueueLimits},
    server::Shared,
};

/// A client's acknowledgement.
pub(crate) type Acknowledged = Pin<Box<dyn Future<Output = Result<Args, NoAck>> + Send>>;

/// Why there is no acknowledgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoAck {
    /// It did not come in time.
    Missing,
    /// The client is gone.
    Gone,
    /// It came, and socketioxide cannot read it.
    Unreadable,
}

/// A client's socket, and what waits for it.
pub(crate) struct Outflow<A: Adapter> {
    socket: Weak<Socket<A>>,
    /// None if only the number of packets bounds it.
    queue: Option<Queue>,
    /// Whether it was seen to poll: if it is a websocket later, it has a meter from then on.
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
            queue.set_meter(meter::of(socket).map(|line| line.meter()));
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
            return Ok(send(&socket)?);
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
        send(&socket).map_err(|failure| {
            queue.release(bytes);
            failure.into()
        })
    }
}

/// A socket of whatever adapter the application uses.
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
    /// The connection below, if it can be ended from here.
    fn line(&self) -> Option<Arc<Line>>;
    fn is_connected(&self) -> bool;
    /// Whether it was not told something because too much waits for it.
    fn is_overfull(&self) -> bool;
    /// Whether blobs can be sent as attachments just now.
    fn takes_attachments(&self) -> bool;
}

/// Why something did not go out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SendFailure {
    /// The buffer is full.
    Full,
    /// The socket is gone.
    Gone,
    /// A placeholder stands for no blob, or the transport takes no blobs.
    Arguments,
}

impl From<SendError> for SendFailure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Socket(SocketError::InternalChannelFull) => Self::Full,
            SendError::Socket(SocketError::Closed) => Self::Gone,
            SendError::Serialize(_) => Self::Arguments,
        }
    }
}

impl From<SendFailure> for Code {
    fn from(failure: SendFailure) -> Self {
        match failure {
            SendFailure::Full => Self::Congested,
            SendFailure::Gone => Self::Offline,
            SendFailure::Arguments => Self::BadArgs,
        }
    }
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
        // Whoever waits for it may wait for ever.
        let cost = (args.len(), Class::Control);
        self.hand_over(cost, args, |socket| {
            let mut unused = socketioxide::handler::Value::Str("[]".into(), None);
            let Ok(sender) = AckSender::from_message_parts(socket, &mut unused, &Some(id));
            sender.send(&args)
        })
    }

    fn line(&self) -> Option<Arc<Line>> {
        self.socket.upgrade().and_then(|socket| meter::of(&socket))
    }

    fn disconnect(&self) -> Result<(), SendFailure> {
        let socket = self.socket.upgrade().ok_or(SendFailure::Gone)?;
        match socket.disconnect() {
            Ok(()) => Ok(()),
            Err(SocketError::InternalChannelFull) => Err(SendFailure::Full),
            Err(SocketError::Closed) => Err(SendFailure::Gone),
        }
    }

    fn is_connected(&self) -> bool {
        self.socket.upgrade().is_some_and(|socket| socket.connected())
    }

    fn is_overfull(&self) -> bool {
        self.queue.as_ref().is_some_and(Queue::is_overfull)
    }

    fn takes_attachments(&self) -> bool {
        self.socket.upgrade().is_none_or(|socket| takes_attachments(&socket))
    }
}

/// Arguments of an event or an acknowledgement.
#[derive(Clone, Copy)]
pub(crate) enum Arguments<'a> {
    Values(&'a [Value]),
    /// Forwarded as they came.
    Raw(&'a [&'a RawValue]),
    /// With blobs as attachments.
    Args(&'a Args),
    /// One attachment.
    Binary(&'a Bytes),
}

impl Arguments<'_> {
    /// Bytes that an event with them takes on the wire, and whose it is: what the server has to
    /// say are values.
    fn cost(self, event: &str) -> (usize, Class) {
        /// The packet's type, and the quotes around its name.
        const MORE: usize = 4;
        let class = match self {
            Self::Values(_) => Class::Control,
            Self::Raw(_) | Self::Args(_) | Self::Binary(_) => Class::Relayed,
        };
        (self.len() + event.len() + MORE, class)
    }

    /// Bytes that they take on the wire, or a little less.
    fn len(self) -> usize {
        match self {
            Self::Values(values) => {
                let mut count = Count(0);
                // Neither values nor counting can fail.
                serde_json::to_writer(&mut count, values).ok();
                count.0
            }
            Self::Raw(raws) => raws.iter().map(|raw| raw.get().len() + 1).sum::<usize>() + 1,
            Self::Args(args) => {
                args.as_json().len() + args.blobs().iter().map(Bytes::len).sum::<usize>()
            }
            Self::Binary(blob) => blob.len(),
        }
    }

    const fn has_attachments(self) -> bool {
        match self {
            Self::Values(_) | Self::Raw(_) => false,
            Self::Args(args) => !args.blobs().is_empty(),
            Self::Binary(_) => true,
        }
    }
}

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Values(values) => tuple(serializer, values),
            Self::Raw(raws) => tuple(serializer, raws),
            Self::Args(args) => args.serialize(serializer),
            Self::Binary(blob) => tuple(serializer, &[Attachment(blob)]),
        }
    }
}

fn tuple<S: Serializer>(serializer: S, items: &[impl Serialize]) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(items.len())?;
    for item in items {
        tuple.serialize_element(item)?;
    }
    tuple.end()
}

/// Counts what is written.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Attachment<'a>(&'a Bytes);

impl Serialize for Attachment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Lives in the extensions of a socket, and with it ends the client's connection.
///
/// It may be dropped anywhere, also where the broker is locked: so it only starts the task that
/// says so.
pub(crate) struct Departure {
    pub(crate) shared: Weak<Shared>,
    pub(crate) conn: ConnId,
}

impl Drop for Departure {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.departed(self.conn);
        }
    }
}

impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Departure({})", self.conn)
    }
}
