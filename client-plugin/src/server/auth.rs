//! The auth of a client's connections.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::{Map, Value};
use socketio_p2p_protocol::{
    ClientId, ResumeToken,
    limits::CONNECT_TIMEOUT,
    wire::{ConnectAuth, PROTOCOL},
};
use tokio::time::timeout;

/// The longest time that the application's provider may take. An attempt that has less time ends before.
const PROVIDER_TIMEOUT: Duration = CONNECT_TIMEOUT;

/// A function that is asked for the application's part before each attempt.
type ProvideAuth = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// The application's part of the auth.
#[derive(Clone)]
pub(crate) enum ApplicationAuth {
    /// The same for each connection.
    Fixed(Value),
    /// Asked for before each attempt.
    Provided(ProvideAuth),
}

impl ApplicationAuth {
    /// Returns an auth that this function provides.
    pub(crate) fn provided<F, Fut, V, E>(provide: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        V: Into<Value>,
        E: fmt::Display,
    {
        Self::Provided(Arc::new(move || {
            let providing = provide();
            async move {
                match providing.await {
                    Ok(auth) => Ok(auth.into()),
                    Err(error) => Err(error.to_string()),
                }
            }
            .boxed()
        }))
    }

    async fn get(self) -> Result<Map<String, Value>, String> {
        let auth = match self {
            Self::Fixed(auth) => auth,
            Self::Provided(provide) => {
                let providing = AssertUnwindSafe(async move { provide().await }).catch_unwind();
                match timeout(PROVIDER_TIMEOUT, providing).await {
                    Ok(Ok(provided)) => provided?,
                    Ok(Err(_)) => return Err("the provider panicked".to_owned()),
                    Err(_) => {
                        return Err(format!("the provider took more than {PROVIDER_TIMEOUT:?}"));
                    }
                }
            }
        };
        match auth {
            Value::Object(auth) => Ok(auth),
            _ => Err("the auth is not an object".to_owned()),
        }
    }
}

/// The auth of a client's connections.
#[derive(Clone)]
pub(crate) struct Auth {
    pub(crate) client: ClientId,
    pub(crate) application: ApplicationAuth,
    /// `true` if the client allows a direct path.
    pub(crate) direct: bool,
}

impl Auth {
    /// Returns the auth of a connection that resumes the session of this token, if there is one.
    ///
    /// # Errors
    ///
    /// The text states why the application has none.
    pub(crate) async fn with(self, resume: Option<ResumeToken>) -> Result<Value, String> {
        let mut auth = self.application.get().await?;
        let own = ConnectAuth { protocol: PROTOCOL, binary: false, direct: self.direct, resume };
        own.write(&self.client, &mut auth);
        Ok(Value::Object(auth))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn of(application: ApplicationAuth) -> Result<Value, String> {
        let auth = Auth { client: "A".parse().unwrap(), application, direct: false };
        auth.with(None).await
    }

    #[tokio::test]
    async fn what_the_provider_gives_is_completed_and_what_is_no_object_is_refused() {
        let given = ApplicationAuth::provided(async || Ok::<_, String>(json!({ "token": 1 })));
        let auth = of(given).await.unwrap();
        assert_eq!((&auth["token"], &auth["clientId"]), (&json!(1), &json!("A")));

        let none = ApplicationAuth::provided(async || Ok::<_, String>(json!(7)));
        assert_eq!(of(none).await.unwrap_err(), "the auth is not an object");
    }

    #[tokio::test]
    async fn a_provider_that_fails_or_panics_has_no_auth() {
        let fails = ApplicationAuth::provided(async || Err::<Value, _>("the vault is sealed"));
        assert_eq!(of(fails).await.unwrap_err(), "the vault is sealed");

        let panics = ApplicationAuth::provided(async || -> Result<Value, String> { panic!() });
        assert_eq!(of(panics).await.unwrap_err(), "the provider panicked");
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_does_not_answer_is_not_awaited_for_ever() {
        let hangs = ApplicationAuth::provided(async || -> Result<Value, String> {
            std::future::pending().await
        });

        assert_eq!(of(hangs).await.unwrap_err(), "the provider took more than 10s");
    }
}
