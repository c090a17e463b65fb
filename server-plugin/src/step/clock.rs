//! The plugin's clock: the broker's deadlines, and the search for sockets that ended unseen and for
//! clients that do not read.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use socketio_p2p_protocol::broker::Input;
use tokio::time::{Instant, MissedTickBehavior};

use super::Shared;
use crate::tasks::until;

/// The pause between two searches for sockets that ended while the application held on to them, and
/// for clients that do not read.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

impl Shared {
    /// Starts the clock unless it runs. It ends with the plugin.
    pub(crate) fn start_clock(self: &Arc<Self>) {
        self.clock.call_once(|| self.tasks.spawn(keep(Arc::downgrade(self))));
    }

    /// Forgets the deadline for which the clock waited, without waking it.
    fn forget_deadline(&self) {
        self.deadline.send_if_modified(|deadline| {
            *deadline = None;
            false
        });
    }
}

/// Reports the time to the broker, and sweeps, until the plugin ends or its last handle is dropped.
async fn keep(shared: Weak<Shared>) {
    let Some(mut deadline) = shared.upgrade().map(|shared| shared.deadline.subscribe()) else {
        return;
    };
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = Instant::now();
    loop {
        let next = *deadline.borrow_and_update();
        let sweeps = tokio::select! {
            biased;
            changed = deadline.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            () = until(next) => false,
            _ = sweep.tick() => true,
        };
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if sweeps {
            let since = std::mem::replace(&mut swept, Instant::now());
            shared.sweep(since.elapsed() > SWEEP_INTERVAL * 3 / 2);
        } else {
            // The step notes the next deadline, whichever it is.
            shared.forget_deadline();
            shared.step(Input::Timeout);
        }
    }
}
