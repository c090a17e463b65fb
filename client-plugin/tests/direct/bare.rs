//! A partner that speaks WebRTC and nothing of ours: it opens channels as it likes, and does not count.

use std::sync::Arc;

use serde_json::{Value, json};
use socketio_p2p_client::direct::{DirectConnection, DirectEnd, DirectEvent, Signal, Step};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceCandidateInit, RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription,
};

use crate::pair::{End, PATIENCE, config};

pub(crate) struct Bare {
    _connection: Arc<dyn PeerConnection>,
    pub(crate) main: Arc<dyn DataChannel>,
    /// The channel that it opened last.
    pub(crate) raw: Arc<dyn DataChannel>,
    /// The messages that came on the two channels.
    said: mpsc::Receiver<Vec<u8>>,
}

/// Carries its candidates to the other end.
struct Candidates(mpsc::Sender<Value>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Candidates {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let Ok(candidate) = event.candidate.to_json() else { return };
        let line = json!({ "candidate": candidate.candidate });
        self.0.try_send(json!({ "type": "candidate", "candidate": line })).ok();
    }
}

/// Returns a bare offerer and the answerer, open.
pub(crate) async fn bare() -> Result<(Bare, End), DirectEnd> {
    let (connection, channels, end) = bare_with(1).await?;
    let raw = connection.create_data_channel("raw", None).await.unwrap();
    let [main] = channels.try_into().ok().expect("one channel");
    let (sender, said) = mpsc::channel(64);
    for channel in [&main, &raw] {
        while !matches!(channel.poll().await, Some(DataChannelEvent::OnOpen)) {}
        TaskTracker::new().spawn(take_all(Arc::clone(channel), sender.clone()));
    }
    Ok((Bare { _connection: connection, main, raw, said }, end))
}

/// Returns a bare offerer that opens so many channels at once, in any order, and the answerer, for which one
/// of them is open; or the end of the answerer's connection.
pub(crate) async fn bare_with(
    channels: usize,
) -> Result<(Arc<dyn PeerConnection>, Vec<Arc<dyn DataChannel>>, End), DirectEnd> {
    let (candidates, mut gathered) = mpsc::channel(64);
    let connection = PeerConnectionBuilder::<&str>::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_handler(Arc::new(Candidates(candidates)))
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .with_setting_engine(
            webrtc::peer_connection::SettingEngineBuilder::new()
                .with_include_loopback_candidate(true)
                .build(),
        )
        .with_data_channel_send_buffer_limit(64 << 10)
        .build()
        .await
        .unwrap();
    let mut opening = Vec::new();
    for _ in 0..channels {
        opening.push(connection.create_data_channel("channel", None).await.unwrap());
    }
    let offer = connection.create_offer(None).await.unwrap();
    let sdp = offer.sdp.clone();
    connection.set_local_description(offer).await.unwrap();

    let (answerer, events) = DirectConnection::answer(config(), &TaskTracker::new());
    let mut end = End { connection: answerer, events };
    end.connection.signal(read(&json!({ "type": "offer", "sdp": sdp }))).unwrap();
    let connect = async {
        loop {
            tokio::select! {
                Some(candidate) = gathered.recv() => end.connection.signal(read(&candidate)).unwrap(),
                event = end.events.recv() => match event.unwrap() {
                    DirectEvent::Signal(signal) => {
                        if let Step::Answer(sdp) = signal.step {
                            let answer = RTCSessionDescription::answer(sdp.as_str().to_owned()).unwrap();
                            connection.set_remote_description(answer).await.unwrap();
                        }
                    }
                    DirectEvent::Open => return Ok(()),
                    DirectEvent::Closed(end) => return Err(end),
                    event => panic!("{event:?}"),
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, connect).await.expect("not open in time")?;
    Ok((Arc::new(connection), opening, end))
}

/// Takes all events of a channel: otherwise no channel would get further ones.
async fn take_all(channel: Arc<dyn DataChannel>, said: mpsc::Sender<Vec<u8>>) {
    while let Some(event) = channel.poll().await {
        if let DataChannelEvent::OnMessage(message) = event {
            said.send(message.data.to_vec()).await.ok();
        }
    }
}

fn read(signal: &Value) -> Signal {
    Signal::from_value(signal).unwrap()
}

impl Bare {
    /// Returns the next message that came.
    pub(crate) async fn message(&mut self) -> Vec<u8> {
        self.said.recv().await.expect("both channels are closed")
    }
}

/// A partner that closes its connection as soon as DTLS is connected, before a channel can be.
struct Fleeting {
    candidates: Candidates,
    connected: tokio::sync::Notify,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Fleeting {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        self.candidates.on_ice_candidate(event).await;
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.connected.notify_one();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_leaves_before_it_confirms_the_main_channel_ends_the_attempt() {
    let (candidates, mut gathered) = mpsc::channel(64);
    let candidates = Candidates(candidates);
    let handler = Arc::new(Fleeting { candidates, connected: tokio::sync::Notify::new() });
    let partner = PeerConnectionBuilder::<&str>::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_handler(Arc::clone(&handler) as Arc<dyn PeerConnectionEventHandler>)
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .with_setting_engine(
            webrtc::peer_connection::SettingEngineBuilder::new()
                .with_include_loopback_candidate(true)
                .build(),
        )
        .build()
        .await
        .unwrap();
    let mut config = config();
    config.open_timeout = 10 * PATIENCE;
    let (connection, mut events) = DirectConnection::offer(config, &TaskTracker::new());

    let attempt = async {
        loop {
            tokio::select! {
                Some(candidate) = gathered.recv() => connection.signal(read(&candidate)).unwrap(),
                () = handler.connected.notified() => partner.close().await.unwrap(),
                event = events.recv() => match event.unwrap() {
                    DirectEvent::Signal(signal) => match signal.step {
                        Step::Offer(sdp) => {
                            let offer = RTCSessionDescription::offer(sdp.as_str().to_owned()).unwrap();
                            partner.set_remote_description(offer).await.unwrap();
                            let answer = partner.create_answer(None).await.unwrap();
                            let sdp = answer.sdp.clone();
                            partner.set_local_description(answer).await.unwrap();
                            connection.signal(read(&json!({ "type": "answer", "sdp": sdp }))).unwrap();
                        }
                        Step::Candidate(candidate) => {
                            let candidate = candidate.as_str().to_owned();
                            let init = RTCIceCandidateInit { candidate, ..Default::default() };
                            partner.add_ice_candidate(init).await.unwrap();
                        }
                        _ => {}
                    },
                    DirectEvent::Open => {}
                    DirectEvent::Closed(end) => return end,
                    event => panic!("{event:?}"),
                }
            }
        }
    };
    let end = tokio::time::timeout(PATIENCE, attempt).await.expect("not ended in time");
    assert_eq!(end, DirectEnd::Partner);
}
