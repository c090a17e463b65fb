//! Direct connections to a WebRTC stack that is neither ours nor simple-peer's, one after another. Signals travel
//! over the stdin and stdout of its program: see `bare-orders.mjs`.

use serde_json::{Value, json};
use socketio_p2p_client::direct::{
    DirectChannel, DirectConfig, DirectConnection, DirectEnd, DirectEvent, DirectEvents, Signal,
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::interop::direct::{PATIENCE, Partner, SILENCE};
use crate::interop::{Failed, Story};

/// The program of the other stack.
pub(crate) struct Stack {
    partner: Partner,
}

/// A connection to it. Its lines are read as long as the connection is waited for.
pub(crate) struct Bare<'a> {
    pub(crate) connection: DirectConnection,
    events: DirectEvents,
    stack: &'a mut Stack,
    /// True when the partner's main channel is open.
    is_open: bool,
}

impl Stack {
    /// Starts a stack from npm, of this name in `bare.mjs`.
    pub(crate) async fn of_npm(name: &str) -> Result<Self, Failed> {
        Ok(Self { partner: Partner::start("bare.mjs", name, &[]).await? })
    }

    /// Starts a page of Chromium.
    pub(crate) async fn page() -> Result<Self, Failed> {
        Ok(Self { partner: Partner::start("browser-peer.mjs", "bare", &[]).await? })
    }

    /// Opens a connection, in which the stack is to `offer` or to `answer`.
    pub(crate) async fn connect(&mut self, role: &str) -> Result<Bare<'_>, Failed> {
        let mut config = DirectConfig::default();
        config.silent_after = SILENCE;
        let tasks = TaskTracker::new();
        let (connection, events) = match role {
            "answer" => DirectConnection::offer(config, &tasks),
            _ => DirectConnection::answer(config, &tasks),
        };
        self.partner.tell(json!({ "connect": role })).await?;
        let mut bare = Bare { connection, events, stack: self, is_open: false };
        let event = bare.event().await?;
        if !matches!(event, DirectEvent::Open) {
            return Err(format!("{event:?}").into());
        }
        while !bare.is_open {
            bare.listen().await?;
        }
        Ok(bare)
    }

    pub(crate) async fn end(self) -> Story {
        self.partner.end().await
    }
}

impl Bare<'_> {
    pub(crate) async fn tell(&mut self, order: Value) -> Story {
        self.stack.partner.tell(order).await
    }

    /// Returns the next event that is not a signal, and carries signals meanwhile.
    pub(crate) async fn event(&mut self) -> Result<DirectEvent, Failed> {
        let event = async {
            loop {
                let event = tokio::select! {
                    event = self.events.recv() => event.ok_or("no more events")?,
                    line = self.stack.partner.line() => {
                        self.heard(&line?)?;
                        continue;
                    }
                };
                match event {
                    DirectEvent::Signal(signal) => {
                        self.stack.partner.tell(json!({ "signal": signal.to_value() })).await?;
                    }
                    event => return Ok(event),
                }
            }
        };
        timeout(PATIENCE, event).await?
    }

    async fn listen(&mut self) -> Story {
        let line = timeout(PATIENCE, self.stack.partner.line()).await??;
        self.heard(&line)
    }

    fn heard(&mut self, line: &Value) -> Story {
        match line["event"].as_str() {
            Some("connect") => self.is_open = true,
            Some("close") => {}
            Some(_) => return Err(line.to_string().into()),
            None => self.connection.signal(Signal::from_value(&line["signal"])?)?,
        }
        Ok(())
    }

    /// Returns the next channel that the partner opens.
    pub(crate) async fn channel(&mut self) -> Result<DirectChannel, Failed> {
        match self.event().await? {
            DirectEvent::Channel(channel) => Ok(channel),
            event => Err(format!("{event:?}").into()),
        }
    }

    /// Returns the reason of the end, which is the next event.
    pub(crate) async fn closed(&mut self) -> Result<DirectEnd, Failed> {
        match self.event().await? {
            DirectEvent::Closed(end) => Ok(end),
            event => Err(format!("{event:?}").into()),
        }
    }
}
