//! The plugin's view of a socket of socketioxide, and that library's peculiarities (0.18.9).
//!
//! - `emit` fails on a full buffer, and so does `disconnect`, which then does not close: "gone" is
//!   a state of our own, and closing is tried again. Answers to a v1 client are kept and tried again.
//! - A full buffer has no room for Engine.IO's ping either, and its connection ends: relayed messages
//!   leave room.
//! - A socket's data lives as long as the socket has a holder. We hold it weakly, so that its end
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

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use serde_json::value::RawValue;
use socketio_p2p_protocol::{
    Args, Frame, PairingId, ServerMessage, peer::v1::NoAck, relay::SendFailure, wire::FRAME,
};

use super::{
    arguments::Arguments,
    gate::{Gate, Intake},
    stream_handle::StreamHandle,
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
    /// Returns whether its transport is gone, whatever the host knows. socketioxide (0.18.9) keeps a socket for ever
    /// whose transport ended while it was being connected.
    fn is_gone(&self) -> bool {
        false
    }
    /// Ends the transport of a client that does not answer any more. Returns whether it did.
    fn cut_if_silent(&self) -> bool {
        false
    }
    /// Returns the address of its peer, if it is known.
    fn address(&self) -> Option<SocketAddr> {
        None
    }
    /// Returns whether it should have polled by now.
    fn has_stopped_polling(&self) -> bool {
        false
    }
    /// Returns whether the reading from it can be held back at present.
    fn can_wait(&self) -> bool {
        false
    }
    /// Holds back the reading from it for this time.
    fn wait(&self, _: Duration) {}
    /// Returns the reading from it, if it can be held back.
    fn intake(&self) -> Option<&Arc<Intake>> {
        None
    }
    /// Returns the gates before it: they are closed while too many answers wait for it.
    fn gates(&self) -> Vec<Arc<Gate>> {
        Vec::new()
    }
    /// Returns whether one of the gates is closed.
    fn is_full(&self) -> bool {
        false
    }
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
