//! The floor: the least a relay can do, on the same HTTP stack and with the same allocator.
//!
//! Two websockets that name the same path are joined; each text goes to the other end through a
//! bounded queue. No identity, no pairing that could change, no look-up a message: what it costs
//! is the websocket stack and the sockets.
//!
//! Reading and writing are two tasks, as in axum's examples and in socketioxide. A single task would
//! save a fifth at 64 in flight and a third at one (measured with axum 0.8.9), because what arrives
//! wakes both halves of a split tokio-tungstenite stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

/// Messages that wait for one end. When full, the sender is not read from, so TCP slows it down.
const QUEUE: usize = 128;

/// Read buffer of a websocket, in bytes: what socketioxide uses. tungstenite's default of 128 KiB is
/// cleared before each read and pushes everything else out of the cache at 500 pairs.
const READ_BUFFER: usize = 4 * 1024;

/// One end of a pair: the way to its partner, and the messages of its partner.
#[derive(Debug)]
struct End {
    to_partner: Sender<Message>,
    from_partner: Receiver<Message>,
}

/// The ends whose partner has not come yet.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<HashMap<String, End>>>);

impl Waiting {
    /// The end for whoever comes to `pair`: first come, or the partner of who waits there.
    fn join(&self, pair: String) -> End {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(second) = waiting.remove(&pair) {
            return second;
        }
        let (to_first, from_second) = channel(QUEUE);
        let (to_second, from_first) = channel(QUEUE);
        waiting.insert(pair, End { to_partner: to_first, from_partner: from_first });
        End { to_partner: to_second, from_partner: from_second }
    }
}

/// The relay as an application of axum.
pub(crate) fn app() -> Router {
    Router::new().route("/relay/{pair}", any(upgrade)).with_state(Waiting::default())
}

async fn upgrade(
    upgrade: WebSocketUpgrade,
    Path(pair): Path<String>,
    State(waiting): State<Waiting>,
) -> Response {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .on_upgrade(async move |websocket| relay(websocket, waiting.join(pair)).await)
}

/// Reads one end's messages for its partner, while a task of its own writes what the partner says.
async fn relay(websocket: WebSocket, end: End) {
    let End { to_partner, from_partner } = end;
    let (sink, mut stream) = websocket.split();
    let mut writer = JoinSet::new();
    writer.spawn(write(sink, from_partner));
    while let Some(Ok(message)) = stream.next().await {
        if matches!(message, Message::Text(_)) && to_partner.send(message).await.is_err() {
            break;
        }
    }
}

/// Writes what is queued; as much as there is goes into one write.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        let mut fed = sink.feed(message).await;
        while let Ok(message) = queue.try_recv() {
            fed = fed.and(sink.feed(message).await);
        }
        if fed.and(sink.flush().await).is_err() {
            return;
        }
    }
    sink.close().await.ok(); // The partner is gone.
}
