//! The actor of a direct connection: the one task that builds it, negotiates, sends, watches and closes.
//!
//! | file | subject |
//! |---|---|
//! | `negotiate` | descriptions and candidates, both ways |
//! | `main_choice` | the main channel among those of the partner |
//! | `open` | raw channels: the partner's and this side's |
//! | `confirming` | raw channels of this side, until the partner has confirmed them |
//! | `send` | the send buffer of the main channel |
//! | `close` | the end, with what was sent before |

mod close;
mod confirming;
mod main_choice;
mod negotiate;
mod open;
mod send;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use socketio_p2p_protocol::{Candidate, CandidatePlaces, IceServer, IceWarning, Sdp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::main_choice::CandidatesForMain;
use super::channel::DirectChannel;
use super::channels::Channels;
use super::config::DirectConfig;
use super::error::{ChannelError, DirectEnd};
use super::event::{DirectEvent, Report};
use super::peer_connection::{PeerConnection, PeerConnectionEvent};
use super::role::Role;
use super::server_names::Lookup;
use super::shared::{Command, ConnectionShared, OpenAnswer, Outgoing};
use super::tasks::Task;

/// Events that wait here for their reader. Beyond that the connection is closed as unread.
const MAX_UNREAD: usize = 128;
/// Interval at which the round trip is measured.
const MEASURE: Duration = Duration::from_secs(1);

/// The actor's ends of the handles to a connection.
pub(crate) struct Handles {
    pub(crate) shared: Arc<ConnectionShared>,
    pub(crate) events: mpsc::Sender<Report>,
    pub(crate) requests: mpsc::Receiver<Command>,
    pub(crate) outgoing: mpsc::Receiver<Outgoing>,
}

/// A channel that this side opens, once the partner has confirmed or refused it.
enum OpeningOutcome {
    Main(DirectChannel),
    /// The partner closed the main channel before it had confirmed it.
    MainClosed,
    Raw(Result<DirectChannel, ChannelError>, OpenAnswer),
}

type Opening = Pin<Box<dyn Future<Output = OpeningOutcome> + Send>>;

/// A connection that has been built.
struct ConnectionActor {
    role: Role,
    config: DirectConfig,
    shared: Arc<ConnectionShared>,
    connection: PeerConnection,
    channels: Arc<Channels>,
    /// Candidates of the partner that came before their description.
    candidates: Vec<Candidate>,
    /// The partner's description in force.
    partner: Option<Sdp>,
    /// This side's role in DTLS, which the first description of the partner decides.
    is_dtls_client: bool,
    /// Name and place of the data channel section in this side's description.
    mid: String,
    index: u16,
    /// Places of the partner's candidates.
    places: CandidatePlaces,
    /// Time at which the connection is given up, while the partner is silent.
    given_up_at: Option<Instant>,
    /// Events that wait for room in `events`.
    unread: VecDeque<Report>,
    events: mpsc::Sender<Report>,
    main: Option<DirectChannel>,
    candidates_for_main: CandidatesForMain,
    /// Hands the main channel to the sender, once.
    to_sender: Option<oneshot::Sender<DirectChannel>>,
    openings: FuturesUnordered<Opening>,
    /// Closings of channels that were dropped.
    closings: FuturesUnordered<Task>,
    /// Lookups of the names of servers.
    lookups: FuturesUnordered<Lookup>,
}

/// Reports the end of a connection to all handles, also if its task is aborted or panics.
struct ReportEnd(Arc<ConnectionShared>);

impl Drop for ReportEnd {
    fn drop(&mut self) {
        self.0.end.get_or_init(|| DirectEnd::Stack("its task has ended".to_owned()));
        self.0.room.close();
        self.0.ended.cancel();
    }
}

/// Runs a connection from its start to its end.
pub(crate) async fn run(role: Role, config: DirectConfig, tasks: TaskTracker, handles: Handles) {
    let Handles { shared, events, requests, outgoing } = handles;
    let _report_end = ReportEnd(Arc::clone(&shared));
    let (servers, mut warnings) = tokio::select! {
        biased;
        () = shared.stop.cancelled() => {
            shared.end.set(DirectEnd::Here).ok();
            return;
        }
        servers = ice_servers(&config) => servers,
    };
    let (servers, unusable) = IceServer::usable(&servers);
    warnings.extend(unusable);
    let lookups = config.names.look_up(&servers).into_iter().collect();
    let end = match PeerConnection::build(&config, &servers, &tasks).await {
        Ok((connection, stack_events)) => {
            let channels = Arc::new(Channels::new(connection.ticks()));
            let places = CandidatePlaces::of_partner(connection.addresses());
            let (to_sender, main) = oneshot::channel();
            let candidates_for_main = CandidatesForMain::new(config.main_label.clone());
            let actor = ConnectionActor {
                role,
                config,
                shared: Arc::clone(&shared),
                connection,
                channels: Arc::clone(&channels),
                candidates: Vec::new(),
                partner: None,
                is_dtls_client: false,
                mid: "0".to_owned(),
                index: 0,
                places,
                given_up_at: None,
                unread: warnings
                    .into_iter()
                    .map(DirectEvent::IceWarning)
                    .map(Report::Event)
                    .collect(),
                events: events.clone(), // The last one is dropped when the end is known.
                main: None,
                candidates_for_main,
                to_sender: Some(to_sender),
                openings: FuturesUnordered::new(),
                closings: FuturesUnordered::new(),
                lookups,
            };
            // Side by side: what comes is taken whatever else is under way, until the driver has ended.
            let living = actor.live(requests, stack_events, outgoing, main);
            let calls = channels.calls.carry_out(&channels.ticks.gone);
            tokio::join!(living, calls).0
        }
        Err(error) => DirectEnd::Stack(error.to_string()),
    };
    tracing::debug!(?role, %end, "direct connection closed");
    shared.end.set(end).ok();
}

/// Returns the servers of the configuration and of the application's provider, and a report if that has failed.
async fn ice_servers(config: &DirectConfig) -> (Vec<IceServer>, Vec<IceWarning>) {
    let mut servers = config.ice_servers.clone();
    let Some(provider) = &config.provider else { return (servers, Vec::new()) };
    let (provided, warning) = provider.servers().await;
    servers.extend(provided);
    (servers, warning.into_iter().collect())
}

impl ConnectionActor {
    /// Steers and sends until the connection ends, waits for what was sent, and closes the connection.
    async fn live(
        mut self,
        mut requests: mpsc::Receiver<Command>,
        mut stack_events: mpsc::Receiver<PeerConnectionEvent>,
        outgoing: mpsc::Receiver<Outgoing>,
        main: oneshot::Receiver<DirectChannel>,
    ) -> DirectEnd {
        let finishing = CancellationToken::new();
        let sending = send::send_all(Arc::clone(&self.shared), main, outgoing, finishing.clone());
        let mut sending = Box::pin(sending);
        let mut is_sent = false;
        let end = tokio::select! {
            end = self.steer(&mut requests, &mut stack_events) => end,
            is_all = &mut sending => {
                is_sent = true;
                // All that the last handle has sent, or what the channel took before it was closed.
                if is_all { DirectEnd::Here } else { DirectEnd::Partner }
            }
        };
        requests.close();
        let mut patience = Box::pin(sleep(self.config.linger));
        if end == DirectEnd::Here && self.main.is_some() {
            finishing.cancel();
            let delivered = async {
                if !is_sent {
                    (&mut sending).await;
                }
                self.deliver().await;
            };
            tokio::select! {
                () = delivered => {}
                () = &mut patience => {}
            }
        }
        // Nothing is begun after this, for nothing polls it any more.
        let order = self.shared.order();
        drop(sending);
        drop(order);
        self.openings.clear();
        self.closings.clear();
        self.close(&end, patience).await;
        end
    }

    /// Opens the connection, and handles requests and events until it ends.
    async fn steer(
        &mut self,
        requests: &mut mpsc::Receiver<Command>,
        stack_events: &mut mpsc::Receiver<PeerConnectionEvent>,
    ) -> DirectEnd {
        let give_up = Instant::now() + self.config.open_timeout;
        let mut measure = Instant::now();
        if self.role == Role::Offerer
            && let Err(end) = self.offer().await
        {
            return end;
        }
        let ticks = self.connection.ticks();
        let (channels, events) = (Arc::clone(&self.channels), self.events.clone());
        loop {
            if self.unread.len() > MAX_UNREAD {
                return DirectEnd::Unread;
            }
            let (is_open, given_up_at) = (self.main.is_some(), self.given_up_at);
            let chosen_at = self.candidates_for_main.chosen_at;
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return DirectEnd::Here,
                () = ticks.overrun.cancelled() => return DirectEnd::Overrun,
                event = stack_events.recv() => match event {
                    Some(event) => {
                        if let Err(end) = self.stack_event(event) {
                            return end;
                        }
                    }
                    None => return DirectEnd::Stack("its driver stopped".to_owned()),
                },
                () = ticks.gone.cancelled() => {
                    return DirectEnd::Stack("its driver stopped".to_owned());
                }
                () = self.shared.left.cancelled() => return DirectEnd::Partner,
                command = requests.recv() => match command {
                    Some(Command::Signal(request)) => {
                        if let Err(end) = self.signalled(request).await {
                            return end;
                        }
                    }
                    Some(Command::Open { label, options, answer }) => {
                        self.open(label, options, answer);
                    }
                    None => return DirectEnd::Here, // The last handle is gone.
                },
                Some(opened) = self.openings.next() => {
                    if let Err(end) = self.opened(opened) {
                        return end;
                    }
                }
                permit = events.reserve(), if !self.unread.is_empty() => {
                    // Without a reader the events are of no use; the connection still may be.
                    let report = self.unread.pop_front();
                    if let (Ok(permit), Some(report)) = (permit, report) {
                        permit.send(report);
                    }
                }
                () = channels.closings.given() => self.take_closings(),
                Some(()) = self.closings.next() => {}
                Some(warning) = self.lookups.next() => {
                    self.unread.extend(warning.map(DirectEvent::IceWarning).map(Report::Event));
                }
                () = sleep_until(give_up), if !is_open => {
                    return DirectEnd::Timeout(self.config.open_timeout);
                }
                () = sleep_until(chosen_at.unwrap_or(give_up)), if chosen_at.is_some() => {
                    if let Err(end) = self.choose_main() {
                        return end;
                    }
                }
                () = sleep_until(given_up_at.unwrap_or(give_up)), if given_up_at.is_some() => {
                    return DirectEnd::Silent;
                }
                () = sleep_until(measure), if is_open => {
                    measure = Instant::now() + MEASURE;
                    if let Some(round_trip) = self.connection.round_trip().await {
                        channels.measured(round_trip);
                    }
                }
            }
        }
    }

    /// Handles an event of webrtc's.
    fn stack_event(&mut self, event: PeerConnectionEvent) -> Result<(), DirectEnd> {
        match event {
            PeerConnectionEvent::Candidate(candidate) => self.gathered(candidate),
            // A restart of ICE finds a path without a silence before.
            PeerConnectionEvent::Heard(true) if self.given_up_at.is_none() => {}
            PeerConnectionEvent::Heard(heard) if self.main.is_some() => {
                self.given_up_at = (!heard).then(|| Instant::now() + self.config.failed_after);
                self.report(if heard { DirectEvent::Heard } else { DirectEvent::Silent });
            }
            PeerConnectionEvent::Heard(_) => {}
            // ICE waits for at least as long before it is open, and may be heard first.
            PeerConnectionEvent::Failed if self.main.is_none() => {
                return Err(DirectEnd::Timeout(self.config.open_timeout));
            }
            PeerConnectionEvent::Failed => return Err(DirectEnd::Silent),
            PeerConnectionEvent::Channel(channel) => self.partner_opened(channel)?,
        }
        Ok(())
    }

    fn report(&mut self, event: DirectEvent) {
        self.unread.push_back(Report::Event(event));
    }
}

impl Drop for ConnectionActor {
    /// Aborts the driver. After [`Self::close`] it has ended; it has not if the actor's task ends by itself.
    fn drop(&mut self) {
        self.connection.abort();
        // Tasks that are not carried out any more must not hold the channels, which hold them.
        self.channels.closings.shut();
        self.channels.calls.shut();
    }
}
