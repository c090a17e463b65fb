//! The operations of a paired client: the extension of rust_socketio's client.

use serde::Serialize;
use socketio_p2p_protocol::PairingInfo;

use crate::api::{
    args,
    client::P2pClient,
    emit2::Emit2,
    events::Events,
    handler_output::HandlerOutput,
    incoming::{Consent, Incoming, PairingRequest},
    mesh::{JoinMesh, MeshOptions},
    server_requests::{Clients, Register, Unregister},
    target_watch::WatchTarget,
};
#[cfg(feature = "webrtc")]
use crate::direct::{ChannelError, ChannelOptions, DirectChannel};

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::api::client::P2pClient {}
}

/// The operations of a client that can be paired. It is implemented for [`P2pClient`] only:
/// rust_socketio's own client has no place for the state of a pairing.
pub trait P2pClientExt: sealed::Sealed {
    /// Asks the server to pair this client with `target`, and waits for the verdict.
    ///
    /// If the two are paired already, the call returns that pairing. If they ask each other at the same
    /// time, both calls return one pairing.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Refused`](crate::RegisterError::Refused) if the target is offline or busy or
    /// declines, or if this client has another partner. An existing pairing stays.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the server's answer is there, the registration is taken back. A pairing that
    /// the server has made meanwhile is ended: [`Event::Paired`](crate::Event::Paired) and
    /// [`Event::Unpaired`](crate::Event::Unpaired) may report it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use socketio_p2p_client::{P2pClient, P2pClientExt as _, RegisterError};
    ///
    /// async fn pair(client: &P2pClient) -> Result<(), RegisterError> {
    ///     match client.register_target("B").payload("a word for B to decide by").await {
    ///         Ok(pairing) => println!("paired with {}", pairing.partner),
    ///         Err(RegisterError::Refused { refusal, .. }) if refusal.code.is_retryable() => {
    ///             println!("not now: {refusal}");
    ///         }
    ///         Err(error) => return Err(error),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    fn register_target(&self, target: impl AsRef<str>) -> Register;

    /// Ends the pairing, cancels a registration that waits, and waits until both are done. A client
    /// without a pairing succeeds at once.
    ///
    /// Before the pairing ends, the client waits until the partner has received every event that was
    /// emitted, for at most 1 s, and at most half of the timeout. It does not wait for handlers and
    /// replies: a call that still waits for its reply resolves as *unknown*.
    ///
    /// # Errors
    ///
    /// [`RequestError`](crate::RequestError) if the server does not answer.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the pairing ends even if the future is dropped, unless 64 requests of this client wait before it.
    fn unregister_target(&self) -> Unregister;

    /// Watches whether `target` can be asked: it is absent, free or busy. The watch is a [`Stream`] of its
    /// states, which begins with the present one.
    ///
    /// The server has to allow it: by default no client may watch another.
    ///
    /// # Errors
    ///
    /// [`WatchError::Refused`](crate::WatchError::Refused) if the server does not let this client watch the
    /// target.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, the watch ends.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use futures_util::StreamExt as _;
    /// use socketio_p2p_client::{P2pClient, P2pClientExt as _, TargetState, WatchError};
    ///
    /// async fn print_soon(client: &P2pClient) -> Result<(), WatchError> {
    ///     let mut printer = client.watch_target("printer-1").await?;
    ///     while let Some(state) = printer.next().await {
    ///         if state == TargetState::Free && client.register_target("printer-1").await.is_ok() {
    ///             break;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// [`Stream`]: futures_util::Stream
    fn watch_target(&self, target: impl AsRef<str>) -> WatchTarget;

    /// Joins a room, whose members are all connected to each other: a mesh. It is created with its first member.
    /// Joining again returns another handle on it. See [`Mesh`](crate::Mesh).
    ///
    /// The server has to allow it: by default no client may join a room.
    ///
    /// # Errors
    ///
    /// [`JoinError::Refused`](crate::JoinError::Refused) if the server does not let this client join, or if the room is
    /// full.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the server's answer is there, the request is taken back.
    fn join_mesh(&self, room: impl AsRef<str>, options: MeshOptions) -> JoinMesh;

    /// Emits an event to the partner, and waits for the result of the partner's handler. See [`Emit2`] for
    /// events without a reply, and for deadlines.
    ///
    /// A tuple and a tuple struct are several arguments, any other value is one; a newtype is what it holds, and `()` is
    /// `null`. A number that is none (`f64::NAN`) travels as `null`, as in JavaScript. Bytes travel as a blob: a value that serialises
    /// as bytes, for example [`bytes::Bytes`], and a sequence of `u8`, for example a `Vec<u8>`, also inside
    /// other values. The partner reads a blob as either type. An array `[u8; N]` and an empty `Vec<u8>`
    /// travel as numbers. The arguments may have 1 MiB, nested 61 deep. Arguments of more
    /// than 16 KiB travel in parts, so that small events of the other direction, replies and control
    /// messages pass between them.
    ///
    /// The event is meant for the partner at the time of this call: if that pairing has ended when the
    /// event could be sent, it is not executed. A handler that has awaited something uses
    /// [`Incoming::emit2`], which is meant for the sender of the handled event. Events reach their handlers
    /// in the order in which their futures were first polled.
    ///
    /// # Errors
    ///
    /// [`EmitError`](crate::EmitError) tells whether a handler ran, as far as that can be known.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the event was sent, the event is not sent. If it is dropped later,
    /// the handler runs nevertheless, and its reply is discarded.
    fn emit2(&self, event: impl Into<String>, args: impl Serialize) -> Emit2;

    /// Sets the handler of an event of the partner, and replaces an earlier one. The handler's result is
    /// the acknowledgement; a tuple is several arguments.
    ///
    /// A handler runs in the order of the events up to its first await, and from there in a task of its
    /// own. What must keep that order is handed over before: `send(…).await` of a bounded channel of tokio
    /// (1.54) delivers in any order while the channel is full. At most 256 for calls run at once, and as many for other
    /// emits; further events wait at the partner. A handler continues when its pairing ends; only when 512 run, those of
    /// earlier pairings are aborted to make room. A handler that runs keeps the client connected, and so does one that
    /// holds a clone of it: let it use [`Incoming::client`] or a [`WeakP2pClient`](crate::WeakP2pClient).
    ///
    /// The code and the text of its error are sent to the partner, also those of any error returned with
    /// `?`: see [`HandlerError`](crate::HandlerError). A handler that
    /// cannot fail and has nothing to say may return `()`: see [`HandlerOutput`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::sync::{Arc, Mutex};
    ///
    /// use socketio_p2p_client::{HandlerError, Incoming, P2pClient, P2pClientExt as _};
    ///
    /// fn handle(client: &P2pClient) {
    ///     // A handler with state is a closure that gives each event's future a clone of it.
    ///     let jobs = Arc::new(Mutex::new(Vec::new()));
    ///     client.on2("print", move |incoming: Incoming| {
    ///         let jobs = jobs.clone();
    ///         async move {
    ///             let (title, pages): (String, u32) = incoming.args()?; // others are an error, too
    ///             let mut jobs = jobs.lock().map_err(|_| HandlerError::new("a job has panicked"))?;
    ///             jobs.push((title, pages));
    ///             Ok(jobs.len())
    ///         }
    ///     });
    ///     // Without state an async closure does.
    ///     client.on2("divide", async |incoming: Incoming| {
    ///         let (a, b): (i64, i64) = incoming.args()?;
    ///         a.checked_div(b).ok_or(HandlerError::with_code("division-by-zero", "b is 0"))
    ///     });
    ///     client.on2("greet", async |incoming: Incoming| {
    ///         // A handler can emit, register and unregister.
    ///         let name: String = incoming.emit2("what-is-your-name", ()).reply_as().await?;
    ///         Ok(format!("hello {name}"))
    ///     });
    /// }
    /// ```
    fn on2<F, Fut, R>(&self, event: impl Into<String>, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput;

    /// Removes the handler of an event. Calls of it are then *not executed* (`unhandled`).
    fn off2(&self, event: &str);

    /// Sets the handler of all events of the partner that have no handler of their own.
    fn on2_fallback<F, Fut, R>(&self, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput;

    /// Sets the function that decides whether another client may be paired with this one. Without it every
    /// client may, while this one is free. The server waits for the decision for 10 s, or as its
    /// `consent_time` says; then its future is dropped.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use socketio_p2p_client::{Consent, P2pClient, P2pClientExt as _, PairingRequest};
    ///
    /// fn only_friends(client: &P2pClient) {
    ///     client.on_register(async |request: PairingRequest| match request.payload {
    ///         Some(word) if word == "friend" => Consent::accept(),
    ///         _ => Consent::decline(format!("{} is no friend", request.source)),
    ///     });
    ///     // A decision may also be a plain `bool`.
    ///     client.on_register(async |request: PairingRequest| request.source == "B");
    /// }
    /// ```
    fn on_register<F, Fut, C>(&self, decide: F)
    where
        F: Fn(PairingRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = C> + Send + 'static,
        C: Into<Consent> + 'static;

    /// Opens a raw channel to the partner on the direct path, and waits until the partner has confirmed
    /// it. Its messages are transported as they are, with the guarantees of `options`. The partner's
    /// [`Self::on_channel`] receives its handle of the channel. The channel ends with the direct path: use
    /// [`Self::emit2`] for anything that must survive it.
    ///
    /// # Errors
    ///
    /// [`ChannelError::NotOpen`](crate::direct::ChannelError::NotOpen) while there is no direct path.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, the channel is closed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use socketio_p2p_client::{P2pClient, P2pClientExt as _, direct::ChannelOptions};
    ///
    /// async fn send_log(client: &P2pClient) -> Result<(), Box<dyn std::error::Error>> {
    ///     let channel = client.channel("log", ChannelOptions::default()).await?;
    ///     channel.send("a line").await?;
    ///     channel.close().await;
    ///     Ok(())
    /// }
    /// ```
    #[cfg(feature = "webrtc")]
    fn channel(
        &self,
        label: impl Into<String>,
        options: ChannelOptions,
    ) -> impl Future<Output = Result<DirectChannel, ChannelError>> + Send;

    /// Sets the handler of the channels that the partner opens. It runs in a task of its own for each
    /// channel. Without a handler channels are closed. At most 128 run at once; they are aborted with the
    /// client.
    #[cfg(feature = "webrtc")]
    fn on_channel<F, Fut>(&self, handler: F)
    where
        F: Fn(DirectChannel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static;

    /// Returns the present pairing.
    fn pairing(&self) -> Option<PairingInfo>;

    /// Returns the events of this client: to the first caller those since it connected, to others those
    /// from now on. A reader that falls 256 events behind gets an error that tells how many it missed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use socketio_p2p_client::{Event, EventsError, P2pClient, P2pClientExt as _};
    ///
    /// /// Waits until the partner is gone.
    /// async fn until_unpaired(client: &P2pClient) -> Result<(), EventsError> {
    ///     let mut events = client.events();
    ///     loop {
    ///         if let Event::Unpaired { reason, .. } = events.recv().await? {
    ///             println!("the pairing has ended: {reason}");
    ///             return Ok(());
    ///         }
    ///     }
    /// }
    /// ```
    fn events(&self) -> Events;

    /// Asks the server for the list of clients. By default a server allows it to stock
    /// clients only: see `P2pServerBuilder::list_clients`.
    ///
    /// # Errors
    ///
    /// [`RequestError::Refused`](crate::RequestError::Refused) if the server does not allow it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn clients(&self) -> Clients;
}

impl P2pClientExt for P2pClient {
    fn register_target(&self, target: impl AsRef<str>) -> Register {
        Register::new(self, target.as_ref())
    }

    fn watch_target(&self, target: impl AsRef<str>) -> WatchTarget {
        WatchTarget::new(self, target.as_ref())
    }

    fn join_mesh(&self, room: impl AsRef<str>, options: MeshOptions) -> JoinMesh {
        JoinMesh::new(self, room.as_ref(), options)
    }

    fn unregister_target(&self) -> Unregister {
        Unregister::new(self)
    }

    fn emit2(&self, event: impl Into<String>, args: impl Serialize) -> Emit2 {
        let pairing = self.pairing().map(|pairing| pairing.id);
        Emit2::new(self.clone(), pairing, event.into(), args::encode(&args))
    }

    fn on2<F, Fut, R>(&self, event: impl Into<String>, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput,
    {
        self.shared.handlers.on(event.into(), handler);
    }

    fn off2(&self, event: &str) {
        self.shared.handlers.off(event);
    }

    fn on2_fallback<F, Fut, R>(&self, handler: F)
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput,
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
        let connection = self.shared.direct_connection.borrow().clone();
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

    fn clients(&self) -> Clients {
        Clients::new(self)
    }
}
