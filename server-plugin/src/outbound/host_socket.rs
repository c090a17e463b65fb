//! Questions to a socket of socketioxide, and to its configuration.

use std::{sync::Arc, time::Duration};

use socketio_p2p_protocol::relay::SendFailure;
use socketioxide::{
    ProtocolVersion, SendError, SocketError, SocketIo, TransportType,
    adapter::Adapter,
    extract::AckSender,
    handler::{FromConnectParts as _, FromMessageParts as _, Value},
    socket::Socket,
};

use super::{arguments::Arguments, oversize::Longest, stream_handle::StreamHandle, streams};

/// Returns the bytes before a message of so many bytes in a frame of a websocket.
pub(super) const fn frame_header(bytes: usize) -> usize {
    match bytes {
        0..126 => 2,
        126..0x1_0000 => 4,
        _ => 10,
    }
}

/// Acknowledges a message.
pub(super) fn acknowledge<A: Adapter>(
    socket: &Arc<Socket<A>>,
    id: i64,
    args: Arguments<'_>,
) -> Result<(), SendError> {
    let mut unused = Value::Str("[]".into(), None);
    let Ok(sender) = AckSender::from_message_parts(socket, &mut unused, &Some(id));
    sender.send(&args)
}

/// Returns the reason why nothing was sent.
pub(super) fn failure(error: SendError) -> SendFailure {
    match error {
        SendError::Socket(SocketError::InternalChannelFull) => SendFailure::Full,
        SendError::Socket(SocketError::Closed) => SendFailure::Gone,
        SendError::Serialize(_) => SendFailure::Arguments,
    }
}

/// Returns the interval at which a client has to ping: one of Engine.IO 3, which has version 4 of Socket.IO.
pub(super) fn ping_interval<A: Adapter>(socket: &Arc<Socket<A>>) -> Option<Duration> {
    let Ok(io) = SocketIo::from_connect_parts(socket, &None);
    let pings = socket.protocol() == ProtocolVersion::V4;
    pings.then(|| io.config().engine_config.ping_interval)
}

/// Returns the bytes of the longest message that a websocket may send.
pub(super) fn longest_message<A: Adapter>(socket: &Arc<Socket<A>>) -> Longest {
    let Ok(io) = SocketIo::from_connect_parts(socket, &None);
    let config = &io.config().engine_config;
    let bytes = config.ws_max_message_size.min(config.ws_max_frame_size);
    Longest { bytes, namespace: socket.ns().into() }
}

/// Returns the stream below a socket, if it can be ended from here.
pub(crate) fn stream_of<A: Adapter>(socket: &Socket<A>) -> Option<Arc<StreamHandle>> {
    streams::of(socket).or_else(|| streams::of_poll(socket))
}

/// Returns whether the transport of a socket takes blobs as attachments at present.
pub(super) fn takes_attachments<A: Adapter>(socket: &Socket<A>) -> bool {
    socket.protocol() != ProtocolVersion::V4 || socket.transport_type() != TransportType::Polling
}
