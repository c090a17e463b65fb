//! Codes, reasons, refusals and outcomes: one vocabulary for every layer.

use std::{borrow::Cow, fmt};

use crate::{Args, Path, limits, text::legible, wire::labels};

labels! {
    /// The reason of a refusal or a failure. The texts are stable: programs may rely on them.
    pub Code {
        /// The target has no connection.
        Offline = "offline",
        /// Source and target are the same client.
        SelfTarget = "self",
        /// The source is paired, or its request to another client waits.
        SourceBusy = "source-busy",
        /// The target is paired.
        TargetBusy = "target-busy",
        /// The line of those who wait for the target is full.
        QueueFull = "queue-full",
        /// The target declined.
        Declined = "declined",
        /// No answer arrived in time.
        Timeout = "timeout",
        /// The sender is not paired with that client.
        NotPaired = "not-paired",
        /// The message names a pairing that is not the sender's present one.
        StalePairing = "stale-pairing",
        /// Arguments are missing, malformed or of the wrong type.
        BadArgs = "bad-args",
        /// The event may not be sent: it is unknown, reserved, too long, or one of the plugin's own.
        BadEvent = "bad-event",
        /// A limit on size or depth is exceeded.
        TooLarge = "too-large",
        /// A limit on the rate is exceeded.
        RateLimited = "rate-limited",
        /// The receiver's queue is full.
        Congested = "congested",
        /// The server's policy forbids it.
        Forbidden = "forbidden",
        /// The id is in use.
        DuplicateId = "duplicate-id",
        /// The id is malformed, or missing where one is required.
        BadClientId = "bad-client-id",
        /// The resume token is malformed.
        BadResume = "bad-resume",
        /// There are too many clients, or a quota is used up.
        Quota = "quota",
        /// The server is going down.
        ShuttingDown = "shutting-down",
        /// The partner has no handler for the event.
        Unhandled = "unhandled",
        /// The partner's handler returned an error or panicked.
        HandlerFailed = "handler-failed",
        /// The message's time to live was over.
        Expired = "expired",
        /// The requester withdrew the request.
        Cancelled = "cancelled",
        /// The client was closed or lost its connection.
        Closed = "closed",
        /// The path that the emit was to take does not exist.
        NoRoute = "no-route",
        /// Client and server speak no common version of this protocol.
        UnsupportedProtocol = "unsupported-protocol",
    }
}

impl Code {
    /// Returns one sentence for people.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Offline => "the target is offline",
            Self::SelfTarget => "a client cannot be paired with itself",
            Self::SourceBusy => "the source is already paired or waits for an answer",
            Self::TargetBusy => "the target is already paired",
            Self::QueueFull => "too many wait for the target",
            Self::Declined => "the target declined",
            Self::Timeout => "no answer in time",
            Self::NotPaired => "not paired with that client",
            Self::StalePairing => "that pairing has ended",
            Self::BadArgs => "arguments are missing, malformed or of the wrong type",
            Self::BadEvent => "that event is not allowed",
            Self::TooLarge => "the message is too large or nested too deeply",
            Self::RateLimited => "too many messages",
            Self::Congested => "the receiver cannot keep up",
            Self::Forbidden => "the server does not allow that",
            Self::DuplicateId => "the client id is in use",
            Self::BadClientId => "the client id is malformed",
            Self::BadResume => "the session cannot be resumed",
            Self::Quota => "a quota of the server is exhausted",
            Self::ShuttingDown => "the server is shutting down",
            Self::Unhandled => "the partner has no handler for that event",
            Self::HandlerFailed => "the partner's handler failed",
            Self::Expired => "the message's time to live has expired",
            Self::Cancelled => "the request was cancelled",
            Self::Closed => "the client is closed",
            Self::NoRoute => "the requested path does not exist at present",
            Self::UnsupportedProtocol => "no common version of the protocol",
            Self::Other(_) => "refused with a code of another version",
        }
    }

    /// Returns whether the same request can succeed later without any change to it. A code that
    /// this version does not know is final.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Offline
                | Self::SourceBusy
                | Self::TargetBusy
                | Self::QueueFull
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

    /// Returns whether a reply with this code reports that a handler ran and failed. Replies with the
    /// other codes report that none ran, or that it is unknown.
    #[must_use]
    pub const fn is_of_handler(&self) -> bool {
        !matches!(
            self,
            Self::Unhandled
                | Self::BadEvent
                | Self::BadArgs
                | Self::Congested
                | Self::Offline
                | Self::Expired
                | Self::Timeout
        )
    }
}

labels! {
    /// The reason for which a pairing ended.
    pub EndReason {
        /// One client unregistered.
        Unregistered = "unregistered",
        /// One client lost its connection, or left.
        Disconnected = "disconnected",
        /// One client did not come back in time.
        TimedOut = "timed-out",
        /// Another connection took over the id of one client.
        Replaced = "replaced",
        /// The server removed one client, or ended the pairing.
        Kicked = "kicked",
        /// The server of one client is lost.
        NodeLost = "node-lost",
        /// The server is going down.
        ShuttingDown = "shutting-down",
    }
}

/// A refusal with its reason. It is printed in one line, without characters that would garble a log.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize, thiserror::Error)]
#[error("{} ({})", legible(.message), legible(.code))]
pub struct Refusal {
    /// The reason, for programs.
    pub code: Code,
    /// The reason, for people; at most [`limits::MESSAGE_BYTES`] long.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// Returns a refusal whose message tells more than the code's own.
    #[must_use]
    pub fn new(code: Code, message: &str) -> Self {
        Self { code, message: limits::cut(message).to_owned().into() }
    }

    /// Returns this refusal of a message that nothing else names to its sender.
    pub(crate) fn of(self, message: impl std::fmt::Display) -> Self {
        Self::new(self.code, &format!("{message}: {}", self.message))
    }

    /// Returns the refusal of a text that serde_json cannot read, in words of the text's author.
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        let message = error.to_string();
        // The words of serde_json (1.0.154) for half of a surrogate pair.
        if message.contains("hex escape") || message.contains("surrogate") {
            Self::new(
                Code::BadArgs,
                "a string holds half of a surrogate pair, which is no character",
            )
        } else if message.contains("number out of range") {
            Self::new(Code::BadArgs, "a number is outside the range of floating-point numbers")
        } else {
            Self::new(Code::BadArgs, &format!("the message cannot be read: {message}"))
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, message: code.message().into() }
    }
}

/// The reason for which an emit was not executed, or for which its outcome is unknown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It was refused, or its time was over.
    Code(Code),
    /// Its arguments exceed the limit on bytes ([`Code::TooLarge`]).
    TooLarge {
        /// The bytes of the arguments. Blobs count as their base64.
        bytes: usize,
        /// The bytes that are allowed.
        limit: usize,
    },
    /// Its arguments exceed the limit on depth ([`Code::TooLarge`]).
    TooDeep {
        /// The levels of arrays and objects, the list of arguments included.
        depth: usize,
        /// The levels that are allowed.
        limit: usize,
    },
    /// Its pairing ended.
    Ended(EndReason),
}

impl Cause {
    /// Returns the code, or `None` if the pairing ended.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Code(code) => Some(*code),
            Self::TooLarge { .. } | Self::TooDeep { .. } => Some(Code::TooLarge),
            Self::Ended(_) => None,
        }
    }

    /// Returns the text of the code or the reason on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Code(code) => code.as_str(),
            Self::TooLarge { .. } | Self::TooDeep { .. } => Code::TooLarge.as_str(),
            Self::Ended(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => f.write_str(code.message()),
            Self::TooLarge { bytes, limit } => {
                write!(f, "the arguments have {bytes} bytes, and {limit} are allowed")
            }
            Self::TooDeep { depth, limit } => {
                write!(f, "the arguments are nested {depth} deep, and {limit} are allowed")
            }
            Self::Ended(reason) => write!(f, "the pairing ended: {reason}"),
        }
    }
}

/// The outcome of an acknowledged emit, reported exactly once.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler ran and returned these arguments; the reply arrived by this path.
    Replied(Args, Path),
    /// The handler ran and failed.
    Failed(Refusal),
    /// No handler ran and none will.
    NotExecuted(Cause),
    /// The emit was sent, and it cannot be known if a handler ran.
    Unknown(Cause),
}
