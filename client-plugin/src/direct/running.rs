//! A connection that has been built: what is done with it when the partner signals, the stack tells or
//! this end opens a channel, and how it is closed.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use webrtc::data_channel::DataChannel;

use super::channel::DirectChannel;
use super::connection::{DirectEvent, Happened};
use super::error::{ChannelError, DirectEnd};
use super::inbox::{LOSSY, MAX_CHANNELS, MAX_INBOXES};
use super::link::{Link, Slot};
use super::message::ChannelOptions;
use super::opener::{Opener, Pump};
use super::owner::Role;
use super::signal::{self, Asked, Candidate, Description};
use super::stack::{Stack, StackEvent};

/// The name of the main channel. That of a partner may be any: its first channel is the main one.
const MAIN: &str = "socketio-p2p";
/// How many candidates of the partner are tried; simple-peer's has about ten. Others are ignored.
const MAX_CANDIDATES: usize = 64;
/// How long the partner may take to confirm a channel.
const CHANNEL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long closing waits for the driver to send the closing of the channels.
const FAREWELL: Duration = Duration::from_millis(20);
/// How long a partner that does not tell when it leaves may take for it once its end of the main channel
/// is closed. Chromium reports the abort of its association as an error of the channel until then.
const AFTERWARDS: Duration = Duration::from_millis(250);

type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// A channel of this end that the partner has confirmed or not.
pub(crate) enum Opened {
    Main(DirectChannel),
    Raw(Result<DirectChannel, ChannelError>, oneshot::Sender<Result<DirectChannel, ChannelError>>),
}

/// A connection that has been built.
pub(crate) struct Running {
    pub(crate) stack: Stack,
    pub(crate) link: Arc<Link>,
    /// The partner's description is in force.
    is_described: bool,
    /// Those that came before it.
    candidates: Vec<Candidate>,
    candidates_seen: usize,
    pub(crate) unread: VecDeque<Happened>,
    pub(crate) main: Option<DirectChannel>,
    pub(crate) openings: FuturesUnordered<Opening>,
    /// Channels that were dropped, on their way to be closed.
    pub(crate) closings: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pub(crate) pumps: mpsc::Sender<Pump>,
}

impl Running {
    pub(crate) fn new(stack: Stack, pumps: mpsc::Sender<Pump>) -> Self {
        Self {
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
        }
    }

    /// Opens the main channel and invites the partner.
    pub(crate) async fn offer(&mut self) -> webrtc::error::Result<()> {
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
    pub(crate) async fn signalled(&mut self, asked: Asked, role: Role) -> Result<(), DirectEnd> {
        match (asked, role) {
            (Asked::Offer(offer), Role::Answerer) if !self.is_described => {
                let Description { sdp, candidates, max_message, udp_buffer, window } = offer;
                let answer = self.stack.answer(sdp).await.map_err(refused)?;
                self.described(max_message, udp_buffer, window);
                let answer = signal::description("answer", &answer, self.stack.udp_buffer());
                // Before this end's candidates, which wait in the stack's events.
                self.tell(DirectEvent::Signal(answer));
                self.add_all(candidates).await;
            }
            (Asked::Answer(answer), Role::Offerer) if !self.is_described => {
                let Description { sdp, candidates, max_message, udp_buffer, window } = answer;
                self.stack.answered(sdp).await.map_err(refused)?;
                self.described(max_message, udp_buffer, window);
                self.add_all(candidates).await;
            }
            (Asked::Candidate(candidate), _) => self.add_all(vec![candidate]).await,
            (Asked::Nothing, _) => {}
            (Asked::Offer(_) | Asked::Answer(_), _) => {
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
    pub(crate) async fn heard(&mut self, event: StackEvent, role: Role) -> Result<(), DirectEnd> {
        match event {
            StackEvent::Candidate(candidate) => self.tell(DirectEvent::Signal(candidate)),
            StackEvent::Heard(heard) if self.main.is_some() => {
                self.tell(if heard { DirectEvent::Heard } else { DirectEvent::Silent });
            }
            StackEvent::Heard(_) => {}
            StackEvent::Failed => return Err(DirectEnd::Silent),
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
        let slot = Slot::take(&link);
        let is_lossy = protocol.ends_with(LOSSY);
        let (channel, pump) = DirectChannel::raw(channel, label, link, slot, is_lossy);
        self.pumps.try_send(Box::pin(pump)).map_err(|_| DirectEnd::Overrun)?;
        if has_room {
            self.tell(DirectEvent::Channel(channel));
        } else {
            tracing::debug!("a channel of the partner is closed: it has too many");
        }
        Ok(())
    }

    pub(crate) fn open(
        &mut self,
        label: String,
        options: ChannelOptions,
        answer: oneshot::Sender<Result<DirectChannel, ChannelError>>,
    ) {
        let refusal = if self.main.is_none() {
            ChannelError::NotOpen
        } else if self.link.open.load(Ordering::Relaxed) >= MAX_CHANNELS {
            ChannelError::TooMany(MAX_CHANNELS)
        } else {
            let slot = Slot::take(&self.link);
            let opener = Opener {
                stack: self.stack.clone(),
                link: Arc::clone(&self.link),
                pumps: self.pumps.clone(),
            };
            self.openings.push(Box::pin(async move {
                let opened = timeout(CHANNEL_TIMEOUT, opener.open(label, options, slot)).await;
                let late = Err(ChannelError::Timeout(CHANNEL_TIMEOUT));
                Opened::Raw(opened.unwrap_or(late), answer)
            }));
            return;
        };
        answer.send(Err(refusal)).ok();
    }

    pub(crate) fn opened(&mut self, opened: Opened) {
        match opened {
            Opened::Main(main) => {
                self.stack.turns().calm();
                self.main = Some(main.clone());
                self.unread.push_back(Happened::Opened(main));
            }
            Opened::Raw(opened, answer) => {
                answer.send(opened).ok();
            }
        }
    }

    fn tell(&mut self, event: DirectEvent) {
        self.unread.push_back(Happened::Event(event));
    }

    /// Begins to close the channels that were dropped.
    pub(crate) fn close_abandoned(&mut self) {
        for channel in self.link.take_abandoned() {
            self.closings.push(Box::pin(channel.close()));
        }
    }

    /// The main channel, then the connection. Returns when the driver has stopped. `left` is cancelled when
    /// the partner's end of the main channel has been read; `patience` ends all waiting for the partner.
    ///
    /// Either loses what the partner has not read yet. So a partner of ours is told, leaves when it has
    /// read what came before, and takes the channel along; others close their end of it.
    pub(crate) async fn close(
        self,
        end: &DirectEnd,
        left: &CancellationToken,
        mut patience: Pin<Box<Sleep>>,
    ) {
        let turns = self.stack.turns();
        if let Some(main) = &self.main {
            let is_first = *end == DirectEnd::Here && !left.is_cancelled();
            let is_told = is_first && self.link.partner_window().is_some();
            if is_told {
                let gone = async {
                    main.take_leave().await;
                    main.gone().await;
                };
                tokio::select! {
                    () = gone => {}
                    () = left.cancelled() => {} // Both at once.
                    () = &mut patience => {}
                }
            }
            let turn = turns.next();
            main.shut().await;
            // The closing of the channel goes out with the driver's next turn.
            timeout(FAREWELL, turn).await.ok();
            if is_first && !is_told {
                let closed = async {
                    main.gone().await;
                    sleep(AFTERWARDS).await;
                };
                tokio::select! {
                    () = closed => {}
                    () = patience => {}
                }
            }
        }
        self.stack.close().await;
        turns.gone.cancelled().await;
        self.link.forget_abandoned();
    }
}

fn refused(error: webrtc::error::Error) -> DirectEnd {
    tracing::debug!(%error, "the partner's description is refused");
    DirectEnd::Refused
}

impl Drop for Running {
    /// After [`Self::close`] there is nothing to end; it is missing if the owner's task ends by itself.
    fn drop(&mut self) {
        self.stack.abort();
    }
}
