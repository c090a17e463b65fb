//! The one task of a direct connection: it builds it, answers signals, sends, watches and closes.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::channel::DirectChannel;
use super::config::DirectConfig;
use super::connection::{Command, Happened, Outgoing, Shared};
use super::error::DirectEnd;
use super::inbox::MAX_INBOXES;
use super::link::Link;
use super::opener::{Pump, run_all};
use super::running::Running;
use super::stack::{Stack, StackEvent};

/// How many pumps may wait to be started: all that there can be.
const PUMPS: usize = MAX_INBOXES;
/// How many events wait here for their reader. Beyond that the connection is closed as unread.
const MAX_UNREAD: usize = 128;
/// How often the round trip is measured.
const MEASURE: Duration = Duration::from_secs(1);

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

/// Tells everyone that a connection is no more, also if its task is aborted or panics.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end.get_or_init(|| DirectEnd::Stack("its task has ended".to_owned()));
        self.0.room.close();
        self.0.ended.cancel();
    }
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
        messages: mpsc::Receiver<Outgoing>,
    ) {
        let _ending = Ending(Arc::clone(&self.shared));
        // Side by side: what comes is taken whatever else is under way, until the driver is gone.
        let (pumps, started) = mpsc::channel(PUMPS);
        let (end, ()) = tokio::join!(self.live(commands, messages, pumps), run_all(started));
        tracing::debug!(role = ?self.role, %end, "direct connection closed");
        self.shared.end.set(end).ok();
    }

    async fn live(
        &self,
        commands: mpsc::Receiver<Command>,
        messages: mpsc::Receiver<Outgoing>,
        pumps: mpsc::Sender<Pump>,
    ) -> DirectEnd {
        let (stack, told) = match Stack::build(&self.config, &self.tasks).await {
            Ok(built) => built,
            Err(error) => return DirectEnd::Stack(error.to_string()),
        };
        let mut running = Running::new(stack, pumps);
        let (end, patience) = self.carry(&mut running, commands, told, messages).await;
        running.close(&end, &self.shared.left, patience).await;
        end
    }

    /// Steers and sends, until the connection ends; then waits for what was sent. How it ends, and how
    /// long the partner may still be waited for.
    ///
    /// Nothing of it is left to be polled: whoever waits for one of webrtc's locks and is not polled any
    /// more has the driver's wake-ups, for ever.
    async fn carry(
        &self,
        running: &mut Running,
        mut commands: mpsc::Receiver<Command>,
        mut told: mpsc::Receiver<StackEvent>,
        messages: mpsc::Receiver<Outgoing>,
    ) -> (DirectEnd, Pin<Box<Sleep>>) {
        let finishing = CancellationToken::new();
        let (to_sender, main) = oneshot::channel();
        let mut sending = Box::pin(self.send_all(main, messages, finishing.clone()));
        let mut is_sent = false;
        let end = tokio::select! {
            end = self.steer(running, &mut commands, &mut told, to_sender) => end,
            is_all = &mut sending => {
                is_sent = true;
                // All that the last handle has sent, or what the channel took before it was closed.
                if is_all { DirectEnd::Here } else { DirectEnd::Partner }
            }
        };
        commands.close();
        let mut patience = Box::pin(sleep(self.config.linger));
        if end == DirectEnd::Here && running.main.is_some() {
            finishing.cancel();
            running.close_abandoned();
            let delivered = async {
                if !is_sent {
                    (&mut sending).await;
                }
                while running.closings.next().await.is_some() {}
                if let Some(main) = &running.main {
                    main.delivered().await.ok();
                }
            };
            tokio::select! {
                () = delivered => {}
                () = &mut patience => {}
            }
        }
        let order = self.shared.order();
        drop(sending);
        drop(order);
        running.openings.clear();
        running.closings.clear();
        (end, patience)
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
                    Some(Command::Signal(asked)) => {
                        if let Err(end) = running.signalled(asked, self.role).await {
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
                () = link.abandonment.notified() => running.close_abandoned(),
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
                self.shared.link.set(Arc::clone(&link)).ok();
                self.shared.main.set(main.downgrade()).ok();
                to_sender.send(main.clone()).ok();
                let unread =
                    read_unheard(main.clone(), Arc::clone(&link), Arc::clone(&self.shared));
                running.pumps.try_send(Box::pin(unread)).ok(); // It is the first.
            }
        }
    }

    /// Sends what is put into the send buffer, in order; ends when the channel is closed, when all is
    /// sent that was there when `finishing` was cancelled, or with the last handle. Whether all was
    /// sent.
    async fn send_all(
        &self,
        main: oneshot::Receiver<DirectChannel>,
        mut messages: mpsc::Receiver<Outgoing>,
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
            let (sent, weight) = match message {
                Some(Outgoing::Message(message)) => {
                    let weight = self.shared.weight(&message);
                    (main.send(message).await, weight)
                }
                Some(Outgoing::Begun(sending, weight)) => (sending.await, weight),
                None => return true,
            };
            if sent.is_err() {
                return false;
            }
            self.shared.room.add_permits(weight as usize);
        }
    }
}

/// Reads the main channel when nobody else does any more, up to the partner's end.
async fn read_unheard(main: DirectChannel, link: Arc<Link>, shared: Arc<Shared>) {
    tokio::select! {
        () = shared.unheard.cancelled() => {}
        () = link.gone() => return,
    }
    while main.recv().await.is_some() {}
    shared.left.cancel();
}
