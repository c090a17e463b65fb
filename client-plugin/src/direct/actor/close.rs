//! The end of a connection, with what was sent before.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::StreamExt;
use tokio::time::{Sleep, sleep, timeout};

use super::super::error::DirectEnd;
use super::ConnectionActor;

/// Time that closing waits for the driver to send the closing of the channels.
const FAREWELL: Duration = Duration::from_millis(20);
/// Time that a partner that does not announce that it closes may take for it once its side of the main channel
/// is closed. Chromium reports the abort of its association as an error of the channel until then.
const AFTERWARDS: Duration = Duration::from_millis(250);

impl ConnectionActor {
    /// Begins to close the channels that were dropped.
    pub(super) fn take_closings(&mut self) {
        self.closings.extend(self.channels.closings.take());
    }

    /// Waits until the channels that were dropped are closed, and everything on the main channel has arrived.
    pub(super) async fn deliver(&mut self) {
        self.take_closings();
        while self.closings.next().await.is_some() {}
        if let Some(main) = &self.main {
            main.delivered().await.ok();
        }
    }

    /// Closes the main channel, then the connection. Returns when the driver has ended. `patience` ends all
    /// waiting for the partner.
    ///
    /// Closing either loses what the partner has not read yet. So this side first announces to a partner that runs
    /// this library that it closes: the partner closes the connection when it has read what came before. Others
    /// close their side of the channel.
    pub(super) async fn close(self, end: &DirectEnd, mut patience: Pin<Box<Sleep>>) {
        let ticks = self.connection.ticks();
        let left = &self.shared.left;
        if let Some(main) = &self.main {
            let is_first = *end == DirectEnd::Here && !left.is_cancelled();
            let is_announced = is_first && self.channels.partner_counts();
            if is_announced {
                let gone = async {
                    main.take_leave().await;
                    main.gone().await;
                };
                tokio::select! {
                    () = gone => {}
                    () = left.cancelled() => {} // Both at once.
                    () = &mut patience => {}
                }
            }
            let tick = ticks.next();
            main.shut().await;
            // The closing of the channel is sent in the driver's next pass.
            timeout(FAREWELL, tick).await.ok();
            if is_first && !is_announced {
                let closed = async {
                    main.gone().await;
                    sleep(AFTERWARDS).await;
                };
                tokio::select! {
                    () = closed => {}
                    () = patience => {}
                }
            }
        }
        self.connection.close().await;
        ticks.gone.cancelled().await;
    }
}
