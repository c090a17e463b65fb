//! Codes, refusals and outcomes: one vocabulary for every layer.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::{Args, Path, limits};

/// Declares an enum whose variants have one text each, on the wire and in [`fmt::Display`].
macro_rules! texts {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

texts! {
    /// Why something was refused or failed. Stable: programs may rely on the text.
    Code {
        /// The target has no connection.
        Offline = "offline",
        /// Source and target are the same client.
        SelfTarget = "self",
        /// The source is paired, or has asked somebody already.
        SourceBusy = "source-busy",
        /// The target is paired.
        TargetBusy = "target-busy",
        /// The target said no.
        Declined = "declined",
        /// No answer in time.
        Timeout = "timeout",
        /// The sender has no such partner.
        NotPaired = "not-paired",
        /// The message names a pairing that is not the sender's present one.
        StalePairing = "stale-pairing",
        /// Arguments are missing, malformed or of the wrong type.
        BadArgs = "bad-args",
        /// The event may not be sent: unknown, reserved, too long, or one of the plugin's own.
        BadEvent = "bad-event",
        /// Over a limit on size or depth.
        TooLarge = "too-large",
        /// Over a limit on how often.
        RateLimited = "rate-limited",
        /// The receiver's queue is full.
        Congested = "congested",
        /// The server's policy says no.
        Forbidden = "forbidden",
        /// The id is in use.
        DuplicateId = "duplicate-id",
        /// The id is malformed or missing where one is required.
        BadClientId = "bad-client-id",
        /// The resume token is not the right one.
        BadResume = "bad-resume",
        /// Too many clients, or too much of something else.
        Quota = "quota",
        /// The server is going down.
        ShuttingDown = "shutting-down",
        /// The partner has no handler for the event.
        Unhandled = "unhandled",
        /// The partner's handler returned an error or panicked.
        HandlerFailed = "handler-failed",
        /// The message's time to live was over.
        Expired = "expired",
        /// Whoever asked took it back.
        Cancelled = "cancelled",
        /// The client was closed or lost its connection.
        Closed = "closed",
        /// The path that it was to take is not there.
        NoRoute = "no-route",
    }
}

impl Code {
    /// One sentence for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Offline => "the target is offline",
            Self::SelfTarget => "a client cannot be paired with itself",
            Self::SourceBusy => "the source is paired already or waits for an answer",
            Self::TargetBusy => "the target is paired already",
            Self::Declined => "the target declined",
            Self::Timeout => "no answer in time",
            Self::NotPaired => "not paired with that client",
            Self::StalePairing => "that pairing is over",
            Self::BadArgs => "arguments are missing, malformed or of the wrong type",
            Self::BadEvent => "that event may not be sent",
            Self::TooLarge => "the message is too large or nested too deep",
            Self::RateLimited => "too many messages",
            Self::Congested => "the receiver cannot keep up",
            Self::Forbidden => "the server does not allow that",
            Self::DuplicateId => "the client id is in use",
            Self::BadClientId => "the client id is malformed",
            Self::BadResume => "the session cannot be resumed",
            Self::Quota => "a quota of the server is used up",
            Self::ShuttingDown => "the server is shutting down",
            Self::Unhandled => "the partner has no handler for that event",
            Self::HandlerFailed => "the partner's handler failed",
            Self::Expired => "the message's time to live was over",
            Self::Cancelled => "taken back",
            Self::Closed => "the client is closed",
            Self::NoRoute => "there is no such path at present",
        }
    }

    /// Whether the same request can succeed later without anybody changing it.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Offline
                | Self::SourceBusy
                | Self::TargetBusy
                | Self::Timeout
                | Self::Expired
                | Self::RateLimited
                | Self::Congested
                | Self::DuplicateId
                | Self::Quota
                | Self::ShuttingDown
                | Self::NoRoute
        )
    }
}

texts! {
    /// Why a pairing ended.
    EndReason {
        /// One end asked for it.
        Unregistered = "unregistered",
        /// One end's connection went.
        Disconnected = "disconnected",
        /// One end did not come back in time.
        TimedOut = "timed-out",
        /// Another connection took one end's id over.
        Replaced = "replaced",
        /// The server removed one end or parted the two.
        Kicked = "kicked",
        /// The server of one end is lost.
        NodeLost = "node-lost",
        /// The server is going down.
        ShuttingDown = "shutting-down",
    }
}

/// A no, with its reason.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people; at most [`limits::MESSAGE_BYTES`] long.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal whose message tells more than the code's own.
    #[must_use]
    pub fn new(code: Code, message: &str) -> Self {
        Self { code, message: limits::cut(message).to_owned().into() }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, message: code.message().into() }
    }
}

/// Why an emit was not executed, or why its outcome is unknown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It was refused, or its time was over.
    Code(Code),
    /// Its pairing ended.
    Ended(EndReason),
}

impl Cause {
    /// The code or the reason, as it travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code(code) => code.as_str(),
            Self::Ended(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => f.write_str(code.message()),
            Self::Ended(reason) => write!(f, "the pairing ended: {reason}"),
        }
    }
}

/// What became of an acknowledged emit. Told exactly once.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler ran and returned these arguments; the reply came this way.
    Replied(Args, Path),
    /// The handler ran and failed.
    Failed(Refusal),
    /// No handler ran and none will.
    NotExecuted(Cause),
    /// It was sent, and whether a handler ran cannot be known.
    Unknown(Cause),
}
