//! What a paired client can do: the extension of rust_socketio's client.

use serde::Serialize;
use socketio_p2p_protocol::PairingInfo;

#[cfg(feature = "webrtc")]
use crate::direct::{ChannelError, ChannelOptions, DirectChannel};
use crate::{
    api::args,
    api::client::P2pClient,
    api::emit2::Emit2,
    api::error::HandlerError,
    api::events::Events,
    api::incoming::{Consent, Incoming, PairingRequest},
    api::server_requests::{Clients, Register, Unregister},
};

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::api::client::P2pClient {}
}

/// Pairing, and talking to the partner. Implemented for [`P2pClient`] only: rust_socketio's own
/// client has no place for what a pairing has to remember.
pub trait P2pClientExt: sealed::Sealed {
    /// Asks the server to pair this client with `target`. Awaited, it waits for the verdict.
    ///
    /// If the two are paired already, that is the answer. If they ask each other at the same
    /// time, they become one pairing.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Refused`](crate::RegisterError::Refused) if the target is offline, busy
    /// or says no, or this client has a partner; an existing pairing stays.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if it does not resolve, the pairing may come about all the same.
    /// [`Self::unregister_target`] ends it in any case.
    fn register_target(&self, target: impl AsRef<str>) -> Register<'_>;

    /// Ends the pairing, and takes back a registration that waits. Awaited, it waits until it is
    /// so; there is nothing wrong with not being paired.
    ///
    /// # Errors
    ///
    /// [`RequestError`](crate::RequestError) if the server does not answer.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the pairing ends even if the future is dropped.
    fn unregister_target(&self) -> Unregister<'_>;

    /// Sends an event to the partner. Awaited, it waits for what the partner's handler returns;
    /// see [`Emit2`] for events that want no reply, and for deadlines.
    ///
    /// A tuple is several arguments, anything else is one. What serialises as bytes, for example
    /// [`bytes::Bytes`], travels as a blob. At most 1 MiB, nested at most 61 deep; what is larger
    /// than 16 KiB goes in parts, between which small events of the other direction, replies and
    /// everything that concerns the pairing itself pass.
    ///
    /// It is meant for the partner of the moment of this call: if that pairing is over when it
    /// could be sent, it is not executed. A handler that awaited something in between uses
    /// [`Incoming::emit2`], which is meant for whom it answers.
    ///
    /// # Errors
    ///
    /// [`EmitError`](crate::EmitError) says whether a handler ran, as far as that can be known.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it was sent, it is not sent. Dropped later, the handler runs all the same
    /// and its reply is forgotten.
    fn emit2(&self, event: impl Into<String>, args: impl Serialize) -> Emit2<'_>;

    /// Handles an event of the partner; an earlier handler of it is replaced. What the handler
    /// returns is the acknowledgement, a tuple as several arguments.
    ///
    /// It runs in the order of the events up to its first await, and from there in a task of its
    /// own. At most 256 run at once; further events wait with the partner. A handler goes on when
    /// its pairing ends; only when 512 run, those of earlier pairings are ended to make room. One
    /// that holds a clone of the client keeps it connected: [`Incoming::client`] does not.
    ///
    /// Its error is told to the partner, text and all: `?` tells that of whatever failed.
    fn on2<F, Fut, R>(&self, event: impl Into<String>, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize;

    /// No longer handles an event. Its callers are told that there is no handler.
    fn off2(&self, event: &str);

    /// Handles all events of the partner that have no handler of their own.
    fn on2_fallback<F, Fut, R>(&self, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize;

    /// Decides whether another client may be paired with this one. Without it everybody may,
    /// while this client is free. The server waits 10 s for the decision.
    fn on_register<F, Fut, C>(&self, decide: F)
    where
        F: Fn(PairingRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = C> + Send + 'static,
        C: Into<Consent> + 'static;

    /// Opens a channel of its own to the partner, on the direct path: messages as they are, with
    /// what `options` promise of them. The partner's [`Self::on_channel`] gets its other end. It
    /// goes with the direct path: what it should survive belongs into [`Self::emit2`]. Awaited, it
    /// waits until the partner has confirmed it.
    ///
    /// # Errors
    ///
    /// [`ChannelError::NotOpen`](crate::direct::ChannelError::NotOpen) while there is no direct path.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a channel that nobody waits for is closed again.
    #[cfg(feature = "webrtc")]
    fn channel(
        &self,
        label: impl Into<String>,
        options: ChannelOptions,
    ) -> impl Future<Output = Result<DirectChannel, ChannelError>> + Send;

    /// Handles the channels that the partner opens, each in a task of its own. Without it they are
    /// closed again. At most 128 run at once; they are ended with the client.
    #[cfg(feature = "webrtc")]
    fn on_channel<F, Fut>(&self, handler: F)
    where
        F: Fn(DirectChannel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static;

    /// The present pairing.
    fn pairing(&self) -> Option<PairingInfo>;

    /// What happens to this client: for the first who asks, since it connected; for others, from
    /// now on. A reader that falls 256 events behind is told so.
    fn events(&self) -> Events;

    /// Asks for the clients there are. Most servers do not allow it.
    ///
    /// # Errors
    ///
    /// [`RequestError::Refused`](crate::RequestError::Refused) if the server does not allow it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn clients(&self) -> Clients<'_>;
}

impl P2pClientExt for P2pClient {
    fn register_target(&self, target: impl AsRef<str>) -> Register<'_> {
        Register::new(self, target.as_ref())
    }

    fn unregister_target(&self) -> Unregister<'_> {
        Unregister::new(self)
    }

    fn emit2(&self, event: impl Into<String>, args: impl Serialize) -> Emit2<'_> {
        let pairing = self.pairing().map(|pairing| pairing.id);
        Emit2::new(self, pairing, event.into(), args::encode(&args))
    }

    fn on2<F, Fut, R>(&self, event: impl Into<String>, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        self.shared.handlers.on(event.into(), handler);
    }

    fn off2(&self, event: &str) {
        self.shared.handlers.off(event);
    }

    fn on2_fallback<F, Fut, R>(&self, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        self.shared.handlers.on_fallback(handler);
    }

    fn on_register<F, Fut, C>(&self, decide: F)
    where
        F: Fn(PairingRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = C> + Send + 'static,
        C: Into<Consent> + 'static,
    {
        self.shared.handlers.on_register(decide);
    }

    #[cfg(feature = "webrtc")]
    fn channel(
        &self,
        label: impl Into<String>,
        options: ChannelOptions,
    ) -> impl Future<Output = Result<DirectChannel, ChannelError>> + Send {
        let connection = self.shared.opened.borrow().clone();
        let label = label.into();
        async move { connection.ok_or(ChannelError::NotOpen)?.open(label, options).await }
    }

    #[cfg(feature = "webrtc")]
    fn on_channel<F, Fut>(&self, handler: F)
    where
        F: Fn(DirectChannel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.shared.handlers.on_channel(handler);
    }

    fn pairing(&self) -> Option<PairingInfo> {
        self.shared.pairing.borrow().clone()
    }

    fn events(&self) -> Events {
        self.shared.events()
    }

    fn clients(&self) -> Clients<'_> {
        Clients::new(self)
    }
}
