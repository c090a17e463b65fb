//! The parts of webrtc 0.21 that are used, and its peculiarities.
//!
//! - **401 ms between "DTLS connected" and "open".** The driver's loop is: send what is queued, hand
//!   out events, take what arrived, wait. What the second and third step queue (the first message of
//!   DTLS, SCTP's INIT, the opening of the channel) waits for the next pass, and the next pass for
//!   the next timer, 200 ms away. [`DriverTicks`] gives it a timer of 1 ms between the first connectivity
//!   and the open channel: 30 ms instead of 430.
//! - **The limit of a send buffer is fixed when a connection is built.** Ours follows the round-trip
//!   time, so it is kept outside. A waiting sender needs to know when something was confirmed: the
//!   driver asks for its timer once a pass, after it applied what it received, and [`DriverTicks`] reports that.
//! - **A channel can be open before it is known.** It is created in one step and entered among those that
//!   events are for in the next. If the partner's confirmation is handled between them, it is taken for
//!   a channel of the partner, and its opener waits forever. [`DriverTicks::excluding_driver`] makes it one
//!   step.
//! - **Its lock wakes only its first waiter.** A call that waits for the lock and is polled no more takes the
//!   wake-ups of the driver forever. So the connection's task polls every call that has to wait: see
//!   [`Channels::call`](super::channels::Channels::call).
//! - **One server that it cannot read fails the whole connection**, and those of TLS and TCP it skips: servers are
//!   checked before ([`IceServer::usable`]).
//! - **The driver waits for the names of servers**, one after the other, and meanwhile nothing is received nor a
//!   candidate handed out: all are looked up before, at once, and it waits a second in all
//!   ([`ServerNames`](super::server_names::ServerNames)).
//! - **A close is reported before messages that came with it**: [`Remainder`](super::remainder::Remainder).
//! - **Of a channel of the partner it reports the order, not how often a lost message is sent again**, though its SCTP
//!   goes by that.
//! - **UDP buffers are the system's**, unless [`Runtime::wrap_udp_socket`] enlarges them.
//! - **A driver that panics ends no stream**: its task holds a guard that reports its end.
//! - **It binds a socket to each address of the host**, however many there are, and each candidate is an event:
//!   [`local_addresses`] are few enough.
//! - A multicast socket that cannot be bound fails the whole connection: it is built again without.
//! - **As the DTLS server it sends no INIT of SCTP, and as the client it refuses the partner's** (RFC 8841, section
//!   9.3). werift 0.24.4 and aiortc before 1.16 send one if they offer, whatever their role: so an answer takes the
//!   server's role.
//! - Waits of 1 s before a host candidate is used, 200 ms between checks: set to 0 and 20 ms, or 100 ms where many
//!   addresses make many pairs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::peer_connection::transport::RTCDtlsRole;
use socketio_p2p_protocol::{Candidate, CandidatePlaces, IceServer, limits::CHANNEL_MESSAGE_BYTES};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::error::Result;
use webrtc::peer_connection::{
    PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceCandidateInit, RTCIceConnectionState, RTCIceServer, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState, RTCSessionDescription, RTCStatsReportEntry, SettingEngine,
    SettingEngineBuilder, StatsSelector,
};
use webrtc::runtime::Runtime;

use super::config::DirectConfig;
use super::driver_ticks::DriverTicks;
use super::local_addresses::local_addresses;
use super::message::{ChannelOptions, ChannelTerms};
use super::runtime::TunedRuntime;
use super::signal::own_candidate;

/// Bytes that a channel may have in flight, whatever our own window says.
const SEND_LIMIT: usize = 4 << 20;
/// Time for which a path through a NAT, or a relay, is not used: a shorter one may be found. Defaults of webrtc:
/// 500 ms and 2 s.
const SRFLX_WAIT: Duration = Duration::from_millis(50);
const RELAY_WAIT: Duration = Duration::from_millis(200);
/// Time between connectivity checks. Default of webrtc: 200 ms.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// The same with more than [`FEW`] addresses. Each time all pairs are checked, and what is too much at once is lost.
const SLOW_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// Addresses of which all pairs can be checked fast.
const FEW: usize = 8;
/// Time for which a multicast name is looked up.
const MDNS_TIMEOUT: Duration = Duration::from_secs(3);
/// Events that wait for the actor. Beyond that the connection ends. They are candidates, changes of state
/// and channels, each of them few. An event that is dropped may be the end itself, and a channel that is
/// dropped is one of which webrtc keeps 64 MiB.
const EVENTS: usize = 256;

/// An event of webrtc.
pub(crate) enum PeerConnectionEvent {
    /// This end has a candidate.
    Candidate(Candidate),
    /// False: nothing has been heard from the partner for a while. True: something was heard again.
    Heard(bool),
    /// No path is left.
    Failed,
    /// The partner opened a channel.
    Channel(OpenedChannel),
}

/// A channel that the partner opened. It may be closed already.
pub(crate) struct OpenedChannel {
    pub(crate) channel: Arc<dyn DataChannel>,
    pub(crate) terms: ChannelTerms,
}

/// A peer connection of webrtc.
#[derive(Clone)]
pub(crate) struct PeerConnection {
    connection: Arc<dyn webrtc::peer_connection::PeerConnection>,
    runtime: Arc<TunedRuntime>,
    addresses: usize,
    /// Places of this side's candidates.
    places: Arc<Mutex<CandidatePlaces>>,
}

impl PeerConnection {
    /// Builds a connection with these servers, whose driver runs as one of `tasks`.
    pub(crate) async fn build(
        config: &DirectConfig,
        servers: &[IceServer],
        tasks: &TaskTracker,
    ) -> Result<(Self, mpsc::Receiver<PeerConnectionEvent>)> {
        if config.mdns {
            let mdns = MulticastDnsMode::QueryOnly;
            match Self::build_with(config, servers, tasks, mdns).await {
                Err(error) => tracing::debug!(%error, "multicast DNS is not available"),
                built => return built,
            }
        }
        Self::build_with(config, servers, tasks, MulticastDnsMode::Disabled).await
    }

    async fn build_with(
        config: &DirectConfig,
        servers: &[IceServer],
        tasks: &TaskTracker,
        mdns: MulticastDnsMode,
    ) -> Result<(Self, mpsc::Receiver<PeerConnectionEvent>)> {
        let ticks = Arc::new(DriverTicks::new());
        let (events, receiver) = mpsc::channel(EVENTS);
        let runtime = Arc::new(TunedRuntime::new(config, tasks.clone(), Arc::clone(&ticks)));
        let (bind, addresses) = local_addresses(&config.bind);
        let for_stack = servers.iter().map(|server| RTCIceServer {
            urls: server.urls.clone(),
            username: server.username.clone(),
            credential: server.credential.reveal().to_owned(),
        });
        let places = Arc::new(Mutex::new(CandidatePlaces::own()));
        let connection = PeerConnectionBuilder::<SocketAddr>::new()
            .with_configuration(
                RTCConfigurationBuilder::new().with_ice_servers(for_stack.collect()).build(),
            )
            .with_setting_engine(settings(config, mdns, addresses))
            .with_runtime(Arc::clone(&runtime) as Arc<dyn Runtime>)
            .with_handler(Arc::new(Handler { events, ticks, places: Arc::clone(&places) }))
            .with_udp_addrs(bind)
            .with_data_channel_send_buffer_limit(SEND_LIMIT)
            .build()
            .await?;
        Ok((Self { connection: Arc::new(connection), runtime, addresses, places }, receiver))
    }

    /// Aborts the driver, if it has not ended.
    pub(crate) fn abort(&self) {
        self.runtime.abort();
    }

    pub(crate) fn ticks(&self) -> Arc<DriverTicks> {
        Arc::clone(self.runtime.ticks())
    }

    /// Returns the buffer that the kernel granted to the smallest UDP socket, in bytes.
    pub(crate) fn udp_buffer(&self) -> usize {
        self.runtime.udp_granted()
    }

    /// Returns the number of this side's addresses that are used.
    pub(crate) const fn addresses(&self) -> usize {
        self.addresses
    }

    /// Makes this side's offer, and puts it in force.
    pub(crate) async fn offer(&self) -> Result<String> {
        let offer = self.connection.create_offer(None).await?;
        let sdp = offer.sdp.clone();
        self.connection.set_local_description(offer).await?;
        Ok(sdp)
    }

    /// Makes this side's answer to the partner's offer, and puts both in force.
    pub(crate) async fn answer(&self, offer: String) -> Result<String> {
        self.connection.set_remote_description(RTCSessionDescription::offer(offer)?).await?;
        let answer = self.connection.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.connection.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// Puts the partner's answer in force.
    pub(crate) async fn answered(&self, answer: String) -> Result<()> {
        self.connection.set_remote_description(RTCSessionDescription::answer(answer)?).await
    }

    /// Gives this side's candidates places anew, after a restart of ICE.
    pub(crate) fn restarted(&self) {
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) = CandidatePlaces::own();
    }

    /// Adds a candidate of the partner.
    pub(crate) async fn add(&self, candidate: &Candidate) -> Result<()> {
        let init = RTCIceCandidateInit {
            candidate: candidate.as_str().to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            ..RTCIceCandidateInit::default()
        };
        self.connection.add_ice_candidate(init).await
    }

    /// Creates a channel; its first event says that it is open.
    pub(crate) async fn open(
        &self,
        label: &str,
        options: ChannelOptions,
    ) -> Result<Arc<dyn DataChannel>> {
        let init = RTCDataChannelInit {
            ordered: options.ordered,
            max_retransmits: options.max_retransmits,
            max_packet_life_time: options.max_packet_life_time,
            protocol: options.protocol,
            negotiated: None,
        };
        let created = self.connection.create_data_channel(label, Some(init));
        self.ticks().excluding_driver(created).await
    }

    /// Returns the last round trip of a connectivity check on the path in use.
    pub(crate) async fn round_trip(&self) -> Option<Duration> {
        let report = self.connection.get_stats(Instant::now(), StatsSelector::None).await;
        let pairs = report.iter().filter_map(|entry| match entry {
            RTCStatsReportEntry::IceCandidatePair(pair) if pair.responses_received > 0 => {
                Some(pair)
            }
            _ => None,
        });
        let used = pairs.max_by_key(|pair| (pair.nominated, pair.packets_sent))?;
        Some(Duration::from_secs_f64(used.current_round_trip_time.clamp(0.0, 60.0)))
    }

    /// Closes the connection on both sides, stops the driver and frees its sockets.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing the peer connection failed");
        }
    }
}

fn settings(config: &DirectConfig, mdns: MulticastDnsMode, addresses: usize) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_timeouts(
            Some(config.silent_after),
            // ICE counts this time from the first check as well, before there is a path. The actor ends a connection
            // that is open.
            Some(config.failed_after.max(config.open_timeout)),
            Some(config.keep_alive),
        )
        .with_ice_connection_attempts(Some(check_interval(addresses)), None)
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(SRFLX_WAIT))
        .with_relay_acceptance_min_wait(Some(RELAY_WAIT))
        .with_answering_dtls_role(RTCDtlsRole::Server)
        // A bound loopback address was asked for by name: the default addresses leave it out.
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(mdns)
        .with_multicast_dns_timeout(Some(MDNS_TIMEOUT))
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(CHANNEL_MESSAGE_BYTES as u32))
        .build()
}

const fn check_interval(addresses: usize) -> Duration {
    if addresses > FEW { SLOW_CHECK_INTERVAL } else { CHECK_INTERVAL }
}

struct Handler {
    events: mpsc::Sender<PeerConnectionEvent>,
    ticks: Arc<DriverTicks>,
    places: Arc<Mutex<CandidatePlaces>>,
}

impl Handler {
    /// Reports an event to the actor. The driver calls it, and must not wait.
    fn report(&self, event: PeerConnectionEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(event) {
            tracing::warn!("the WebRTC stack reports too much at once: the connection ends");
            self.ticks.overrun.cancel();
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let Ok(init) = event.candidate.to_json() else { return };
        let mid = init.sdp_mid.as_deref();
        if let Some(candidate) = own_candidate(&init.candidate, mid, init.sdp_mline_index)
            && self.places.lock().unwrap_or_else(PoisonError::into_inner).take(&candidate)
        {
            self.report(PeerConnectionEvent::Candidate(candidate));
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        match state {
            RTCIceConnectionState::Connected => {
                self.ticks.poll_fast();
                self.report(PeerConnectionEvent::Heard(true));
            }
            RTCIceConnectionState::Disconnected => self.report(PeerConnectionEvent::Heard(false)),
            RTCIceConnectionState::Failed => self.report(PeerConnectionEvent::Failed),
            _ => {}
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        // `Closed` is this side's own doing: a partner that closes ends the channels.
        if state == RTCPeerConnectionState::Failed {
            self.report(PeerConnectionEvent::Failed);
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        // Here and now: after the next pass it may be closed, and then webrtc knows nothing of it.
        let (Ok(label), Ok(protocol)) = (channel.label().await, channel.protocol().await) else {
            return;
        };
        let Ok(is_ordered) = channel.ordered().await else { return };
        let terms = ChannelTerms { label, protocol, is_ordered };
        self.report(PeerConnectionEvent::Channel(OpenedChannel { channel, terms }));
    }
}
