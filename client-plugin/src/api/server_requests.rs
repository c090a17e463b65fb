//! Requests to the server, to be awaited: registering, unregistering, and listing clients.
//!
//! None of them borrows the client: each can be spawned.

use std::{
    future::IntoFuture,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::Serialize;
use serde_json::Value;
use socketio_p2p_protocol::{
    ClientEntry, ClientId, PairingInfo,
    client::{Answer, Command, RegisterRetry},
    limits::{CONSENT_TIME_MAX, LINE_TIME_MAX, REQUEST_TIMEOUT, VERDICT_SLACK},
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

/// A request to be paired, from
/// [`P2pClientExt::register_target`](crate::P2pClientExt::register_target). Awaiting it sends the
/// request, and waits for the verdict. It does not borrow the client and can be spawned.
///
/// # Examples
///
/// ```no_run
/// # use socketio_p2p_client::{P2pClient, P2pClientExt as _};
/// # fn spawn(client: &P2pClient) {
/// tokio::spawn(client.register_target("B").into_future());
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Register {
    client: P2pClient,
    target: Box<str>,
    payload: Option<serde_json::Result<Value>>,
    consent_time: Option<Duration>,
    wait: Option<Duration>,
    retry: Option<Duration>,
    timeout: Option<Duration>,
}

/// A request to end the pairing, from
/// [`P2pClientExt::unregister_target`](crate::P2pClientExt::unregister_target). Awaiting it sends the
/// request, and waits until the pairing has ended.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Unregister {
    client: P2pClient,
    timeout: Duration,
}

/// A request for the list of clients, from [`P2pClientExt::clients`](crate::P2pClientExt::clients).
/// Awaiting it sends the request, and waits for the list.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Clients {
    client: P2pClient,
    timeout: Duration,
}

impl Register {
    pub(crate) fn new(client: &P2pClient, target: &str) -> Self {
        Self {
            client: client.clone(),
            target: target.into(),
            payload: None,
            consent_time: None,
            wait: None,
            retry: None,
            timeout: None,
        }
    }

    /// Adds a payload for the target's decision, at most 16 KiB as JSON. None by default.
    pub fn payload(mut self, payload: impl Serialize) -> Self {
        self.payload = Some(serde_json::to_value(payload));
        self
    }

    /// Sets the time that the target has for its decision, from 1 ms to what the server allows. By
    /// default what the server allows, which is 10 s unless it is set otherwise.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use socketio_p2p_client::{P2pClient, P2pClientExt as _, RegisterError};
    /// # async fn ask(client: &P2pClient) -> Result<(), RegisterError> {
    /// // A person decides, but not after this offer has lost its sense.
    /// client.register_target("dentist").consent_time(Duration::from_secs(60)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn consent_time(mut self, time: Duration) -> Self {
        self.consent_time = Some(time);
        self
    }

    /// Waits in line for this time if the target is busy, at most as long as the server allows: 10 minutes
    /// unless it is set otherwise. By default a busy target is refused at once.
    ///
    /// The server asks the target for those in line one after another, in the order of their arrival.
    /// [`Event::InLine`](crate::Event::InLine) reports the place whenever it changes. If the time is over, the
    /// registration fails with `target-busy`; if too many wait, with `queue-full`. A target that is not there
    /// is refused at once (`offline`), and so is the line when it leaves.
    ///
    /// The place is kept for the grace period if the connection is lost. A restarted server knows no lines: the
    /// client registers again by itself, and those who waited are served in the order in which they come back.
    ///
    /// Zero counts as 1 ms, and [`Duration::MAX`] as the longest time that the server allows.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use socketio_p2p_client::{P2pClient, P2pClientExt as _, RegisterError};
    /// # async fn print(client: &P2pClient) -> Result<(), RegisterError> {
    /// client.register_target("printer-1").wait_in_line(Duration::from_secs(120)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn wait_in_line(mut self, within: Duration) -> Self {
        self.wait = Some(within);
        self
    }

    /// Registers again after a refusal that may pass ([`RegisterError::is_retryable`]): the target is not there
    /// yet, or busy, or too much was asked. Attempts begin within this time; the waits between them grow from
    /// 0.5 s to 4 s, so that the server's limit of registrations is kept. The last refusal is returned. By
    /// default there is one attempt.
    ///
    /// Zero, as any time up to 0.5 s, allows one attempt; more than 100 years, [`Duration::MAX`] too, counts as
    /// 100 years.
    ///
    /// A client that waits for a busy target has a place in line with [`Self::wait_in_line`], and none with this.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use socketio_p2p_client::{P2pClient, P2pClientExt as _, RegisterError};
    /// # async fn pair(client: &P2pClient) -> Result<(), RegisterError> {
    /// client.register_target("B").retry(Duration::from_secs(60)).await?; // B may start later
    /// # Ok(())
    /// # }
    /// ```
    pub const fn retry(mut self, within: Duration) -> Self {
        self.retry = Some(within);
        self
    }

    /// Sets the time to wait for the verdict of each attempt. By default the time in line, that of the target,
    /// and 2 s for the way to the server and back. If it ends before the target has decided, the registration is
    /// taken back.
    ///
    /// Zero is over at once; more than 100 years, [`Duration::MAX`] too, counts as 100 years.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Unregister {
    pub(crate) fn new(client: &P2pClient) -> Self {
        Self { client: client.clone(), timeout: REQUEST_TIMEOUT }
    }

    /// Sets the time to wait for the server. 5 s by default.
    ///
    /// Zero is over at once, although the request may be sent and carried out; more than 100 years,
    /// [`Duration::MAX`] too, counts as 100 years.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Clients {
    pub(crate) fn new(client: &P2pClient) -> Self {
        Self { client: client.clone(), timeout: REQUEST_TIMEOUT }
    }

    /// Sets the time to wait for the server. 5 s by default.
    ///
    /// Zero is over at once, although the request may be sent and carried out; more than 100 years,
    /// [`Duration::MAX`] too, counts as 100 years.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Gives the actor a command, and waits for its answer.
pub(crate) async fn ask(
    client: &P2pClient,
    call: CallId,
    timeout: Duration,
    command: impl FnOnce(Instant) -> Command,
) -> Answer {
    let deadline = deadline(Instant::now(), timeout);
    let (answer, answered) = oneshot::channel();
    let command = command(deadline);
    let asked = Asked { command, answer: Some((call, answer)), news: None };
    let asking = async {
        if client.shared.commands.send(asked).await.is_err() {
            return Answer::Closed;
        }
        answered.await.unwrap_or(Answer::Closed)
    };
    timeout_at((deadline + ANSWER_SLACK).into(), asking).await.unwrap_or(Answer::TimedOut)
}

impl IntoFuture for Register {
    type Output = Result<PairingInfo, RegisterError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let Self { client, target, payload, consent_time, wait, retry, timeout } = self;
            let target = match target.parse() {
                Ok(target) => target,
                Err(reason) => return Err(RegisterError::Target { target, reason }),
            };
            let payload = payload
                .transpose()
                .map_err(|reason| RegisterError::Payload { target: name(&target), reason })?;
            let attempt = Registration { client, target, payload, consent_time, wait, timeout };
            let mut retry = retry.map(|within| RegisterRetry::new(within, Instant::now()));
            loop {
                let refused = match attempt.clone().make().await {
                    Err(error) if error.is_retryable() => error,
                    done => return done,
                };
                match retry.as_mut().and_then(|retry| retry.next_wait(Instant::now())) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(refused),
                }
            }
        }
        .boxed()
    }
}

/// One registration.
#[derive(Clone)]
struct Registration {
    client: P2pClient,
    target: ClientId,
    payload: Option<Value>,
    consent_time: Option<Duration>,
    wait: Option<Duration>,
    timeout: Option<Duration>,
}

impl Registration {
    async fn make(self) -> Result<PairingInfo, RegisterError> {
        let Self { client, target, payload, consent_time, wait, timeout } = self;
        let since = Instant::now();
        let call = client.shared.next_call();
        // A caller that no longer waits takes the registration back.
        let _hold = client.shared.hold(call);
        let about = name(&target);
        let command = |deadline| {
            let deadline = timeout.map(|_| deadline);
            Command::Register { call, target, payload, consent_time, wait, deadline }
        };
        // Without a timeout the connection knows how long the server waits.
        let wait = wait.map_or(Duration::ZERO, |wait| wait.min(LINE_TIME_MAX));
        let longest = timeout.unwrap_or(wait + CONSENT_TIME_MAX + VERDICT_SLACK);
        match ask(&client, call, longest, command).await {
            Answer::Registered(pairing) => Ok(pairing),
            Answer::Refused(refusal) => Err(RegisterError::Refused { target: about, refusal }),
            Answer::TimedOut => {
                let after = timeout.unwrap_or_else(|| since.elapsed());
                Err(RegisterError::Timeout { target: about, after })
            }
            _ => Err(RegisterError::Closed { target: about }),
        }
    }
}

/// Returns the name of a target for an error.
fn name(target: &ClientId) -> Box<str> {
    target.as_str().into()
}

impl IntoFuture for Unregister {
    type Output = Result<(), RequestError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let call = self.client.shared.next_call();
            let command = |deadline| Command::Unregister { call, deadline };
            match ask(&self.client, call, self.timeout, command).await {
                Answer::Unregistered => Ok(()),
                answer => Err(request_error(answer, self.timeout)),
            }
        }
        .boxed()
    }
}

impl IntoFuture for Clients {
    type Output = Result<Vec<ClientEntry>, RequestError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let call = self.client.shared.next_call();
            let command = |deadline| Command::List { call, deadline };
            match ask(&self.client, call, self.timeout, command).await {
                Answer::Clients(clients) => Ok(clients),
                answer => Err(request_error(answer, self.timeout)),
            }
        }
        .boxed()
    }
}

pub(crate) fn request_error(answer: Answer, timeout: Duration) -> RequestError {
    match answer {
        Answer::Refused(refusal) => RequestError::Refused(refusal),
        Answer::TimedOut => RequestError::Timeout(timeout),
        _ => RequestError::Closed,
    }
}
