//! The observers of a client: readers of its events, and its handles, which show the pairing.

use socketio_p2p_protocol::{ClientEvent, PairingInfo};
use tokio::sync::{broadcast, watch};

/// Publishes events, and the present pairing.
#[derive(Debug)]
pub(crate) struct Observers {
    pub(crate) events: broadcast::Sender<ClientEvent>,
    pub(crate) pairing: watch::Sender<Option<PairingInfo>>,
}

impl Observers {
    /// Logs an event, updates the present pairing, and sends the event to its readers, without the secret
    /// that a welcome carries.
    pub(crate) fn publish(&self, mut event: ClientEvent) {
        match &mut event {
            ClientEvent::Connected(welcome) => welcome.resume = None,
            ClientEvent::Away => tracing::info!("connection lost"),
            ClientEvent::Resumed(welcome) => {
                tracing::info!("connected again, the session goes on");
                welcome.resume = None;
            }
            ClientEvent::Restarted(welcome) => {
                tracing::info!("connected again, with a new session");
                welcome.resume = None;
            }
            ClientEvent::Paired(info) => {
                tracing::info!(partner = %info.partner, pairing = %info.id, "paired");
                self.pairing.send_replace(Some(info.clone()));
            }
            ClientEvent::Path { path, rtt } => {
                tracing::info!(?path, ?rtt, "path changed");
            }
            ClientEvent::Reasserted(info) => {
                tracing::info!(pairing = %info.id, "pairing reasserted");
                self.pairing.send_replace(Some(info.clone()));
            }
            ClientEvent::Unpaired { pairing, reason } => {
                tracing::info!(partner = %pairing.partner, pairing = %pairing.id, %reason, "unpaired");
                self.pairing.send_replace(None);
            }
            _ => {}
        }
        self.events.send(event).ok(); // There may be no reader.
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use socketio_p2p_protocol::Welcome;

    use super::*;

    #[test]
    fn no_event_gives_its_readers_the_resume_token() {
        let (events, mut reader) = broadcast::channel(4);
        let observers = Observers { events, pairing: watch::channel(None).0 };
        let welcome = json!({
            "protocol": 2, "clientId": "A", "resume": "0123456789abcdef0123456789abcdef",
            "graceMs": 15_000, "resumed": true, "pairing": null,
        });
        let welcome: Welcome = serde_json::from_value(welcome).unwrap();
        assert!(welcome.resume.is_some());

        for event in [ClientEvent::Connected, ClientEvent::Resumed, ClientEvent::Restarted] {
            observers.publish(event(welcome.clone()));

            let published = reader.try_recv().unwrap();
            let welcome = Welcome { resume: None, ..welcome.clone() };
            assert_eq!(published, event(welcome));
        }
    }
}
