//! The results that a handler may return.

use serde::Serialize;
use socketio_p2p_protocol::Args;

use crate::api::{args, handler_error::HandlerError};

pub(crate) type HandlerResult = Result<Args, HandlerError>;

mod sealed {
    pub trait Sealed {}
    impl<R> Sealed for Result<R, super::HandlerError> {}
    impl Sealed for () {}
}

/// A result that a handler may return: a `Result<R, HandlerError>`, whose value is the acknowledgement, or `()`, which
/// acknowledges with null and cannot fail.
///
/// Other plain values are returned in `Ok(…)`. They cannot be results themselves: a `Result` is such a value for
/// serde, and would travel as one instead of as a failure.
#[diagnostic::on_unimplemented(
    message = "a handler returns `Result<_, HandlerError>` or `()`, not `{Self}`",
    label = "not the result of a handler",
    note = "return a value in `Ok(…)`; any error becomes a `HandlerError` by `?`"
)]
pub trait HandlerOutput: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> EncodedResult;
}

/// The encoded result of a handler.
#[doc(hidden)]
#[derive(Debug)]
pub struct EncodedResult(pub(crate) HandlerResult);

impl<R: Serialize> HandlerOutput for Result<R, HandlerError> {
    fn into_result(self) -> EncodedResult {
        EncodedResult(self.and_then(|value| Ok(args::encode(&value)?)))
    }
}

impl HandlerOutput for () {
    fn into_result(self) -> EncodedResult {
        EncodedResult(args::encode(&()).map_err(HandlerError::from))
    }
}
