//! Two ends that are connected, or about to be, with their signals carried by hand.

use std::time::Duration;

use socketio_p2p_client::direct::{
    ChannelMessage, DirectChannel, DirectConfig, DirectConnection, DirectEvent, DirectEvents,
};
use tokio_util::task::TaskTracker;

/// The longest time that a step may take: only a test that hangs waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One end.
pub(crate) struct End {
    pub(crate) connection: DirectConnection,
    pub(crate) events: DirectEvents,
}

/// Settings for loopback, without anything that waits for a network, or that a busy machine brings
/// about: no silence is reported.
pub(crate) fn config() -> DirectConfig {
    let mut config = watchful_config();
    config.silent_after = PATIENCE;
    config
}

/// Returns the same configuration, except that silence is reported soon, as by default.
pub(crate) fn watchful_config() -> DirectConfig {
    let mut config = DirectConfig::default();
    config.bind = vec!["127.0.0.1:0".parse().unwrap()];
    config.mdns = false;
    config
}

/// Returns both ends, not connected: the offerer and the answerer.
pub(crate) fn apart(config: &DirectConfig, tasks: &TaskTracker) -> (End, End) {
    let (connection, events) = DirectConnection::offer(config.clone(), tasks);
    let a = End { connection, events };
    let (connection, events) = DirectConnection::answer(config.clone(), tasks);
    (a, End { connection, events })
}

/// Carries signals until both are open.
pub(crate) async fn connect(a: &mut End, b: &mut End) {
    let connect = async {
        let (mut a_is_open, mut b_is_open) = (false, false);
        while !a_is_open || !b_is_open {
            let (event, is_open, partner) = tokio::select! {
                event = a.events.recv() => (event, &mut a_is_open, &b.connection),
                event = b.events.recv() => (event, &mut b_is_open, &a.connection),
            };
            match event.unwrap() {
                DirectEvent::Signal(signal) => partner.signal(signal).unwrap(),
                DirectEvent::Open => *is_open = true,
                event => panic!("{event:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, connect).await.expect("not open in time");
}

impl End {
    /// Returns the next event that is not a signal.
    pub(crate) async fn event(&mut self) -> DirectEvent {
        let event = async {
            loop {
                match self.events.recv().await.expect("an event after the last") {
                    DirectEvent::Signal(_) => {}
                    event => return event,
                }
            }
        };
        tokio::time::timeout(PATIENCE, event).await.expect("no event in time")
    }

    /// Returns the next event, which is a message.
    pub(crate) async fn message(&mut self) -> ChannelMessage {
        match self.event().await {
            DirectEvent::Message(message) => message,
            event => panic!("{event:?}"),
        }
    }

    /// Returns the next event, which is a channel that the partner opened.
    pub(crate) async fn channel(&mut self) -> DirectChannel {
        match self.event().await {
            DirectEvent::Channel(channel) => channel,
            event => panic!("{event:?}"),
        }
    }
}
