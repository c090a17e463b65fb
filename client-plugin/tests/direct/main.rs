//! The WebRTC data channel between two ends in this process, over loopback.

mod backpressure;
mod bare;
mod channels;
mod closing;
mod hostile;
mod ice_servers;
mod many_addresses;
mod messages;
mod negotiating;
mod pair;
mod parked;

use tokio_util::task::TaskTracker;

use crate::pair::End;

/// The result of a test: the first step that failed.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Returns both ends, open: the offerer and the answerer.
async fn open() -> (End, End) {
    let (mut a, mut b) = pair::apart(&pair::config(), &TaskTracker::new());
    pair::connect(&mut a, &mut b).await;
    (a, b)
}
