//! The changes of a client's connection and pairing, for the application.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use socketio_p2p_protocol::ClientEvent;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::ReusableBoxFuture;

/// Events that wait for a reader. Beyond it the reader misses the oldest.
pub(crate) const EVENTS: usize = 256;

/// The events of a client, from [`P2pClientExt::events`](crate::P2pClientExt::events).
///
/// [`Event::Paired`](crate::Event::Paired) is published before a handler of its pairing runs. A task that reads
/// the events may see it later than the handler runs; to keep the two in order, let the handler pass on to that
/// task what it got, and read the events that are there before it: see the example `peer`.
///
/// After a restart of the server there are two events: `Restarted`, with the new connection, and `Unpaired` if
/// the pairing has ended with the old server. A pairing with an open direct path goes on, and
/// `Reasserted` follows. So register again at `Unpaired`, not at `Restarted`.
///
/// It is a [`Stream`], which ends when the client is closed, and [`Self::recv`] needs no extension trait.
///
/// # Examples
///
/// ```no_run
/// use futures_util::StreamExt as _;
/// use socketio_p2p_client::{Event, Lagged, P2pClient, P2pClientExt as _};
///
/// async fn log(client: &P2pClient) {
///     let mut events = client.events();
///     while let Some(event) = events.next().await {
///         match event {
///             Ok(Event::Paired(pairing)) => println!("paired with {}", pairing.partner),
///             Ok(Event::Unpaired { pairing, reason }) => println!("{} is gone: {reason}", pairing.partner),
///             Ok(Event::Path { path: Some(path), .. }) => println!("emits take the path {path}"),
///             Ok(_) => {}
///             Err(Lagged(missed)) => println!("{missed} events were missed"),
///         }
///     }
/// }
/// ```
#[must_use = "events are lost unless they are read"]
pub struct Events(ReusableBoxFuture<'static, Received>);

type Receiver = broadcast::Receiver<ClientEvent>;
type Received = (Result<ClientEvent, RecvError>, Receiver);

/// The reason for which [`Events::recv`] returned no event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The reader was too slow, and has missed this many events. The next one is the oldest that is left.
    #[error("{0} events were missed")]
    Lagged(u64),
    /// The client is closed, and there will be no more events.
    #[error("the client is closed")]
    Closed,
}

/// The number of events that a reader of a [`Stream`] of events has missed, because it was too slow. The
/// next item is the oldest event that is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0} events were missed")]
pub struct Lagged(pub u64);

impl Events {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self(ReusableBoxFuture::new(receive(receiver)))
    }

    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// [`EventsError::Lagged`] once, with the number of events that were missed; the next call goes on.
    /// [`EventsError::Closed`] when the client is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn recv(&mut self) -> Result<ClientEvent, EventsError> {
        let event = poll_fn(|cx| self.poll_event(cx)).await;
        event.map_err(|error| match error {
            RecvError::Lagged(missed) => EventsError::Lagged(missed),
            RecvError::Closed => EventsError::Closed,
        })
    }

    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ClientEvent, RecvError>> {
        let (event, receiver) = ready!(self.0.poll(cx));
        self.0.set(receive(receiver));
        Poll::Ready(event)
    }
}

async fn receive(mut receiver: Receiver) -> Received {
    let event = receiver.recv().await;
    (event, receiver)
}

impl Stream for Events {
    type Item = Result<ClientEvent, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.get_mut().poll_event(cx)) {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(missed)) => Some(Err(Lagged(missed))),
            Err(RecvError::Closed) => None,
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

    #[tokio::test]
    async fn a_stream_of_events_tells_how_many_were_missed_and_ends_with_the_client() {
        let (client, receiver) = broadcast::channel(1);
        let mut events = Events::new(receiver);
        for event in [ClientEvent::Away, ClientEvent::Away, ClientEvent::Disconnected] {
            client.send(event).unwrap();
        }
        drop(client);

        assert_eq!(events.next().await, Some(Err(Lagged(2))));
        assert_eq!(events.next().await, Some(Ok(ClientEvent::Disconnected)));
        assert_eq!(events.next().await, None);
        assert_eq!(events.next().await, None);
        assert_eq!(events.recv().await, Err(EventsError::Closed));
    }

    #[tokio::test]
    async fn a_wait_for_an_event_that_is_dropped_loses_none() {
        let (client, receiver) = broadcast::channel(4);
        let mut events = Events::new(receiver);

        assert_eq!(events.recv().now_or_never(), None);
        client.send(ClientEvent::Away).unwrap();

        assert_eq!(events.recv().await, Ok(ClientEvent::Away));
        assert_eq!(events.next().now_or_never(), None);
    }
}
