//! The error of a handler.

use std::{error::Error, fmt};

use socketio_p2p_protocol::{Code, Refusal};

use crate::api::error::chain;

/// A handler's error. Its code and its text are sent to the caller, who gets them as
/// [`EmitError::Failed`](crate::EmitError::Failed).
///
/// The operator `?` converts every error into it: each [`Error`], `anyhow::Error`, `Box<dyn Error + Send +
/// Sync>`, and texts. The code is then `handler-failed`, and the text that of the error and its sources. It
/// is no [`Error`] itself, as `anyhow::Error` is none: otherwise that conversion could not exist.
///
/// # Examples
///
/// Errors with codes of the application:
///
/// ```no_run
/// use socketio_p2p_client::{HandlerError, Incoming, P2pClient, P2pClientExt as _};
///
/// enum PrintError {
///     OutOfPaper,
///     Jammed { page: u32 },
/// }
///
/// impl From<PrintError> for HandlerError {
///     fn from(error: PrintError) -> Self {
///         match error {
///             PrintError::OutOfPaper => Self::with_code("out-of-paper", "there is no paper left"),
///             PrintError::Jammed { page } => Self::with_code("jammed", format!("jammed at page {page}")),
///         }
///     }
/// }
///
/// fn print(page: u32) -> Result<(), PrintError> {
///     if page > 99 { Err(PrintError::OutOfPaper) } else { Err(PrintError::Jammed { page }) }
/// }
///
/// async fn talk(printer: &P2pClient, till: &P2pClient) {
///     printer.on2("print", async |incoming: Incoming| Ok(print(incoming.args()?)?));
///
///     if let Err(error) = till.emit2("print", 7).await {
///         println!("{} ({})", error, error.code() == "jammed");
///     }
/// }
/// ```
///
/// A type that implements [`Error`] is converted by `?` without a code of its own. It gets one by
/// `map_err(|error| HandlerError::with_code(…))`.
pub struct HandlerError {
    code: Code,
    text: String,
}

impl HandlerError {
    /// Returns an error with this text, of which the first 1 KiB is sent, and the code `handler-failed`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { code: Code::HandlerFailed, text: text.into() }
    }

    /// Returns an error with a code of the application, of which the first 30 bytes are sent, and this
    /// text.
    ///
    /// The code may also be one of [`Code`](crate::Code), for example `rate-limited`, and then tells the
    /// caller whether to try again. Seven codes would report that the handler did not run, or that it is
    /// unknown: `unhandled`, `bad-event`, `bad-args`, `congested`, `offline`, `expired` and `timeout`. They
    /// are replaced by `handler-failed`.
    pub fn with_code(code: impl AsRef<str>, text: impl Into<String>) -> Self {
        let code = Code::from(code.as_ref());
        let code = if code.is_of_handler() { code } else { Code::HandlerFailed };
        Self { code, text: text.into() }
    }

    /// Returns the code, as it travels.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.as_str()
    }

    /// Returns the refusal that is sent to the caller.
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::new(self.code, &self.text)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(chain(&*error.into()))
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError").field("code", &self.code).field("text", &self.text).finish()
    }
}
