//! A direct connection whose other end is simple-peer in a program of its own. Signals travel over
//! the program's stdin and stdout: see `peer-orders.mjs`.

use std::time::Duration;

use serde_json::{Value, json};
use socketio_p2p_client::direct::{
    ChannelMessage, DirectConfig, DirectConnection, DirectEnd, DirectEvent, DirectEvents,
    DirectSendError, Signal,
};
use socketio_p2p_harness::{Companion, Program};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::interop::Story;

/// The longest time that a step may take: only a story that hangs waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// The silence of simple-peer that is reported: longer than a busy machine lets it wait.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);
/// The longest message that both ends take, in bytes.
const LONGEST: usize = 256 << 10;
/// A length that suits every partner, in bytes.
const CHUNK: usize = 16 << 10;

/// Our end and simple-peer's.
pub(crate) struct Both {
    connection: DirectConnection,
    events: DirectEvents,
    partner: Partner,
    tasks: TaskTracker,
    /// The addresses of its candidates, names among them.
    addresses: Vec<String>,
}

/// simple-peer in its program.
pub(crate) struct Partner {
    program: Option<Companion>,
    version: String,
}

impl Both {
    /// Starts `script`, a file of this folder, in which simple-peer is to `offer` or to `answer`.
    pub(crate) async fn start(
        script: &str,
        role: &str,
        options: &[&str],
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let partner = Partner::start(script, role, options).await?;
        let tasks = TaskTracker::new();
        let mut config = DirectConfig::default();
        config.silent_after = SILENCE;
        let (connection, events) = match role {
            "answer" => DirectConnection::offer(config, &tasks),
            _ => DirectConnection::answer(config, &tasks),
        };
        Ok(Self { connection, events, partner, tasks, addresses: Vec::new() })
    }

    /// Carries signals until both ends are open and a message has gone there and back.
    pub(crate) async fn open(&mut self) -> Story {
        let (mut is_open, mut its_is_open) = (false, false);
        while !is_open || !its_is_open {
            tokio::select! {
                event = self.events.recv() => match event.ok_or("no more events")? {
                    DirectEvent::Signal(signal) => {
                        self.partner.tell(json!({ "signal": signal.to_value() })).await?;
                    }
                    DirectEvent::Open => is_open = true,
                    event => return Err(format!("{event:?}").into()),
                },
                line = self.partner.line() => {
                    let line = line?;
                    match line["event"].as_str() {
                        Some("connect") => its_is_open = true,
                        Some(_) => return Err(line.to_string().into()),
                        None => self.signalled(&line["signal"])?,
                    }
                }
            }
        }
        // On its own: libwebrtc as answerer may reorder what is sent right after it opened.
        self.echoes(&["first".into()]).await
    }

    fn signalled(&mut self, signal: &Value) -> Story {
        if let Some(candidate) = signal["candidate"]["candidate"].as_str() {
            self.addresses.extend(candidate.split(' ').nth(4).map(str::to_owned));
        }
        self.connection.signal(Signal::from_value(signal)?)?;
        Ok(())
    }

    /// The addresses of simple-peer's candidates until both ends were open.
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Opens, and exchanges all kinds of messages.
    pub(crate) async fn open_and_exchange_all(&mut self) -> Story {
        self.open().await?;
        self.exchange_text_and_bytes().await?;
        self.exchange_a_mebibyte().await?;
        self.exchange_the_longest_message().await
    }

    /// Text and bytes, sent back by simple-peer, and sent by it of its own.
    pub(crate) async fn exchange_text_and_bytes(&mut self) -> Story {
        let text = ChannelMessage::from("grüße \u{1e} 🦀");
        let bytes = ChannelMessage::from(vec![0, 0x1e, 0x80, 0xff]);

        self.echoes(&[text.clone(), bytes.clone(), text.clone()]).await?;
        self.partner.tell(json!({ "send": "grüße \u{1e} 🦀" })).await?;
        self.partner.tell(json!({ "send": { "$bin": "AB6A/w==" } })).await?;

        assert_eq!(self.message().await?, text);
        assert_eq!(self.message().await?, bytes);
        Ok(())
    }

    /// A mebibyte in chunks, all of them under way at once, and back.
    async fn exchange_a_mebibyte(&mut self) -> Story {
        let chunks: Vec<_> = (0..64).map(|seed| noise(seed, CHUNK)).collect();

        self.echoes(&chunks).await
    }

    /// The longest message there is, and back; a longer one is refused here.
    async fn exchange_the_longest_message(&mut self) -> Story {
        self.echoes(&[noise(64, LONGEST)]).await?;

        let refusal = self.connection.send(vec![0; LONGEST + 1]).await;
        assert_eq!(refusal, Err(DirectSendError::TooLong { len: LONGEST + 1, limit: LONGEST }));
        Ok(())
    }

    /// Sends `messages`, and compares with what simple-peer sends back.
    async fn echoes(&mut self, messages: &[ChannelMessage]) -> Story {
        for message in messages {
            timeout(PATIENCE, self.connection.send(message.clone())).await??;
        }
        for (index, message) in messages.iter().enumerate() {
            // Not `assert_eq`, which would print what may be long.
            assert!(self.message().await? == *message, "message {index} came back changed");
        }
        Ok(())
    }

    /// We close, and simple-peer sees it.
    pub(crate) async fn closed_by_us(mut self) -> Story {
        timeout(PATIENCE, self.connection.close()).await?;
        self.partner.closes().await?;
        self.ended(DirectEnd::Here).await
    }

    /// simple-peer closes, and we see it.
    pub(crate) async fn closed_by_it(mut self) -> Story {
        self.partner.tell(json!({ "close": true })).await?;
        self.partner.closes().await?;
        self.ended(DirectEnd::Partner).await
    }

    /// The last event is `end`, nothing of the connection is left, and its program ends well.
    async fn ended(mut self, end: DirectEnd) -> Story {
        let event = self.event().await?;
        assert!(matches!(&event, DirectEvent::Closed(closed) if *closed == end), "{event:?}");
        self.tasks.close();
        timeout(PATIENCE, self.tasks.wait()).await?;
        self.partner.end().await
    }

    async fn message(&mut self) -> Result<ChannelMessage, Box<dyn std::error::Error>> {
        match self.event().await? {
            DirectEvent::Message(message) => Ok(message),
            event => Err(format!("{event:?}").into()),
        }
    }

    /// The next event that is not a signal.
    async fn event(&mut self) -> Result<DirectEvent, Box<dyn std::error::Error>> {
        loop {
            match timeout(PATIENCE, self.events.recv()).await?.ok_or("no more events")? {
                DirectEvent::Signal(_) => {}
                event => return Ok(event),
            }
        }
    }
}

impl Partner {
    pub(crate) async fn start(
        name: &str,
        role: &str,
        options: &[&str],
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let program = Program::new("node").arg(script(name));
        Self::start_program(name, &program, &[&[role], options].concat()).await
    }

    /// Starts a program, and waits until it is ready.
    pub(crate) async fn start_program(
        name: &str,
        program: &Program,
        arguments: &[&str],
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let program = Companion::start(name, program, arguments.iter().copied())?;
        let mut partner = Self { program: Some(program), version: String::new() };
        let line = partner.line().await?;
        if line["event"] != "ready" {
            return Err(line.to_string().into());
        }
        partner.version = line["version"].as_str().unwrap_or_default().to_owned();
        Ok(partner)
    }

    /// Returns what the program says its stack is.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Kills its program.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    fn program(&mut self) -> &mut Companion {
        self.program.as_mut().expect("it is taken only by those who consume the partner")
    }

    pub(crate) async fn tell(&mut self, order: Value) -> Story {
        Ok(self.program().tell(&order.to_string()).await?)
    }

    pub(crate) async fn line(&mut self) -> Result<Value, Box<dyn std::error::Error>> {
        Ok(serde_json::from_str(&self.program().line().await?)?)
    }

    /// Reads on until it says that it is closed.
    async fn closes(&mut self) -> Story {
        loop {
            let line = self.line().await?;
            match line["event"].as_str() {
                Some("close") => return Ok(()),
                Some("error") => return Err(line.to_string().into()),
                _ => {}
            }
        }
    }

    pub(crate) async fn end(mut self) -> Story {
        match self.program.take() {
            Some(program) => Ok(program.end().await?),
            None => Ok(()),
        }
    }
}

impl Drop for Partner {
    /// Also when a story fails: a browser that is killed leaves its profile behind.
    fn drop(&mut self) {
        if let Some(program) = self.program.take() {
            block_in_place(|| Handle::current().block_on(program.end())).ok();
        }
    }
}

/// Returns the path of a script of this folder.
pub(crate) fn script(name: &str) -> String {
    format!("{}/interop/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Bytes without a pattern, from a seed.
pub(crate) fn noise(seed: u64, len: usize) -> ChannelMessage {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect::<Vec<_>>().into()
}
