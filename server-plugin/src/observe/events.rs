//! Events of the plugin, for the application.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
};

use socketio_p2p_protocol::BrokerEvent;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// The events that a reader may be behind before it misses some, and the events that may wait to be
/// published. Beyond it the oldest are dropped, and readers get [`EventsError::Lagged`].
const EVENTS: usize = 1024;

/// The events from the moment of [`P2pServer::events`](crate::P2pServer::events) on.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Published>,
    stop: CancellationToken,
}

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
    events: VecDeque<BrokerEvent>,
    dropped: u64,
}

impl Waiting {
    fn pop(&mut self) -> Option<Published> {
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
        Events { receiver: self.sender.subscribe(), stop }
    }

    /// Adds an event. It is published by the next [`Self::publish`].
    pub(crate) fn push(&self, event: BrokerEvent) {
        let mut waiting = self.waiting();
        if waiting.events.len() >= EVENTS {
            waiting.events.pop_front();
            waiting.dropped += 1;
        }
        waiting.events.push_back(event);
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
                match &event {
                    Ok(event) => tracing::info!(?event),
                    Err(dropped) => tracing::warn!(dropped, "events were dropped"),
                }
                // An application need not read them.
                self.sender.send(event).ok();
            }
            // Events that came since then found the lock taken: look again when it is free.
            drop(publishing);
        }
    }

    fn pop(&self) -> Option<Published> {
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
        tokio::select! {
            biased;
            event = self.receiver.recv() => match event {
                Ok(event) => event.map_err(EventsError::Lagged),
                Err(RecvError::Lagged(missed)) => Err(EventsError::Lagged(missed)),
                Err(RecvError::Closed) => Err(EventsError::Closed),
            },
            () = self.stop.cancelled() => Err(EventsError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> BrokerEvent {
        BrokerEvent::Connected(number.to_string().parse().unwrap())
    }

    #[tokio::test]
    async fn events_come_in_the_order_in_which_they_happened() {
        let publisher = Publisher::new();
        let mut events = publisher.subscribe(CancellationToken::new());

        publisher.push(event(1));
        publisher.push(event(2));
        publisher.publish();

        assert_eq!(events.recv().await, Ok(event(1)));
        assert_eq!(events.recv().await, Ok(event(2)));
    }

    #[tokio::test]
    async fn a_reader_learns_how_many_events_were_never_published() {
        let publisher = Publisher::new();
        let mut events = publisher.subscribe(CancellationToken::new());

        for number in 0..EVENTS + 3 {
            publisher.push(event(number));
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

        publisher.push(event(1));
        publisher.publish();
        assert_eq!(publisher.waiting().events.len(), 1, "it is left to the other thread");
        drop(busy);
        publisher.publish();

        assert!(publisher.is_empty());
    }
}
