//! The inputs and outputs of a peer.

use std::time::Duration;

use super::{LinkCommand, LinkEvent, LinkId};
use crate::{
    Args, Code, EndReason, Frame, Outcome, PairingInfo, Path, Presence, Refusal, Signal,
    SignalError,
    limits::Limits,
    session::{CallId, Delivery, EmitOptions, Violation},
};

/// An input.
#[derive(Clone, Debug)]
pub enum Input {
    /// The server relayed frames of the partner.
    Relayed(Vec<Frame>),
    /// The server dropped frames of this peer: they are sent again.
    RelayRefused,
    /// The server will never relay what this peer has sent: the pairing is to end.
    Undeliverable,
    /// The server forwarded a signal of the partner.
    Signalled(Signal),
    /// The application wants a direct path that waits: see [`Peer::waiting`](super::Peer::waiting).
    Upgrade,
    /// The driver of a link reports an event.
    Link(LinkId, LinkEvent),
    /// The application emits an event. Only while [`Peer::takes_emits`](super::Peer::takes_emits).
    Emit {
        /// The number that the caller chose.
        call: CallId,
        /// The event's name.
        event: String,
        /// The arguments.
        args: Args,
        /// The options.
        options: EmitOptions,
    },
    /// The caller of an emit no longer waits.
    Cancelled(CallId),
    /// A handler is done: the number of its delivery, and its result.
    Finished(u64, Result<Args, Refusal>),
    /// The server, or the connection to it, changed what it knows of the pairing.
    Server(ServerEvent),
    /// The application takes no more emits: those of the partner stay in its window.
    Paused,
    /// The application knows that this machine has other addresses than before.
    NetworkChanged,
    /// The driver of links has noticed other addresses.
    AddressesChanged,
    /// This peer ends a pairing that the server has forgotten.
    Parted(EndReason),
    /// The pairing is over.
    Ended(EndReason),
    /// A deadline may be due.
    Timeout,
}

/// An event of the server, or of the connection to it.
#[derive(Clone, Debug)]
pub enum ServerEvent {
    /// The connection is lost, and another is being made.
    Lost,
    /// There is another connection, and the server has these limits.
    Welcomed(Limits),
    /// The server on the other side of the new connection knows the pairing.
    Known,
    /// It does not. Unless the direct path stands, the pairing ends for this reason.
    Forgotten(EndReason),
    /// The partner lost its connection, or is back.
    Partner(Presence),
    /// The server ended the pairing.
    Ended(EndReason),
    /// The server granted the pairing anew, after [`Output::Register`] or after the partner asked.
    Granted(PairingInfo),
    /// The server refused [`Output::Register`].
    NotGranted(Code),
    /// The server answered in this time.
    Answered(Duration),
}

/// An output, to be carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Have the server forward a signal.
    Signal(Signal),
    /// Command the driver of a link.
    Link(LinkId, LinkCommand),
    /// Run a handler, and report [`Input::Finished`] when it is done.
    Deliver(Delivery),
    /// The partner does not wait any more for the result of the handler with this number.
    Abandoned(u64),
    /// An emit that wants no reply is on its way.
    Sent(CallId),
    /// The outcome of an acknowledged emit, or of any emit that was not sent.
    Resolved(CallId, Outcome),
    /// The partner lost its connection to the server, or is back.
    Partner(Presence),
    /// Emits take another path from now on.
    Path {
        /// The path, or `None` if there is none.
        path: Option<Path>,
        /// Its round-trip time, as far as it is known.
        rtt: Option<Duration>,
    },
    /// The server knows the pairing again, by this name.
    Reasserted(PairingInfo),
    /// Register the partner with the server, which has forgotten the pairing. A refusal is reported
    /// as [`ServerEvent::NotGranted`].
    Register,
    /// Unregister: what [`Output::Register`] asked for is no longer wanted, or the pairing is not.
    Unregister,
    /// The partner breaks the rules; what it sent was dropped.
    Complain(Complaint),
    /// The pairing is over at this peer. Nothing follows.
    Ended(EndReason),
}

/// A message that had no effect, or of which that is reported.
#[derive(Clone, Debug, PartialEq)]
pub enum Complaint {
    /// The partner broke a rule.
    Partner(Violation),
    /// The partner's message on the direct path cannot be read: the path is closed.
    Direct(String),
    /// A signal of the partner was ignored.
    Signal(SignalError),
    /// A message of the server cannot be read, or came at the wrong time.
    Server(Refusal),
    /// The server sent an event that this version does not know.
    UnknownEvent,
    /// The server refused what this client sent, and no call waits for it.
    Refused(Refusal),
}

impl Complaint {
    /// Returns whether it is about a value that this version does not know: the sender may speak a later
    /// version.
    #[must_use]
    pub const fn is_about_unknown(&self) -> bool {
        matches!(
            self,
            Self::Partner(Violation::Unknown)
                | Self::Signal(SignalError::Unknown)
                | Self::UnknownEvent
                | Self::Refused(Refusal { code: Code::Other(_), .. })
        )
    }
}
