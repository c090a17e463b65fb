//! The send buffer of the main channel.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::super::channel::DirectChannel;
use super::super::shared::{ConnectionShared, Outgoing};

/// Sends the messages in the send buffer, in order. It ends when the channel is closed, with the last handle, or
/// when everything is sent that was there when `finishing` was cancelled. Returns whether everything was sent.
pub(super) async fn send_all(
    shared: Arc<ConnectionShared>,
    main: oneshot::Receiver<DirectChannel>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    finishing: CancellationToken,
) -> bool {
    let Ok(main) = main.await else { return false };
    let mut is_finishing = false;
    loop {
        let message = tokio::select! {
            biased;
            () = finishing.cancelled(), if !is_finishing => {
                is_finishing = true;
                outgoing.close();
                continue;
            }
            message = outgoing.recv() => message,
        };
        let (sent, weight) = match message {
            Some(Outgoing::Message(message)) => {
                let weight = shared.weight(&message);
                (main.send(message).await, weight)
            }
            Some(Outgoing::Begun(sending, weight)) => (sending.await, weight),
            None => return true,
        };
        if sent.is_err() {
            return false;
        }
        shared.room.add_permits(weight as usize);
    }
}
