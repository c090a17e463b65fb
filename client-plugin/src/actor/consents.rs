//! The application's decisions about pairing requests.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use socketio_p2p_protocol::{
    client::{Input, QuestionId},
    limits::QUESTIONS,
};
use tokio::task::JoinSet;

use super::handler_tasks::discard;
use crate::api::{
    handlers::Handlers,
    incoming::{Consent, PairingRequest},
};

/// Decisions about pairing requests, each in a task of its own. One may outlive its request, until
/// its time is over; beyond [`QUESTIONS`] a request is declined.
#[derive(Debug)]
pub(crate) struct Consents {
    handlers: Arc<Handlers>,
    deciding: JoinSet<Input>,
}

impl Consents {
    pub(crate) fn new(handlers: Arc<Handlers>) -> Self {
        Self { handlers, deciding: JoinSet::new() }
    }

    /// Asks the application. Returns the answer if it needs no decision.
    pub(crate) fn ask(&mut self, question: QuestionId, request: PairingRequest) -> Option<Input> {
        let Some(decide) = self.handlers.consent() else {
            return Some(Input::Answer(question, Ok(())));
        };
        if self.deciding.len() >= QUESTIONS {
            let reason = "too many requests wait for a decision".to_owned();
            return Some(Input::Answer(question, Err(Some(reason))));
        }
        let time = request.consent_time;
        self.deciding.spawn(async move {
            let deciding = AssertUnwindSafe(async { decide(request).await }).catch_unwind();
            match tokio::time::timeout(time, deciding).await {
                Ok(Ok(Consent::Accept)) => Input::Answer(question, Ok(())),
                Ok(Ok(Consent::Decline(reason))) => Input::Answer(question, Err(reason)),
                // A panic is no consent.
                Ok(Err(panic)) => {
                    discard(panic);
                    Input::Answer(question, Err(None))
                }
                // The server waits no longer, and others are to be asked.
                Err(_) => Input::Answer(question, Err(None)),
            }
        });
        None
    }

    /// Waits for the next decision; pending while there is none under way. Cancel safe.
    pub(crate) async fn decided(&mut self) -> Input {
        while let Some(decision) = self.deciding.join_next().await {
            if let Ok(input) = decision {
                return input;
            }
        }
        std::future::pending().await
    }

    /// Returns the next decision that has been made already.
    pub(crate) fn try_decided(&mut self) -> Option<Input> {
        self.deciding.try_join_next()?.ok()
    }

    /// Ends all decisions.
    pub(crate) async fn shutdown(&mut self) {
        self.deciding.shutdown().await;
    }
}
