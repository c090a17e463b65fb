//! The inputs and outputs of a v1 peer.

#[cfg(doc)]
use super::{acknowledgement, undelivered};
use crate::{
    Args, EndReason, Frame, Outcome, Presence, ReqId,
    relay::SendFailure,
    session::{Delivery, Violation},
};

/// Events of a v1 peer's life.
#[derive(Debug)]
pub enum Input {
    /// A frame of the partner's session.
    Received(Frame),
    /// The partner lost its connection, or came back on another.
    Partner(Presence),
    /// The partner's queue refused a frame.
    Refused,
    /// The result of [`Output::Emit`], with its delivery handed back.
    Emitted(Delivery, Result<(), SendFailure>),
    /// The client's acknowledgement of the event with this number, or the reason for its absence.
    Acknowledged(u64, Result<Args, NoAck>),
    /// The arguments of the acknowledgement with this id cannot be written for this client.
    Unacknowledged(ReqId),
    /// The pairing ended.
    Ended(EndReason),
    /// Some deadline may be due.
    Timeout,
}

/// Actions for the host, in this order.
#[derive(Debug)]
pub enum Output {
    /// Send a frame to the partner.
    Send(Frame),
    /// Put an event into the client's queue, and answer with [`Input::Emitted`]. No other event is
    /// handed out before the answer. If the delivery wants a reply, [`Input::Acknowledged`] follows.
    Emit(Delivery),
    /// Acknowledge the client's event with this id; [`acknowledgement`] writes the arguments.
    Acknowledge(ReqId, Outcome),
    /// Do not expect the acknowledgement of the event with this number any more: no call waits for it.
    Abandoned(u64),
    /// Tell the client that the pairing ended before its partner had all that it emitted before it asked for
    /// the end; [`undelivered`] says why.
    Undelivered,
    /// Log that the partner broke a rule. The frame was dropped.
    Complain(Violation),
}

/// Reasons for the absence of an acknowledgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoAck {
    /// It did not come in time.
    Missing,
    /// The client is gone.
    Gone,
    /// It came, and the host cannot read it.
    Unreadable,
    /// It came, and has more bytes than the host reads.
    TooLarge,
}
