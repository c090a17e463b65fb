//! The reader of a connection's events.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{FutureExt, Stream};
use tokio::sync::mpsc;

use super::channel::DirectChannel;
use super::error::DirectEnd;
use super::event::{DirectEvent, Report};
use super::message::ChannelMessage;
use super::shared::ConnectionShared;

/// The events of a direct connection, as a method and as a [`Stream`].
///
/// While the events are not read, the partner waits, on all channels. When the reader is dropped, nothing waits:
/// further events and messages are dropped.
pub struct DirectEvents {
    shared: Arc<ConnectionShared>,
    reports: mpsc::Receiver<Report>,
    main: Option<DirectChannel>,
    /// The next message, while the stream waits for it.
    receiving: Option<Pin<Box<dyn Future<Output = Option<ChannelMessage>> + Send>>>,
    is_over: bool,
}

impl DirectEvents {
    pub(crate) fn new(shared: Arc<ConnectionShared>, reports: mpsc::Receiver<Report>) -> Self {
        Self { shared, reports, main: None, receiving: None, is_over: false }
    }

    /// Returns the next event, or `None` after [`DirectEvent::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<DirectEvent> {
        self.receiving = None; // It loses nothing.
        loop {
            let report = match &self.main {
                Some(main) => tokio::select! {
                    report = self.reports.recv() => report,
                    message = main.recv() => match message {
                        Some(message) => return Some(DirectEvent::Message(message)),
                        None => {
                            self.main_ended();
                            continue;
                        }
                    },
                },
                None => self.reports.recv().await,
            };
            return match report {
                Some(report) => Some(self.event(report)),
                None => self.last(),
            };
        }
    }

    fn event(&mut self, report: Report) -> DirectEvent {
        match report {
            Report::Event(event) => event,
            Report::Opened(main) => {
                self.main = Some(main);
                DirectEvent::Open
            }
        }
    }

    fn main_ended(&mut self) {
        self.main = None;
        self.shared.left.cancel();
    }

    /// Returns the messages that arrived before the end, then the end.
    fn last(&mut self) -> Option<DirectEvent> {
        if let Some(message) = self.main.as_ref().and_then(|main| main.recv().now_or_never()) {
            if let Some(message) = message {
                return Some(DirectEvent::Message(message));
            }
            self.main = None;
        }
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        self.main = None;
        Some(DirectEvent::Closed(self.shared.end.get().cloned().unwrap_or(DirectEnd::Here)))
    }
}

impl Stream for DirectEvents {
    type Item = DirectEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match this.reports.poll_recv(context) {
                Poll::Ready(Some(report)) => return Poll::Ready(Some(this.event(report))),
                Poll::Ready(None) => {
                    this.receiving = None;
                    return Poll::Ready(this.last());
                }
                Poll::Pending => {}
            }
            let Some(main) = &this.main else { return Poll::Pending };
            let receiving = this.receiving.get_or_insert_with(|| {
                let main = main.clone();
                Box::pin(async move { main.recv().await })
            });
            let message = ready!(receiving.as_mut().poll(context));
            this.receiving = None;
            match message {
                Some(message) => return Poll::Ready(Some(DirectEvent::Message(message))),
                None => this.main_ended(),
            }
        }
    }
}

impl Drop for DirectEvents {
    fn drop(&mut self) {
        self.shared.unheard.cancel();
    }
}

impl fmt::Debug for DirectEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectEvents").field("main", &self.main).finish_non_exhaustive()
    }
}
