//! What a client does in the world: it connects, hears, calls, runs handlers and comes back.

use std::time::Duration;

use serde_json::Value;
use socketio_p2p_protocol::{
    Dialect, EndpointEvent, Hello, Outcome,
    endpoint::{Answer, Command, Input, Output},
};

use crate::{
    client::{Client, REQUESTS},
    link::{self, Link, State, Up},
    oracle::{CallNo, Report, Rule},
    world::{Event, World},
};

/// Longer than anything is under way, frozen twice: the receiver counts from the arrival.
const LONGEST_WAY: Duration = Duration::from_millis(4_500);

impl World {
    pub(crate) fn connect(&mut self, client: usize) {
        self.clients[client].connecting = false;
        let conn = self.new_conn();
        self.note(|| format!("{client} connects as {conn:?}"));
        let token = self.clients[client].resume;
        let id = self.clients[client].name.parse().expect("a name is an id");
        let hello = Hello::new(id, Dialect::V2, self.fresh_token()).resume(token);
        let admitted = self.server.admit(conn, hello, self.now, &mut self.oracle);
        if let Err(code) = admitted {
            return match self.clients[client].endpoint {
                Some(_) => self.feed(client, Input::Rejected(code)),
                None => self.connect_later(client),
            };
        }
        self.links.insert(conn, Link::new(client, self.now));
        self.clients[client].conn = Some(conn);
        if self.clients[client].endpoint.is_none() {
            self.clients[client].begin(self.now);
        }
        self.feed(client, Input::Opened);
        let after = self.delay();
        self.after(after, Event::Announce(conn));
    }

    fn connect_later(&mut self, client: usize) {
        if !std::mem::replace(&mut self.clients[client].connecting, true) {
            let patient = self.stormy && self.chance(self.plan.long_absence);
            let after = if patient { self.millis(10_000..25_000) } else { self.millis(20..800) };
            self.after(after, Event::Connect(client));
        }
    }

    /// Feeds a client's endpoint, and carries out what it says.
    pub(crate) fn feed(&mut self, client: usize, input: Input) {
        let now = self.now;
        let Some(endpoint) = &mut self.clients[client].endpoint else { return };
        endpoint.handle(input, now);
        self.make_room(client);
        while let Some(output) =
            self.clients[client].endpoint.as_mut().and_then(|endpoint| endpoint.poll_output())
        {
            self.carry_out(client, output);
        }
        let next = self.clients[client].endpoint.as_ref().and_then(|e| e.poll_timeout());
        let waiting = self.clients[client].waiting.front().map(|waiting| waiting.deadline);
        if let Some(next) = next.into_iter().chain(waiting).min()
            && self.clients[client].alarm.is_none_or(|alarm| next < alarm)
        {
            self.clients[client].alarm = Some(next);
            self.at(next.max(now), Event::Alarm(client));
        }
    }

    /// Gives the endpoint the calls that it has room for.
    pub(crate) fn make_room(&mut self, client: usize) {
        let now = self.now;
        let Client { endpoint: Some(endpoint), waiting, .. } = &mut self.clients[client] else {
            return;
        };
        while endpoint.takes_emits()
            && let Some(next) = waiting.pop_front()
        {
            endpoint.handle(Input::Command(next.command), now);
        }
    }

    /// Calls whose deadline comes while they wait are not executed.
    pub(crate) fn expire(&mut self, client: usize) {
        let now = self.now;
        let waiting = &mut self.clients[client].waiting;
        let due: Vec<_> = waiting.iter().filter(|w| w.deadline <= now).map(|w| w.call).collect();
        waiting.retain(|waiting| waiting.deadline > now);
        for call in due {
            self.oracle.reported(call, Report::NotExecuted);
        }
    }

    fn carry_out(&mut self, client: usize, output: Output) {
        let conn = self.clients[client].conn;
        match output {
            Output::Send(message) => {
                let message = match self.plan.codec {
                    true => link::client_message(&message),
                    false => message,
                };
                if let Some(conn) = conn {
                    self.send_up(conn, Up::Message(message));
                }
            }
            Output::SendFrames(pairing, frames) => {
                if frames.len() > socketio_p2p_protocol::limits::BATCH_FRAMES {
                    self.oracle.violate(Rule::Bounded, format!("{} frames at once", frames.len()));
                }
                if let Some(conn) = conn {
                    self.send_up(conn, Up::Frames(pairing, frames));
                }
            }
            Output::Answered(call, answer) => self.answered(client, call, answer),
            Output::Ask { req, .. } => {
                let verdict = if self.chance(0.9) { Ok(()) } else { Err(None) };
                if let Some(endpoint) = &mut self.clients[client].endpoint {
                    endpoint.handle(Input::Answer(req, verdict), self.now);
                }
            }
            Output::Deliver(pairing, delivery) => {
                let source = self.clients[client].endpoint.as_ref().and_then(|e| e.pairing());
                let source = source.and_then(|info| Client::number_of(info.partner.as_str()));
                let args = delivery.args.parse::<Vec<Value>>().unwrap_or_default();
                let call = args.first().and_then(Value::as_u64).unwrap_or(u64::MAX) as CallNo;
                self.oracle.executed(call, client, source.unwrap_or(usize::MAX), pairing);
                if self.expiries.get(&call).is_some_and(|at| self.now > *at + LONGEST_WAY) {
                    self.oracle.violate(Rule::InTime, format!("{call} runs after its time"));
                }
                let slow = self.chance(0.02);
                let after = if slow { self.millis(0..4000) } else { self.millis(0..20) };
                self.after(after, Event::Finish(client, pairing, delivery.seq, call));
            }
            Output::Event(event) => self.heard(client, event),
            Output::Complain(complaint) => {
                self.oracle.violate(Rule::Bounded, format!("{client} complains: {complaint:?}"));
            }
            Output::Reconnect { resume } => {
                self.clients[client].resume = resume;
                self.leave_link(client);
                self.connect_later(client);
            }
            Output::Close => {
                self.leave_link(client);
                self.clients[client].endpoint = None;
                self.clients[client].resume = None;
                self.oracle.gone(client);
                // Its first connection came to nothing: whoever started it tries again.
                if !self.leaving {
                    self.connect_later(client);
                }
            }
        }
    }

    /// The client is done with its connection; the server notices sooner or later.
    fn leave_link(&mut self, client: usize) {
        if let Some(conn) = self.clients[client].conn.take()
            && let Some(link) = self.links.get(&conn)
            && link.state != State::Cut
        {
            // What it said last is still under way.
            let silent = link.state == State::Silent;
            let after = if silent { self.millis(1_000..10_000) } else { self.millis(200..500) };
            self.after(after, Event::ServerLoses(conn));
        }
    }

    fn answered(&mut self, client: usize, id: u64, answer: Answer) {
        if id > REQUESTS {
            self.clients[client].asked -= 1;
            return;
        }
        let call = id as CallNo;
        self.note(|| format!("{client} learns of {call}: {answer:.60?}"));
        let report = match answer {
            Answer::Sent => return,
            Answer::Outcome(Outcome::Replied(args, _)) => {
                let value = args.parse::<Vec<Value>>().unwrap_or_default();
                match value.first().and_then(Value::as_u64) {
                    Some(value) if value == id => Report::Value,
                    _ => Report::WrongValue,
                }
            }
            Answer::Outcome(Outcome::Failed(_)) => Report::Failed,
            Answer::Outcome(Outcome::NotExecuted(_)) => Report::NotExecuted,
            _ => Report::Unknown,
        };
        self.clients[client].open.retain(|open| *open != call);
        self.oracle.reported(call, report);
    }

    fn heard(&mut self, client: usize, event: EndpointEvent) {
        self.note(|| format!("{client} hears {event:?}"));
        match event {
            EndpointEvent::Paired(info) => {
                if let Some(partner) = Client::number_of(info.partner.as_str()) {
                    self.oracle.paired(client, partner, info.id);
                }
            }
            EndpointEvent::Unpaired { pairing, reason } => {
                self.oracle.unpaired(client, pairing.id, reason);
            }
            _ => {}
        }
    }

    pub(crate) fn command(&mut self, client: usize, command: Command) {
        self.feed(client, Input::Command(command));
    }
}
