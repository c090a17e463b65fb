//! The plugin's clock: the broker's deadlines, and looking for sockets that ended unseen
//! and for clients that do not read.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use socketio_p2p_protocol::broker::Input;
use tokio_util::sync::CancellationToken;

use crate::server::Shared;

/// How often sockets are looked at that ended while the application held on to them, or that are
/// not read.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// Tells the broker of the time, and sweeps, until the plugin ends.
pub(crate) async fn keep(shared: Weak<Shared>, stop: CancellationToken) {
    let Some(mut deadline) = shared.upgrade().map(|shared| shared.deadline.subscribe()) else {
        return;
    };
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        let next = *deadline.borrow_and_update();
        let sweeps = tokio::select! {
            biased;
            () = stop.cancelled() => return,
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
            shared.sweep();
        } else {
            shared.step(Input::Timeout);
        }
    }
}

/// Waits for a moment, or for ever.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
