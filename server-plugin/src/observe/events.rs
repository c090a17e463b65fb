//! Events of the plugin, for the application.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use socketio_p2p_protocol::BrokerEvent;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::{CancellationToken, ReusableBoxFuture};

use super::logged;

/// The events that a reader may be behind before it misses some, and the events that may wait to be
/// published. Beyond it the oldest are dropped, and readers get [`EventsError::Lagged`].
const EVENTS: usize = 1024;

/// The events from the moment of [`P2pServer::events`](crate::P2pServer::events) on.
///
/// It is a [`Stream`], which ends when the server is closed, and [`Self::recv`] needs no extension
/// trait.
///
/// # Examples
///
/// ```no_run
/// use futures_util::StreamExt as _;
/// use socketio_p2p_server::{Event, Lagged, P2pServer};
///
/// async fn log(server: &P2pServer) {
///     let mut events = server.events();
///     while let Some(event) = events.next().await {
///         match event {
///             Ok(Event::Paired { source, target, .. }) => println!("{source} and {target}"),
///             Ok(_) => {}
///             Err(Lagged(missed)) => println!("{missed} events were missed"),
///         }
///     }
/// }
/// ```
#[must_use = "events are lost unless they are read"]
pub struct Events(ReusableBoxFuture<'static, Received>);

type Received = (Result<BrokerEvent, EventsError>, Source);

/// The source of a reader's events.
struct Source {
    receiver: broadcast::Receiver<Published>,
    stop: CancellationToken,
}

/// The number of events that a reader of a [`Stream`] of events has missed, because it was too slow.
/// The next item is the oldest event that is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0} events were missed")]
pub struct Lagged(pub u64);

/// Reasons why there is no event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The reader was too slow, and this many events are lost. The next one is the oldest that is
    /// left.
    #[error("{0} events were missed")]
    Lagged(u64),
    /// The server was closed, and there are no more events.
    #[error("the server is closed")]
    Closed,
}

/// An event, or the number of events that were dropped before they could be published.
type Published = Result<BrokerEvent, u64>;

/// Hands events to their readers, outside of the broker's lock and in the order in which the broker
/// reported them.
#[derive(Debug)]
pub(crate) struct Publisher {
    sender: broadcast::Sender<Published>,
    waiting: Mutex<Waiting>,
    /// Held by the thread that publishes: readers and log subscribers are called in there.
    publishing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Located>,
    dropped: u64,
}

/// An event, and the address of the client that caused it, if it is known.
type Located = (BrokerEvent, Option<SocketAddr>);

impl Waiting {
    fn pop(&mut self) -> Option<Result<Located, u64>> {
        match std::mem::take(&mut self.dropped) {
            0 => self.events.pop_front().map(Ok),
            dropped => Some(Err(dropped)),
        }
    }
}

impl Publisher {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(EVENTS).0,
            waiting: Mutex::default(),
            publishing: Mutex::new(()),
        }
    }

    pub(crate) fn subscribe(&self, stop: CancellationToken) -> Events {
        let source = Source { receiver: self.sender.subscribe(), stop };
        Events(ReusableBoxFuture::new(source.receive()))
    }

    /// Adds an event. It is published by the next [`Self::publish`].
    pub(crate) fn push(&self, event: BrokerEvent, address: Option<SocketAddr>) {
        let mut waiting = self.waiting();
        if waiting.events.len() >= EVENTS {
            waiting.events.pop_front();
            waiting.dropped += 1;
        }
        waiting.events.push_back((event, address));
    }

    /// Publishes all events that wait, unless another thread, or a caller of this one, is doing so:
    /// it then publishes these as well.
    pub(crate) fn publish(&self) {
        while !self.is_empty() {
            let publishing = match self.publishing.try_lock() {
                Ok(publishing) => publishing,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            while let Some(event) = self.pop() {
                logged(|| match &event {
                    Ok((event, address)) => {
                        tracing::info!(address = address.map(display), "{event}");
                    }
                    Err(dropped) => tracing::warn!(dropped, "events were dropped"),
                });
                // An application need not read them.
                self.sender.send(event.map(|(event, _)| event)).ok();
            }
            // Events that came since then found the lock taken: look again when it is free.
            drop(publishing);
        }
    }

    fn pop(&self) -> Option<Result<Located, u64>> {
        self.waiting().pop()
    }

    fn is_empty(&self) -> bool {
        let waiting = self.waiting();
        waiting.events.is_empty() && waiting.dropped == 0
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events {
    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// [`EventsError::Lagged`] once after events were missed; [`EventsError::Closed`] forever.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn recv(&mut self) -> Result<BrokerEvent, EventsError> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Result<BrokerEvent, EventsError>> {
        let (event, source) = ready!(self.0.poll(context));
        self.0.set(source.receive());
        Poll::Ready(event)
    }
}

impl Source {
    async fn receive(mut self) -> Received {
        let event = tokio::select! {
            biased;
            event = self.receiver.recv() => match event {
                Ok(event) => event.map_err(EventsError::Lagged),
                Err(RecvError::Lagged(missed)) => Err(EventsError::Lagged(missed)),
                Err(RecvError::Closed) => Err(EventsError::Closed),
            },
            () = self.stop.cancelled() => Err(EventsError::Closed),
        };
        (event, self)
    }
}

impl Stream for Events {
    type Item = Result<BrokerEvent, Lagged>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.get_mut().poll_event(context)) {
            Ok(event) => Some(Ok(event)),
            Err(EventsError::Lagged(missed)) => Some(Err(Lagged(missed))),
            Err(EventsError::Closed) => None,
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    fn event(number: usize) -> BrokerEvent {
        BrokerEvent::Connected(number.to_string().parse().unwrap())
    }

    #[tokio::test]
    async fn events_come_in_the_order_in_which_they_happened() {
        let publisher = Publisher::new();
        let mut events = publisher.subscribe(CancellationToken::new());

        publisher.push(event(1), None);
        publisher.push(event(2), None);
        publisher.publish();

        assert_eq!(events.recv().await, Ok(event(1)));
        assert_eq!(events.recv().await, Ok(event(2)));
    }

    #[tokio::test]
    async fn a_reader_learns_how_many_events_were_never_published() {
        let publisher = Publisher::new();
        let mut events = publisher.subscribe(CancellationToken::new());

        for number in 0..EVENTS + 3 {
            publisher.push(event(number), None);
        }
        assert_eq!(publisher.waiting().events.len(), EVENTS);
        publisher.waiting().events.truncate(1);
        publisher.publish();

        assert_eq!(events.recv().await, Err(EventsError::Lagged(3)));
        assert_eq!(events.recv().await, Ok(event(3)));
    }

    #[test]
    fn a_thread_that_publishes_already_takes_what_comes_meanwhile() {
        let publisher = Publisher::new();
        let busy = publisher.publishing.lock().unwrap();

        publisher.push(event(1), None);
        publisher.publish();
        assert_eq!(publisher.waiting().events.len(), 1, "it is left to the other thread");
        drop(busy);
        publisher.publish();

        assert!(publisher.is_empty());
    }

    #[tokio::test]
    async fn a_stream_of_events_tells_how_many_were_missed_and_ends_with_the_server() {
        let (publisher, stop) = (Publisher::new(), CancellationToken::new());
        let mut events = publisher.subscribe(stop.clone());
        for number in 0..EVENTS + 2 {
            publisher.push(event(number), None);
            publisher.publish();
        }
        stop.cancel();

        assert_eq!(events.next().await, Some(Err(Lagged(2))));
        for number in 2..EVENTS + 2 {
            assert_eq!(events.next().await, Some(Ok(event(number))));
        }
        assert_eq!(events.next().await, None);
        assert_eq!(events.next().await, None);
        assert_eq!(events.recv().await, Err(EventsError::Closed));
    }

    #[tokio::test]
    async fn a_wait_for_an_event_that_is_dropped_loses_none() {
        let publisher = Publisher::new();
        let mut events = publisher.subscribe(CancellationToken::new());

        assert_eq!(events.recv().now_or_never(), None);
        publisher.push(event(1), None);
        publisher.publish();

        assert_eq!(events.recv().await, Ok(event(1)));
        assert_eq!(events.next().now_or_never(), None);
    }
}
