//! The traffic between the clients and the server, and the outputs of the server.

use std::time::Duration;

use crate::{Code, ConnId, Dialect, PairingId, client::Input};

use crate::sim::{
    connection::{self, Down, State, Up},
    event::Event,
    oracle::Rule,
    parties::{HOSTILE, STRANGER},
    server::acts::Act,
    world::World,
};

/// The probability that the server refuses a signal, because its receiver's queue is full.
const LOST_SIGNALS: f64 = 0.03;

impl World {
    /// Carries out what the server wants.
    pub(crate) fn serve(&mut self) {
        while let Some(act) = self.server.acts.pop_front() {
            match act {
                Act::Tell(conn, message) => {
                    let is_v1 = self.server.dialect(conn) == Some(Dialect::V1);
                    let message = match self.plan.codec && !is_v1 {
                        true => connection::server_message(&message),
                        false => message,
                    };
                    self.send_down(conn, Down::Message(message));
                }
                Act::Relay(conn, pairing, frames) => {
                    let frames = match self.plan.codec {
                        true => connection::through_the_codec(&frames),
                        false => Some(frames),
                    };
                    let what = frames.map_or(Down::Garbled, |frames| Down::Frames(pairing, frames));
                    self.send_down(conn, what);
                }
                Act::Signal(conn, pairing, signal) => {
                    self.send_down(conn, Down::Signal(pairing, signal));
                }
                Act::Bridge(conn, pairing, frame) => {
                    let congested = self.stormy && self.chance(self.plan.congestion);
                    if congested {
                        self.counts.faults += 1;
                        self.server.refuse_bridged(conn, pairing, self.now);
                    } else {
                        self.send_down(conn, Down::Frames(pairing, vec![frame]));
                    }
                }
                Act::Emit(conn, pairing, delivery) => {
                    self.send_down(conn, Down::Emit(pairing, delivery));
                }
                Act::Acknowledge(conn, call, outcome) => {
                    self.send_down(conn, Down::Acknowledge(call, outcome));
                }
                Act::Hear(conn, ack) => self.send_down(conn, Down::Heard(ack)),
                Act::Close(conn) => self.close(conn),
                Act::Grant(pairing) => self.grant(pairing),
            }
        }
        self.read_on();
        if let Some(next) = self.server.poll_timeout()
            && self.server_alarm.is_none_or(|alarm| next < alarm)
        {
            self.server_alarm = Some(next);
            self.at(next, Event::ServerAlarm);
        }
    }

    pub(crate) fn delay(&mut self) -> Duration {
        let (low, high) = self.plan.delay;
        Duration::from_micros(if low < high { self.rng.u64(low..high) } else { low })
    }

    pub(crate) fn send_up(&mut self, conn: ConnId, what: Up) {
        let delay = self.delay();
        let connection = self.connections.get_mut(&conn);
        if let Some(at) =
            connection.and_then(|connection| connection.send_up(what, self.now, delay))
        {
            self.at(at, Event::ArriveUp(conn));
        }
    }

    /// Reads what waits at the server's side of connections from which it did not read.
    fn read_on(&mut self) {
        let server = &self.server;
        let read: Vec<_> =
            self.held_back.extract_if(.., |conn, _| !server.is_held_back(*conn)).collect();
        for (conn, count) in read {
            for _ in 0..count {
                self.after(Duration::ZERO, Event::ArriveUp(conn));
            }
        }
    }

    pub(crate) fn send_down(&mut self, conn: ConnId, what: Down) {
        let client = self.connections.get(&conn).map_or(STRANGER, |connection| connection.client);
        for what in self.rewrite_down(client, what) {
            self.send_down_as_it_is(conn, what);
        }
    }

    fn send_down_as_it_is(&mut self, conn: ConnId, what: Down) {
        let delay = self.delay();
        let connection = self.connections.get_mut(&conn);
        if let Some(at) =
            connection.and_then(|connection| connection.send_down(what, self.now, delay))
        {
            self.at(at, Event::ArriveDown(conn));
        }
    }

    pub(crate) fn arrive_up(&mut self, conn: ConnId) {
        if self.server.is_held_back(conn) {
            return *self.held_back.entry(conn).or_default() += 1;
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        match connection.arrived_up(self.now) {
            Some(Up::Message(message)) => {
                self.note(|| format!("the server hears from {conn}: {message:?}"));
                self.server.request(conn, message, self.now, &mut self.oracle);
            }
            Some(Up::Frames(pairing, frames)) => {
                let congested = self.is_congested();
                self.counts.faults += usize::from(congested);
                let now = self.now;
                self.server.relay(conn, pairing, frames, congested, now, &mut self.oracle);
            }
            Some(Up::Signal(pairing, signal)) => {
                let congested = self.stormy && self.chance(LOST_SIGNALS);
                self.counts.faults += usize::from(congested);
                let now = self.now;
                self.server.signal(conn, pairing, signal, congested, now, &mut self.oracle);
            }
            Some(Up::Emit { target, args, call }) => {
                self.server.emit(conn, target, (args, call), self.now, &mut self.oracle);
            }
            Some(Up::Answer { yes, ack }) => {
                self.server.answered_by_event(conn, yes, ack, self.now, &mut self.oracle);
            }
            Some(Up::Acknowledge { pairing, seq, result }) => {
                let answer = (seq, result);
                self.server.acknowledged(conn, pairing, answer, self.now, &mut self.oracle);
            }
            None => {}
        }
    }

    pub(crate) fn arrive_down(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let client = connection.client;
        let Some(what) = connection.arrived_down(self.now) else { return };
        if let Down::Message(message) = &what {
            self.note(|| format!("{client} hears on {conn}: {message:?}"));
        }
        if let Some(hostile) = client.checked_sub(HOSTILE)
            && hostile < self.hostiles.len()
        {
            return self.hostile_hears(hostile, what);
        }
        if let Some(legacy) = self.legacy_of(client) {
            return self.legacy_hears(legacy, conn, what);
        }
        if client >= self.clients.len() {
            // A stranger that got in under somebody's name hears what is not for it.
            if let Down::Frames(pairing, _) | Down::Signal(pairing, _) = what {
                self.oracle.violate(Rule::NoStranger, format!("a stranger hears {pairing}"));
            }
            return;
        }
        if self.clients[client].conn != Some(conn) {
            return;
        }
        self.feed(
            client,
            match what {
                Down::Message(message) => Input::Received(message),
                Down::Frames(pairing, frames) => {
                    Input::Frames { pairing, frames, has_unread: false }
                }
                Down::Signal(pairing, signal) => Input::Signalled(pairing, signal),
                Down::Unreadable(event, args) => Input::of_event(&event, args),
                Down::Emit(..) | Down::Acknowledge(..) | Down::Heard(_) | Down::Garbled => {
                    Input::Garbled(Code::BadArgs.into())
                }
            },
        );
    }

    /// Returns whether the partner's queue is full.
    fn is_congested(&mut self) -> bool {
        if let Some(script) = &mut self.script {
            let congested = script.congested > 0;
            script.congested -= usize::from(congested);
            return congested;
        }
        self.stormy && self.chance(self.plan.congestion)
    }

    /// Most pairings are granted soon; in bad weather some never are, or when it is too late.
    fn grant(&mut self, pairing: PairingId) {
        let soon = self.millis(0..200);
        let (after, yes) = match self.rng.u32(..50) {
            0 if self.stormy => (self.millis(9_000..12_000), true),
            1 if self.stormy => (soon, false),
            _ => (soon, true),
        };
        self.after(after, Event::Granted(pairing, yes));
    }

    /// The server closes a connection, after what it said.
    fn close(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.state != State::Whole {
            self.cut(conn, true);
            return;
        }
        connection.state = State::Closing;
        let last = connection.last_down().max(self.now);
        self.at(last, Event::ClientLoses(conn));
    }

    /// A connection ends, and what is under way on it is lost. Each side notices when it does; the
    /// server at once if it was the server.
    pub(crate) fn cut(&mut self, conn: ConnId, by_server: bool) -> bool {
        let Some(connection) = self.connections.get_mut(&conn) else { return false };
        if matches!(connection.state, State::Cut | State::Closing) {
            return false;
        }
        connection.state = State::Cut;
        let after = self.millis(0..300);
        self.after(after, Event::ClientLoses(conn));
        if !by_server {
            let after = self.millis(0..300);
            self.after(after, Event::ServerLoses(conn));
        }
        true
    }
}
