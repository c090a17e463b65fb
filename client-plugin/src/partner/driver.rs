//! The driver of the links to the partners, as WebRTC connections.
//!
//! There is one connection at a time for each pairing. Any failure is reported as [`LinkEvent::Closed`], and the protocol decides
//! what comes next. A restart of ICE by the partner is answered on the connection. One by this side is a fresh
//! connection: webrtc opens one in some 10 ms.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use socketio_p2p_protocol::{
    IceWarning, Signal, Step,
    client::Input,
    limits::{CHANNELS, CHUNK_BYTES, PARTS_UNDER_WAY, WINDOW_BYTES},
    peer::{LinkCommand, LinkEvent, LinkId, LinkMessage, PathConfig},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::task::TaskTracker;

use super::{
    address_watch::{AddressWatch, Change},
    links::Links,
    present::{Happening, Present},
};
use crate::{
    api::handlers::Handlers,
    direct::{ChannelMessage, DirectChannel, DirectConfig, DirectConnection, DirectEvent, Lookup},
};

/// Handlers of the partner's channels that run at once: the channels that a connection may have, and as many
/// that outlive theirs. A further channel is closed again.
const CHANNEL_HANDLERS: usize = 2 * CHANNELS;

/// Least send buffer of a session's channel, in bytes. Everything that is not confirmed is sent at once when a
/// path is taken: the window of emits, as much of replies, parts of large values; twice, for a path may be lost
/// and taken again before any of it has left. Beyond that the channel is useless.
const SESSION_BUFFER: usize = 4 * (WINDOW_BYTES + PARTS_UNDER_WAY * CHUNK_BYTES);

/// Interval at which ICE asks for a sign of life, which measures the round trip. The session's heartbeats keep the path
/// open, but webrtc 0.21 does not take them for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Warnings that are remembered, so that the application hears of each once.
const WARNED: usize = 64;

/// The connection on which channels can be opened, or `None`.
pub(crate) type Opened = watch::Receiver<Option<DirectConnection>>;

/// The links to the partners: the present connections, and what belongs to them.
pub(crate) struct PartnerLink {
    config: DirectConfig,
    handlers: Arc<Handlers>,
    tasks: TaskTracker,
    links: Links,
    opened: watch::Sender<Option<DirectConnection>>,
    channels: JoinSet<()>,
    /// Runs if the configuration wants it, also where no direct path is allowed: the connection to the server
    /// depends on the addresses, too.
    addresses: Option<AddressWatch>,
    /// Lookups of the names of ICE servers, begun with the client.
    lookups: FuturesUnordered<Lookup>,
    /// The next renewal of ICE servers, if the application provides them.
    renewal: Option<Lookup>,
    /// The warnings that the application knows of.
    warned: BTreeSet<IceWarning>,
    /// The warnings that it does not know of yet.
    warnings: Vec<IceWarning>,
}

impl PartnerLink {
    /// Creates a driver of connections with this configuration. Their tasks are among `tasks`.
    pub(crate) fn new(
        config: DirectConfig,
        paths: &PathConfig,
        handlers: Arc<Handlers>,
        tasks: TaskTracker,
    ) -> (Self, Opened) {
        let (sender, opened) = watch::channel(None);
        let channels = JoinSet::new();
        let config = for_session(config, paths);
        let addresses = config.watch_network.then(AddressWatch::watch);
        let (warnings, lookups) = config.prepare();
        // Without a direct path no server is of use, and nobody is asked for its name.
        let lookups = lookups.into_iter().filter(|_| paths.policy.allows_direct()).collect();
        let renewal = renewal(&config);
        let mut link = Self {
            config,
            handlers,
            tasks,
            links: Links::default(),
            opened: sender,
            channels,
            addresses,
            lookups,
            renewal,
            warned: BTreeSet::new(),
            warnings: Vec::new(),
        };
        warnings.into_iter().for_each(|warning| link.warn(warning));
        (link, opened)
    }

    /// Takes the warnings of which the application does not know yet.
    pub(crate) fn take_warnings(&mut self) -> Vec<IceWarning> {
        std::mem::take(&mut self.warnings)
    }

    /// Reports a server that is left out once, and a provider that fails each time.
    fn warn(&mut self, warning: IceWarning) {
        let is_known = warning.server().is_some() && !self.warned.insert(warning.clone());
        if !is_known {
            self.warnings.push(warning);
        }
        if self.warned.len() > WARNED {
            self.warned.clear(); // The application provides other servers each time.
        }
    }

    /// Ends the handlers of channels that still run.
    pub(crate) async fn shutdown(&mut self) {
        self.channels.shutdown().await;
    }

    /// Carries out a command. Returns an event if there is one to report at once. `is_in_room`: the link is one of a
    /// room, on which the application has no channels.
    pub(crate) fn carry_out(
        &mut self,
        id: LinkId,
        command: LinkCommand,
        is_in_room: bool,
    ) -> Option<LinkEvent> {
        match command {
            LinkCommand::Offer(attempt) => {
                let started = DirectConnection::offer(self.config.clone(), &self.tasks);
                self.replace(Present::new(id, attempt, started, is_in_room));
                None
            }
            LinkCommand::Answer(attempt, offer) => {
                match self.links.get_mut(id) {
                    // The partner restarts ICE.
                    Some(link) => link.attempts.push_back(attempt),
                    None => {
                        let started = DirectConnection::answer(self.config.clone(), &self.tasks);
                        self.replace(Present::new(id, attempt, started, is_in_room));
                    }
                }
                self.signal(id, Step::Offer(offer))
            }
            // A restart of this side.
            LinkCommand::Restart(_) => {
                self.close(id);
                Some(LinkEvent::Closed)
            }
            LinkCommand::Accept(answer) => self.signal(id, Step::Answer(answer)),
            LinkCommand::Add(candidate) => {
                // A candidate that cannot be used is no failure.
                self.signal(id, Step::Candidate(candidate));
                None
            }
            LinkCommand::Send(message) => self.send(id, message).or_else(|| self.moved(id)),
            LinkCommand::Close => {
                self.close(id);
                None
            }
        }
    }

    /// Returns the next event, or `None` if there are warnings to take. Without a connection it never resolves.
    /// Cancel safe.
    pub(crate) async fn happened(&mut self) -> Option<Input> {
        loop {
            let happening = tokio::select! {
                biased;
                happening = self.links.next() => Some(happening),
                change = addresses_changed(&mut self.addresses) => return Some(match change {
                    Change::Begun => Input::Suspected,
                    Change::Settled => Input::AddressesChanged,
                }),
                Some(_) = self.channels.join_next() => continue,
                warning = renewed(&mut self.renewal) => {
                    self.renewal = renewal(&self.config);
                    warning.into_iter().for_each(|warning| self.warn(warning));
                    None
                }
                Some(warning) = self.lookups.next() => {
                    warning.into_iter().for_each(|warning| self.warn(warning));
                    None
                }
            };
            let input = happening.and_then(|(id, happening)| self.read(id, happening));
            if input.is_some() || !self.warnings.is_empty() {
                return input;
            }
        }
    }

    /// Returns a further event that has happened already.
    pub(crate) fn at_hand(&mut self) -> Option<Input> {
        loop {
            let (id, happening) = self.links.next().now_or_never()?;
            if let Some(input) = self.read(id, happening) {
                return Some(input);
            }
        }
    }

    /// Turns a happening of a connection into an input of the client.
    fn read(&mut self, id: LinkId, happening: Happening) -> Option<Input> {
        let link = self.links.get_mut(id)?;
        let is_in_room = link.is_in_room;
        let event = match happening {
            Happening::Event(event) => event,
            Happening::Traffic => return self.moved(id).map(|event| Input::Link(id, event)),
        };
        let event = match event {
            DirectEvent::Signal(signal) => link.signalled(signal)?,
            DirectEvent::Open => {
                if !is_in_room {
                    self.opened.send_replace(Some(link.connection.clone()));
                }
                LinkEvent::Opened
            }
            DirectEvent::Message(message) => LinkEvent::Received(match message {
                ChannelMessage::Text(text) => LinkMessage::Text(text),
                ChannelMessage::Binary(bytes) => LinkMessage::Binary(bytes),
            }),
            DirectEvent::Channel(channel) => {
                match is_in_room {
                    true => {
                        tracing::debug!(label = channel.label(), "closed a channel of a room");
                    }
                    false => self.take(channel),
                }
                LinkEvent::Heard
            }
            DirectEvent::IceWarning(warning) => {
                self.warn(warning);
                return None;
            }
            // The heartbeat on the session's own channel decides.
            DirectEvent::Silent | DirectEvent::Heard => return None,
            DirectEvent::Closed(end) => {
                tracing::debug!(%id, %end, "the direct connection is closed");
                self.close(id);
                LinkEvent::Closed
            }
        };
        Some(Input::Link(id, event))
    }

    fn replace(&mut self, link: Present) {
        if let Some(old) = self.links.insert(link) {
            self.close_later(old);
        }
    }

    fn close(&mut self, id: LinkId) {
        if let Some(link) = self.links.remove(id) {
            self.close_later(link);
        }
    }

    /// Closes a connection, also if the application holds a handle of it.
    fn close_later(&self, link: Present) {
        let Present { connection, events, is_in_room, .. } = link;
        if !is_in_room {
            self.opened.send_replace(None);
        }
        drop(events);
        self.tasks.spawn(async move { connection.close().await });
    }

    fn signal(&self, id: LinkId, step: Step) -> Option<LinkEvent> {
        let link = self.links.get(id)?;
        let refused = link.connection.signal(Signal { attempt: None, step }).err()?;
        tracing::debug!(%id, %refused, "ignored a signal of the partner");
        Some(LinkEvent::Closed)
    }

    /// Reports that something was received or sent over raw channels, of which there is no event. Each message of
    /// the session asks for it, and so does the first message over a raw channel after one that found none.
    fn moved(&mut self, id: LinkId) -> Option<LinkEvent> {
        let link = self.links.get_mut(id)?;
        let now = link.connection.traffic()?.moved_since(link.moved);
        let before = std::mem::replace(&mut link.moved, now);
        if now.received != before.received {
            return Some(LinkEvent::Heard);
        }
        (now != before).then_some(LinkEvent::Sent)
    }

    fn send(&self, id: LinkId, message: LinkMessage) -> Option<LinkEvent> {
        let link = self.links.get(id)?;
        let message = match message {
            LinkMessage::Text(text) => ChannelMessage::Text(text),
            LinkMessage::Binary(bytes) => ChannelMessage::Binary(bytes),
        };
        let failed = link.connection.try_send(message).err()?;
        tracing::debug!(%id, %failed, "sending over the direct path failed");
        Some(LinkEvent::Closed)
    }

    /// Runs the handler of a channel that the partner opened.
    fn take(&mut self, channel: DirectChannel) {
        let Some(handler) = self.handlers.channel() else {
            tracing::debug!(label = channel.label(), "closed a channel without a handler");
            return;
        };
        if self.channels.len() >= CHANNEL_HANDLERS {
            tracing::warn!(
                label = channel.label(),
                "closed a channel: too many channel handlers run"
            );
            return;
        }
        self.channels.spawn(async move { handler(channel).await });
    }
}

/// Returns the configuration of a session's connections. Where both have a setting for the same, `paths`
/// decides: it ends attempts, and its heartbeats decide about the path. ICE gives a connection up only after three
/// questions without an answer, and not while a heartbeat may still return.
fn for_session(mut config: DirectConfig, paths: &PathConfig) -> DirectConfig {
    let idle = paths.heartbeat_idle.max(paths.heartbeat_interval);
    config.open_timeout = paths.timeout;
    config.keep_alive = config.keep_alive.max(KEEP_ALIVE);
    let heartbeats = idle.saturating_add(paths.heartbeat_timeout.saturating_mul(3));
    config.silent_after = config.keep_alive.saturating_mul(3).max(heartbeats);
    config.failed_after = config.failed_after.max(paths.heartbeat_timeout);
    config.main_label = None;
    config.send_buffer_bytes = config.send_buffer_bytes.max(SESSION_BUFFER);
    config
}

fn renewal(config: &DirectConfig) -> Option<Lookup> {
    config.provider.clone().map(|provider| provider.renewed().boxed())
}

async fn renewed(renewal: &mut Option<Lookup>) -> Option<IceWarning> {
    match renewal {
        Some(renewal) => renewal.await,
        None => std::future::pending().await,
    }
}

async fn addresses_changed(addresses: &mut Option<AddressWatch>) -> Change {
    match addresses {
        Some(addresses) => addresses.changed().await,
        None => std::future::pending().await,
    }
}

impl fmt::Debug for PartnerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartnerLink").field("links", &self.links.ids()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
