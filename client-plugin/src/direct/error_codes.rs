//! What programs read of the errors on a direct connection.
//!
//! The codes are those of the protocol, as the errors of requests have them.

use socketio_p2p_protocol::Code;

use super::error::{ChannelError, DirectEnd, DirectSendError, DirectSignalError};

impl DirectSendError {
    /// Returns the code, as the protocol spells it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOpen => Code::NoRoute.as_str(),
            Self::Empty => Code::BadArgs.as_str(),
            Self::TooLong { .. } => Code::TooLarge.as_str(),
            Self::Full => Code::Congested.as_str(),
            Self::Late => Code::Expired.as_str(),
            Self::Closed => Code::Closed.as_str(),
        }
    }

    /// Returns whether the same message can be sent later on the same channel.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NotOpen | Self::Full | Self::Late)
    }
}

impl ChannelError {
    /// Returns the code, as the protocol spells it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOpen => Code::NoRoute.as_str(),
            Self::Options => Code::BadArgs.as_str(),
            Self::TooMany(_) => Code::Quota.as_str(),
            Self::Timeout(_) => Code::Timeout.as_str(),
            Self::Closed => Code::Closed.as_str(),
        }
    }

    /// Returns whether the same channel can be opened later on the same connection.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NotOpen | Self::TooMany(_) | Self::Timeout(_))
    }
}

impl DirectSignalError {
    /// Returns the code, as the protocol spells it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsupported | Self::Unexpected => Code::BadArgs.as_str(),
            Self::Overrun => Code::RateLimited.as_str(),
            Self::Closed => Code::Closed.as_str(),
        }
    }

    /// Returns whether the same signal can be taken later by the same connection.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Overrun)
    }
}

impl DirectEnd {
    /// Returns the code, as the protocol spells it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Here | Self::Partner | Self::Stack(_) => Code::Closed.as_str(),
            Self::Timeout(_) | Self::Silent => Code::Timeout.as_str(),
            Self::Refused => Code::BadArgs.as_str(),
            Self::Unread => Code::Congested.as_str(),
            Self::Overrun => Code::RateLimited.as_str(),
        }
    }

    /// Returns whether another connection to the same partner can succeed without any change: neither end
    /// closed this one, and none of them broke a rule.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Silent | Self::Stack(_))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_tells_its_code_and_whether_to_try_again() {
        let time = Duration::from_secs(10);
        for (code, is_retryable, told) in [
            (
                "congested",
                true,
                (DirectSendError::Full.code(), DirectSendError::Full.is_retryable()),
            ),
            (
                "closed",
                false,
                (DirectSendError::Closed.code(), DirectSendError::Closed.is_retryable()),
            ),
            (
                "quota",
                true,
                (ChannelError::TooMany(256).code(), ChannelError::TooMany(256).is_retryable()),
            ),
            (
                "bad-args",
                false,
                (ChannelError::Options.code(), ChannelError::Options.is_retryable()),
            ),
            (
                "rate-limited",
                true,
                (DirectSignalError::Overrun.code(), DirectSignalError::Overrun.is_retryable()),
            ),
            (
                "timeout",
                true,
                (DirectEnd::Timeout(time).code(), DirectEnd::Timeout(time).is_retryable()),
            ),
            ("closed", false, (DirectEnd::Partner.code(), DirectEnd::Partner.is_retryable())),
        ] {
            assert_eq!(told, (code, is_retryable));
        }
    }
}
