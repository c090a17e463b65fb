//! Raw channels: those that the partner opens, and those of this side.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socketio_p2p_protocol::limits::CHANNELS;
use socketio_p2p_protocol::peer::channel::{Admission, Carriage, admit};
use tokio::time::timeout;

use super::super::channel::DirectChannel;
use super::super::channels::{Channels, Slot};
use super::super::error::{ChannelError, DirectEnd};
use super::super::event::{DirectEvent, Report};
use super::super::message::{ChannelOptions, ChannelTerms};
use super::super::peer_connection::{OpenedChannel, PeerConnection};
use super::super::role::Role;
use super::super::shared::{ConnectionShared, OpenAnswer};
use super::confirming::Wanted;
use super::{ConnectionActor, OpeningOutcome};

/// Time that the partner may take to confirm a channel.
const CHANNEL_TIMEOUT: Duration = Duration::from_secs(10);

impl ConnectionActor {
    /// Takes a channel that the partner opened: of an offerer's, one is the main channel.
    pub(super) fn partner_opened(&mut self, opened: OpenedChannel) -> Result<(), DirectEnd> {
        if self.role == Role::Offerer || self.main.is_some() {
            return self.raw_opened(opened);
        }
        self.candidates_for_main.push(opened);
        if self.candidates_for_main.is_certain() { self.choose_main() } else { Ok(()) }
    }

    /// Takes the best channel that has come as the main one, and the others as raw ones.
    pub(super) fn choose_main(&mut self) -> Result<(), DirectEnd> {
        let Some((main, others)) = self.candidates_for_main.choose() else { return Ok(()) };
        let OpenedChannel { channel, terms } = main;
        let main = DirectChannel::main(channel, terms, Arc::clone(&self.channels));
        self.opened(OpeningOutcome::Main(main))?;
        others.into_iter().try_for_each(|other| self.raw_opened(other))
    }

    fn raw_opened(&mut self, opened: OpenedChannel) -> Result<(), DirectEnd> {
        let OpenedChannel { channel, mut terms } = opened;
        let channels = Arc::clone(&self.channels);
        let open = channels.open.load(Ordering::Relaxed);
        let admission = admit(open, channels.raw.load(Ordering::Relaxed));
        if admission == Admission::Overrun {
            return Err(DirectEnd::Overrun);
        }
        let slot = Slot::take(&channels);
        let carriage = Carriage::of(&terms.protocol);
        terms.protocol.truncate(terms.protocol.len() - carriage.suffix().len());
        if let Carriage::Pieces { in_order } = carriage {
            terms.is_ordered = in_order;
        }
        let (channel, pump) =
            DirectChannel::raw(channel, terms, Arc::clone(&channels), slot, carriage);
        channels.calls.give(pump);
        if admission == Admission::Taken {
            self.report(DirectEvent::Channel(channel));
        } else {
            tracing::debug!("closed a channel because the partner has too many");
        }
        Ok(())
    }

    /// Begins to open a channel of this side.
    pub(super) fn open(&mut self, label: String, options: ChannelOptions, answer: OpenAnswer) {
        let refusal = if self.main.is_none() {
            ChannelError::NotOpen
        } else if self.channels.open.load(Ordering::Relaxed) >= CHANNELS {
            ChannelError::TooMany(CHANNELS)
        } else {
            let slot = Slot::take(&self.channels);
            let (connection, channels) = (self.connection.clone(), Arc::clone(&self.channels));
            self.openings.push(Box::pin(async move {
                let opening = open(connection, channels, label, options, slot);
                let late = Err(ChannelError::Timeout(CHANNEL_TIMEOUT));
                OpeningOutcome::Raw(timeout(CHANNEL_TIMEOUT, opening).await.unwrap_or(late), answer)
            }));
            return;
        };
        answer.send(Err(refusal)).ok();
    }

    /// Takes a channel that is open, or the end of the connection if the partner left before it was.
    pub(super) fn opened(&mut self, opened: OpeningOutcome) -> Result<(), DirectEnd> {
        match opened {
            OpeningOutcome::Main(main) => {
                self.connection.ticks().poll_normally();
                self.shared.channels.set(Arc::clone(&self.channels)).ok();
                self.shared.main.set(main.downgrade()).ok();
                if let Some(to_sender) = self.to_sender.take() {
                    to_sender.send(main.clone()).ok();
                }
                let (channels, shared) = (Arc::clone(&self.channels), Arc::clone(&self.shared));
                self.channels.calls.give(read_unheard(main.clone(), channels, shared));
                self.main = Some(main.clone());
                self.unread.push_back(Report::Opened(main));
            }
            OpeningOutcome::MainClosed => return Err(DirectEnd::Partner),
            OpeningOutcome::Raw(opened, answer) => {
                answer.send(opened).ok();
            }
        }
        Ok(())
    }
}

/// Opens a channel and waits for the partner's confirmation.
async fn open(
    connection: PeerConnection,
    channels: Arc<Channels>,
    label: String,
    mut options: ChannelOptions,
    slot: Slot,
) -> Result<DirectChannel, ChannelError> {
    let carriage = channels.carriage(&options);
    let ChannelOptions { protocol, ordered, .. } = &options;
    let terms = ChannelTerms { label, protocol: protocol.clone(), is_ordered: *ordered };
    if channels.partner_counts() {
        options.protocol.push_str(carriage.suffix());
    }
    // Only the receiver can keep their order.
    options.ordered &= !matches!(carriage, Carriage::Pieces { .. });
    Wanted { channels, terms, carriage }.open(connection, options, slot).await
}

/// Reads the main channel, once the events are read no more, up to the partner's end.
async fn read_unheard(main: DirectChannel, channels: Arc<Channels>, shared: Arc<ConnectionShared>) {
    tokio::select! {
        () = shared.unheard.cancelled() => {}
        () = channels.gone() => return,
    }
    while main.recv().await.is_some() {}
    shared.left.cancel();
}
