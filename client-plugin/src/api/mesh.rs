//! A mesh: a room whose members are all connected to each other.

mod broadcast;
mod join;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use serde::Serialize;
use socketio_p2p_protocol::{ClientEvent, RoomName, client::Command, limits::MESH_MEMBERS};
use tokio::sync::broadcast::error::RecvError;

pub use self::{
    broadcast::{Broadcast2, MemberReply, RequestMany},
    join::{JoinError, JoinMesh, LeaveMesh},
};
use crate::{
    actor::{command::Asked, rooms::MeshMember},
    api::{
        args,
        client::P2pClient,
        emit2::Emit2,
        events::{Events, EventsError, Lagged},
    },
};

/// The options of a mesh, for [`P2pClientExt::join_mesh`](crate::P2pClientExt::join_mesh).
///
/// # Examples
///
/// ```
/// use socketio_p2p_client::MeshOptions;
///
/// let options = MeshOptions { auto_upgrade: false, ..MeshOptions::default() };
/// assert_eq!(options.max_peers, 10);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MeshOptions {
    /// The most members of the room, this client included: 10 by default. The smallest number that any of the members
    /// wants counts, and at most 32, or what the server is set to. Zero counts as one.
    pub max_peers: usize,
    /// True, the default, if direct paths are made at once. Otherwise everything takes the server until
    /// [`Mesh::upgrade`] of either side, and the members do not learn each other's addresses.
    pub auto_upgrade: bool,
}

impl Default for MeshOptions {
    fn default() -> Self {
        Self { max_peers: MESH_MEMBERS, auto_upgrade: true }
    }
}

/// A room of which this client is a member, from [`P2pClientExt::join_mesh`](crate::P2pClientExt::join_mesh). It has a
/// pairing with each other member, beside the one that
/// [`register_target`](crate::P2pClientExt::register_target) may have made.
///
/// To join is to consent to a pairing with every member. The exclusive pairing is untouched, and no member counts as
/// busy for others.
///
/// Each of these pairings gives the guarantees of [`emit2`](crate::P2pClientExt::emit2): events arrive in order, run at
/// most once, and report their outcome exactly once, while the path to that member changes between the server and the
/// direct one. There is no order between members. Handlers are those of [`on2`](crate::P2pClientExt::on2), which
/// [`Incoming::room`](crate::Incoming::room) tells in which room the event was sent.
///
/// The client stays a member until it [leaves](Self::leave) or closes, also when all handles are dropped. After a lost
/// connection its pairings go on. A restarted server has forgotten the room: its pairings end, and the client joins
/// again by itself, as soon as the server lets it.
///
/// Cloning is cheap. A handle keeps the client connected.
///
/// # Examples
///
/// ```no_run
/// use socketio_p2p_client::{JoinError, MeshOptions, P2pClient, P2pClientExt as _};
///
/// async fn chat(client: &P2pClient) -> Result<(), JoinError> {
///     let options = MeshOptions { max_peers: 10, auto_upgrade: true };
///     let mesh = client.join_mesh("lobby", options).await?;
///     let replies = mesh.broadcast2("chat", "hello").await;
///     println!("{} have it", replies.iter().filter(|reply| reply.outcome.is_ok()).count());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Mesh {
    client: P2pClient,
    room: RoomName,
}

impl Mesh {
    pub(super) const fn new(client: P2pClient, room: RoomName) -> Self {
        Self { client, room }
    }

    /// Returns the name of the room.
    #[must_use]
    pub fn room(&self) -> &str {
        self.room.as_str()
    }

    /// Returns the client.
    #[must_use]
    pub const fn client(&self) -> &P2pClient {
        &self.client
    }

    /// Returns the other members, in the order of their ids.
    #[must_use]
    pub fn members(&self) -> Vec<MeshMember> {
        self.client.shared.rooms.borrow().members(&self.room)
    }

    /// Returns whether this client is a member at present. It is none after it has left or was removed, and while a
    /// restarted server has not let it join again.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.client.shared.rooms.borrow().has(&self.room)
    }

    /// Emits an event to one member, like [`P2pClientExt::emit2`](crate::P2pClientExt::emit2). If there is no such
    /// member, the call resolves as *not executed* (`not-paired`).
    pub fn emit2_to(
        &self,
        member: impl AsRef<str>,
        event: impl Into<String>,
        args: impl Serialize,
    ) -> Emit2 {
        let rooms = self.client.shared.rooms.borrow();
        let pairing = rooms.member(&self.room, member.as_ref()).map(|member| member.pairing.id);
        Emit2::new(self.client.clone(), pairing, event.into(), args::encode(&args))
    }

    /// Emits an event to all members, and waits for the outcome of each. See [`Broadcast2`].
    ///
    /// It is meant for the members at the time of this call. Members whose window is full hold up no others.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use socketio_p2p_client::Mesh;
    /// # async fn say(mesh: &Mesh) {
    /// for reply in mesh.broadcast2("chat", "good morning").await {
    ///     match reply.outcome {
    ///         Ok(_) => println!("{} has read it", reply.member),
    ///         Err(error) if error.executed() == Some(false) => println!("{} has not", reply.member),
    ///         Err(error) => println!("{} may have: {error}", reply.member),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn broadcast2(&self, event: impl Into<String>, args: impl Serialize) -> Broadcast2 {
        Broadcast2::new(self.calls(&event.into(), &args))
    }

    /// Emits an event to all members, and yields their answers as they come. See [`RequestMany`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use socketio_p2p_client::Mesh;
    /// # async fn find(mesh: &Mesh) {
    /// let mut answers = mesh.request_many("has-file", "plan.pdf");
    /// while let Some(answer) = answers.recv().await {
    ///     if let Ok(reply) = answer.outcome
    ///         && reply.args().unwrap_or(false)
    ///     {
    ///         println!("{} has it", answer.member);
    ///         break; // The other answers are not awaited.
    ///     }
    /// }
    /// # }
    /// ```
    pub fn request_many(&self, event: impl Into<String>, args: impl Serialize) -> RequestMany {
        RequestMany::new(self.calls(&event.into(), &args))
    }

    fn calls(&self, event: &str, args: &impl Serialize) -> Vec<broadcast::MemberCall> {
        let args = args::encode(args);
        let members = self.members().into_iter();
        members
            .map(|MeshMember { pairing, .. }| {
                let (client, args) = (self.client.clone(), args.clone());
                let emit = Emit2::new(client, Some(pairing.id), event.to_owned(), args);
                broadcast::MemberCall { member: pairing.partner, emit: emit.with_reply() }
            })
            .collect()
    }

    /// Makes direct paths to all members, and to those who join later, as if
    /// [`MeshOptions::auto_upgrade`] had been true ("go private"). A member that allows direct paths takes part, whatever
    /// its own option is. [`Event::MemberPath`](crate::Event::MemberPath) reports each path.
    ///
    /// What is emitted meanwhile takes the server, and nothing is lost by the change.
    pub fn upgrade(&self) {
        let upgrade = Asked::notice(Command::Upgrade(self.room.clone()));
        let Err(error) = self.client.shared.commands.try_send(upgrade) else { return };
        // The queue is full, or the client is closed.
        let (commands, upgrade) = (self.client.shared.commands.downgrade(), error.into_inner());
        self.client.shared.tasks.spawn(async move {
            if let Some(commands) = commands.upgrade() {
                commands.send(upgrade).await.ok();
            }
        });
    }

    /// Returns the events of this room from now on: those of [`Event`](crate::Event) that name it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use socketio_p2p_client::{Event, EventsError, Mesh};
    /// # async fn watch(mesh: &Mesh) -> Result<(), EventsError> {
    /// let mut events = mesh.events();
    /// loop {
    ///     match events.recv().await? {
    ///         Event::MemberJoined { pairing, .. } => println!("{} is here", pairing.partner),
    ///         Event::MemberLeft { pairing, .. } => println!("{} is gone", pairing.partner),
    ///         Event::Member { member, presence, .. } => println!("{member} is {presence}"),
    ///         Event::MemberPath { member, path, .. } => println!("to {member}: {path:?}"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> MeshEvents {
        MeshEvents { events: self.client.shared.later_events(), room: self.room.clone() }
    }

    /// Leaves the room, and waits until that is done. A client that is no member succeeds at once.
    ///
    /// Before that, the client waits until the other members have received every event that was emitted, for at most
    /// 1 s, and at most half of the timeout. A call that still waits for its reply resolves as *unknown*.
    ///
    /// # Errors
    ///
    /// [`RequestError`](crate::RequestError) if the server does not answer.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the client leaves even if the future is dropped, unless 64 requests of this client wait before it.
    pub fn leave(&self) -> LeaveMesh {
        LeaveMesh::new(self.client.clone(), self.room.clone())
    }
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh").field("room", &self.room.as_str()).finish_non_exhaustive()
    }
}

/// The events of a room, from [`Mesh::events`]. It is a [`Stream`], which ends when the client is closed.
#[must_use = "events are lost unless they are read"]
#[derive(Debug)]
pub struct MeshEvents {
    events: Events,
    room: RoomName,
}

impl MeshEvents {
    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// [`EventsError::Lagged`] with the number of events, of this room and others, that were missed;
    /// [`EventsError::Closed`] when the client is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn recv(&mut self) -> Result<ClientEvent, EventsError> {
        loop {
            let event = self.events.recv().await?;
            if room_of(&event) == Some(&self.room) {
                return Ok(event);
            }
        }
    }
}

impl Stream for MeshEvents {
    type Item = Result<ClientEvent, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            return Poll::Ready(match ready!(this.events.poll_event(cx)) {
                Ok(event) if room_of(&event) == Some(&this.room) => Some(Ok(event)),
                Ok(_) => continue,
                Err(RecvError::Lagged(missed)) => Some(Err(Lagged(missed))),
                Err(RecvError::Closed) => None,
            });
        }
    }
}

/// Returns the room of an event, if it is about one.
const fn room_of(event: &ClientEvent) -> Option<&RoomName> {
    match event {
        ClientEvent::Joined(state) => Some(&state.room),
        ClientEvent::Exited { room, .. }
        | ClientEvent::NotJoined { room, .. }
        | ClientEvent::MemberJoined { room, .. }
        | ClientEvent::MemberLeft { room, .. }
        | ClientEvent::Member { room, .. }
        | ClientEvent::MemberPath { room, .. } => Some(room),
        _ => None,
    }
}
