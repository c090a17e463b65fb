//! ICE servers that the application provides anew: those whose credentials expire.

use std::fmt;
use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use socketio_p2p_protocol::{IceServer, IceWarning, limits::setting};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// Time that the application may take. An attempt at a direct path then begins without its servers.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(3);
/// Time before the end of their validity at which servers are renewed, a quarter of it at most: an attempt and the
/// clocks of both sides fit in.
const EARLY: Duration = Duration::from_secs(60);
/// Least time between two renewals, whatever the validity.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);

/// ICE servers that an application provides, and the time for which they are valid.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use socketio_p2p_client::direct::{IceServer, IceServers};
///
/// let server = IceServer::turn("turn:turn.example.org", "1767225600:alice", "credential");
/// let servers = IceServers::from(vec![server]).valid_for(Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug, Default)]
pub struct IceServers {
    servers: Vec<IceServer>,
    valid_for: Option<Duration>,
}

impl IceServers {
    /// Sets the time for which the servers may be used from now on, from 1 ms to 100 years. They are renewed a minute
    /// earlier, or after three quarters of a shorter time. Without it, they are used for one attempt.
    #[must_use]
    pub fn valid_for(mut self, time: Duration) -> Self {
        self.valid_for = Some(setting(time));
        self
    }
}

impl From<Vec<IceServer>> for IceServers {
    fn from(servers: Vec<IceServer>) -> Self {
        Self { servers, valid_for: None }
    }
}

impl From<IceServer> for IceServers {
    fn from(server: IceServer) -> Self {
        vec![server].into()
    }
}

type ProvideIceServers = dyn Fn() -> BoxFuture<'static, Result<IceServers, String>> + Send + Sync;

/// The application's provider of ICE servers, and its last answer. Clones share it.
#[derive(Clone)]
pub(crate) struct IceProvider(Arc<Provider>);

struct Provider {
    provide: Box<ProvideIceServers>,
    /// Held while the application is asked.
    asking: Mutex<()>,
    /// The last answer, if it is valid for a time.
    last: watch::Sender<Option<Answer>>,
}

#[derive(Clone, Debug)]
struct Answer {
    servers: Vec<IceServer>,
    renewed_at: Instant,
    expires_at: Instant,
}

impl IceProvider {
    pub(crate) fn new<F, Fut, S, E>(provide: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<IceServers>,
        E: fmt::Display,
    {
        let provide = move || {
            let providing = provide();
            async move { providing.await.map(Into::into).map_err(|error| error.to_string()) }
                .boxed()
        };
        let last = watch::Sender::new(None);
        Self(Arc::new(Provider { provide: Box::new(provide), asking: Mutex::new(()), last }))
    }

    /// Returns the servers for an attempt, and a report if the application has failed. Cancel safe.
    pub(super) async fn servers(&self) -> (Vec<IceServer>, Option<IceWarning>) {
        let _asking = self.0.asking.lock().await;
        match self.last() {
            Some(last) if Instant::now() < last.renewed_at.min(last.expires_at) => {
                (last.servers, None)
            }
            _ => self.ask().await,
        }
    }

    /// Waits until servers are to be renewed, and renews them. Returns a report if the application has failed. Cancel
    /// safe.
    pub(crate) async fn renewed(self) -> Option<IceWarning> {
        let mut changes = self.0.last.subscribe();
        loop {
            let renewed_at = changes.borrow_and_update().as_ref().map(|last| last.renewed_at);
            let time = async {
                match renewed_at {
                    Some(time) => sleep_until(time).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => changed.ok()?,
                () = time => break,
            }
        }
        let _asking = self.0.asking.lock().await;
        self.ask().await.1
    }

    /// Asks the application. If it fails, the last answer is used as long as it is valid.
    async fn ask(&self) -> (Vec<IceServer>, Option<IceWarning>) {
        let providing = AssertUnwindSafe(async { (self.0.provide)().await }).catch_unwind();
        let failed = match timeout(PROVIDER_TIMEOUT, providing).await {
            Ok(Ok(Ok(provided))) => {
                self.0.last.send_replace(Answer::of(&provided));
                return (provided.servers, None);
            }
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => "it panicked".to_owned(),
            Err(_) => format!("it took more than {PROVIDER_TIMEOUT:?}"),
        };
        let valid = self.last().filter(|last| Instant::now() < last.expires_at);
        let later = valid
            .clone()
            .map(|valid| Answer { renewed_at: Instant::now() + RENEWAL_INTERVAL, ..valid });
        self.0.last.send_replace(later);
        (valid.map_or_else(Vec::new, |valid| valid.servers), Some(IceWarning::no_servers(&failed)))
    }

    fn last(&self) -> Option<Answer> {
        self.0.last.borrow().clone()
    }
}

impl Answer {
    /// Returns an answer that is valid for a time from now on.
    fn of(provided: &IceServers) -> Option<Self> {
        let (now, valid_for) = (Instant::now(), provided.valid_for?);
        let renewed_after = valid_for - EARLY.min(valid_for / 4);
        Some(Self {
            servers: provided.servers.clone(),
            renewed_at: now + renewed_after.max(RENEWAL_INTERVAL),
            expires_at: now + valid_for,
        })
    }
}

impl fmt::Debug for IceProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceProvider").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A provider that counts how often it was asked, in the user name, and fails from some time on.
    fn provider(valid_for: Option<Duration>, fails_after: u32) -> IceProvider {
        let asked = AtomicU32::new(0);
        IceProvider::new(move || {
            let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
            async move {
                if number > fails_after {
                    return Err("the vault is sealed");
                }
                let server = IceServer::turn("turn:a", number.to_string(), "secret");
                let servers = IceServers::from(server);
                Ok(valid_for.map_or(servers.clone(), |time| servers.valid_for(time)))
            }
        })
    }

    async fn users(provider: &IceProvider) -> (Vec<String>, Option<String>) {
        let (servers, warning) = provider.servers().await;
        let users = servers.into_iter().map(|server| server.username);
        (users.collect(), warning.map(|warning| warning.to_string()))
    }

    fn user(number: u32) -> (Vec<String>, Option<String>) {
        (vec![number.to_string()], None)
    }

    fn failure() -> Option<String> {
        Some("the provider of ICE servers failed: the vault is sealed".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_whose_servers_do_not_expire_is_asked_before_each_attempt() {
        let provider = provider(None, 2);

        assert_eq!(users(&provider).await, user(1));
        assert_eq!(users(&provider).await, user(2));
        assert_eq!(users(&provider).await, (vec![], failure()));
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_are_valid_for_a_time_are_renewed_a_minute_before_it_is_over() {
        let provider = provider(Some(HOUR), u32::MAX);
        let began = Instant::now();

        assert_eq!(users(&provider).await, user(1));
        assert_eq!(users(&provider).await, user(1));
        assert_eq!(provider.clone().renewed().await, None);

        assert_eq!(began.elapsed(), HOUR - EARLY);
        assert_eq!(users(&provider).await, user(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_is_reported_and_repeated_and_costs_nothing_while_the_servers_are_valid()
     {
        let provider = provider(Some(HOUR), 1);
        assert_eq!(users(&provider).await, user(1));

        let began = Instant::now();
        let reported = provider.clone().renewed().await.map(|warning| warning.to_string());
        assert_eq!((reported, began.elapsed()), (failure(), HOUR - EARLY));
        assert_eq!(users(&provider).await, user(1));
        assert!(provider.clone().renewed().await.is_some());
        assert_eq!(began.elapsed(), HOUR - EARLY + RENEWAL_INTERVAL);

        tokio::time::advance(EARLY).await;
        assert_eq!(users(&provider).await, (vec![], failure()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_panics_or_hangs_leaves_the_attempt_without_its_servers() {
        let panics = IceProvider::new(async || -> Result<IceServers, String> { panic!() });
        let (_, warning) = users(&panics).await;
        assert_eq!(warning.unwrap(), "the provider of ICE servers failed: it panicked");

        let hangs = IceProvider::new(async || -> Result<IceServers, String> { pending().await });
        let (_, warning) = users(&hangs).await;
        assert_eq!(warning.unwrap(), "the provider of ICE servers failed: it took more than 3s");
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_expire_at_once_are_not_renewed_all_the_time() {
        let provider = provider(Some(Duration::ZERO), u32::MAX);
        assert_eq!(users(&provider).await, user(1));

        let began = Instant::now();
        provider.clone().renewed().await;

        assert_eq!(began.elapsed(), RENEWAL_INTERVAL);
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!(users(&provider).await, user(3));
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_are_valid_for_ever_are_asked_for_once_in_a_hundred_years() {
        let provider = provider(Some(Duration::MAX), u32::MAX);
        assert_eq!(users(&provider).await, user(1));

        tokio::time::advance(24 * HOUR).await;

        assert_eq!(users(&provider).await, user(1));
        assert!(futures_util::FutureExt::now_or_never(provider.renewed()).is_none());
    }
}
