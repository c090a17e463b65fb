//! Running the application's handlers.
//!
//! A handler runs in the order of the events up to its first await, then in a task of its own: a
//! simple one needs no task, and none holds up the connection.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::poll_fn,
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    task::Poll,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, CatchUnwind},
};
use socketio_p2p_protocol::{
    Args, ClientId, Code, PairingId, Refusal, RoomName,
    client::{HandlerId, Input, RunningHandlers},
    limits::PENDING_CALLS,
    session::Delivery,
};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};

use crate::api::{
    client::{P2pClient, Shared},
    handler_output::HandlerResult,
    handlers::{EventHandler, Handlers},
    incoming::Incoming,
};

/// Events that wait for their handler, and results that wait for the actor. A session may have started as
/// many handlers of calls as of other emits, and a window of calls whose callers gave up; a fourth part is
/// for earlier pairings.
const WAITING: usize = 4 * PENDING_CALLS;

/// The actor's side of the handlers.
#[derive(Debug)]
pub(crate) struct HandlerTasks {
    jobs: mpsc::Sender<Job>,
    finished: mpsc::Receiver<Finished>,
    /// Handlers that were abandoned while there was no room to say so. They were started, so they are as
    /// few as those.
    abandoned: VecDeque<HandlerId>,
    /// The present pairings, whose handlers make no room for those of others.
    pairings: watch::Sender<BTreeSet<PairingId>>,
    /// The handle that an event lends. It is weak, for the last handle ends the actor.
    handle: Weak<Shared>,
}

/// A message to the runner of handlers.
#[derive(Debug)]
enum Job {
    Start(Event),
    /// The result of this handler is no longer awaited.
    Abandon(HandlerId),
}

/// An event for a handler.
#[derive(Debug)]
struct Event {
    pairing: PairingId,
    seq: u64,
    incoming: Incoming,
}

/// The pairing and number of an event, and the result of its handler.
type Finished = (PairingId, u64, Result<Args, Refusal>);

/// A handler that has finished, and a handle on its client: a client whose last handle is dropped closes,
/// so this one is held until the actor has the result.
type Done = (Finished, P2pClient);

type Caught = Result<HandlerResult, Box<dyn Any + Send>>;

impl HandlerTasks {
    /// Returns the actor's side, and a future that runs the handlers: it ends them, and then itself,
    /// when the actor's side is dropped.
    pub(crate) fn new(
        handlers: Arc<Handlers>,
        handle: Weak<Shared>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, jobs_rx) = mpsc::channel(WAITING);
        let (finished_tx, finished) = mpsc::channel(WAITING);
        let abandoned = VecDeque::new();
        let (pairings, present) = watch::channel(BTreeSet::new());
        let running = Running::new(present);
        let tasks = Self { jobs, finished, abandoned, pairings, handle };
        (tasks, run(handlers, jobs_rx, finished_tx, running))
    }

    /// Starts the handler of a delivered event. Returns its result if it cannot be started.
    pub(crate) fn start(
        &mut self,
        pairing: PairingId,
        (from, room): (ClientId, Option<RoomName>),
        delivery: Delivery,
    ) -> Option<Input> {
        let Delivery { seq, event, args, wants_reply, .. } = delivery;
        self.flush_abandoned();
        let started = self.handle.upgrade().is_some_and(|shared| {
            let client = P2pClient { shared };
            let incoming = Incoming { client, pairing, from, room, event, args, wants_reply };
            self.jobs.try_send(Job::Start(Event { pairing, seq, incoming })).is_ok()
        });
        (!started).then(|| Input::Finished(pairing, seq, Err(Code::Congested.into())))
    }

    /// Notes the pairings that are not over.
    pub(crate) fn set_pairings(&self, pairings: impl Iterator<Item = PairingId>) {
        self.pairings.send_replace(pairings.collect());
    }

    /// Notes that the result of a handler is no longer awaited. The handler ends if others need its place.
    pub(crate) fn abandon(&mut self, handler: HandlerId) {
        self.abandoned.push_back(handler);
        self.flush_abandoned();
    }

    fn flush_abandoned(&mut self) {
        while let Some(handler) = self.abandoned.front()
            && self.jobs.try_send(Job::Abandon(*handler)).is_ok()
        {
            self.abandoned.pop_front();
        }
    }

    /// Waits for the next handler that has finished. Cancel safe.
    pub(crate) async fn finished(&mut self) -> Input {
        match self.finished.recv().await {
            Some(finished) => input(finished),
            None => std::future::pending().await,
        }
    }

    /// Returns the next handler that has finished already.
    pub(crate) fn try_finished(&mut self) -> Option<Input> {
        self.finished.try_recv().ok().map(input)
    }
}

fn input((pairing, seq, result): Finished) -> Input {
    Input::Finished(pairing, seq, result)
}

/// Runs handlers until there are no more events, then ends the handlers that still run.
async fn run(
    handlers: Arc<Handlers>,
    mut jobs: mpsc::Receiver<Job>,
    finished: mpsc::Sender<Finished>,
    mut running: Running,
) {
    loop {
        let done = tokio::select! {
            biased;
            // Panics are caught inside, and no single task is aborted but to make room.
            Some(done) = running.tasks.join_next() => {
                done.ok().inspect(|(finished, _)| running.finished(finished))
            }
            job = jobs.recv() => match job {
                Some(Job::Start(event)) => start(&handlers, event, &mut running).await,
                Some(Job::Abandon(handler)) => {
                    running.handlers.abandon(handler);
                    None
                }
                None => break,
            },
        };
        if let Some((done, _handle)) = done
            && finished.send(done).await.is_err()
        {
            break;
        }
    }
    running.tasks.shutdown().await;
}

/// Handlers past their first await.
struct Running {
    tasks: JoinSet<Done>,
    handles: BTreeMap<HandlerId, AbortHandle>,
    handlers: RunningHandlers,
    pairings: watch::Receiver<BTreeSet<PairingId>>,
}

impl Running {
    fn new(pairings: watch::Receiver<BTreeSet<PairingId>>) -> Self {
        Self {
            tasks: JoinSet::new(),
            handles: BTreeMap::new(),
            handlers: RunningHandlers::default(),
            pairings,
        }
    }

    fn end(&mut self, handler: HandlerId) {
        if let Some(handle) = self.handles.remove(&handler) {
            handle.abort();
        }
    }

    fn finished(&mut self, (pairing, seq, _): &Finished) {
        self.handlers.finished((*pairing, *seq));
        self.handles.remove(&(*pairing, *seq));
    }
}

/// Runs a handler up to its first await. Returns its result if it has finished.
async fn start(handlers: &Handlers, event: Event, running: &mut Running) -> Option<Done> {
    let Event { pairing, seq, incoming } = event;
    let handle = incoming.client.clone();
    let Some(handler) = handlers.find(&incoming.event) else {
        return Some(((pairing, seq, Err(Code::Unhandled.into())), handle));
    };
    let started = {
        let present = running.pairings.borrow();
        running.handlers.start((pairing, seq), |pairing| present.contains(&pairing))
    };
    match started {
        Ok(ended) => ended.into_iter().for_each(|handler| running.end(handler)),
        Err(refusal) => return Some(((pairing, seq, Err(refusal)), handle)),
    }
    let event = incoming.event.clone();
    let mut future = start_caught(handler, incoming);
    match poll_fn(|cx| Poll::Ready(future.poll_unpin(cx))).await {
        Poll::Ready(result) => {
            let finished = (pairing, seq, reply(&event, result));
            running.finished(&finished);
            Some((finished, handle))
        }
        Poll::Pending => {
            let task = async move { ((pairing, seq, reply(&event, future.await)), handle) };
            running.handles.insert((pairing, seq), running.tasks.spawn(task));
            None
        }
    }
}

fn start_caught(
    handler: EventHandler,
    incoming: Incoming,
) -> CatchUnwind<AssertUnwindSafe<BoxFuture<'static, HandlerResult>>> {
    // The handler itself may panic before it returns a future.
    let future = async move { handler(incoming).await }.boxed();
    AssertUnwindSafe(future).catch_unwind()
}

/// Drops what a handler panicked with, which may panic in turn.
pub(super) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(second) = std::panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(second);
    }
}

/// Returns the reply for the partner.
fn reply(event: &str, result: Caught) -> Result<Args, Refusal> {
    match result {
        Ok(Ok(args)) => Ok(args),
        Ok(Err(error)) => {
            // The partner can cause these at any rate.
            tracing::info!(event, code = error.code(), %error, "a handler failed");
            Err(error.refusal())
        }
        // The panic's message is for the logs of this process, where the panic hook has put it.
        Err(panic) => {
            discard(panic);
            Err(Refusal::new(Code::HandlerFailed, "the handler panicked"))
        }
    }
}
