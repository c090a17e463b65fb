//! Failures of a story's step, with the output of the process up to that moment.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use crate::{Event, Outcome};

/// A process could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The example has not been built, or the environment variable is needed.
    #[error(
        "no executable `{name}` at {}: run `cargo build --workspace --examples`, or set {variable}",
        looked_for.display()
    )]
    Missing {
        /// The example's name.
        name: &'static str,
        /// The environment variable that may name another executable.
        variable: &'static str,
        /// The path where it was expected.
        looked_for: PathBuf,
    },
    /// The operating system did not start the program.
    #[error("could not start {}", program.display())]
    Spawn {
        /// The program that was to be started.
        program: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The peer reported an error before it was connected, for example `duplicate-id`.
    #[error("`{who}` was refused: {code}: {message}\n{transcript}")]
    Refused {
        /// The process.
        who: String,
        /// The code that the peer reported.
        code: String,
        /// The text beside the code.
        message: String,
        /// The output of the process.
        transcript: Transcript,
    },
    /// The process runs, but did not become ready.
    #[error(transparent)]
    NotReady(#[from] WaitError),
}

/// A wait for a process failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time limit was reached.
    #[error("`{who}`: no {awaited} within {limit:?}\n{transcript}")]
    Timeout {
        /// The process.
        who: String,
        /// The event or output that was awaited.
        awaited: String,
        /// The limit that was reached.
        limit: Duration,
        /// The output of the process.
        transcript: Transcript,
    },
    /// The process ended, or closed its stdin or stdout, while something was expected of it.
    #[error("`{who}` ended ({}) before {awaited}\n{transcript}", describe(*status))]
    Ended {
        /// The process.
        who: String,
        /// The event or output that was awaited.
        awaited: String,
        /// The exit status; `None` if the process still runs.
        status: Option<ExitStatus>,
        /// The output of the process.
        transcript: Transcript,
    },
    /// A line on stdout was not a JSON object with a string member `event`.
    #[error("`{who}` printed a line that is no event: {line}\n{transcript}")]
    Malformed {
        /// The process.
        who: String,
        /// The line.
        line: String,
        /// The output of the process.
        transcript: Transcript,
    },
    /// A line arrived although none was expected.
    #[error("`{who}` printed one event too many: {line}\n{transcript}")]
    Unexpected {
        /// The process.
        who: String,
        /// The unexpected line.
        line: String,
        /// The output of the process.
        transcript: Transcript,
    },
    /// The process ended with a status other than 0 after it had been asked to end.
    #[error("`{who}` did not end well: {status}\n{transcript}")]
    Status {
        /// The process.
        who: String,
        /// The exit status.
        status: ExitStatus,
        /// The output of the process.
        transcript: Transcript,
    },
}

impl WaitError {
    /// Adds events that had been read, but not asked for, to what is shown.
    pub(crate) fn after<'a>(mut self, unread: impl Iterator<Item = &'a Event>) -> Self {
        let (Self::Timeout { transcript, .. }
        | Self::Ended { transcript, .. }
        | Self::Malformed { transcript, .. }
        | Self::Unexpected { transcript, .. }
        | Self::Status { transcript, .. }) = &mut self;
        transcript.unread.splice(..0, unread.map(|event| event.line().to_owned()));
        self
    }
}

/// An error of [`Peer::register`](crate::Peer::register).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The pairing was refused.
    #[error("the pairing with `{target}` was refused: {code}")]
    Refused {
        /// The intended partner.
        target: String,
        /// The reason, for example `offline`.
        code: String,
        /// The whole event.
        event: Event,
    },
    /// The peer did not say.
    #[error(transparent)]
    Wait(#[from] WaitError),
}

/// An error of [`Peer::emit2`](crate::Peer::emit2).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Emit2Error {
    /// The peer reported the failure of the call.
    #[error("emit2 failed, {outcome}: {code}")]
    Failed {
        /// The knowledge about the handler's execution.
        outcome: Outcome,
        /// The reason, for example `not-paired`.
        code: String,
        /// The whole event.
        event: Event,
    },
    /// The arguments are not a JSON array.
    #[error("the arguments of an emit are an array, this is not: {0}")]
    NotAnArray(Value),
    /// The peer did not say.
    #[error(transparent)]
    Wait(#[from] WaitError),
}

/// The output of a process when a wait failed: its unread events and the end of its stderr.
///
/// Both `Debug` and `Display` print it as text, so that a story that unwraps shows it readably.
#[derive(Clone, Default)]
pub struct Transcript {
    /// Lines of stdout that no wait has taken, oldest first.
    pub unread: Vec<String>,
    /// The last lines of stderr.
    pub stderr: String,
}

/// Unread lines that are shown; a story with 20,000 events would bury its error otherwise.
const SHOWN: usize = 20;

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  unread events: {}", self.unread.len())?;
        for line in self.unread.iter().take(SHOWN) {
            writeln!(f, "    {line}")?;
        }
        if self.unread.len() > SHOWN {
            writeln!(f, "    … and {} more", self.unread.len() - SHOWN)?;
        }
        write!(f, "  stderr:{}", if self.stderr.is_empty() { " nothing" } else { "" })?;
        self.stderr.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}\n")
    }
}

fn describe(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "still running, its output is closed".into(), |status| status.to_string())
}
