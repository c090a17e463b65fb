//! A process of the benchmark's own: it says a line when it is ready, and ends with its stdin.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// The time that a process may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Its number.
    pub pid: u32,
}

impl Child {
    /// This binary once more, with other arguments.
    pub fn itself<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start(command)
    }

    /// Starts `command`.
    pub fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let pid = process.id().context("the process ended at once")?;
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        Ok(Self { process, stdin, stdout, pid })
    }

    /// The next line it says, within `patience`.
    pub async fn line(&mut self, patience: Duration) -> Result<String> {
        let line = timeout(patience, self.stdout.next_line()).await;
        let line = line.context("the process is silent")??;
        Ok(line.context("the process ended early")?.trim().to_owned())
    }

    /// Says a line to it.
    pub async fn say(&mut self, what: impl std::fmt::Display) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its stdin is closed")?;
        Ok(stdin.write_all(format!("{what}\n").as_bytes()).await?)
    }

    /// Ends the process by force, without a farewell.
    pub fn kill(&mut self) -> Result<()> {
        Ok(self.process.start_kill()?)
    }

    /// Ends the process; by force if it does not want to.
    pub async fn end(mut self) -> Result<()> {
        drop(self.stdin.take());
        if timeout(FAREWELL, self.process.wait()).await.is_err() {
            self.process.kill().await?;
        }
        Ok(())
    }
}
