//! A timer for deadlines that come and go.

use std::{pin::Pin, time::Instant};

use tokio::time::Sleep;

/// A timer that is set anew only for an earlier moment.
///
/// Deadlines come and go with each message, and setting a timer costs more than the message: so
/// it may go off early, and whoever waits looks at the clock.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: bool,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep_until(tokio::time::Instant::now())),
            armed: false,
        }
    }

    /// Goes off at this moment or before it; never if there is none.
    pub(crate) fn set(&mut self, moment: Option<Instant>) {
        let Some(moment) = moment.map(tokio::time::Instant::from) else {
            return;
        };
        if !self.armed || moment < self.sleep.deadline() {
            self.sleep.as_mut().reset(moment);
            self.armed = true;
        }
    }

    /// Waits until it goes off. Cancel safe.
    pub(crate) async fn ring(&mut self) {
        if !self.armed {
            std::future::pending::<()>().await;
        }
        self.sleep.as_mut().await;
        self.armed = false;
    }
}
