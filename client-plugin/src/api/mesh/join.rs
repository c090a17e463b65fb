//! Joining a room, and leaving it.

use std::{future::IntoFuture, time::Duration};

use futures_util::future::{BoxFuture, FutureExt as _};
use socketio_p2p_protocol::{
    Code, Refusal, RoomName, RoomNameError,
    client::{Answer, Command},
    limits::REQUEST_TIMEOUT,
    text::quoted,
};

use super::{Mesh, MeshOptions};
use crate::api::{
    client::P2pClient,
    error::RequestError,
    server_requests::{ask, request_error},
};

/// A request to join a room, from [`P2pClientExt::join_mesh`](crate::P2pClientExt::join_mesh). Awaiting it sends the
/// request, and waits for the members.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct JoinMesh {
    client: P2pClient,
    room: Box<str>,
    options: MeshOptions,
    timeout: Duration,
}

/// A request to leave a room, from [`Mesh::leave`].
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct LeaveMesh {
    client: P2pClient,
    room: RoomName,
    timeout: Duration,
}

/// The reason for which [`join_mesh`](crate::P2pClientExt::join_mesh) failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The name of the room is malformed. Nothing was sent.
    #[error("the room {}: {reason}", quoted(.room))]
    Room {
        /// The room, as it was given.
        room: Box<str>,
        /// The rule that it breaks.
        reason: RoomNameError,
    },
    /// The server refused: its policy does not let this client join (`forbidden`), the room is full or there are too
    /// many rooms (`quota`), or it is of a version that knows no rooms (`bad-event`).
    #[error("joining the room {} was refused: {refusal}", quoted(.room))]
    Refused {
        /// The room.
        room: Box<str>,
        /// The reason.
        refusal: Refusal,
    },
    /// No answer arrived in time.
    #[error("no answer to joining the room {} within {after:?}", quoted(.room))]
    Timeout {
        /// The room.
        room: Box<str>,
        /// The time that has passed.
        after: Duration,
    },
    /// The client is closed, or lost its connection.
    #[error("the room {} is not joined: the client is closed", quoted(.room))]
    Closed {
        /// The room.
        room: Box<str>,
    },
}

impl JoinError {
    /// Returns the code, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Room { .. } => Code::BadArgs.as_str(),
            Self::Refused { refusal, .. } => refusal.code.as_str(),
            Self::Timeout { .. } => Code::Timeout.as_str(),
            Self::Closed { .. } => Code::Closed.as_str(),
        }
    }

    /// Returns whether the same request can succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => refusal.code.is_retryable(),
            Self::Timeout { .. } => true,
            Self::Room { .. } | Self::Closed { .. } => false,
        }
    }
}

impl JoinMesh {
    pub(crate) fn new(client: &P2pClient, room: &str, options: MeshOptions) -> Self {
        Self { client: client.clone(), room: room.into(), options, timeout: REQUEST_TIMEOUT }
    }

    /// Sets the time to wait for the server. 5 s by default.
    ///
    /// Zero is over at once; more than 100 years, [`Duration::MAX`] too, counts as 100 years.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl IntoFuture for JoinMesh {
    type Output = Result<Mesh, JoinError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let Self { client, room, options, timeout } = self;
            let name: RoomName = match room.parse() {
                Ok(name) => name,
                Err(reason) => return Err(JoinError::Room { room, reason }),
            };
            let MeshOptions { max_peers, auto_upgrade } = options;
            let call = client.shared.next_call();
            // A caller that no longer waits takes the request back.
            let _hold = client.shared.hold(call);
            let asked = name.clone();
            let command = |deadline| {
                let (most, upgrades) = (Some(max_peers.max(1)), auto_upgrade);
                Command::Join { call, room: asked, most, upgrades, deadline }
            };
            match ask(&client, call, timeout, command).await {
                Answer::Joined(_) => Ok(Mesh::new(client, name)),
                Answer::Refused(refusal) => Err(JoinError::Refused { room, refusal }),
                Answer::TimedOut => Err(JoinError::Timeout { room, after: timeout }),
                _ => Err(JoinError::Closed { room }),
            }
        }
        .boxed()
    }
}

impl LeaveMesh {
    pub(super) const fn new(client: P2pClient, room: RoomName) -> Self {
        Self { client, room, timeout: REQUEST_TIMEOUT }
    }

    /// Sets the time within which it must be done. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl IntoFuture for LeaveMesh {
    type Output = Result<(), RequestError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let Self { client, room, timeout } = self;
            let call = client.shared.next_call();
            let command = |deadline| Command::Exit { call, room, deadline };
            match ask(&client, call, timeout, command).await {
                Answer::Exited => Ok(()),
                answer => Err(request_error(answer, timeout)),
            }
        }
        .boxed()
    }
}
