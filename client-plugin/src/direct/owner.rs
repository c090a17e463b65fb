//! The one task of a direct connection: it builds it, answers signals, sends, watches and closes.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use webrtc::data_channel::DataChannel;

use super::channel::{ChannelMessage, ChannelOptions, DirectChannel, Link};
use super::config::DirectConfig;
use super::connection::{Command, DirectEvent, Happened, Shared};
use super::error::{ChannelError, DirectEnd};
use super::inbox::{LOSSY, MAX_CHANNELS, MAX_INBOXES};
use super::signal::{self, Candidate, Description, Signal};
use super::stack::{Stack, StackEvent};

/// The name of the main channel. That of a partner may be any: its first channel is the main one.
const MAIN: &str = "socketio-p2p";
/// How many candidates of the partner are tried; simple-peer's has about ten. Others are ignored.
const MAX_CANDIDATES: usize = 64;
/// How many pumps may wait to be started: all that there can be.
const PUMPS: usize = MAX_INBOXES;
/// How many events wait here for their reader. Beyond that the connection is closed as unread.
const MAX_UNREAD: usize = 128;
/// How long the partner may take to confirm a channel.
const CHANNEL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a channel is opened that is closed before it is open: see [`Link::opens_at`].
const ATTEMPTS: usize = 3;
/// How often the round trip is measured.
const MEASURE: Duration = Duration::from_secs(1);
/// How long closing waits for the driver to send the closing of the channels.
const FAREWELL: Duration = Duration::from_millis(20);
/// How long closing waits for the partner to leave, once its main channel is closed. It leaves when
/// it has read what came before.
const LEAVING: Duration = Duration::from_millis(500);

/// Which end invites.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Offerer,
    Answerer,
}

/// Everything of a connection that one task owns.
pub(crate) struct Owner {
    role: Role,
    config: DirectConfig,
    tasks: TaskTracker,
    shared: Arc<Shared>,
    events: mpsc::Sender<Happened>,
}

/// What carries the messages of a raw channel.
type Pump = Pin<Box<dyn Future<Output = ()> + Send>>;
type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// A channel of this end that the partner has confirmed or not.
enum Opened {
    Main(DirectChannel),
    Raw(Result<DirectChannel, ChannelError>, oneshot::Sender<Result<DirectChannel, ChannelError>>),
}

/// A connection that has been built.
struct Running {
    stack: Stack,
    link: Arc<Link>,
    /// The partner's description is in force.
    is_described: bool,
    /// Those that came before it.
    candidates: Vec<Candidate>,
    candidates_seen: usize,
    unread: VecDeque<Happened>,
    main: Option<DirectChannel>,
    openings: FuturesUnordered<Opening>,
    /// Channels that were dropped, on their way to be closed.
    closings: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pumps: mpsc::Sender<Pump>,
}

impl Owner {
    pub(crate) fn new(
        role: Role,
        config: DirectConfig,
        tasks: TaskTracker,
        shared: Arc<Shared>,
        events: mpsc::Sender<Happened>,
    ) -> Self {
        Self { role, config, tasks, shared, events }
    }

    pub(crate) async fn run(
        self,
        commands: mpsc::Receiver<Command>,
        messages: mpsc::Receiver<ChannelMessage>,
    ) {
        // Also if this task is aborted with its runtime: nobody may wait for it any more.
        let _ended = self.shared.ended.clone().drop_guard();
        // Side by side: what comes is taken whatever else is under way, until the driver is gone.
        let (pumps, started) = mpsc::channel(PUMPS);
        let (end, ()) = tokio::join!(self.live(commands, messages, pumps), run_all(started));
        tracing::debug!(role = ?self.role, %end, "direct connection closed");
        self.shared.end.set(end).ok();
        self.shared.room.close();
    }

    async fn live(
        &self,
        mut commands: mpsc::Receiver<Command>,
        messages: mpsc::Receiver<ChannelMessage>,
        pumps: mpsc::Sender<Pump>,
    ) -> DirectEnd {
        let (stack, mut told) = match Stack::build(&self.config, &self.tasks).await {
            Ok(built) => built,
            Err(error) => return DirectEnd::Stack(error.to_string()),
        };
        let mut running = Running {
            link: Arc::new(Link::new(stack.turns())),
            stack,
            is_described: false,
            candidates: Vec::new(),
            candidates_seen: 0,
            unread: VecDeque::new(),
            main: None,
            openings: FuturesUnordered::new(),
            closings: FuturesUnordered::new(),
            pumps,
        };
        let finishing = CancellationToken::new();
        let (to_sender, main) = oneshot::channel();
        let mut sending = pin!(self.send_all(main, messages, finishing.clone()));
        let mut is_sent = false;
        let end = tokio::select! {
            end = self.steer(&mut running, &mut commands, &mut told, to_sender) => end,
            is_all = &mut sending => {
                is_sent = true;
                // All that the last handle has sent, or what the channel took before it was closed.
                if is_all { DirectEnd::Here } else { DirectEnd::Partner }
            }
        };
        commands.close();
        if end == DirectEnd::Here && running.main.is_some() {
            finishing.cancel();
            let delivered = async {
                if !is_sent {
                    sending.await;
                }
                while running.closings.next().await.is_some() {}
                if let Some(main) = &running.main {
                    main.delivered().await.ok();
                }
            };
            timeout(self.config.linger, delivered).await.ok();
        }
        running.close(&end, &mut told).await;
        end
    }

    /// Opens the connection, and does what is asked and told until it ends.
    async fn steer(
        &self,
        running: &mut Running,
        commands: &mut mpsc::Receiver<Command>,
        told: &mut mpsc::Receiver<StackEvent>,
        to_sender: oneshot::Sender<DirectChannel>,
    ) -> DirectEnd {
        let mut to_sender = Some(to_sender);
        let give_up = Instant::now() + self.config.open_timeout;
        let mut measure = Instant::now();
        if self.role == Role::Offerer
            && let Err(error) = running.offer().await
        {
            return DirectEnd::Stack(error.to_string());
        }
        let turns = running.stack.turns();
        let link = Arc::clone(&running.link);
        loop {
            if running.unread.len() > MAX_UNREAD {
                return DirectEnd::Unread;
            }
            let is_open = running.main.is_some();
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return DirectEnd::Here,
                () = turns.overrun.cancelled() => return DirectEnd::Overrun,
                event = told.recv() => match event {
                    Some(event) => {
                        if let Err(end) = running.heard(event, self.role).await {
                            return end;
                        }
                    }
                    None => return DirectEnd::Stack("its driver stopped".to_owned()),
                },
                () = turns.gone.cancelled() => {
                    return DirectEnd::Stack("its driver stopped".to_owned());
                }
                () = self.shared.left.cancelled() => return DirectEnd::Partner,
                command = commands.recv() => match command {
                    Some(Command::Signal(signal)) => {
                        if let Err(end) = running.signalled(signal, self.role).await {
                            return end;
                        }
                    }
                    Some(Command::Open { label, options, answer }) => {
                        running.open(label, options, answer);
                    }
                    None => return DirectEnd::Here, // The last handle is gone.
                },
                Some(opened) = running.openings.next() => running.opened(opened),
                permit = self.events.reserve(), if !running.unread.is_empty() => {
                    // No reader any more: the events are of no use, the connection still may be.
                    let happened = running.unread.pop_front();
                    if let (Ok(permit), Some(happened)) = (permit, happened) {
                        permit.send(happened);
                    }
                }
                () = link.abandonment.notified() => {
                    for channel in link.take_abandoned() {
                        running.closings.push(Box::pin(channel.close(self.config.linger)));
                    }
                }
                Some(()) = running.closings.next() => {}
                () = sleep_until(give_up), if !is_open => {
                    return DirectEnd::Timeout(self.config.open_timeout);
                }
                () = sleep_until(measure), if is_open => {
                    measure = Instant::now() + MEASURE;
                    if let Some(round_trip) = running.stack.round_trip().await {
                        link.measured(round_trip);
                    }
                }
            }
            if let Some(main) = &running.main
                && let Some(to_sender) = to_sender.take()
            {
                self.shared.main.set(Arc::clone(&link)).ok();
                to_sender.send(main.clone()).ok();
            }
        }
    }

    /// Sends what is put into the send buffer, in order; ends when the channel is closed, when all is
    /// sent that was there when `finishing` was cancelled, or with the last handle. Whether all was
    /// sent.
    async fn send_all(
        &self,
        main: oneshot::Receiver<DirectChannel>,
        mut messages: mpsc::Receiver<ChannelMessage>,
        finishing: CancellationToken,
    ) -> bool {
        let Ok(main) = main.await else { return false };
        let mut is_finishing = false;
        loop {
            let message = tokio::select! {
                biased;
                () = finishing.cancelled(), if !is_finishing => {
                    is_finishing = true;
                    messages.close();
                    continue;
                }
                message = messages.recv() => message,
            };
            let Some(message) = message else { return true };
            let weight = self.shared.weight(&message);
            if main.send(message).await.is_err() {
                return false;
            }
            self.shared.room.add_permits(weight as usize);
        }
    }
}

impl Running {
    /// Opens the main channel and invites the partner.
    async fn offer(&mut self) -> webrtc::error::Result<()> {
        let channel = self.stack.open(MAIN, ChannelOptions::default()).await?;
        let main = DirectChannel::main(channel, MAIN.to_owned(), Arc::clone(&self.link));
        self.openings.push(Box::pin(async move {
            // If it fails, the connection does, and says so itself.
            if main.opened().await.is_err() {
                std::future::pending::<()>().await;
            }
            Opened::Main(main)
        }));
        let sdp = self.stack.offer().await?;
        self.tell(DirectEvent::Signal(signal::description("offer", &sdp, self.stack.udp_buffer())));
        Ok(())
    }

    /// What the partner signals.
    async fn signalled(&mut self, signal: Signal, role: Role) -> Result<(), DirectEnd> {
        match (signal, role) {
            (Signal::Offer(offer), Role::Answerer) if !self.is_described => {
                let Description { sdp, candidates, max_message, udp_buffer, window } = offer;
                let answer = self.stack.answer(sdp).await.map_err(refused)?;
                self.described(max_message, udp_buffer, window);
                let answer = signal::description("answer", &answer, self.stack.udp_buffer());
                // Before this end's candidates, which wait in the stack's events.
                self.tell(DirectEvent::Signal(answer));
                self.add_all(candidates).await;
            }
            (Signal::Answer(answer), Role::Offerer) if !self.is_described => {
                let Description { sdp, candidates, max_message, udp_buffer, window } = answer;
                self.stack.answered(sdp).await.map_err(refused)?;
                self.described(max_message, udp_buffer, window);
                self.add_all(candidates).await;
            }
            (Signal::Candidate(candidate), _) => self.add_all(vec![candidate]).await,
            (Signal::Nothing, _) => {}
            (Signal::Offer(_) | Signal::Answer(_), _) => {
                tracing::debug!(?role, "a description out of turn is ignored");
            }
        }
        Ok(())
    }

    fn described(&mut self, max_message: usize, udp_buffer: usize, window: usize) {
        self.is_described = true;
        self.link.partner_takes(max_message, udp_buffer, window);
    }

    /// Tries candidates, or keeps them until there is a description to which they belong.
    async fn add_all(&mut self, candidates: Vec<Candidate>) {
        let left = MAX_CANDIDATES.saturating_sub(self.candidates_seen);
        self.candidates_seen += candidates.len();
        self.candidates.extend(candidates.into_iter().take(left));
        if !self.is_described {
            return;
        }
        for candidate in std::mem::take(&mut self.candidates) {
            let is_local_name = candidate.is_local_name;
            if let Err(error) = self.stack.add(candidate).await {
                tracing::debug!(%error, is_local_name, "a candidate is skipped");
            }
        }
    }

    /// What the stack tells.
    async fn heard(&mut self, event: StackEvent, role: Role) -> Result<(), DirectEnd> {
        match event {
            StackEvent::Candidate(candidate) => self.tell(DirectEvent::Signal(candidate)),
            StackEvent::Heard(heard) if self.main.is_some() => {
                self.tell(if heard { DirectEvent::Heard } else { DirectEvent::Silent });
            }
            StackEvent::Heard(_) => {}
            StackEvent::Failed => return Err(DirectEnd::Silent),
            StackEvent::Closed => return Err(DirectEnd::Partner),
            StackEvent::Channel(channel) => self.partner_opened(channel, role).await?,
        }
        Ok(())
    }

    async fn partner_opened(
        &mut self,
        channel: Arc<dyn DataChannel>,
        role: Role,
    ) -> Result<(), DirectEnd> {
        let (Ok(label), Ok(protocol)) = (channel.label().await, channel.protocol().await) else {
            return Ok(()); // It is closed already.
        };
        let link = Arc::clone(&self.link);
        if role == Role::Answerer && self.main.is_none() {
            self.opened(Opened::Main(DirectChannel::main(channel, label, link)));
            return Ok(());
        }
        if link.inboxes.load(Ordering::Relaxed) >= MAX_INBOXES {
            return Err(DirectEnd::Overrun);
        }
        let has_room = link.open.load(Ordering::Relaxed) < MAX_CHANNELS;
        let is_lossy = protocol.ends_with(LOSSY);
        let (channel, pump) = DirectChannel::raw(channel, label, link, is_lossy);
        self.pumps.try_send(Box::pin(pump)).map_err(|_| DirectEnd::Overrun)?;
        if has_room {
            self.tell(DirectEvent::Channel(channel));
        } else {
            tracing::debug!("a channel of the partner is closed: it has too many");
        }
        Ok(())
    }

    fn open(
        &mut self,
        label: String,
        options: ChannelOptions,
        answer: oneshot::Sender<Result<DirectChannel, ChannelError>>,
    ) {
        let refusal = if self.main.is_none() {
            ChannelError::NotOpen
        } else if self.link.open.load(Ordering::Relaxed) + self.openings.len() >= MAX_CHANNELS {
            ChannelError::TooMany(MAX_CHANNELS)
        } else {
            let opener = Opener {
                stack: self.stack.clone(),
                link: Arc::clone(&self.link),
                pumps: self.pumps.clone(),
            };
            self.openings.push(Box::pin(async move {
                let opened = timeout(CHANNEL_TIMEOUT, opener.open(label, options)).await;
                let late = Err(ChannelError::Timeout(CHANNEL_TIMEOUT));
                Opened::Raw(opened.unwrap_or(late), answer)
            }));
            return;
        };
        answer.send(Err(refusal)).ok();
    }

    fn opened(&mut self, opened: Opened) {
        match opened {
            Opened::Main(main) => {
                self.link_up();
                self.main = Some(main.clone());
                self.unread.push_back(Happened::Opened(main));
            }
            Opened::Raw(opened, answer) => {
                answer.send(opened).ok();
            }
        }
    }

    fn link_up(&self) {
        self.stack.turns().calm();
    }

    fn tell(&mut self, event: DirectEvent) {
        self.unread.push_back(Happened::Event(event));
    }

    /// The channels, then the connection. Returns when the driver has stopped.
    async fn close(self, end: &DirectEnd, told: &mut mpsc::Receiver<StackEvent>) {
        let turns = self.stack.turns();
        if let Some(main) = self.main {
            let turn = turns.next();
            main.shut().await;
            // The closing of the channel goes out with the driver's next turn.
            timeout(FAREWELL, turn).await.ok();
            // What follows aborts the association: what the partner has not read yet is lost with it.
            if *end == DirectEnd::Here {
                timeout(LEAVING, left(told)).await.ok();
            }
        }
        self.stack.close().await;
        turns.gone.cancelled().await;
    }
}

/// What opens raw channels.
struct Opener {
    stack: Stack,
    link: Arc<Link>,
    pumps: mpsc::Sender<Pump>,
}

impl Opener {
    async fn open(
        self,
        label: String,
        mut options: ChannelOptions,
    ) -> Result<DirectChannel, ChannelError> {
        let is_lossy = options.is_lossy();
        if is_lossy && self.link.partner_window().is_some() {
            options.protocol.push_str(LOSSY);
        }
        for _ in 0..ATTEMPTS {
            while self.link.opens_at() > Instant::now() {
                sleep_until(self.link.opens_at()).await;
            }
            let opened = self.stack.open(&label, options.clone()).await;
            let channel = opened.map_err(|error| {
                tracing::debug!(%error, "a channel cannot be opened");
                ChannelError::Closed
            })?;
            let link = Arc::clone(&self.link);
            let (channel, pump) = DirectChannel::raw(channel, label.clone(), link, is_lossy);
            // None is refused: there are as many places as channels.
            self.pumps.try_send(Box::pin(pump)).map_err(|_| ChannelError::Closed)?;
            if channel.opened().await.is_ok() {
                return Ok(channel);
            }
            tracing::debug!(label, "a channel was closed before it was open");
        }
        Err(ChannelError::Closed)
    }
}

/// Runs what is started, until nothing is and nothing more will be.
async fn run_all(mut started: mpsc::Receiver<Pump>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(pump) = started.recv() => running.push(pump),
            Some(()) = running.next() => {}
            else => return,
        }
    }
}

/// Waits until the partner has closed the connection, or it is lost.
async fn left(told: &mut mpsc::Receiver<StackEvent>) {
    while !matches!(told.recv().await, Some(StackEvent::Closed | StackEvent::Failed) | None) {}
}

fn refused(error: webrtc::error::Error) -> DirectEnd {
    tracing::debug!(%error, "the partner's description is refused");
    DirectEnd::Refused
}
