//! Running the application's handlers.
//!
//! A handler runs in the order of the events up to its first await, then in a task of its own: so
//! a simple one costs no task, and none holds up the connection.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    future::poll_fn,
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError, RwLock},
    task::Poll,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, CatchUnwind},
};
use serde::Serialize;
use socketio_p2p_protocol::{Args, Code, PairingId, Refusal, limits::PENDING_CALLS};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

#[cfg(feature = "webrtc")]
use crate::direct::DirectChannel;
use crate::{
    api::args,
    api::error::HandlerError,
    api::incoming::{Consent, Incoming, PairingRequest},
};

/// Handlers that run at once. A session starts at most [`PENDING_CALLS`]; the others are those of
/// earlier pairings that have not ended yet.
const RUNNING: usize = 2 * PENDING_CALLS;

type HandlerResult = Result<Args, HandlerError>;
type Handler = Arc<dyn Fn(Incoming) -> BoxFuture<'static, HandlerResult> + Send + Sync>;
#[cfg(feature = "webrtc")]
type ChannelHandler = Arc<dyn Fn(DirectChannel) -> BoxFuture<'static, ()> + Send + Sync>;
type ConsentHandler = Arc<dyn Fn(PairingRequest) -> BoxFuture<'static, Consent> + Send + Sync>;

/// The application's handlers.
#[derive(Default)]
pub(crate) struct Handlers {
    events: RwLock<HashMap<String, Handler>>,
    fallback: RwLock<Option<Handler>>,
    consent: RwLock<Option<ConsentHandler>>,
    #[cfg(feature = "webrtc")]
    channel: RwLock<Option<ChannelHandler>>,
}

fn handler<F, Fut, R>(handle: F) -> Handler
where
    F: Fn(Incoming) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    R: Serialize,
{
    Arc::new(move |incoming| {
        let future = handle(incoming);
        async move { Ok(args::encode(&future.await?)?) }.boxed()
    })
}

impl Handlers {
    pub(crate) fn on<F, Fut, R>(&self, event: String, handle: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        let mut events = self.events.write().unwrap_or_else(PoisonError::into_inner);
        events.insert(event, handler(handle));
    }

    pub(crate) fn off(&self, event: &str) {
        self.events.write().unwrap_or_else(PoisonError::into_inner).remove(event);
    }

    pub(crate) fn on_fallback<F, Fut, R>(&self, handle: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        let mut fallback = self.fallback.write().unwrap_or_else(PoisonError::into_inner);
        *fallback = Some(handler(handle));
    }

    pub(crate) fn on_register<F, Fut, C>(&self, decide: F)
    where
        F: Fn(PairingRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = C> + Send + 'static,
        C: Into<Consent> + 'static,
    {
        let mut consent = self.consent.write().unwrap_or_else(PoisonError::into_inner);
        *consent = Some(Arc::new(move |request| {
            let deciding = decide(request);
            async move { deciding.await.into() }.boxed()
        }));
    }

    #[cfg(feature = "webrtc")]
    pub(crate) fn on_channel<F, Fut>(&self, handle: F)
    where
        F: Fn(DirectChannel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let mut channel = self.channel.write().unwrap_or_else(PoisonError::into_inner);
        *channel = Some(Arc::new(move |channel| handle(channel).boxed()));
    }

    /// What the application does with channels of the partner; none if it has no use for them.
    #[cfg(feature = "webrtc")]
    pub(crate) fn channel(&self) -> Option<ChannelHandler> {
        self.channel.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the application decides about registrations; none if it accepts all.
    pub(crate) fn consent(&self) -> Option<ConsentHandler> {
        self.consent.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, event: &str) -> Option<Handler> {
        let events = self.events.read().unwrap_or_else(PoisonError::into_inner);
        let found = events.get(event).cloned();
        drop(events);
        found.or_else(|| self.fallback.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").finish_non_exhaustive()
    }
}

/// An event to be handled.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) pairing: PairingId,
    pub(crate) seq: u64,
    pub(crate) incoming: Incoming,
}

/// What a handler returned: pairing and number of its event.
pub(crate) type Finished = (PairingId, u64, Result<Args, Refusal>);

type Caught = Result<HandlerResult, Box<dyn Any + Send>>;

/// Runs handlers until there are no more events, then ends those that still run.
pub(crate) async fn run(
    handlers: Arc<Handlers>,
    mut jobs: mpsc::Receiver<Job>,
    finished: mpsc::Sender<Finished>,
) {
    let mut running = Running::default();
    loop {
        let done = tokio::select! {
            biased;
            // Panics are caught inside, and nobody aborts a single task.
            Some(done) = running.tasks.join_next() => done.ok(),
            job = jobs.recv() => match job {
                Some(job) => start(&handlers, job, &mut running).await,
                None => break,
            },
        };
        if let Some(done) = done
            && finished.send(done).await.is_err()
        {
            break;
        }
    }
    running.tasks.shutdown().await;
}

/// Handlers past their first await.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Finished>,
    handles: Vec<(PairingId, AbortHandle)>,
}

impl Running {
    /// Whether there is room for a handler of this pairing, if need be by ending those of earlier
    /// pairings: a partner could leave them behind and pair again without end.
    fn make_room(&mut self, pairing: PairingId) -> bool {
        if self.tasks.len() < RUNNING {
            return true;
        }
        self.handles.retain(|(_, handle)| !handle.is_finished());
        for (other, handle) in &self.handles {
            if *other != pairing {
                handle.abort();
            }
        }
        self.handles.iter().filter(|(other, _)| *other == pairing).count() < RUNNING
    }

    fn spawn(&mut self, pairing: PairingId, task: impl Future<Output = Finished> + Send + 'static) {
        if self.handles.len() >= 2 * RUNNING {
            self.handles.retain(|(_, handle)| !handle.is_finished());
        }
        let handle = self.tasks.spawn(task);
        self.handles.push((pairing, handle));
    }
}

/// Runs a handler up to its first await. What it returned, if it got through.
async fn start(handlers: &Handlers, job: Job, running: &mut Running) -> Option<Finished> {
    let Job { pairing, seq, incoming } = job;
    let Some(handler) = handlers.find(&incoming.event) else {
        return Some((pairing, seq, Err(Code::Unhandled.into())));
    };
    if !running.make_room(pairing) {
        return Some((pairing, seq, Err(Code::Congested.into())));
    }
    let mut future = start_caught(handler, incoming);
    match poll_fn(|cx| Poll::Ready(future.poll_unpin(cx))).await {
        Poll::Ready(result) => Some((pairing, seq, refusal(result))),
        Poll::Pending => {
            running.spawn(pairing, async move { (pairing, seq, refusal(future.await)) });
            None
        }
    }
}

fn start_caught(
    handler: Handler,
    incoming: Incoming,
) -> CatchUnwind<AssertUnwindSafe<BoxFuture<'static, HandlerResult>>> {
    // The handler itself may panic before it returns a future.
    let future = async move { handler(incoming).await }.boxed();
    AssertUnwindSafe(future).catch_unwind()
}

fn refusal(result: Caught) -> Result<Args, Refusal> {
    match result {
        Ok(Ok(args)) => Ok(args),
        Ok(Err(HandlerError(text))) => Err(Refusal::new(Code::HandlerFailed, &text)),
        // Its message is for the logs of this process, where the panic hook has put it.
        Err(_) => Err(Refusal::new(Code::HandlerFailed, "the handler panicked")),
    }
}
