//! A client in the world: it connects, receives, calls, runs handlers and reconnects.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    Cause, ClientEvent, Code, Dialect, Outcome, Path, Refusal,
    client::{Answer, Command, Input, Output},
    limits::PENDING_CALLS,
    peer::Complaint,
};

use crate::sim::{
    client::{Asked, REQUESTS, SimClient},
    connection::{self, Connection, State, Up},
    event::Event,
    handlers::number_in,
    oracle::{CallNo, ClientNo, Report, Rule},
    parties::HOSTILE,
    transcript::Recorded,
    watch::Who,
    world::World,
};

/// The time after which a client of a script has another connection.
const RECONNECT: Duration = Duration::from_millis(100);

impl World {
    pub(crate) fn connect(&mut self, client: usize) {
        self.clients[client].connecting = false;
        if self.clients[client].endpoint.is_none() && self.is_down() {
            return self.connect_later(client);
        }
        self.feed(client, Input::Connecting);
        if self.is_down() {
            return self.feed(client, Input::Unreachable(String::new()));
        }
        if self.stormy && self.clients[client].endpoint.is_some() && self.chance(0.05) {
            self.counts.faults += 1;
            return self.feed(client, Input::Unreachable(String::new()));
        }
        let conn = self.new_conn();
        self.note(|| format!("{client} connects as {conn:?}"));
        let token = self.clients[client].resume;
        let id = self.clients[client].name.parse().expect("a name is an id");
        let direct = self.clients[client].direct;
        let who = Who { number: client, id, dialect: Dialect::V2, direct };
        let tokens = (token, self.fresh_token());
        let admitted = self.server.admit(conn, who, tokens, self.now, &mut self.oracle);
        if let Err(code) = admitted {
            return match self.clients[client].endpoint {
                Some(_) => self.feed(client, Input::Rejected(code.into())),
                None => self.connect_later(client),
            };
        }
        self.connections.insert(conn, Connection::new(client, self.now));
        self.clients[client].conn = Some(conn);
        if self.clients[client].endpoint.is_none() {
            let recorded = self.recording == Some(client) && self.transcript.is_none();
            self.clients[client].begin(self.now, recorded);
        }
        self.feed(client, Input::Opened);
        let after = self.delay();
        self.after(after, Event::Announce(conn));
    }

    fn connect_later(&mut self, client: usize) {
        if !std::mem::replace(&mut self.clients[client].connecting, true) {
            let patient = self.stormy && self.chance(self.plan.long_absence);
            let after = match patient {
                _ if self.script.is_some() => RECONNECT,
                true => self.millis(10_000..25_000),
                false => self.millis(20..800),
            };
            self.after(after, Event::Connect(client));
        }
    }

    /// Feeds a client's endpoint, and carries out what it says.
    pub(crate) fn feed(&mut self, client: usize, input: Input) {
        let now = self.now;
        self.note_source(client, &input);
        let Some(endpoint) = &mut self.clients[client].endpoint else { return };
        endpoint.handle(input, now);
        self.make_room(client);
        while let Some(output) =
            self.clients[client].endpoint.as_mut().and_then(|endpoint| endpoint.poll_output())
        {
            self.carry_out(client, output);
        }
        if self.clients[client].closed {
            self.begin_anew(client);
        }
        // One more may be large, and on its way in parts.
        let pending = self.clients[client].pending.len();
        if pending > PENDING_CALLS + 1 {
            self.oracle.violate(Rule::Bounded, format!("{pending} calls wait for replies"));
        }
        let running = self.clients[client].running.each_ref().map(BTreeSet::len);
        if running.iter().any(|running| *running > PENDING_CALLS) {
            self.oracle.violate(Rule::Bounded, format!("{running:?} handlers run"));
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
        let SimClient { endpoint: Some(endpoint), waiting, pending, .. } =
            &mut self.clients[client]
        else {
            return;
        };
        while endpoint.takes_emits()
            && let Some(next) = waiting.pop_front()
        {
            if next.acknowledged {
                pending.insert(next.call);
            }
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
            if self.script.is_some() {
                self.expired_by_script(client, call);
                continue;
            }
            if self.application.is_some() {
                let outcome = Outcome::NotExecuted(Cause::Code(Code::Timeout));
                self.resolve_by_application(client, call, &Answer::Outcome(outcome));
            }
            self.reported(client, call, Report::NotExecuted);
        }
    }

    fn carry_out(&mut self, client: usize, output: Output) {
        let conn = self.clients[client].conn;
        match output {
            Output::Send(message) => {
                let message = match self.plan.codec {
                    true => connection::client_message(&message),
                    false => message,
                };
                let message = self.rewrite_up(client, message);
                self.note_reassertion(client, &message);
                if let Some(conn) = conn {
                    self.send_up(conn, Up::Message(message));
                }
            }
            Output::SendFrames(pairing, frames) => {
                self.name_pairing(client, pairing);
                self.note_frames(client, pairing, &frames);
                let frames = self.rewrite_frames(client, pairing, frames);
                if let Some(conn) = conn {
                    self.send_up(conn, Up::Frames(pairing, frames));
                }
            }
            Output::Answered(call, answer) => self.answered(client, call, answer),
            Output::Target(call, state) => self.told_target(client, call, state),
            Output::Unwatched(call, refusal) => {
                self.clients[client].watches.remove(&call);
                let what = format!("a watch of {client} is refused: {refusal}");
                self.oracle.violate(Rule::Watched, what);
            }
            Output::Ask { question, source, .. } => {
                let source = SimClient::number_of(source.as_str());
                self.clients[client].questions.insert(question, source);
                let (after, yes) = self.draw_consent(client);
                let life = self.clients[client].lives;
                self.after(after, Event::Consent(client, Asked { life, question, source }, yes));
            }
            Output::Deliver(pairing, _, delivery) => self.run_handler(client, pairing, delivery),
            Output::Abandoned(_, seq) => self.is_done(client, seq),
            Output::Event(event) => self.heard(client, event),
            Output::Complain(Complaint::Refused(Refusal { code: Code::Congested, .. })) => {}
            Output::Complain(complaint) => {
                if let Some(records) = self.records(client) {
                    records.complaints.push(complaint.clone());
                }
                if !self.is_with_a_hostile(client) {
                    let what = format!("{client} complains: {complaint:?}");
                    self.oracle.violate(Rule::Bounded, what);
                }
            }
            Output::Reconnect { resume, .. } => {
                self.clients[client].resume = resume;
                if let Some(records) = self.records(client) {
                    records.reconnects += 1;
                }
                self.leave_link(client);
                self.connect_later(client);
            }
            Output::Signal(pairing, signal) => {
                self.note(|| format!("{client} signals for {pairing}: {signal:.90?}"));
                if conn.is_none() || self.clients[client].is_partner_away {
                    let what = format!("{client} signals, and nothing gets through");
                    self.oracle.violate(Rule::Direct, what);
                }
                let signal = self.rewrite_signal(client, pairing, signal.to_value());
                if let Some(conn) = conn {
                    self.send_up(conn, Up::Signal(pairing, signal));
                }
            }
            Output::Link(link, command) => {
                self.note_direct_frames(client, link, &command);
                self.command_link(client, link, command);
            }
            Output::Close => self.clients[client].closed = true,
        }
    }

    /// Draws when an application consents to a pairing, or declines it.
    fn draw_consent(&mut self, client: usize) -> (Duration, bool) {
        if let Some(records) = self.records(client) {
            return (Duration::ZERO, !records.refuses);
        }
        if !self.stormy {
            return (Duration::ZERO, true);
        }
        let yes = self.chance(0.9);
        // Some applications ask a person.
        let slow = self.chance(self.plan.slow_consents);
        (if slow { self.millis(0..12_000) } else { Duration::ZERO }, yes)
    }

    /// An application has decided. The decision is about what it was asked, and nothing else: it is
    /// void if the server has forgotten the question since.
    pub(crate) fn consent(&mut self, client: usize, asked: Asked, yes: bool) {
        let Asked { life, question, source } = asked;
        let state = &mut self.clients[client];
        if state.lives != life {
            return; // The client that asked is closed.
        }
        let asked = state.questions.get(&question).is_some_and(|by| *by == source);
        if asked {
            state.questions.remove(&question);
            if yes {
                state.consents.insert(source);
            }
        }
        let verdict = if yes { Ok(()) } else { Err(None) };
        self.feed(client, Input::Answer(question, verdict));
    }

    /// A client that is paired has asked for it, or has consented.
    fn check_consent(&mut self, client: usize, partner: ClientNo) {
        let SimClient { consents, wanted, reasserted, .. } = &mut self.clients[client];
        if consents.remove(&Some(partner)) || reasserted.remove(&partner) {
            return;
        }
        let asked = wanted.iter().find(|(_, wanted)| **wanted == partner).map(|(call, _)| *call);
        if asked.is_none_or(|call| wanted.remove(&call).is_none()) {
            self.oracle.violate(Rule::Consent, format!("{client} did not agree to {partner}"));
        }
    }

    /// Starts another endpoint in the place of one that has closed, as an application does.
    fn begin_anew(&mut self, client: usize) {
        let SimClient { welcomed, dismissed, .. } = self.clients[client];
        if welcomed && !dismissed && !self.leaving {
            self.oracle.violate(Rule::Lasting, format!("{client} gives up"));
        }
        self.leave_link(client);
        self.clients[client].closed = false;
        self.clients[client].questions.clear();
        self.clients[client].consents.clear();
        self.clients[client].wanted.clear();
        self.clients[client].reasserted.clear();
        self.clients[client].watches.clear();
        if self.direct.links.keys().any(|(owner, _)| *owner == client) {
            self.oracle.violate(Rule::NothingLeft, format!("{client} leaves links open"));
        }
        let ended = self.clients[client].endpoint.take();
        if let Some(transcript) = ended.and_then(Recorded::into_transcript) {
            self.transcript = Some(transcript);
        }
        self.clients[client].resume = None;
        self.oracle.gone(client);
        if !self.leaving && self.script.is_none() {
            self.connect_later(client);
        }
    }

    /// The client is done with its connection; the server notices sooner or later.
    fn leave_link(&mut self, client: usize) {
        if let Some(conn) = self.clients[client].conn.take()
            && let Some(connection) = self.connections.get(&conn)
            && connection.state != State::Cut
        {
            // What it said last is still under way.
            let silent = connection.state == State::Silent;
            let after = if silent { self.millis(1_000..10_000) } else { self.millis(200..500) };
            self.after(after, Event::ServerLoses(conn));
        }
    }

    fn answered(&mut self, client: usize, id: u64, answer: Answer) {
        if self.script.is_some() {
            return self.answered_by_script(client, id, answer);
        }
        if id > REQUESTS {
            let state = &mut self.clients[client];
            state.asked -= 1;
            if state.watches.contains_key(&id) {
                return self.watch_answered(client, id, &answer);
            }
            // A request that timed out may have been granted all the same.
            if let Answer::Refused(_) = answer {
                state.wanted.remove(&id);
            }
            return;
        }
        let call = id as CallNo;
        self.note(|| format!("{client} learns of {call}: {answer:.60?}"));
        let report = match answer {
            Answer::Sent => return,
            answer if self.application.is_some() => {
                self.resolve_by_application(client, call, &answer)
            }
            Answer::Outcome(Outcome::Replied(args, _)) => {
                let right = number_in(&args) == Some(call);
                if right { Report::Value } else { Report::WrongValue }
            }
            Answer::Outcome(Outcome::Failed(_)) => Report::Failed,
            Answer::Outcome(Outcome::NotExecuted(_)) => Report::NotExecuted,
            _ => Report::Unknown,
        };
        self.clients[client].open.retain(|open| *open != call);
        self.clients[client].pending.remove(&call);
        self.reported(client, call, report);
    }

    fn reported(&mut self, client: usize, call: CallNo, report: Report) {
        self.oracle.reported(call, report);
        if let Some(handled) = self.clients[client].nested.remove(&call) {
            self.after(Duration::ZERO, Event::Finish(client, handled));
        }
    }

    fn heard(&mut self, client: usize, event: ClientEvent) {
        if let Some(records) = self.records(client) {
            records.events.push(event.clone());
        }
        self.note(|| format!("{client} hears {event:?}"));
        match event {
            ClientEvent::Paired(info) => {
                if let Some(partner) = SimClient::number_of(info.partner.as_str()) {
                    self.check_consent(client, partner);
                    self.oracle.paired(client, partner, info.id);
                    self.clients[client].path =
                        (!self.is_direct_only(client)).then_some(Path::Relay);
                }
            }
            ClientEvent::Connected(_) => self.clients[client].welcomed = true,
            ClientEvent::Resumed(_) => self.counts.resumed += 1,
            ClientEvent::Restarted(_) => {
                self.counts.restarted += 1;
                let state = &mut self.clients[client];
                state.questions.clear();
                state.consents.clear();
            }
            ClientEvent::InLine { .. } => self.counts.places += 1,
            ClientEvent::Refused(_) => self.clients[client].dismissed = true,
            ClientEvent::ConnectError(failure) => {
                self.clients[client].dismissed |= !failure.is_retryable();
            }
            ClientEvent::Unpaired { pairing, reason } => {
                self.clients[client].running = <_>::default();
                self.heard_the_end(client, pairing.id, reason);
            }
            ClientEvent::Reasserted(info) => self.name_pairing(client, info.id),
            ClientEvent::Path { path, .. } => self.path_changed(client, path),
            _ => {}
        }
    }

    /// Returns whether its partner is hostile, so that the partner's messages do not count.
    fn is_with_a_hostile(&self, client: usize) -> bool {
        self.oracle.partner_of(client).is_some_and(|(_, partner)| partner >= HOSTILE)
    }

    pub(crate) fn command(&mut self, client: usize, command: Command) {
        self.feed(client, Input::Command(command));
    }
}
