//! Any program that is told and says lines, as a process of its own.

use std::ffi::OsString;

use tokio::time::Instant;

use crate::process::{DEFAULT_LIMIT, Process};
use crate::{Program, StartError, WaitError};

/// A running program that ends when its stdin does. Dropping it kills it.
#[derive(Debug)]
pub struct Companion {
    process: Process,
}

impl Companion {
    /// Starts the program; `name` stands in errors.
    ///
    /// # Errors
    ///
    /// [`StartError::Spawn`] if the system does not start it.
    pub fn start<S: Into<OsString>>(
        name: &str,
        program: &Program,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self, StartError> {
        let mut command = program.command();
        command.args(arguments.into_iter().map(Into::into));
        let process = Process::spawn(name.to_owned(), program, command, DEFAULT_LIMIT)?;
        Ok(Self { process })
    }

    /// The process id; `None` once it has ended and that was noticed.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Tells it a line.
    ///
    /// # Errors
    ///
    /// [`WaitError`] if it has ended, or takes nothing for [`DEFAULT_LIMIT`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: half a line may have been told.
    pub async fn tell(&mut self, line: &str) -> Result<(), WaitError> {
        self.process.write(line).await
    }

    /// The next line that it says.
    ///
    /// # Errors
    ///
    /// [`WaitError`] if it ends, or says nothing for [`DEFAULT_LIMIT`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no line is lost.
    pub async fn line(&mut self) -> Result<String, WaitError> {
        let deadline = Instant::now() + self.process.limit();
        self.process.line("a line", deadline).await
    }

    /// Tells it a line, and waits for the answer.
    ///
    /// # Errors
    ///
    /// As [`Self::tell`] and [`Self::line`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the answer may come later, and be taken for another.
    pub async fn ask(&mut self, line: &str) -> Result<String, WaitError> {
        self.tell(line).await?;
        self.line().await
    }

    /// Closes its stdin, and waits for its end.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`] if it had to be killed, [`WaitError::Status`] if its status is not 0.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it is killed.
    pub async fn end(mut self) -> Result<(), WaitError> {
        self.process.close_stdin();
        let (status, _) = self.process.wait().await?;
        if status.success() {
            return Ok(());
        }
        let (who, transcript) = (self.process.who().into(), self.process.transcript());
        Err(WaitError::Status { who, status, transcript })
    }
}
