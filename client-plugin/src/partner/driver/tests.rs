//! A link whose partner is webrtc without this crate.

use std::net::SocketAddr;
use std::time::Instant;

use rtc::peer_connection::configuration::RTCOfferOptions;
use socketio_p2p_protocol::{
    Candidate, PairingId, PairingInfo, Peer, Sdp, limits::Limits, peer::Output,
};
use tokio::{sync::mpsc, time::timeout};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCIceGatheringState, RTCSessionDescription, SettingEngineBuilder,
};

use super::*;

/// Reports that all candidates of the partner are in its description.
struct Gathered(mpsc::Sender<()>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Gathered {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.0.try_send(()).ok();
        }
    }
}

struct Bare {
    connection: Arc<dyn PeerConnection>,
    gathered: mpsc::Receiver<()>,
    channel: Arc<dyn DataChannel>,
}

impl Bare {
    async fn new() -> Self {
        let (sender, gathered) = mpsc::channel(8);
        let settings = SettingEngineBuilder::new().with_include_loopback_candidate(true).build();
        let connection = PeerConnectionBuilder::<SocketAddr>::new()
            .with_setting_engine(settings)
            .with_handler(Arc::new(Gathered(sender)))
            .with_udp_addrs(vec!["127.0.0.1:0".parse().unwrap()])
            .build()
            .await
            .unwrap();
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let channel = connection.create_data_channel("main", None).await.unwrap();
        Self { connection, gathered, channel }
    }

    /// Makes an offer with all candidates.
    async fn offer(&mut self, ice_restart: bool) -> Sdp {
        let options = RTCOfferOptions { ice_restart };
        let offer = self.connection.create_offer(Some(options)).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.gathered.recv().await.unwrap();
        self.connection.local_description().await.unwrap().sdp.parse().unwrap()
    }

    async fn take(&self, answer: &Sdp) {
        let answer = RTCSessionDescription::answer(answer.as_str().to_owned()).unwrap();
        self.connection.set_remote_description(answer).await.unwrap();
    }

    async fn add(&self, candidate: &Candidate) {
        let init = RTCIceCandidateInit {
            candidate: candidate.as_str().to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            ..RTCIceCandidateInit::default()
        };
        self.connection.add_ice_candidate(init).await.unwrap();
    }

    /// Waits for the next text.
    async fn text(&self) -> String {
        loop {
            match self.channel.poll().await.unwrap() {
                DataChannelEvent::OnMessage(message) => {
                    return String::from_utf8(message.data.to_vec()).unwrap();
                }
                DataChannelEvent::OnClose => panic!("the channel is closed"),
                _ => {}
            }
        }
    }
}

fn link_id() -> LinkId {
    let info = PairingInfo {
        id: PairingId::new(1, 1),
        partner: "B".parse().unwrap(),
        initiator: true,
        partner_protocol: 2,
        direct: true,
    };
    let mut peer = Peer::new(PathConfig::default(), info, Limits::default(), None, Instant::now());
    loop {
        if let Output::Link(id, _) = peer.poll_output().unwrap() {
            return id;
        }
    }
}

/// Hands the partner what the link describes and gathers, until an event is wanted.
async fn until<T>(
    link: &mut PartnerLink,
    bare: &Bare,
    mut wanted: impl FnMut(LinkEvent) -> Option<T>,
) -> T {
    loop {
        let Some(Input::Link(_, event)) = link.happened().await else { continue };
        match &event {
            LinkEvent::Described(_, answer) => bare.take(answer).await,
            LinkEvent::Gathered(candidate) => bare.add(candidate).await,
            LinkEvent::Closed => panic!("the link is closed"),
            _ => {}
        }
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

/// A message there and one back.
async fn exchange(link: &mut PartnerLink, id: LinkId, bare: &Bare, text: &str) {
    let sent = link.carry_out(id, LinkCommand::Send(LinkMessage::Text(text.to_owned())), false);
    assert!(!matches!(sent, Some(LinkEvent::Closed)), "{sent:?}");
    bare.channel.send_text(text).await.unwrap();
    let arrived = async {
        while bare.text().await != text {}
        Ok::<_, ()>(())
    };
    let came = async {
        let is_it = |event| {
            matches!(event, LinkEvent::Received(LinkMessage::Text(came)) if came == text)
                .then_some(())
        };
        until(link, bare, is_it).await;
        Ok(())
    };
    tokio::try_join!(arrived, came).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_ice_by_the_partner_is_answered_on_the_connection() {
    let story = async {
        let mut config = DirectConfig::default();
        config.bind = vec!["127.0.0.1:0".parse().unwrap()];
        config.mdns = false;
        config.watch_network = false;
        let tasks = TaskTracker::new();
        let paths = PathConfig::default();
        let (mut link, mut opened) =
            PartnerLink::new(config, &paths, Arc::default(), tasks.clone());
        let (id, mut bare) = (link_id(), Bare::new().await);

        let first = bare.offer(false).await;
        assert!(link.carry_out(id, LinkCommand::Answer(1, first.clone()), false).is_none());
        let mut answers = Vec::new();
        let is_open = |event| {
            if let LinkEvent::Described(attempt, answer) = &event {
                answers.push((*attempt, answer.ufrag().to_owned()));
            }
            matches!(event, LinkEvent::Opened).then_some(())
        };
        until(&mut link, &bare, is_open).await;
        exchange(&mut link, id, &bare, "first").await;
        opened.mark_unchanged();

        for attempt in [3, 5] {
            let restart = bare.offer(true).await;
            assert_ne!(restart.ufrag(), first.ufrag());
            assert_eq!(restart.session(), first.session());
            assert!(link.carry_out(id, LinkCommand::Answer(attempt, restart), false).is_none());
            let described = |event| match event {
                LinkEvent::Described(attempt, answer) => Some((attempt, answer.ufrag().to_owned())),
                _ => None,
            };
            answers.push(until(&mut link, &bare, described).await);
            exchange(&mut link, id, &bare, &format!("after {attempt}")).await;
        }

        let attempts: Vec<_> = answers.iter().map(|(attempt, _)| *attempt).collect();
        let ufrags: BTreeSet<_> = answers.iter().map(|(_, ufrag)| ufrag).collect();
        assert_eq!((attempts, ufrags.len()), (vec![1, 3, 5], 3), "each has a user name of its own");
        assert!(!opened.has_changed().unwrap(), "it is the connection of before");
        link.carry_out(id, LinkCommand::Close, false);
        bare.connection.close().await.unwrap();
        tasks.close();
        tasks.wait().await;
    };
    timeout(Duration::from_secs(300), story).await.unwrap();
}
