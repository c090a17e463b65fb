//! One child process: started, written to, read from and ended, each within a limit.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout, timeout_at};

use crate::output::Output;
use crate::{Program, StartError, Transcript, WaitError};

/// The longest wait unless a builder sets another limit: 300 s. Only a process that hangs is waited
/// for that long: the longest step takes half a minute, and a machine under load several times that.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(300);

/// The longest wait for the last output of an ended process: 5 s. Only a grandchild that holds the
/// streams open takes that long.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A child process. Dropping it kills it, by its id.
#[derive(Debug)]
pub(crate) struct Process {
    who: String,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Output,
    /// Lines that an error has shown and that are still to be read.
    shown: VecDeque<String>,
    /// The longest wait.
    pub(crate) limit: Duration,
}

impl Process {
    pub(crate) fn spawn(
        who: String,
        program: &Program,
        mut command: Command,
        limit: Duration,
    ) -> Result<Self, StartError> {
        let failed = |source| StartError::Spawn { program: program.path().into(), source };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
        let stdin = child.stdin.take();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            unreachable!("both streams were asked for above");
        };
        let output = Output::of(stdout, stderr);
        Ok(Self { who, child, stdin, output, shown: VecDeque::new(), limit })
    }

    pub(crate) fn who(&self) -> &str {
        &self.who
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// The process id; `None` once it has ended and that was noticed.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Writes one line to stdin.
    pub(crate) async fn write(&mut self, line: &str) -> Result<(), WaitError> {
        let Some(stdin) = &mut self.stdin else {
            return Err(self.ended("taking a line").await);
        };
        let written = timeout(self.limit, async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.write_all(b"\n").await?;
            stdin.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.ended("taking a line").await),
            Err(_) => Err(self.timed_out("readiness to take a line", self.limit)),
        }
    }

    /// The next line of stdout, or an error that says that `awaited` did not come.
    pub(crate) async fn line(
        &mut self,
        awaited: &str,
        deadline: Instant,
    ) -> Result<String, WaitError> {
        if let Some(line) = self.shown.pop_front() {
            return Ok(line);
        }
        match timeout_at(deadline, self.output.line()).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(self.ended(awaited).await),
            Err(_) => Err(self.timed_out(awaited, self.limit)),
        }
    }

    /// A line of stdout that is already there.
    pub(crate) fn line_at_hand(&mut self) -> Option<String> {
        self.shown.pop_front().or_else(|| self.output.line_at_hand())
    }

    /// Closes stdin, which tells a well-behaved peer to end.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Asks the process to end, with SIGTERM.
    pub(crate) fn terminate(&self) {
        if let Some(id) = self.id().and_then(|id| i32::try_from(id).ok()) {
            // It fails if the process has just ended by itself, which is what is wanted.
            signal::kill(Pid::from_raw(id), Signal::SIGTERM).ok();
        }
    }

    /// Ends the process with SIGKILL and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.ok();
    }

    /// Waits for the end after the process was asked to end, and returns what it still said.
    /// One that does not end within the limit is killed, and that is an error.
    pub(crate) async fn wait(&mut self) -> Result<(ExitStatus, VecDeque<String>), WaitError> {
        let mut last_lines = std::mem::take(&mut self.shown);
        let ending = timeout(self.limit, async {
            loop {
                tokio::select! {
                    // Read on meanwhile: a process whose stdout nobody reads may never get to its end.
                    Some(line) = self.output.line() => last_lines.push_back(line),
                    status = self.child.wait() => break status,
                }
            }
        });
        let Ok(ending) = ending.await else {
            self.kill().await;
            return Err(self.timed_out("end", self.limit));
        };
        let Ok(status) = ending else {
            return Err(self.ended("being waited for").await);
        };
        let rest = async {
            while let Some(line) = self.output.line().await {
                last_lines.push_back(line);
            }
        };
        timeout(LAST_WORDS, rest).await.ok();
        Ok((status, last_lines))
    }

    /// Returns the unread output of this process; it can still be read afterwards.
    pub(crate) fn transcript(&mut self) -> Transcript {
        self.shown.extend(std::iter::from_fn(|| self.output.line_at_hand()));
        let unread = self.shown.iter().cloned().collect();
        Transcript { unread, stderr: self.output.stderr() }
    }

    /// Returns the last lines of stderr.
    pub(crate) fn log(&self) -> String {
        self.output.stderr()
    }

    fn timed_out(&mut self, awaited: &str, limit: Duration) -> WaitError {
        let (who, awaited) = (self.who.clone(), awaited.to_owned());
        WaitError::Timeout { who, awaited, limit, transcript: self.transcript() }
    }

    async fn ended(&mut self, awaited: &str) -> WaitError {
        let status = timeout(LAST_WORDS, self.child.wait()).await.ok().and_then(Result::ok);
        timeout(LAST_WORDS, self.output.finished()).await.ok();
        let (who, awaited) = (self.who.clone(), awaited.to_owned());
        WaitError::Ended { who, awaited, status, transcript: self.transcript() }
    }
}
