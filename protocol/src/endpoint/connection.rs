//! An endpoint's connection: its welcome, its heartbeat, its loss, and the next one.

use std::time::Instant;

use super::{Answer, Command, Endpoint, EndpointEvent, Input, Output, pace::Pace};
use crate::{
    Cause, ClientMessage, Code, EndReason, Outcome, Path, PathPolicy, Presence, Welcome,
    negotiation,
    planted::{self, Fault},
    session,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// There is a connection, and the server has not spoken yet.
    Connecting,
    /// The server said its welcome.
    Ready,
    /// There is no connection, and there will be another.
    Away,
    /// There will be no other.
    Closed,
}

impl Endpoint {
    pub(super) fn next_heartbeat(&self) -> Option<Instant> {
        let lost = self.last_heard + self.config.heartbeat_timeout;
        match self.state {
            State::Connecting => Some(lost), // Nothing is sent before the welcome.
            State::Ready => {
                // How long the server takes is compared with the direct path.
                let measures = self.stands();
                let last = if measures { self.last_asked } else { self.last_heard };
                let last = last.max(self.last_asked);
                Some(lost.min(last + self.config.heartbeat_interval))
            }
            State::Away | State::Closed => None,
        }
    }

    pub(super) fn watch_connection(&mut self, now: Instant) {
        if self.next_heartbeat().is_none_or(|due| now < due) {
            return;
        }
        if now >= self.last_heard + self.config.heartbeat_timeout {
            self.lost(now);
        } else {
            self.ask_for_life(now);
        }
    }

    pub(super) fn ask_for_life(&mut self, now: Instant) {
        if self.state == State::Ready {
            self.last_asked = now;
            let req = self.next_req();
            self.asked = Some((req, now));
            self.send(ClientMessage::Ping { req });
        }
    }

    /// The connection is gone. What the session holds waits for the next one.
    pub(super) fn lost(&mut self, now: Instant) {
        if self.state == State::Away {
            return;
        }
        if !self.config.resumes || !self.welcomed {
            return self.close(now);
        }
        if self.state == State::Ready {
            self.event(EndpointEvent::Away);
        }
        self.close_relay(now);
        self.take_assertion_back();
        self.state = State::Away;
        self.outputs.push_back(Output::Reconnect { resume: self.token });
    }

    /// There is another connection.
    pub(super) fn opened(&mut self, now: Instant) {
        if self.state == State::Away {
            self.state = State::Connecting;
            self.last_heard = now;
        }
    }

    /// The server does not want the other connection.
    pub(super) fn rejected(&mut self, code: Code, now: Instant) {
        if self.state == State::Ready {
            return self.ask_for_life(now); // That one stands.
        }
        if code == Code::BadResume {
            self.token = None;
        } else if !code.is_retryable() {
            self.event(EndpointEvent::Refused(code.into()));
            return self.close(now);
        }
        self.state = State::Away;
        self.outputs.push_back(Output::Reconnect { resume: self.token });
    }

    pub(super) fn welcome(&mut self, welcome: Welcome, now: Instant) {
        if self.state != State::Connecting {
            return;
        }
        self.state = State::Ready;
        self.limits = welcome.limits;
        self.pace = Pace::new(&welcome.limits);
        self.token = welcome.resume;
        if !std::mem::replace(&mut self.welcomed, true) {
            return self.event(EndpointEvent::Connected(welcome));
        }
        let resumed = welcome.resumed;
        let present = welcome.pairing.clone().filter(|_| resumed);
        let ended = welcome.ended;
        self.event(if welcome.resumed {
            EndpointEvent::Resumed(welcome)
        } else {
            EndpointEvent::Restarted(welcome)
        });
        let mine = self.known_pairing();
        if let Some(mine) = mine {
            if present.as_ref().is_some_and(|present| present.id == mine) {
                if planted::is(Fault::ForgetResend) {
                    return self.ask_again(now);
                }
                self.open_relay(now);
            } else if !resumed && (self.is_connected() || self.is_forgotten()) {
                self.forgotten(now);
            } else if !planted::is(Fault::KeepGhost) {
                let told = ended.filter(|ended| ended.pairing == mine);
                self.unpaired(told.map_or(EndReason::Disconnected, |ended| ended.reason), now);
            }
        }
        if let Some(present) = present
            && mine != Some(present.id)
        {
            self.paired(present, now);
        }
        self.assert_pairing(now);
        self.ask_again(now);
    }

    /// What is to be resent is, and nothing else.
    pub(super) fn open_relay(&mut self, now: Instant) {
        if !self.is_known() {
            return;
        }
        self.close_relay(now);
        self.open_path(now);
        self.negotiation(negotiation::Input::Relay(true), now);
    }

    /// Under `DirectOnly` the relay carries nothing that this end emits, but what answers its partner.
    pub(super) fn open_path(&mut self, now: Instant) {
        let input = match self.config.direct.policy {
            PathPolicy::DirectOnly => session::Input::Held(Path::Relay),
            PathPolicy::PreferDirect | PathPolicy::RelayOnly => session::Input::Opened(Path::Relay),
        };
        self.session(input, now);
    }

    pub(super) fn close_relay(&mut self, now: Instant) {
        self.queue.clear();
        self.session(session::Input::Closed(Path::Relay), now);
        self.negotiation(negotiation::Input::Relay(false), now);
    }

    pub(super) fn partner_is(&mut self, presence: Presence, now: Instant) {
        match presence {
            Presence::Away => self.close_relay(now),
            Presence::Back => self.open_relay(now),
        }
        self.event(EndpointEvent::Partner(presence));
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.unpaired(EndReason::Disconnected, now);
        self.close_requests();
        self.state = State::Closed;
        self.event(EndpointEvent::Disconnected);
        self.outputs.push_back(Output::Close);
    }

    pub(super) fn handle_after_close(&mut self, input: Input) {
        if let Input::Command(command) = input {
            match command {
                Command::Register { call, .. }
                | Command::Unregister { call, .. }
                | Command::List { call, .. } => self.answer(call, Answer::Closed),
                Command::Emit { call, .. } => {
                    let cause = Cause::Code(Code::Closed);
                    self.answer(call, Answer::Outcome(Outcome::NotExecuted(cause)));
                }
                Command::Cancel(_) | Command::NetworkChanged | Command::Close => {}
            }
        }
    }
}
