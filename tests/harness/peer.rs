//! A peer as a process of its own: commands in, events out.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::process::Process;
use crate::{Event, PeerBuilder, StartError, WaitError};

/// A running peer process. Dropping it kills it; [`Peer::quit`] ends it politely.
#[derive(Debug)]
pub struct Peer {
    pub(crate) process: Process,
    id: String,
    unread: VecDeque<Event>,
    pub(crate) calls: u64,
}

impl Peer {
    pub(crate) fn of(process: Process, id: String) -> Self {
        Self { process, id, unread: VecDeque::new(), calls: 0 }
    }

    /// Starts the example `peer` as client `id` of a server and waits until it is connected.
    ///
    /// # Errors
    ///
    /// [`StartError::Missing`] if the example is not built, [`StartError::Refused`] if the server
    /// did not let it in, [`StartError::NotReady`] if it does not connect within [`DEFAULT_LIMIT`](crate::DEFAULT_LIMIT).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a peer that was started meanwhile is killed.
    pub async fn start(
        server: impl Into<String>,
        id: impl Into<String>,
    ) -> Result<Self, StartError> {
        Self::builder(server, id).start().await
    }

    /// A peer with options of its own; `server` is a [`Server`](crate::Server) or a URL.
    pub fn builder(server: impl Into<String>, id: impl Into<String>) -> PeerBuilder {
        PeerBuilder::new(server.into(), id.into())
    }

    /// Its client id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The process id; `None` once it has ended and that was noticed.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Sends a command, one line of JSON.
    ///
    /// # Errors
    ///
    /// [`WaitError::Ended`] if the peer has ended, [`WaitError::Timeout`] if it does not read.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: half a line may have been written.
    pub async fn send(&mut self, command: Value) -> Result<(), WaitError> {
        self.send_line(&command.to_string()).await
    }

    /// Sends a line as it is: one that is not JSON, or whose keys are in an order that matters.
    ///
    /// # Errors
    ///
    /// As [`Peer::send`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: half a line may have been written.
    pub async fn send_line(&mut self, line: &str) -> Result<(), WaitError> {
        self.process.write(line).await.map_err(|error| error.after(self.unread.iter()))
    }

    /// Waits for an event of this name.
    ///
    /// # Errors
    ///
    /// As [`Peer::expect`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: events that were read stay unread.
    pub async fn wait_for(&mut self, name: &str) -> Result<Event, WaitError> {
        self.expect(&format!("event `{name}`"), |event| event.name() == name).await
    }

    /// Takes the oldest unread event that matches, or waits for one; `awaited` names it in errors.
    /// The others stay unread.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`] at the limit, [`WaitError::Ended`] if the peer ends before,
    /// [`WaitError::Malformed`] if it prints something that is no event.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: events that were read stay unread.
    pub async fn expect(
        &mut self,
        awaited: &str,
        matches: impl Fn(&Event) -> bool,
    ) -> Result<Event, WaitError> {
        if let Some(event) = self.unread.iter().position(&matches) {
            // `position` found it just now.
            return Ok(self.unread.remove(event).expect("an event at this place"));
        }
        let deadline = Instant::now() + self.process.limit();
        loop {
            let line = self.process.line(awaited, deadline).await;
            let line = line.map_err(|error| error.after(self.unread.iter()))?;
            let event = self.parse(line)?;
            if matches(&event) {
                return Ok(event);
            }
            self.unread.push_back(event);
        }
    }

    /// The events that have come and that no wait has taken, oldest first. It does not wait.
    ///
    /// # Errors
    ///
    /// [`WaitError::Malformed`] if the peer has printed something that is no event.
    pub fn unread(&mut self) -> Result<Vec<Event>, WaitError> {
        while let Some(line) = self.process.line_at_hand() {
            let event = self.parse(line)?;
            self.unread.push_back(event);
        }
        Ok(self.unread.drain(..).collect())
    }

    /// Passes if there is no unread event and none comes within `quiet`.
    ///
    /// Where something orders the events, such as an answer that must come after them, prefer
    /// [`Peer::unread`] after that answer, or [`Peer::quit`]: they wait for nothing.
    ///
    /// # Errors
    ///
    /// [`WaitError::Unexpected`] with the first event, which is taken.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn no_more_events(&mut self, quiet: Duration) -> Result<(), WaitError> {
        let event = match self.unread.pop_front() {
            Some(event) => event,
            None => match timeout(quiet, self.expect("any event", |_| true)).await {
                Ok(event) => event?,
                Err(_) => return Ok(()),
            },
        };
        let (who, line) = (self.process.who().into(), event.line().into());
        let error = WaitError::Unexpected { who, line, transcript: self.process.transcript() };
        Err(error.after(self.unread.iter()))
    }

    /// Asks the peer to end, waits for its end and returns all events that nobody has taken.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`] if it had to be killed, [`WaitError::Status`] if its status is not 0.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the peer is killed.
    pub async fn quit(mut self) -> Result<Vec<Event>, WaitError> {
        // It fails if the peer has just ended by itself; then its status is what counts.
        self.send(json!({"cmd": "quit"})).await.ok();
        self.process.close_stdin();
        let waited = self.process.wait().await;
        let (status, lines) = waited.map_err(|error| error.after(self.unread.iter()))?;
        for line in lines {
            let event = self.parse(line)?;
            self.unread.push_back(event);
        }
        if status.success() {
            return Ok(self.unread.into());
        }
        let (who, transcript) = (self.process.who().into(), self.process.transcript());
        Err(WaitError::Status { who, status, transcript }.after(self.unread.iter()))
    }

    /// Ends the peer at once, as a crash does, and waits until it is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the peer is killed in any case.
    pub async fn kill(mut self) {
        self.process.kill().await;
    }

    fn parse(&mut self, line: String) -> Result<Event, WaitError> {
        Event::parse(line).map_err(|line| {
            let (who, transcript) = (self.process.who().into(), self.process.transcript());
            WaitError::Malformed { who, line, transcript }.after(self.unread.iter())
        })
    }
}
