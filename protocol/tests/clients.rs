//! One client against a scripted server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Args, Body, Client, ClientConfig, ClientId, ClientMessage, EndReason, Frame, PairingId,
    PairingInfo, Refusal, ResumeToken, ServerMessage, Welcome,
    client::{Answer, Command, Input, Output, QuestionId},
    limits::Limits,
    session::{CallId, EmitOptions},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct ScriptedClient {
    pub(crate) core: Client,
    pub(crate) now: Instant,
    pub(crate) outputs: Vec<Output>,
}

pub(crate) fn welcome() -> Welcome {
    Welcome {
        protocol: 2,
        client_id: "a".parse().unwrap(),
        resume: None,
        grace_ms: 0,
        resumed: false,
        limits: Limits::default(),
        pairing: None,
        ended: None,
        rooms: Vec::new(),
    }
}

pub(crate) fn info(serial: u64) -> PairingInfo {
    PairingInfo {
        id: PairingId::new(1, serial),
        partner: "b".parse().unwrap(),
        initiator: true,
        partner_protocol: 2,
        direct: false,
    }
}

pub(crate) fn disconnect(serial: u64, reason: EndReason) -> ServerMessage {
    ServerMessage::Disconnect { pairing: PairingId::new(1, serial), reason, req: None }
}

impl ScriptedClient {
    /// Its connection has just been made, and there will be no other.
    pub(crate) fn connecting() -> Self {
        let mut config = ClientConfig::default();
        config.resumes = false;
        Self::with_config(config)
    }

    pub(crate) fn with_config(config: ClientConfig) -> Self {
        let now = Instant::now();
        Self { core: Client::new(config, now), now, outputs: Vec::new() }
    }

    pub(crate) fn ready() -> Self {
        let mut client = Self::connecting();
        client.hear(ServerMessage::Welcome(welcome()));
        client.outputs.clear();
        client
    }

    /// Paired with "b" under the number 1.
    pub(crate) fn paired() -> Self {
        let mut client = Self::ready();
        client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
        client.outputs.clear();
        client
    }

    /// Feeds an input without asking for outputs yet.
    pub(crate) fn feed(&mut self, input: Input) {
        self.core.handle(input, self.now);
    }

    pub(crate) fn poll(&mut self) {
        while let Some(output) = self.core.poll_output() {
            self.outputs.push(output);
        }
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.feed(input);
        self.poll();
    }

    pub(crate) fn hear(&mut self, message: ServerMessage) {
        self.handle(Input::Received(message));
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.handle(Input::Command(command));
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.core.poll_timeout()
            && due <= until
        {
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    /// Takes the outputs since the last call.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub(crate) fn answers(&mut self) -> Vec<(CallId, Answer)> {
        let outputs = self.outputs().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Answered(call, answer) => Some((call, answer)),
                _ => None,
            })
            .collect()
    }

    /// The tokens with which another connection was asked for since this was last asked.
    pub(crate) fn reconnects(&mut self) -> Vec<Option<ResumeToken>> {
        let outputs = self.outputs().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Reconnect { resume, .. } => Some(resume),
                _ => None,
            })
            .collect()
    }

    /// The questions to the application since this was last asked.
    pub(crate) fn questions(&mut self) -> Vec<QuestionId> {
        let outputs = self.outputs().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Ask { question, .. } => Some(question),
                _ => None,
            })
            .collect()
    }

    /// The messages to the server since this was last asked.
    pub(crate) fn said(&mut self) -> Vec<ClientMessage> {
        let outputs = self.outputs().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Send(message) => Some(message),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn register(&mut self, call: CallId) {
        let target: ClientId = "b".parse().unwrap();
        let deadline = self.now + PATIENCE;
        self.command(Command::Register {
            call,
            target,
            payload: None,
            consent_time: None,
            wait: None,
            deadline: Some(deadline),
        });
    }

    pub(crate) fn unregister(&mut self, call: CallId) {
        let deadline = self.now + PATIENCE;
        self.command(Command::Unregister { call, deadline });
    }

    pub(crate) fn list(&mut self, call: CallId) {
        let deadline = self.now + PATIENCE;
        self.command(Command::List { call, deadline });
    }

    /// The present pairing, or the first if there is none.
    pub(crate) fn present(&self) -> PairingId {
        self.core.pairing().map_or(info(1).id, |pairing| pairing.id)
    }

    /// An emit, acknowledged or not, that is only fed.
    pub(crate) fn feed_emit(&mut self, call: CallId, value: Value, acknowledged: bool) {
        let reply_by = acknowledged.then(|| self.now + PATIENCE);
        let pairing = self.present();
        self.feed(Input::Command(Command::Emit {
            call,
            pairing,
            event: "note".to_owned(),
            args: vec![value].into(),
            options: EmitOptions { reply_by, expires: None, via: None },
        }));
    }

    pub(crate) fn emit(&mut self, call: CallId, value: Value) {
        self.feed_emit(call, value, false);
        self.poll();
    }

    pub(crate) fn call(&mut self, call: CallId) {
        self.feed_emit(call, json!(call), true);
        self.poll();
    }

    pub(crate) fn frames(&mut self, serial: u64, frames: Vec<Frame>) {
        let pairing = PairingId::new(1, serial);
        self.handle(Input::Frames { pairing, frames, has_unread: false });
    }
}

pub(crate) fn reply(seq: u64, to: u64, result: Result<Args, Refusal>) -> Frame {
    crate::sessions::frame(seq, to, Body::Reply { to, result })
}
