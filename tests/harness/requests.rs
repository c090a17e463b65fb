//! Requests of a story to a peer, with the answer as a value: register, unregister, emit2, list.

use std::fmt;

use serde_json::{Value, json};

use crate::{Emit2Error, Event, Peer, RegisterError, WaitError};

/// The answer to an acknowledged emit.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reply {
    /// The value that the partner's handler returned.
    pub value: Value,
    /// The way it came: `relay` or `direct`.
    pub path: String,
    /// The whole event, with what a peer of one's own adds to it.
    pub event: Event,
}

/// The knowledge about a call that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The partner's handler did not run, and will not.
    NotExecuted,
    /// The partner's handler ran, and reported a failure.
    Executed,
    /// The partner's handler may have run.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotExecuted => "not executed",
            Self::Executed => "executed",
            Self::Unknown => "unknown",
        })
    }
}

impl Peer {
    /// Asks for a pairing with `target` and returns the event `paired`. The target gets one as well.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Refused`] with the code the peer reported.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the pairing may exist, and its event is unread.
    pub async fn register(&mut self, target: &str) -> Result<Event, RegisterError> {
        self.send(json!({"cmd": "register", "target": target})).await?;
        let awaited = format!("answer to the registration with `{target}`");
        let event = self
            .expect(&awaited, |event| match event.name() {
                "paired" => event["partner"] == target,
                "refused" => event["target"] == target,
                _ => false,
            })
            .await?;
        if event.name() == "paired" {
            return Ok(event);
        }
        let code = text(&event, "code");
        Err(RegisterError::Refused { target: target.into(), code, event })
    }

    /// Ends the pairing and returns the event `unpaired`.
    ///
    /// # Errors
    ///
    /// As [`Peer::expect`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the pairing may have ended, and its event is unread.
    pub async fn unregister(&mut self) -> Result<Event, WaitError> {
        self.send(json!({"cmd": "unregister"})).await?;
        self.wait_for("unpaired").await
    }

    /// Asks who is connected and returns the list as the peer reports it.
    ///
    /// # Errors
    ///
    /// As [`Peer::expect`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the answer stays unread.
    pub async fn list(&mut self) -> Result<Value, WaitError> {
        self.send(json!({"cmd": "list"})).await?;
        Ok(self.wait_for("clients").await?["clients"].clone())
    }

    /// Emits to the partner, waits for the acknowledgement and returns it. `args` is an array.
    ///
    /// # Errors
    ///
    /// [`Emit2Error::Failed`] if the peer reports that the call failed.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the call goes on, and its answer is unread.
    pub async fn emit2(&mut self, event: &str, args: Value) -> Result<Reply, Emit2Error> {
        let call = self.start_emit2(event, args).await?;
        self.reply(call).await
    }

    /// Starts an acknowledged emit and returns its id, for [`Peer::reply`]: so many can be in flight.
    ///
    /// # Errors
    ///
    /// [`Emit2Error::NotAnArray`], or the peer has ended.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: half a line may have been written.
    pub async fn start_emit2(&mut self, event: &str, args: Value) -> Result<u64, Emit2Error> {
        self.command_emit2(event, args, true).await
    }

    /// Waits for the answer to an emit that [`Peer::start_emit2`] started.
    ///
    /// # Errors
    ///
    /// [`Emit2Error::Failed`] if the peer reports that the call failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn reply(&mut self, call: u64) -> Result<Reply, Emit2Error> {
        let awaited = format!("reply or failure of call {call}");
        let event = self
            .expect(&awaited, |event| {
                matches!(event.name(), "reply" | "failed") && event["id"] == call
            })
            .await?;
        if event.name() == "failed" {
            return Err(failed(event));
        }
        let (value, path) = (event["value"].clone(), text(&event, "path"));
        Ok(Reply { value, path, event })
    }

    /// Emits to the partner without acknowledgement and waits until the peer has sent it.
    ///
    /// # Errors
    ///
    /// [`Emit2Error::Failed`] if the peer reports that the call failed.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: it may have been sent.
    pub async fn notify2(&mut self, event: &str, args: Value) -> Result<(), Emit2Error> {
        let call = self.command_emit2(event, args, false).await?;
        let awaited = format!("confirmation that call {call} was sent");
        let event = self
            .expect(&awaited, |event| {
                matches!(event.name(), "sent" | "failed") && event["id"] == call
            })
            .await?;
        if event.name() == "failed" { Err(failed(event)) } else { Ok(()) }
    }

    async fn command_emit2(
        &mut self,
        event: &str,
        args: Value,
        ack: bool,
    ) -> Result<u64, Emit2Error> {
        if !args.is_array() {
            return Err(Emit2Error::NotAnArray(args));
        }
        self.calls += 1;
        let id = self.calls;
        self.send(json!({"cmd": "emit2", "id": id, "event": event, "args": args, "ack": ack}))
            .await?;
        Ok(id)
    }
}

fn failed(event: Event) -> Emit2Error {
    // Anything but the certain statements counts as uncertain.
    let outcome = match event["outcome"].as_str() {
        Some("not-executed") => Outcome::NotExecuted,
        Some("executed") => Outcome::Executed,
        _ => Outcome::Unknown,
    };
    Emit2Error::Failed { outcome, code: text(&event, "code"), event }
}

fn text(event: &Event, member: &str) -> String {
    event[member].as_str().unwrap_or_default().to_owned()
}
