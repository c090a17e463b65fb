//! The link to the server, for the actor: the present connection, and the attempt to replace it.

use std::{fmt, time::Duration};

use rust_socketio::Error;
use socketio_p2p_protocol::{ClientMessage, Frame, PairingId, ResumeToken, Signal, client::Input};
use tokio::sync::watch;

use crate::{
    api::error::{is_final, transport_text},
    server::{
        connector::{Attempted, Connector, NotConnected},
        from_server::FromServer,
        socket::{Lost, ServerConnection, Socket},
    },
};

/// The link to the server.
pub(crate) struct ServerLink {
    connector: Connector,
    /// The present connection; `None` while the connector makes another.
    present: Option<ServerConnection>,
    /// `true` once the present connection has failed. Each further write would wait for its own
    /// deadline.
    is_lost: bool,
    /// `true` while rust_socketio's own reconnect waits at its gate.
    at_gate: bool,
    /// rust_socketio's client of the present connection, or else of the last one, once it is shared.
    socket: Option<watch::Sender<Socket>>,
    /// rust_socketio's error of the last attempt, if the server could not be reached.
    unreachable: Option<Error>,
}

impl ServerLink {
    /// Returns a link that begins to connect.
    pub(crate) fn connecting(mut connector: Connector) -> Self {
        connector.begin();
        let (present, socket, unreachable) = (None, None, None);
        Self { connector, present, is_lost: false, at_gate: false, socket, unreachable }
    }

    /// Returns rust_socketio's present client, and from now on each later one. `None` if there is no connection.
    pub(crate) fn share(&mut self) -> Option<watch::Receiver<Socket>> {
        let (socket, shared) = watch::channel(self.present.as_ref()?.socket.clone());
        self.socket = Some(socket);
        Some(shared)
    }

    /// Returns rust_socketio's client of the present connection.
    pub(crate) fn present(&self) -> Option<&Socket> {
        self.present.as_ref().map(|connection| &connection.socket)
    }

    /// Takes rust_socketio's error of the last attempt, if the server could not be reached.
    pub(crate) const fn take_unreachable(&mut self) -> Option<Error> {
        self.unreachable.take()
    }

    /// Waits for the next event of the connection, or for the outcome of the attempt to replace it.
    /// Cancel safe.
    pub(crate) async fn happened(&mut self) -> Input {
        let Some(connection) = &mut self.present else {
            let attempted = self.connector.attempted().await;
            return self.replaced(attempted);
        };
        match connection.received.recv().await {
            Some(event) => self.read(event),
            None => std::future::pending().await,
        }
    }

    /// Returns a further event that has arrived already.
    pub(crate) fn at_hand(&mut self) -> Option<Input> {
        let event = self.present.as_mut()?.received.try_recv().ok()?;
        Some(self.read(event))
    }

    fn read(&mut self, event: FromServer) -> Input {
        self.at_gate |= matches!(event, FromServer::AtGate);
        event.into_input()
    }

    fn replaced(&mut self, attempted: Attempted) -> Input {
        let connection = match attempted {
            Attempted::Begun => return Input::Connecting,
            Attempted::Connected(connection) => connection,
            Attempted::Failed(why) => return self.not_connected(why),
        };
        self.is_lost = false;
        self.at_gate = false;
        if let Some(socket) = &self.socket {
            socket.send_replace(connection.socket.clone());
        }
        self.present = Some(connection);
        Input::Opened
    }

    fn not_connected(&mut self, why: NotConnected) -> Input {
        match why {
            NotConnected::Unreachable(error) => {
                let tried = transport_text(&error);
                let is_final = is_final(&error);
                self.unreachable = Some(error);
                if is_final { Input::GaveUp } else { Input::Unreachable(tried) }
            }
            NotConnected::NoWay(tried) => {
                self.unreachable = None;
                Input::Unreachable(tried)
            }
            NotConnected::NoAuth(why, waiting) => {
                self.at_gate = waiting.is_some();
                self.present = waiting;
                Input::NoAuth(why)
            }
            NotConnected::Impossible => Input::GaveUp,
        }
    }

    /// Sends a message. Returns the input that follows, if the connection is lost.
    pub(crate) async fn send(&mut self, message: &ClientMessage) -> Option<Input> {
        let (event, args) = message.to_event()?;
        let sent = self.writable()?.send(event, args).await;
        self.outcome(sent)
    }

    /// Sends a signal for the partner, like [`Self::send`].
    pub(crate) async fn send_signal(
        &mut self,
        pairing: PairingId,
        signal: &Signal,
    ) -> Option<Input> {
        let (event, args) = signal.to_event(pairing);
        let sent = self.writable()?.send(event, args).await;
        self.outcome(sent)
    }

    /// Sends frames for the partner, like [`Self::send`].
    pub(crate) async fn send_frames(
        &mut self,
        pairing: PairingId,
        frames: &[Frame],
    ) -> Option<Input> {
        let sent = self.writable()?.send_frames(pairing, frames).await;
        self.outcome(sent)
    }

    fn writable(&self) -> Option<&Socket> {
        self.present.as_ref().filter(|_| !self.is_lost).map(|connection| &connection.socket)
    }

    fn outcome(&mut self, sent: Result<(), Lost>) -> Option<Input> {
        let Lost = sent.err()?;
        self.is_lost = true;
        Some(Input::Lost)
    }

    /// Replaces the connection, after this wait.
    pub(crate) fn reconnect(&mut self, resume: Option<ResumeToken>, after: Duration) {
        let old = self.present.take();
        self.connector.replace(old, self.at_gate, resume, after);
    }

    /// Closes the connection for good.
    pub(crate) async fn close(self) {
        // The gate of rust_socketio's own reconnect is closed with the connector.
        drop(self.connector);
        let Some(socket) = self.socket else { return };
        let socket = socket.borrow().clone();
        socket.disconnect().await;
    }
}

impl fmt::Debug for ServerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLink")
            .field("connected", &self.present.is_some())
            .finish_non_exhaustive()
    }
}
