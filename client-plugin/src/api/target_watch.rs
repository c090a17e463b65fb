//! Watching a target: whether it is absent, free or busy.

use std::{
    fmt,
    future::{IntoFuture, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::{
    Stream,
    future::{BoxFuture, FutureExt as _},
};
use socketio_p2p_protocol::{
    ClientId, TargetState,
    client::{Answer, Command},
    limits::REQUEST_TIMEOUT,
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout_at,
};
use tokio_util::sync::ReusableBoxFuture;

use crate::{
    actor::command::{ANSWER_SLACK, Asked, Hold, News, deadline},
    api::{client::P2pClient, error::WatchError},
};

/// A request to watch a target, from [`P2pClientExt::watch_target`](crate::P2pClientExt::watch_target).
/// Awaiting it sends the request, and waits for the first state.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct WatchTarget {
    client: P2pClient,
    target: Box<str>,
    timeout: Duration,
}

impl WatchTarget {
    pub(crate) fn new(client: &P2pClient, target: &str) -> Self {
        Self { client: client.clone(), target: target.into(), timeout: REQUEST_TIMEOUT }
    }

    /// Sets the time to wait for the server. 5 s by default.
    ///
    /// Zero is over at once; more than 100 years, [`Duration::MAX`] too, counts as 100 years.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl IntoFuture for WatchTarget {
    type Output = Result<TargetWatch, WatchError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let Self { client, target, timeout } = self;
            let id: ClientId = match target.parse() {
                Ok(id) => id,
                Err(reason) => return Err(WatchError::Target { target, reason }),
            };
            let deadline = deadline(Instant::now(), timeout);
            let call = client.shared.next_call();
            // From here on its end is reported to the server, also if this future is dropped.
            let hold = client.shared.hold(call);
            let (answer, answered) = oneshot::channel();
            let (news, told) = watch::channel(News::default());
            let command = Command::Watch { call, target: id, deadline };
            let asked = Asked { command, answer: Some((call, answer)), news: Some(news) };
            let asking = async {
                match client.shared.commands.send(asked).await {
                    Ok(()) => answered.await.unwrap_or(Answer::Closed),
                    Err(_) => Answer::Closed,
                }
            };
            let answer = timeout_at((deadline + ANSWER_SLACK).into(), asking).await;
            match answer.unwrap_or(Answer::TimedOut) {
                Answer::Watching(state) => Ok(TargetWatch::new(target, state, told, hold)),
                Answer::Refused(refusal) => Err(WatchError::Refused { target, refusal }),
                Answer::TimedOut => Err(WatchError::Timeout { target, after: timeout }),
                _ => Err(WatchError::Closed { target }),
            }
        }
        .boxed()
    }
}

/// A watch of a target, from [`P2pClientExt::watch_target`](crate::P2pClientExt::watch_target): a
/// [`Stream`] of the target's states. Dropping it ends the watch.
///
/// A slow reader gets the newest state and misses those before it. The server, too, sends at most one state per
/// second. After a lost connection or a restart of the server the watch stands again by itself, and the
/// present state is reported once more, even if it is the same.
///
/// It does not keep the client connected.
#[must_use = "the watch ends when this is dropped"]
pub struct TargetWatch {
    target: Box<str>,
    state: TargetState,
    /// `true` until the first state is taken.
    is_first: bool,
    next: ReusableBoxFuture<'static, Told>,
    _hold: Hold,
}

type Told = (Result<News, watch::error::RecvError>, watch::Receiver<News>);

impl TargetWatch {
    fn new(target: Box<str>, state: TargetState, told: watch::Receiver<News>, hold: Hold) -> Self {
        let next = ReusableBoxFuture::new(receive(told));
        Self { target, state, is_first: true, next, _hold: hold }
    }

    /// Returns the target.
    #[must_use]
    pub const fn target(&self) -> &str {
        &self.target
    }

    /// Returns the state that was reported last and has been taken, or the first.
    #[must_use]
    pub const fn state(&self) -> TargetState {
        self.state
    }

    /// Waits for the next state. The first call returns the present state at once.
    ///
    /// # Errors
    ///
    /// [`WatchError::Refused`] if the server refuses the watch on another connection, for example because it
    /// has another policy since its restart; [`WatchError::Closed`] if the client is closed. The watch is over
    /// then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no state is lost.
    pub async fn recv(&mut self) -> Result<TargetState, WatchError> {
        poll_fn(|cx| self.poll_state(cx)).await
    }

    fn poll_state(&mut self, cx: &mut Context<'_>) -> Poll<Result<TargetState, WatchError>> {
        if std::mem::take(&mut self.is_first) {
            return Poll::Ready(Ok(self.state));
        }
        let (news, told) = ready!(self.next.poll(cx));
        self.next.set(receive(told));
        Poll::Ready(match news {
            Ok(News::State(state)) => {
                self.state = state;
                Ok(state)
            }
            Ok(News::Ended(refusal)) => {
                Err(WatchError::Refused { target: self.target.clone(), refusal })
            }
            Ok(News::None) | Err(_) => Err(WatchError::Closed { target: self.target.clone() }),
        })
    }
}

async fn receive(mut told: watch::Receiver<News>) -> Told {
    let changed = told.changed().await;
    let news = changed.map(|()| told.borrow_and_update().clone());
    (news, told)
}

/// Ends when the watch does, or the client is closed.
impl Stream for TargetWatch {
    type Item = TargetState;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<TargetState>> {
        self.get_mut().poll_state(cx).map(Result::ok)
    }
}

impl fmt::Debug for TargetWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetWatch")
            .field("target", &self.target)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
