//! One end of one pairing: its session, the paths that carry it, how a direct path comes about, and
//! what the server knows of the pairing.
//!
//! ```text
//!                 ┌──────────── Peer ─────────────┐
//!   application ──┤ session: order, window,       ├── relay: frames in batches, signals
//!                 │          replies, outcomes    │
//!                 │ direct:  link, path           ├── links: commands and events of the driver
//!                 │ reassertion                   ├── server: registrations after it forgot
//!                 └───────────────────────────────┘
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`channel`] | credit of the raw channels of a direct connection |
//! | [`session`] | order, window, replies and outcomes, above whatever path carries them |
//! | [`v1`] | a peer that speaks v1, whose session the server keeps |
//! | `path` | the direct path as it is measured: heartbeat, round trips, selection, hold |
//! | `link` | how a direct connection comes about: attempts, glare, candidates |
//! | [`direct`] | the two together |
//! | `reassertion` | a pairing that the server has forgotten, and how it comes to know it again |
//!
//! No IO, no clock, no randomness: feed it with [`Peer::handle`], carry out what
//! [`Peer::poll_output`] returns, and come back with [`Input::Timeout`] when [`Peer::poll_timeout`]
//! is due. Frames are collected while inputs are fed: when all inputs that are there were fed, take
//! them in batches with [`Peer::poll_direct`] and, as fast as the server allows, with
//! [`Peer::poll_relay`].

pub mod channel;
pub mod direct;
mod emits;
mod interface;
mod link;
mod outbox;
mod path;
mod reassertion;
pub mod session;
mod switching;
mod upgrade;
pub mod v1;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::{direct::Direct, outbox::Outbox, reassertion::ServerView, session::Session};
pub use self::{
    interface::{Complaint, Input, Output, ServerEvent},
    link::{LinkCommand, LinkEvent, LinkId, LinkMessage},
    path::{PathConfig, PathPolicy, WhyLeft},
};
pub use crate::wire::{DirectMessage, Heartbeat, HeartbeatKind};
use crate::{EndReason, PairingId, PairingInfo, Path, limits::Limits};

/// One end of one pairing. See the [module's page](self).
///
/// # Examples
///
/// The two peers of one pairing. One emits an event, the handler of the other returns what it got, and the relay between
/// them is a loop:
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use socketio_p2p_protocol::{
///     Args, Outcome, PairingId, PairingInfo, Path, PathConfig, Peer,
///     limits::Limits,
///     peer::{Input, Output},
///     session::EmitOptions,
/// };
///
/// let now = Instant::now();
/// let peer = |partner: &str, initiator| {
///     let id = PairingId::new(7, 1);
///     let partner = partner.parse().expect("it is a client id");
///     let info = PairingInfo { id, partner, initiator, partner_protocol: 2, direct: false };
///     Peer::new(PathConfig::default(), info, Limits::default(), None, now)
/// };
/// let mut peers = [peer("B", true), peer("A", false)];
///
/// let args = Args::from(vec!["hello".into()]);
/// let options = EmitOptions { reply_by: Some(now + Duration::from_secs(5)), ..Default::default() };
/// let emit = Input::Emit { call: 1, event: "echo".to_owned(), args: args.clone(), options };
/// peers[0].handle(emit, now);
///
/// let mut outcome = None;
/// while peers.iter().any(Peer::has_relayed) {
///     for (from, to) in [(0, 1), (1, 0)] {
///         while let Some(frames) = peers[from].poll_relay() {
///             peers[to].handle(Input::Relayed(frames), now);
///         }
///         while let Some(output) = peers[to].poll_output() {
///             match output {
///                 Output::Deliver(delivery) => {
///                     peers[to].handle(Input::Finished(delivery.seq, Ok(delivery.args)), now);
///                 }
///                 Output::Resolved(1, resolved) => outcome = Some(resolved),
///                 _ => {}
///             }
///         }
///     }
/// }
/// assert_eq!(outcome, Some(Outcome::Replied(args, Path::Relay)));
/// ```
#[derive(Debug)]
pub struct Peer {
    config: PathConfig,
    limits: Limits,
    info: PairingInfo,
    /// The names that the server had for the pairing before.
    former: VecDeque<PairingId>,
    session: Session,
    /// The direct path, if one may be tried.
    direct: Option<Direct>,
    /// True while a direct path may be tried, and waits until one of the two peers asks for it.
    waits: bool,
    /// The time in which the server answered last.
    server_rtt: Option<Duration>,
    /// The path that was reported last. The first is taken for granted.
    reported: Option<Path>,
    server: ServerView,
    /// True while this peer has a connection to the server.
    is_connected: bool,
    /// True while the partner has none.
    is_partner_away: bool,
    outbox: Outbox,
    /// True once the pairing is to end: the server does not relay what this peer sends.
    is_unwanted: bool,
    ended: bool,
    outputs: VecDeque<Output>,
}

impl Peer {
    /// Creates the peer of a pairing that has just been made, on a connection to a server with these limits.
    /// `server_rtt` is the time in which the server answered last.
    #[must_use]
    pub fn new(
        config: PathConfig,
        info: PairingInfo,
        limits: Limits,
        server_rtt: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self::build(config, info, limits, server_rtt, now, false)
    }

    fn build(
        config: PathConfig,
        info: PairingInfo,
        limits: Limits,
        server_rtt: Option<Duration>,
        now: Instant,
        waits: bool,
    ) -> Self {
        let session = match info.partner_protocol {
            1 => Session::with_v1_partner(),
            _ => Session::new(),
        };
        let may_try = info.direct && config.policy.allows_direct();
        let direct = (may_try && !waits).then(|| Direct::new(config, info.id, info.initiator, now));
        let mut peer = Self {
            config,
            limits,
            info,
            former: VecDeque::new(),
            session,
            direct: None,
            waits: may_try && waits,
            server_rtt,
            reported: None,
            server: ServerView::Known,
            is_connected: true,
            is_partner_away: false,
            outbox: Outbox::default(),
            is_unwanted: false,
            ended: false,
            outputs: VecDeque::new(),
        };
        peer.allow_relay(now);
        peer.reported = peer.session.path();
        peer.direct = direct;
        if let Some(time) = server_rtt {
            peer.direct(direct::Input::ServerAnswered(time), now);
        }
        peer.carry_out_direct(now);
        peer.report_path();
        peer
    }

    /// Returns the pairing.
    #[must_use]
    pub const fn pairing(&self) -> &PairingInfo {
        &self.info
    }

    /// Returns true if this is the name of the pairing, or was.
    #[must_use]
    pub fn is_named(&self, pairing: PairingId) -> bool {
        self.info.id == pairing || self.former.contains(&pairing)
    }

    /// Returns true while the direct path may be tried.
    #[must_use]
    pub const fn has_direct(&self) -> bool {
        self.direct.is_some()
    }

    /// Returns true while pings return on the direct path.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.direct.as_ref().is_some_and(Direct::is_alive)
    }

    /// Returns true while there is a direct path, though it may be silent now.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.direct.as_ref().is_some_and(Direct::stands)
    }

    /// Returns true if [`Input::Emit`] may be given now. If not, the emit waits with its caller.
    #[must_use]
    pub fn takes_emits(&self) -> bool {
        // An emit that can never be sent is refused at once.
        self.session.has_room()
            || (self.direct.is_none() && self.config.policy == PathPolicy::DirectOnly)
    }

    /// Returns true while there is a path and the partner has not confirmed everything that was sent.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        self.session.path().is_some() && !self.session.is_confirmed()
    }

    /// Handles an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.ended {
            return;
        }
        match input {
            Input::Relayed(frames) => {
                for frame in frames {
                    self.session(session::Input::Received(Path::Relay, frame), now);
                }
            }
            Input::RelayRefused if self.is_unwanted => {}
            Input::RelayRefused => {
                self.outbox.clear_relay();
                self.session(session::Input::Refused(Path::Relay), now);
            }
            Input::Undeliverable => self.give_up(now),
            Input::Signalled(signal) => {
                self.upgrade(false, now);
                self.direct(direct::Input::Signalled(signal), now);
            }
            Input::Upgrade => self.upgrade(true, now),
            Input::Link(link, event) => self.link(link, event, now),
            Input::Emit { call, event, args, options } => {
                self.emit(call, event, args, options, now);
            }
            Input::Cancelled(call) => self.session(session::Input::Cancelled(call), now),
            Input::Finished(seq, result) => self.finished(seq, result, now),
            Input::Server(event) => self.server(event, now),
            Input::Paused => self.session(session::Input::Paused, now),
            Input::NetworkChanged => self.direct(direct::Input::NetworkChanged, now),
            Input::AddressesChanged => self.direct(direct::Input::AddressesChanged, now),
            Input::Parted(reason) => self.part(reason, now),
            Input::Ended(reason) => self.end(reason, now),
            Input::Timeout => {
                self.session(session::Input::Timeout, now);
                self.direct(direct::Input::Timeout, now);
                self.reassert(now);
            }
        }
        self.report_path();
    }

    /// Returns the next output, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        let direct = self.direct.as_ref().and_then(Direct::poll_timeout);
        let due = [self.session.poll_timeout(), direct, self.next_reassertion()];
        due.into_iter().flatten().min()
    }

    fn session(&mut self, input: session::Input, now: Instant) {
        let resends = self.session.resends();
        let mut is_used = matches!(input, session::Input::Received(..));
        self.session.handle(input, now);
        if self.session.resends() != resends {
            self.outbox.clear();
        }
        while let Some(output) = self.session.poll_output() {
            is_used |= matches!(output, session::Output::Send(..));
            match output {
                session::Output::Send(Path::Relay, frame) => self.outbox.push_relay(frame),
                session::Output::Send(Path::Direct, frame) => {
                    if let Some(link) = self.direct.as_ref().and_then(Direct::link) {
                        self.outbox.push_direct(link, frame);
                    }
                }
                session::Output::Deliver(delivery) => {
                    self.outputs.push_back(Output::Deliver(delivery));
                }
                session::Output::Abandoned(seq) => {
                    self.outputs.push_back(Output::Abandoned(seq));
                }
                session::Output::Resolved(call, outcome) => {
                    self.outputs.push_back(Output::Resolved(call, outcome));
                }
                session::Output::Violation(violation) => {
                    self.outputs.push_back(Output::Complain(Complaint::Partner(violation)));
                }
            }
        }
        if is_used && let Some(direct) = &mut self.direct {
            direct.used(now);
        }
    }

    /// Has the server end the pairing. It stands until the server says so: a connection that is lost
    /// meanwhile may take the wish with it.
    fn give_up(&mut self, now: Instant) {
        if !self.is_known() {
            self.part(EndReason::Unregistered, now);
        } else if !std::mem::replace(&mut self.is_unwanted, true) {
            self.outputs.push_back(Output::Unregister);
        }
    }

    /// Ends the pairing for this peer: calls are resolved, and the link is closed.
    fn end(&mut self, reason: EndReason, now: Instant) {
        if self.ended {
            return;
        }
        self.session(session::Input::Ended(reason), now);
        self.end_direct(now);
        self.outbox = Outbox::default();
        self.ended = true;
        self.outputs.push_back(Output::Ended(reason));
    }
}
