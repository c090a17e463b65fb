//! Requests to the server, to be awaited: registering, unregistering, and listing clients.

use std::{
    future::IntoFuture,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::Serialize;
use serde_json::Value;
use socketio_p2p_protocol::{
    ClientEntry, ClientId, ClientIdError, PairingInfo,
    client::{Answer, Command},
    limits::{REGISTER_TIMEOUT, REQUEST_TIMEOUT},
    session::CallId,
};
use tokio::{sync::oneshot, time::timeout_at};

use crate::{
    actor::command::{ANSWER_SLACK, Asked, deadline},
    api::{
        client::P2pClient,
        error::{RegisterError, RequestError},
    },
};

/// The time that a client waits longer than the server does for the verdict about a registration.
const VERDICT_SLACK: Duration = Duration::from_secs(2);

/// A request to be paired, from
/// [`P2pClientExt::register_target`](crate::P2pClientExt::register_target). Awaiting it sends the
/// request, and waits for the verdict.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Register<'a> {
    client: &'a P2pClient,
    target: Result<ClientId, ClientIdError>,
    payload: Option<serde_json::Result<Value>>,
    timeout: Duration,
}

/// A request to end the pairing, from
/// [`P2pClientExt::unregister_target`](crate::P2pClientExt::unregister_target). Awaiting it sends the
/// request, and waits until the pairing has ended.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Unregister<'a> {
    client: &'a P2pClient,
    timeout: Duration,
}

/// A request for the list of clients, from [`P2pClientExt::clients`](crate::P2pClientExt::clients).
/// Awaiting it sends the request, and waits for the list.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Clients<'a> {
    client: &'a P2pClient,
    timeout: Duration,
}

impl<'a> Register<'a> {
    pub(crate) fn new(client: &'a P2pClient, target: &str) -> Self {
        let timeout = REGISTER_TIMEOUT + VERDICT_SLACK;
        Self { client, target: target.parse(), payload: None, timeout }
    }

    /// Adds a payload for the target's decision, at most 16 KiB as JSON. None by default.
    pub fn payload(mut self, payload: impl Serialize) -> Self {
        self.payload = Some(serde_json::to_value(payload));
        self
    }

    /// Sets the time to wait for the verdict. 12 s by default: the target has 10 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> Unregister<'a> {
    pub(crate) const fn new(client: &'a P2pClient) -> Self {
        Self { client, timeout: REQUEST_TIMEOUT }
    }

    /// Sets the time to wait for the server. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> Clients<'a> {
    pub(crate) const fn new(client: &'a P2pClient) -> Self {
        Self { client, timeout: REQUEST_TIMEOUT }
    }

    /// Sets the time to wait for the server. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Gives the actor a command, and waits for its answer.
async fn ask(
    client: &P2pClient,
    timeout: Duration,
    command: impl FnOnce(CallId, Instant) -> Command,
) -> Answer {
    let deadline = deadline(Instant::now(), timeout);
    let call = client.shared.next_call();
    let (answer, answered) = oneshot::channel();
    let command = command(call, deadline);
    let asked = Asked { command, answer: Some((call, answer)), claim: None };
    let asking = async {
        if client.shared.commands.send(asked).await.is_err() {
            return Answer::Closed;
        }
        answered.await.unwrap_or(Answer::Closed)
    };
    timeout_at((deadline + ANSWER_SLACK).into(), asking).await.unwrap_or(Answer::TimedOut)
}

impl<'a> IntoFuture for Register<'a> {
    type Output = Result<PairingInfo, RegisterError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let Register { client, target, payload, timeout } = self;
            let target = target?;
            let payload = payload.transpose().map_err(RegisterError::Payload)?;
            let command = |call, deadline| Command::Register { call, target, payload, deadline };
            match ask(client, timeout, command).await {
                Answer::Registered(pairing) => Ok(pairing),
                Answer::Refused(refusal) => Err(RegisterError::Refused(refusal)),
                Answer::TimedOut => Err(RegisterError::Timeout(timeout)),
                _ => Err(RegisterError::Closed),
            }
        }
        .boxed()
    }
}

impl<'a> IntoFuture for Unregister<'a> {
    type Output = Result<(), RequestError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let command = |call, deadline| Command::Unregister { call, deadline };
            match ask(self.client, self.timeout, command).await {
                Answer::Unregistered => Ok(()),
                answer => Err(request_error(answer, self.timeout)),
            }
        }
        .boxed()
    }
}

impl<'a> IntoFuture for Clients<'a> {
    type Output = Result<Vec<ClientEntry>, RequestError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let command = |call, deadline| Command::List { call, deadline };
            match ask(self.client, self.timeout, command).await {
                Answer::Clients(clients) => Ok(clients),
                answer => Err(request_error(answer, self.timeout)),
            }
        }
        .boxed()
    }
}

fn request_error(answer: Answer, timeout: Duration) -> RequestError {
    match answer {
        Answer::Refused(refusal) => RequestError::Refused(refusal),
        Answer::TimedOut => RequestError::Timeout(timeout),
        _ => RequestError::Closed,
    }
}
