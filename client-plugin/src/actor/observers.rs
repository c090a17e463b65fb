//! The observers of a client: readers of its events, and its handles, which show the pairing and the
//! counters.

use std::sync::Arc;

use socketio_p2p_protocol::{ClientEvent, PairingInfo, Path};
use tokio::sync::{broadcast, watch};

use crate::{actor::rooms::Rooms, api::counters::ComplaintCounters};

/// Publishes events, and the present pairing.
#[derive(Debug)]
pub(crate) struct Observers {
    pub(crate) events: broadcast::Sender<ClientEvent>,
    pub(crate) pairing: watch::Sender<Option<PairingInfo>>,
    pub(crate) rooms: watch::Sender<Rooms>,
    /// The path that emits to a new member of a room take.
    pub(crate) first_path: Option<Path>,
    pub(crate) counters: Arc<ComplaintCounters>,
}

impl Observers {
    /// Logs an event, updates the present pairing, and sends the event to its readers.
    pub(crate) fn publish(&self, event: ClientEvent) {
        match &event {
            ClientEvent::Away => tracing::info!("connection lost"),
            ClientEvent::ConnectError(failure) => {
                tracing::info!(%failure, "an attempt to connect failed");
            }
            ClientEvent::Resumed(_) => tracing::info!("connected again, the session goes on"),
            ClientEvent::Restarted(_) => tracing::info!("connected again, with a new session"),
            ClientEvent::Paired(info) => {
                tracing::info!(partner = %info.partner, pairing = %info.id, "paired");
                self.pairing.send_replace(Some(info.clone()));
            }
            ClientEvent::Path { path, rtt } => {
                tracing::info!(?path, ?rtt, "path changed");
            }
            ClientEvent::IceWarning(warning) => tracing::warn!(%warning),
            ClientEvent::Reasserted(info) => {
                tracing::info!(pairing = %info.id, "pairing reasserted");
                self.pairing.send_replace(Some(info.clone()));
            }
            ClientEvent::Unpaired { pairing, reason } => {
                tracing::info!(partner = %pairing.partner, pairing = %pairing.id, %reason, "unpaired");
                self.pairing.send_replace(None);
            }
            ClientEvent::Joined(state) => {
                tracing::info!(room = %state.room, members = state.members.len(), "joined a room");
            }
            ClientEvent::Exited { room, reason } => tracing::info!(%room, %reason, "left a room"),
            ClientEvent::NotJoined { room, refusal } => {
                tracing::warn!(%room, %refusal, "cannot join the room again");
            }
            _ => {}
        }
        self.rooms.send_if_modified(|rooms| rooms.note(&event, self.first_path));
        self.events.send(event).ok(); // There may be no reader.
    }
}
