//! One session against a scripted partner, and two sessions over a path in memory.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Args, Body, Cause, Code, Frame, Outcome, Path, Refusal,
    limits::CHUNK_BYTES,
    session::{CallId, EmitOptions, Input},
    sim::SessionEnd,
};

pub(crate) const CALL_TIME: Duration = Duration::from_secs(10);

pub(crate) fn args(value: Value) -> Args {
    vec![value].into()
}

/// A text that travels in about this many parts.
pub(crate) fn text(parts: usize) -> Value {
    json!("x".repeat(parts * CHUNK_BYTES - CHUNK_BYTES / 2))
}

pub(crate) fn not_executed(code: Code) -> Outcome {
    Outcome::NotExecuted(Cause::Code(code))
}

/// One end whose partner the test plays. The rules of [`SessionEnd`] hold after each input.
pub(crate) struct End {
    end: SessionEnd,
    /// The number of the next frame that the scripted partner sends.
    next: u64,
}

impl Deref for End {
    type Target = SessionEnd;

    fn deref(&self) -> &SessionEnd {
        &self.end
    }
}

impl DerefMut for End {
    fn deref_mut(&mut self) -> &mut SessionEnd {
        &mut self.end
    }
}

impl End {
    /// An end whose relay is open.
    pub(crate) fn new() -> Self {
        let mut end = Self::closed();
        end.handle(Input::Opened(Path::Relay));
        end
    }

    pub(crate) fn closed() -> Self {
        Self { end: SessionEnd::new(Instant::now()), next: 1 }
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.end.handle(input);
        self.assert_sound();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.end.pass(time);
        self.assert_sound();
    }

    fn assert_sound(&self) {
        let breach = self.end.breaches.first();
        assert!(breach.is_none(), "{breach:?}");
    }

    pub(crate) fn emit(&mut self, value: Value) {
        self.emit_until(value, None);
    }

    pub(crate) fn emit_until(&mut self, value: Value, expires: Option<Instant>) {
        let event = "note".to_owned();
        let options = EmitOptions { expires, ..EmitOptions::default() };
        self.handle(Input::Emit { call: 0, event, args: args(value), options });
    }

    pub(crate) fn call(&mut self, call: CallId) {
        self.call_with(call, json!(call), None);
    }

    pub(crate) fn call_with(&mut self, call: CallId, value: Value, expires: Option<Instant>) {
        let reply_by = Some(self.now + CALL_TIME);
        let event = "ask".to_owned();
        let options = EmitOptions { reply_by, expires, via: None };
        self.handle(Input::Emit { call, event, args: args(value), options });
    }

    pub(crate) fn finish(&mut self, seq: u64, value: Value) {
        self.handle(Input::Finished(seq, Ok(args(value))));
    }

    pub(crate) fn receive(&mut self, frame: Frame) {
        self.handle(Input::Received(Path::Relay, frame));
    }

    /// The partner emits, in order.
    pub(crate) fn partner_emits(&mut self, value: Value, reply: bool) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.receive(emit_frame(seq, value, reply));
        seq
    }

    /// The partner replies, in order.
    pub(crate) fn partner_replies(&mut self, to: u64, result: Result<Args, Refusal>) {
        let seq = self.next;
        self.next += 1;
        self.receive(frame(seq, 0, Body::Reply { to, result }));
    }

    /// The partner takes everything up to this number.
    pub(crate) fn partner_takes(&mut self, ack: u64) {
        self.receive(frame(0, ack, Body::Ack));
    }

    /// The numbers of what was sent since this was last asked; 0 for acknowledgements.
    pub(crate) fn sent_numbers(&mut self) -> Vec<u64> {
        self.sent.drain(..).map(|(_, frame)| frame.seq).collect()
    }

    /// The numbers of what was delivered since this was last asked.
    pub(crate) fn delivered_numbers(&mut self) -> Vec<u64> {
        self.delivered.drain(..).map(|delivery| delivery.seq).collect()
    }
}

pub(crate) fn frame(seq: u64, ack: u64, body: Body) -> Frame {
    Frame { seq, ack, got: ack, ttl: None, body: Arc::new(body) }
}

pub(crate) fn emit_frame(seq: u64, value: Value, reply: bool) -> Frame {
    let body = Body::Emit { event: "note".to_owned(), args: args(value), wants_reply: reply };
    frame(seq, 0, body)
}

/// Two ends; what one sends the other receives once [`Pair::exchange`] is called.
pub(crate) struct Pair {
    pub(crate) a: End,
    pub(crate) b: End,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self { a: End::new(), b: End::new() }
    }

    /// Carries frames until neither end has more to send.
    pub(crate) fn exchange(&mut self) {
        while !(self.a.sent.is_empty() && self.b.sent.is_empty()) {
            if let Some((path, frame)) = self.a.sent.pop_front() {
                self.b.handle(Input::Received(path, frame));
            }
            if let Some((path, frame)) = self.b.sent.pop_front() {
                self.a.handle(Input::Received(path, frame));
            }
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.a.pass(time);
        self.b.pass(time);
        self.exchange();
    }
}
