//! A timer for deadlines that change with each message.

use std::{pin::Pin, time::Instant};

use tokio::time::Sleep;

/// A timer that is reset only to an earlier moment.
///
/// Deadlines change with each message, and resetting a timer costs more than handling the message.
/// So the timer may fire early, and its owner compares its deadlines with the clock.
#[derive(Debug)]
pub(crate) struct CoarseTimer {
    sleep: Pin<Box<Sleep>>,
    is_armed: bool,
}

impl CoarseTimer {
    pub(crate) fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep_until(tokio::time::Instant::now())),
            is_armed: false,
        }
    }

    /// Makes the timer fire at this moment or earlier. `None` leaves it as it is.
    pub(crate) fn set(&mut self, moment: Option<Instant>) {
        let Some(moment) = moment.map(tokio::time::Instant::from) else {
            return;
        };
        if !self.is_armed || moment < self.sleep.deadline() {
            self.sleep.as_mut().reset(moment);
            self.is_armed = true;
        }
    }

    /// Waits until the timer fires. Cancel safe.
    pub(crate) async fn fired(&mut self) {
        if !self.is_armed {
            std::future::pending::<()>().await;
        }
        self.sleep.as_mut().await;
        self.is_armed = false;
    }
}
