//! Faults planted on purpose, to show that the simulation catches them.
//!
//! Without the feature `planted-faults` nothing of this is compiled in: `is` is always false.

/// A fault that can be planted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The end of a pairing frees one client and forgets the other.
    ForgetPartner,
    /// The end of a connection ends whatever connection its client has now.
    CompareWithoutIncarnation,
    /// A resume token is not looked at.
    ResumeWithoutToken,
    /// A target is accepted even if it is paired.
    PairTheBusy,
    /// A client whose grace is over keeps its place.
    ForgetAway,
    /// A client that is away loses its place before its grace is over.
    EndTooEarly,
    /// The partner of a client that is back is not informed.
    ForgetBack,
    /// The end of a pairing is reported twice.
    TellTwice,
    /// A client that is back does not send its window again.
    ForgetResend,
    /// A pairing that ended while a client was away goes on for it.
    KeepEndedPairing,
    /// The reason why a pairing ended during a client's absence is not reported on its return.
    ForgetReason,
    /// The window forgets its oldest frame before it is acknowledged.
    WindowEvictsEarly,
    /// Frames that are sent again on another path are reordered, and taken in that order.
    ReorderOnPathChange,
    /// A frame that was seen before is delivered again.
    DeliverDuplicates,
    /// A call whose pairing ended after it was sent is said not to be executed.
    GuessNotExecuted,
    /// A reply resolves the call and leaves it waiting, for its deadline to resolve it again.
    ReportTwice,
    /// A reply resolves whatever call waits longest.
    AnswerAnother,
    /// The window is never full.
    NeverFull,
    /// An emit is delivered although its time is over.
    IgnoreTtl,
    /// Early frames are acknowledged as if there were no gap before them.
    AckUnseen,
    /// The last part of a large value is not sent again.
    LoseLastPart,
    /// The relay forwards a message whatever pairing it names.
    SkipPairingId,
    /// The events of a v1 client leave their backlog in another order.
    ReverseBacklog,
    /// The acknowledgement of a v1 client answers whatever event waits longest.
    AcknowledgeAnother,
    /// An answer to a question of an earlier server answers that of the present one with its number.
    AnswerFormerServer,
    /// An event for which a v1 client's queue had no room is dropped.
    DropUndelivered,
    /// An answer of a v1 client by event is not acknowledged, so that it comes again, for another question.
    IgnoreAnswerId,
    /// A v1 client that left in doubt is not informed, on its return, that it has no pairing.
    ForgetDeparted,
    /// A v1 client that is lost soon after it was informed that it has no pairing is not informed again.
    ForgetTold,
    /// A question that a v1 client did not answer in time makes room for the next at once.
    CloseQuestionEarly,
    /// A burst of a v1 client loses what exceeds a part of its backlog.
    DropBurst,
    /// A repeated registration of a v1 client is not answered.
    ForgetRepetition,
    /// A direct path that failed is not tried again.
    NeverRetry,
    /// A link that was given up is not closed.
    KeepClosedLink,
    /// The partner is informed of a silent path as often as it is looked at.
    RepeatSilent,
    /// A path whose heartbeats do not return counts as alive.
    IgnoreSilence,
    /// A direct path that was left is never taken again.
    HoldForever,
    /// The session is not informed that the direct path is closed.
    ForgetClosedPath,
    /// What the server grants is taken for the former pairing, whatever the partner says.
    TrustGrant,
    /// The client that was asked registers the other, too, when the server has forgotten the pairing.
    SwapRoles,
    /// A change that comes soon after another is not sent to those who watch the target.
    ForgetCoalesced,
    /// A client does not watch its targets again on its next connection.
    ForgetWatch,
    /// The other members of a room are not informed of a member that is back.
    ForgetMemberBack,
    /// A member that leaves a room is not forgotten by those with whom it was paired longest.
    ForgetMemberLeft,
    /// The first pairing of a room is used for a message that names any.
    MixMembers,
    /// A client that is back takes the pairings that it knows of a room for all that there are.
    ForgetNewMembers,
    /// A client takes the pairings of a room for its own that it had before it joined the room again.
    AdoptRoom,
}

#[cfg(feature = "planted-faults")]
mod enabled {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Sets the fault of this thread, or clears it.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
    }

    pub(crate) fn is(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }
}

#[cfg(feature = "planted-faults")]
pub(crate) use enabled::is;
#[cfg(feature = "planted-faults")]
pub use enabled::plant;

/// Returns whether this thread has this fault.
#[cfg(not(feature = "planted-faults"))]
pub(crate) const fn is(_: Fault) -> bool {
    false
}
