//! Connections: in order, with delays, and at any moment cut, silent or frozen. What travels on
//! one is lost with it, and nothing else ever is.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Args, ClientMessage, Frame, Outcome, PairingId, ServerMessage,
    frame::{Batch, batch_from_text},
    peer::v1::NoAck,
    session::Delivery,
    wire,
};

use crate::sim::oracle::{CallNo, ClientNo};

/// A message from a client.
#[derive(Debug)]
pub(crate) enum Up {
    Message(ClientMessage),
    Frames(PairingId, Vec<Frame>),
    Signal(PairingId, Value),
    /// A v1 client emits something to the client that it believes to be its partner.
    Emit {
        target: ClientNo,
        args: Args,
        call: Option<CallNo>,
    },
    /// A v1 client answers a question by an event, which may have the id of an acknowledgement.
    Answer {
        yes: bool,
        ack: Option<u64>,
    },
    /// A v1 client acknowledges an event.
    Acknowledge {
        pairing: PairingId,
        seq: u64,
        result: Result<Args, NoAck>,
    },
}

/// A message to a client.
#[derive(Debug)]
pub(crate) enum Down {
    Message(ServerMessage),
    Frames(PairingId, Vec<Frame>),
    Signal(PairingId, Value),
    /// A message that cannot be read.
    Garbled,
    Unreadable(String, Vec<Value>),
    /// An event for a v1 client. It does not see of which pairing, nor its number.
    Emit(PairingId, Delivery),
    /// The outcome of a v1 client's event.
    Acknowledge(CallNo, Outcome),
    /// The acknowledgement of a v1 client's answer by event.
    Heard(u64),
}

/// One way of a connection.
#[derive(Debug)]
pub(crate) struct Way<T> {
    under_way: VecDeque<(Instant, T)>,
    last: Instant,
}

impl<T> Way<T> {
    pub(crate) fn new(now: Instant) -> Self {
        Self { under_way: VecDeque::new(), last: now }
    }

    /// Sends something, and says when it arrives: after what was sent before.
    pub(crate) fn send(&mut self, what: T, at: Instant) -> Instant {
        self.last = self.last.max(at);
        self.under_way.push_back((self.last, what));
        self.last
    }

    pub(crate) fn arrived(&mut self, now: Instant) -> Option<T> {
        let (at, _) = self.under_way.front()?;
        if *at > now { None } else { self.under_way.pop_front().map(|(_, what)| what) }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Whole,
    /// Silently broken: nothing gets through.
    Silent,
    /// The server closed it: what it said before still arrives.
    Closing,
    Cut,
}

/// A connection between a client and the server.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: usize,
    pub(crate) state: State,
    up: Way<Up>,
    down: Way<Down>,
    /// The time before which nothing arrives.
    frozen: Instant,
}

impl Connection {
    pub(crate) fn new(client: usize, now: Instant) -> Self {
        Self { client, state: State::Whole, up: Way::new(now), down: Way::new(now), frozen: now }
    }

    pub(crate) fn freeze(&mut self, until: Instant) {
        self.frozen = self.frozen.max(until);
    }

    /// Sends a message up. Returns the time of its arrival, or `None` if nothing gets through.
    pub(crate) fn send_up(&mut self, what: Up, now: Instant, delay: Duration) -> Option<Instant> {
        let at = self.frozen.max(now + delay);
        (self.state == State::Whole).then(|| self.up.send(what, at))
    }

    pub(crate) fn send_down(
        &mut self,
        what: Down,
        now: Instant,
        delay: Duration,
    ) -> Option<Instant> {
        let at = self.frozen.max(now + delay);
        (self.state == State::Whole).then(|| self.down.send(what, at))
    }

    /// Returns the time at which the last message of the server will have arrived.
    pub(crate) fn last_down(&self) -> Instant {
        self.down.last
    }

    pub(crate) fn arrived_up(&mut self, now: Instant) -> Option<Up> {
        if self.state == State::Whole { self.up.arrived(now) } else { None }
    }

    pub(crate) fn arrived_down(&mut self, now: Instant) -> Option<Down> {
        match self.state {
            State::Whole | State::Closing => self.down.arrived(now),
            State::Silent | State::Cut => None,
        }
    }
}

/// The same as it comes off the wire, written and read, if it can be read.
pub(crate) fn through_the_codec(frames: &[Frame]) -> Option<Vec<Frame>> {
    let texts: Vec<_> = frames.iter().map(Frame::to_text).collect();
    batch_from_text(&format!("[{}]", texts.join(","))).and_then(Batch::all).ok()
}

/// A message of a client as it comes off the wire.
pub(crate) fn client_message(message: &ClientMessage) -> ClientMessage {
    let (event, args) = message.to_event().expect("a v2 client says it");
    wire::client_message(event, args).expect("what is written can be read")
}

/// A message of the server as it comes off the wire.
pub(crate) fn server_message(message: &ServerMessage) -> ServerMessage {
    let (event, args) = message.to_event().expect("a v2 client hears it");
    wire::server_message(event, args).expect("what is written can be read")
}
