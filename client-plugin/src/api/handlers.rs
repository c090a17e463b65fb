//! The application's handlers: which function handles what.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use futures_util::{FutureExt as _, future::BoxFuture};

use crate::api::{
    handler_output::{HandlerOutput, HandlerResult},
    incoming::{Consent, Incoming, PairingRequest},
};
#[cfg(feature = "webrtc")]
use crate::direct::DirectChannel;

pub(crate) type EventHandler =
    Arc<dyn Fn(Incoming) -> BoxFuture<'static, HandlerResult> + Send + Sync>;
#[cfg(feature = "webrtc")]
pub(crate) type ChannelHandler = Arc<dyn Fn(DirectChannel) -> BoxFuture<'static, ()> + Send + Sync>;
pub(crate) type ConsentHandler =
    Arc<dyn Fn(PairingRequest) -> BoxFuture<'static, Consent> + Send + Sync>;

/// The application's handlers.
#[derive(Default)]
pub(crate) struct Handlers {
    events: RwLock<HashMap<String, EventHandler>>,
    fallback: RwLock<Option<EventHandler>>,
    consent: RwLock<Option<ConsentHandler>>,
    #[cfg(feature = "webrtc")]
    channel: RwLock<Option<ChannelHandler>>,
}

impl Clone for Handlers {
    fn clone(&self) -> Self {
        fn copy<T: Clone>(lock: &RwLock<T>) -> RwLock<T> {
            RwLock::new(lock.read().unwrap_or_else(PoisonError::into_inner).clone())
        }
        Self {
            events: copy(&self.events),
            fallback: copy(&self.fallback),
            consent: copy(&self.consent),
            #[cfg(feature = "webrtc")]
            channel: copy(&self.channel),
        }
    }
}

fn handler<F, Fut, R>(handle: F) -> EventHandler
where
    F: Fn(Incoming) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    R: HandlerOutput,
{
    Arc::new(move |incoming| {
        let future = handle(incoming);
        async move { future.await.into_result().0 }.boxed()
    })
}

impl Handlers {
    pub(crate) fn on<F, Fut, R>(&self, event: String, handle: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput,
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
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput,
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

    /// Returns the handler of the partner's channels, or `None` if they are to be closed.
    #[cfg(feature = "webrtc")]
    pub(crate) fn channel(&self) -> Option<ChannelHandler> {
        self.channel.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the function that decides about registrations, or `None` if all are accepted.
    pub(crate) fn consent(&self) -> Option<ConsentHandler> {
        self.consent.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the handler of an event, or else the fallback.
    pub(crate) fn find(&self, event: &str) -> Option<EventHandler> {
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
