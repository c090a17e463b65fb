//! The start of a peer.

use std::ffi::OsString;
use std::time::Duration;

use crate::process::{DEFAULT_LIMIT, Process};
use crate::{Peer, Program, StartError};

/// Options of a [`Peer`] that is to be started.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct PeerBuilder {
    program: Option<Program>,
    url: String,
    id: String,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    limit: Duration,
}

impl PeerBuilder {
    pub(crate) fn new(url: String, id: String) -> Self {
        Self { program: None, url, id, args: Vec::new(), env: Vec::new(), limit: DEFAULT_LIMIT }
    }

    /// Another program than the example: it gets `--url URL --id ID` and speaks the same lines.
    pub fn program(mut self, program: Program) -> Self {
        self.program = Some(program);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments, such as `["--reply", "none"]`.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The limit of every wait for this peer: [`DEFAULT_LIMIT`] by default.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts the process without waiting until it is connected.
    ///
    /// # Errors
    ///
    /// [`StartError::Missing`] or [`StartError::Spawn`].
    pub fn spawn(self) -> Result<Peer, StartError> {
        let program = match self.program {
            Some(program) => program,
            None => Program::example("peer", "SOCKETIO_P2P_PEER")?,
        };
        let mut command = program.command();
        command.arg("--url").arg(self.url).arg("--id").arg(&self.id).args(self.args);
        command.envs(self.env);
        let who = format!("peer {}", self.id);
        let process = Process::spawn(who, &program, command, self.limit)?;
        Ok(Peer::of(process, self.id))
    }

    /// Starts the process and waits until it is connected.
    ///
    /// # Errors
    ///
    /// As [`Peer::start`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a peer that was started meanwhile is killed.
    pub async fn start(self) -> Result<Peer, StartError> {
        let mut peer = self.spawn()?;
        let first =
            peer.expect("event `connected`", |event| matches!(event.name(), "connected" | "error"));
        let event = first.await?;
        if event.name() == "connected" {
            return Ok(peer);
        }
        let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
        Err(StartError::Refused {
            who: peer.process.who().into(),
            code: text("code"),
            message: text("message"),
            transcript: peer.process.transcript(),
        })
    }
}
