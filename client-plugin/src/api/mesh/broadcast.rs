//! An event for all members of a room, and their answers.

use std::{
    fmt,
    future::IntoFuture,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    Stream, StreamExt as _,
    future::{BoxFuture, FutureExt as _, join_all},
    stream::FuturesUnordered,
};
use socketio_p2p_protocol::{ClientId, Path};

use crate::api::{emit2::Emit2, error::EmitError, reply::Reply};

/// The call of one member.
pub(super) struct MemberCall {
    pub(super) member: ClientId,
    pub(super) emit: Emit2<Reply>,
}

/// The answer of one member to an event for all.
#[derive(Debug)]
#[non_exhaustive]
pub struct MemberReply {
    /// The member.
    pub member: ClientId,
    /// Its reply, or the reason for which there is none.
    pub outcome: Result<Reply, EmitError>,
}

impl MemberCall {
    fn map(self, change: impl FnOnce(Emit2<Reply>) -> Emit2<Reply>) -> Self {
        Self { emit: change(self.emit), ..self }
    }

    async fn answered(self) -> MemberReply {
        MemberReply { member: self.member, outcome: self.emit.await }
    }
}

/// An event for all members of a room, from [`Mesh::broadcast2`](crate::Mesh::broadcast2). Awaiting it sends the event,
/// and returns the outcome for each member, in the order of their ids: each exactly once, and truthful.
///
/// # Cancel safety
///
/// As that of [`Emit2`], for each member.
#[must_use = "nothing is sent until this is awaited"]
pub struct Broadcast2(Vec<MemberCall>);

/// The answers of all members to an event, as they come, from [`Mesh::request_many`](crate::Mesh::request_many): a
/// [`Stream`] that ends with the last answer. The event is sent when the stream is first polled.
///
/// If it is dropped, the answers that have not come are not awaited; handlers that have begun run on.
#[must_use = "nothing is sent until this is polled"]
pub struct RequestMany {
    /// The calls, until the stream is polled.
    calls: Vec<MemberCall>,
    waiting: FuturesUnordered<BoxFuture<'static, MemberReply>>,
}

impl Broadcast2 {
    pub(super) const fn new(calls: Vec<MemberCall>) -> Self {
        Self(calls)
    }

    /// Sets the time to wait for each member, as [`Emit2::timeout`] does.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(change(self.0, |emit| emit.timeout(timeout)))
    }

    /// Sets a time to live, as [`Emit2::ttl`] does.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self(change(self.0, |emit| emit.ttl(ttl)))
    }

    /// Sets the path, as [`Emit2::via`] does.
    pub fn via(self, path: Path) -> Self {
        Self(change(self.0, |emit| emit.via(path)))
    }
}

impl RequestMany {
    pub(super) fn new(calls: Vec<MemberCall>) -> Self {
        Self { calls, waiting: FuturesUnordered::new() }
    }

    /// Sets the time to wait for each member, as [`Emit2::timeout`] does. To be set before the first answer is awaited.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { calls: change(self.calls, |emit| emit.timeout(timeout)), ..self }
    }

    /// Sets a time to live, as [`Emit2::ttl`] does. To be set before the first answer is awaited.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { calls: change(self.calls, |emit| emit.ttl(ttl)), ..self }
    }

    /// Waits for the next answer. Returns `None` after the last one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no answer is lost.
    pub async fn recv(&mut self) -> Option<MemberReply> {
        self.next().await
    }
}

fn change(
    calls: Vec<MemberCall>,
    change: impl Fn(Emit2<Reply>) -> Emit2<Reply>,
) -> Vec<MemberCall> {
    calls.into_iter().map(|call| call.map(&change)).collect()
}

impl IntoFuture for Broadcast2 {
    type Output = Vec<MemberReply>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        join_all(self.0.into_iter().map(MemberCall::answered)).boxed()
    }
}

impl Stream for RequestMany {
    type Item = MemberReply;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MemberReply>> {
        let Self { calls, waiting } = self.get_mut();
        waiting.extend(calls.drain(..).map(|call| call.answered().boxed()));
        waiting.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Broadcast2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast2").field("members", &self.0.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RequestMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMany")
            .field("unsent", &self.calls.len())
            .field("waiting", &self.waiting.len())
            .finish()
    }
}
