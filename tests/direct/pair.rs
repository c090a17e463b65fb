//! Two ends in processes of their own, as this process drives them.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;
use serde_json::{Value, json};
use socketio_p2p_harness::bench::{Child, NpmProject, usage};

use crate::part::{Role, Setup};
use crate::server::Server;

/// The time that an end may take to report something.
const PATIENCE: Duration = Duration::from_secs(120);

/// simple-peer, and the WebRTC that it uses in Node.
pub(crate) const PROJECT: NpmProject = NpmProject {
    name: "socketio-p2p-direct-bench-node",
    files: &[
        ("package.json", include_str!("node/package.json")),
        ("end.js", include_str!("node/end.js")),
    ],
    packages: &["@roamhq/wrtc", "simple-peer"],
};

/// The programs that are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Contestant {
    /// Two connections of ours, without clients around them.
    Bare(Setup),
    /// Two clients at a server with the plugin.
    Clients(Setup),
    SimplePeer,
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare(Setup::OneThread) => "bare, one thread",
            Self::Bare(Setup::Threads) => "bare, threads",
            Self::Clients(Setup::OneThread) => "clients, one thread",
            Self::Clients(Setup::Threads) => "clients, threads",
            Self::SimplePeer => "simple-peer",
        })
    }
}

/// The two processes. Dropping it kills them.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) offerer: Child,
    pub(crate) answerer: Child,
    /// The server at which clients find each other.
    _server: Option<Server>,
    /// The number of the last connection.
    last: u32,
}

impl Pair {
    /// Starts both; no connection yet.
    pub(crate) async fn start(contestant: Contestant) -> Result<Self> {
        let server = match contestant {
            Contestant::Clients(_) => Some(Server::start().await?),
            Contestant::Bare(_) | Contestant::SimplePeer => None,
        };
        let address = server.as_ref().map(|server| server.address.to_string());
        let start = |role: Role| {
            let role = role.to_possible_value().context("a role without a name")?;
            match contestant {
                Contestant::Bare(setup) | Contestant::Clients(setup) => {
                    let setup = setup.to_possible_value().context("a setup without a name")?;
                    let arguments = ["part", role.get_name(), setup.get_name()];
                    Child::itself(arguments.into_iter().chain(address.as_deref()))
                }
                Contestant::SimplePeer => {
                    let mut node = PROJECT.node("end.js");
                    node.arg(role.get_name());
                    Child::start(node)
                }
            }
        };
        let (mut offerer, mut answerer) = (start(Role::Offerer)?, start(Role::Answerer)?);
        if server.is_some() {
            for end in [&mut offerer, &mut answerer] {
                let line = parsed(&end.line(PATIENCE).await?)?;
                ensure!(line["event"] == "connected", "a client says {line}");
            }
        }
        Ok(Self { offerer, answerer, _server: server, last: 0 })
    }

    /// Opens a connection: its number, and milliseconds from its start to open, at the offerer.
    pub(crate) async fn open(&mut self) -> Result<(u32, f64)> {
        self.last += 1;
        let of = self.last;
        self.offerer.say(json!({ "of": of, "order": "open" })).await?;
        let (mut here, mut there) = (None, None);
        while here.is_none() || there.is_none() {
            let (line, opened, partner) = tokio::select! {
                line = self.offerer.line(PATIENCE) => (line, &mut here, &mut self.answerer),
                line = self.answerer.line(PATIENCE) => (line, &mut there, &mut self.offerer),
            };
            let line = parsed(&line?)?;
            if line["of"] != of {
                continue; // Of an earlier connection.
            }
            if line["signal"].is_object() {
                partner.say(&line).await?;
            } else if line["event"] == "open" {
                *opened = line["ms"].as_f64();
            }
        }
        Ok((of, here.context("not open")?))
    }

    /// Has an end do something, and returns its answer.
    pub(crate) async fn ask(&mut self, role: Role, order: Value) -> Result<Value> {
        let end = self.end(role);
        end.say(order).await?;
        loop {
            let line = parsed(&end.line(PATIENCE).await?)?;
            if line["signal"].is_null() && line["event"].is_null() {
                return Ok(line);
            }
        }
    }

    /// Waits until an end says that something happened to a connection.
    pub(crate) async fn wait_for(&mut self, role: Role, of: u32, event: &str) -> Result<()> {
        while self.next_event(role, of).await? != event {}
        Ok(())
    }

    /// The next thing that an end says happened to a connection.
    pub(crate) async fn next_event(&mut self, role: Role, of: u32) -> Result<String> {
        loop {
            let line = parsed(&self.end(role).line(PATIENCE).await?)?;
            if let Some(event) = line["event"].as_str().filter(|_| line["of"] == of) {
                return Ok(event.to_owned());
            }
        }
    }

    /// Closes a connection, at the offerer.
    pub(crate) async fn close(&mut self, of: u32) -> Result<()> {
        self.offerer.say(json!({ "of": of, "order": "close" })).await?;
        self.wait_for(Role::Offerer, of, "closed").await?;
        self.answerer.say(json!({ "of": of, "order": "close" })).await?;
        self.wait_for(Role::Answerer, of, "closed").await
    }

    /// CPU time of both so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        Ok(usage::cpu(self.offerer.pid)? + usage::cpu(self.answerer.pid)?)
    }

    /// Memory of both, in KiB.
    pub(crate) fn kib(&self) -> Result<f64> {
        let bytes = usage::memory(self.offerer.pid)? + usage::memory(self.answerer.pid)?;
        Ok(bytes as f64 / 1024.0)
    }

    /// Ends both processes.
    pub(crate) async fn end_both(self) -> Result<()> {
        self.offerer.end().await?;
        self.answerer.end().await
    }

    fn end(&mut self, role: Role) -> &mut Child {
        match role {
            Role::Offerer => &mut self.offerer,
            Role::Answerer => &mut self.answerer,
        }
    }
}

fn parsed(line: &str) -> Result<Value> {
    let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    if line["event"] == "error" {
        bail!("an end says: {}", line["message"]);
    }
    Ok(line)
}

/// A number of an answer.
pub(crate) fn number(answer: &Value, key: &str) -> Result<f64> {
    answer[key].as_f64().with_context(|| format!("no {key} in {answer}"))
}
