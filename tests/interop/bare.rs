//! Direct connections to a WebRTC stack that is neither ours nor simple-peer's, one after another. Signals travel
//! over the stdin and stdout of its program: see `bare-orders.mjs`.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use socketio_p2p_client::direct::{
    ChannelMessage, DirectChannel, DirectConfig, DirectConnection, DirectEnd, DirectEvent,
    DirectEvents, DirectSignalError, Signal, Step,
};
use socketio_p2p_harness::Program;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::interop::direct::{PATIENCE, Partner, SILENCE, script};
use crate::interop::{Failed, Story};

/// The program of the other stack.
pub(crate) struct Stack {
    partner: Partner,
    /// The configuration of our end.
    pub(crate) config: DirectConfig,
    pub(crate) form: Form,
    /// The longest message that we take, as the partner is told instead of what our description says.
    pub(crate) stated_limit: Option<usize>,
}

/// The way in which the partner's signals reach our end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Form {
    /// As the stack writes them, in its order.
    #[default]
    AsTheyAre,
    /// A candidate as a line of SDP.
    Lines,
    /// A candidate without the name of its section.
    WithoutMid,
    /// A candidate without the number of its section.
    WithoutIndex,
    /// A candidate without either, and without a type.
    Texts,
    /// The first candidate comes before the description.
    Early,
}

/// A connection to it. Its lines are read as long as the connection is waited for.
pub(crate) struct Bare<'a> {
    pub(crate) connection: DirectConnection,
    events: DirectEvents,
    stack: &'a mut Stack,
    /// True when the partner's main channel is open.
    is_open: bool,
    /// True when the partner's main channel is closed.
    pub(crate) is_closed: bool,
    /// Options of the other channels that are open at the partner.
    pub(crate) opened: BTreeMap<String, Value>,
    /// Other channels that were closed at the partner.
    pub(crate) closed: Vec<String>,
    /// States of the partner's connection.
    pub(crate) states: Vec<String>,
    /// The number of our answers that the partner has taken.
    pub(crate) answered: usize,
    /// User names in our descriptions.
    pub(crate) ufrags: Vec<String>,
    /// Channels that came before they were asked for.
    came: VecDeque<DirectChannel>,
    /// A description that waits for a candidate.
    held: Option<Value>,
}

impl Stack {
    /// Starts a stack from npm, of this name in `bare.mjs`.
    pub(crate) async fn of_npm(name: &str) -> Result<Self, Failed> {
        Self::start("bare.mjs", Program::new("node").arg(script("bare.mjs")), &[name]).await
    }

    /// Starts simple-peer, in one connection after another.
    pub(crate) async fn simple_peer(options: &[&str]) -> Result<Self, Failed> {
        let name = "simple-peer.mjs";
        let arguments = [&["bare"], options].concat();
        Self::start(name, Program::new("node").arg(script(name)), &arguments).await
    }

    /// Starts node-datachannel with its own API.
    pub(crate) async fn datachannel() -> Result<Self, Failed> {
        let name = "bare-datachannel.mjs";
        Self::start(name, Program::new("node").arg(script(name)), &[]).await
    }

    /// Starts aiortc.
    pub(crate) async fn aiortc() -> Result<Self, Failed> {
        let name = "bare-aiortc.py";
        Self::start(name, Program::python().arg(script(name)), &[]).await
    }

    /// Starts a page of Chromium.
    pub(crate) async fn page() -> Result<Self, Failed> {
        let name = "browser-peer.mjs";
        Self::start(name, Program::new("node").arg(script(name)), &["bare"]).await
    }

    /// Starts a page of Firefox.
    pub(crate) async fn firefox() -> Result<Self, Failed> {
        let name = "bare-firefox.mjs";
        Self::start(name, Program::new("node").arg(script(name)), &[]).await
    }

    async fn start(name: &str, program: Program, arguments: &[&str]) -> Result<Self, Failed> {
        let partner = Partner::start_program(name, &program, arguments).await?;
        let config = DirectConfig::default().silent_after(SILENCE);
        Ok(Self { partner, config, form: Form::default(), stated_limit: None })
    }

    /// Opens a connection, in which the stack is to `offer` or to `answer`.
    pub(crate) async fn connect(&mut self, role: &str) -> Result<Bare<'_>, Failed> {
        self.connect_with(json!({ "connect": role })).await
    }

    /// Opens a connection by an order to connect.
    pub(crate) async fn connect_with(&mut self, order: Value) -> Result<Bare<'_>, Failed> {
        let mut bare = self.begin(order).await?;
        let event = bare.event().await?;
        if !matches!(event, DirectEvent::Open) {
            return Err(format!("{event:?}").into());
        }
        bare.hear_until(|bare| bare.is_open).await?;
        Ok(bare)
    }

    /// Returns what the program says its stack is.
    pub(crate) fn version(&self) -> &str {
        self.partner.version()
    }

    /// Returns the program alone, to connect it with another one.
    pub(crate) fn alone(&mut self) -> &mut Partner {
        &mut self.partner
    }

    /// Begins a connection by an order to connect.
    pub(crate) async fn begin(&mut self, order: Value) -> Result<Bare<'_>, Failed> {
        let config = self.config.clone();
        let tasks = TaskTracker::new();
        let (connection, events) = match order["connect"].as_str() {
            Some("answer") => DirectConnection::offer(config, &tasks),
            _ => DirectConnection::answer(config, &tasks),
        };
        self.partner.tell(order).await?;
        Ok(Bare {
            connection,
            events,
            stack: self,
            is_open: false,
            is_closed: false,
            opened: BTreeMap::new(),
            closed: Vec::new(),
            states: Vec::new(),
            answered: 0,
            ufrags: Vec::new(),
            came: VecDeque::new(),
            held: None,
        })
    }

    pub(crate) async fn end(self) -> Story {
        self.partner.end().await
    }
}

impl Bare<'_> {
    pub(crate) async fn tell(&mut self, order: Value) -> Story {
        self.stack.partner.tell(order).await
    }

    /// Kills the partner.
    pub(crate) fn kill(&mut self) {
        self.stack.partner.kill();
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
                    DirectEvent::Signal(signal) => self.carry(&signal).await?,
                    event => return Ok(event),
                }
            }
        };
        timeout(PATIENCE, event).await?
    }

    /// Returns the next event, without a look at what the partner's program says: it may be gone.
    pub(crate) async fn last_event(&mut self) -> Result<DirectEvent, Failed> {
        loop {
            match timeout(PATIENCE, self.events.recv()).await?.ok_or("no more events")? {
                DirectEvent::Signal(_) => {}
                event => return Ok(event),
            }
        }
    }

    /// Carries a signal of ours. Each of our candidates names its section, and numbers it.
    async fn carry(&mut self, signal: &Signal) -> Story {
        if let Step::Candidate(candidate) = &signal.step {
            assert!(candidate.mid().is_some() && candidate.index().is_some(), "{candidate:?}");
        }
        let mut signal_value = signal.to_value();
        if let Step::Offer(sdp) | Step::Answer(sdp) = &signal.step {
            self.ufrags.push(sdp.ufrag().to_owned());
            if let Some(limit) = self.stack.stated_limit {
                let ours = format!("a=max-message-size:{}\r\n", 256 << 10);
                assert!(sdp.as_str().contains(&ours), "{}", sdp.as_str());
                let stated = format!("a=max-message-size:{limit}\r\n");
                signal_value["sdp"] = sdp.as_str().replace(&ours, &stated).into();
            }
        }
        self.stack.partner.tell(json!({ "signal": signal_value })).await
    }

    /// Hears the partner, and carries our signals, until something is so.
    pub(crate) async fn hear_until(&mut self, mut is_so: impl FnMut(&Self) -> bool) -> Story {
        let hearing = async {
            while !is_so(self) {
                tokio::select! {
                    line = self.stack.partner.line() => self.heard(&line?)?,
                    event = self.events.recv(), if !self.is_open => match event {
                        Some(DirectEvent::Signal(signal)) => self.carry(&signal).await?,
                        Some(DirectEvent::Channel(channel)) => self.came.push_back(channel),
                        event => return Err(format!("{event:?}").into()),
                    },
                }
            }
            Ok(())
        };
        timeout(PATIENCE, hearing).await?
    }

    /// Carries signals both ways, of an open connection, until something is so.
    pub(crate) async fn negotiate_until(&mut self, mut is_so: impl FnMut(&Self) -> bool) -> Story {
        let negotiating = async {
            while !is_so(self) {
                tokio::select! {
                    line = self.stack.partner.line() => self.heard(&line?)?,
                    event = self.events.recv() => match event {
                        Some(DirectEvent::Signal(signal)) => self.carry(&signal).await?,
                        event => return Err(format!("{event:?}").into()),
                    },
                }
            }
            Ok(())
        };
        timeout(PATIENCE, negotiating).await?
    }

    fn heard(&mut self, line: &Value) -> Story {
        let label = || line["label"].as_str().unwrap_or_default().to_owned();
        match line["event"].as_str() {
            Some("connect") => self.is_open = true,
            Some("close") => self.is_closed = true,
            Some("opened") => {
                self.opened.insert(label(), line["options"].clone());
            }
            Some("closed") => self.closed.push(label()),
            Some("state") => self.states.extend(line["state"].as_str().map(str::to_owned)),
            Some("answered") => self.answered += 1,
            Some(_) => return Err(line.to_string().into()),
            None => self.signalled(&line["signal"])?,
        }
        Ok(())
    }

    /// Hands a signal of the partner to our end, in the form that is wanted.
    fn signalled(&mut self, signal: &Value) -> Story {
        let is_description = signal["sdp"].is_string();
        match self.stack.form {
            Form::Early if is_description => {
                self.held = Some(signal.clone());
                return Ok(());
            }
            Form::Early => {
                self.connection.signal(Signal::from_value(signal)?)?;
                if let Some(held) = self.held.take() {
                    self.connection.signal(Signal::from_value(&held)?)?;
                }
                return Ok(());
            }
            _ => {}
        }
        let signal = if is_description { signal.clone() } else { self.stack.form.of(signal) };
        match self.connection.signal(Signal::from_value(&signal)?) {
            // It comes after the end, which is among the events.
            Err(DirectSignalError::Closed) => Ok(()),
            signalled => Ok(signalled?),
        }
    }

    /// Returns the next channel that the partner opens.
    pub(crate) async fn channel(&mut self) -> Result<DirectChannel, Failed> {
        if let Some(channel) = self.came.pop_front() {
            return Ok(channel);
        }
        match self.event().await? {
            DirectEvent::Channel(channel) => Ok(channel),
            event => Err(format!("{event:?}").into()),
        }
    }

    /// Returns the next message on the main channel.
    pub(crate) async fn message(&mut self) -> Result<ChannelMessage, Failed> {
        match self.event().await? {
            DirectEvent::Message(message) => Ok(message),
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

impl Form {
    /// Returns the signal of a candidate in this form. The end of the candidates stays as it is.
    fn of(self, signal: &Value) -> Value {
        let mut signal = signal.clone();
        let text = signal["candidate"]["candidate"].clone();
        if text.as_str().is_none_or(str::is_empty) {
            return signal;
        }
        match self {
            Self::AsTheyAre | Self::Early => {}
            Self::Lines => {
                let text = text.as_str().unwrap_or_default();
                let line = format!("a={}", text.trim_start_matches("a="));
                signal["candidate"]["candidate"] = line.into();
            }
            Self::WithoutMid => signal["candidate"]["sdpMid"] = Value::Null,
            Self::WithoutIndex => signal["candidate"]["sdpMLineIndex"] = Value::Null,
            Self::Texts => signal = json!({ "candidate": text }),
        }
        signal
    }
}
