//! The paths of a session: which of them it may use, as the relay and the direct path come and go.

use std::time::Instant;

use super::{
    Complaint, DirectMessage, LinkEvent, LinkId, Output, PathPolicy, Peer,
    direct::{self, Direct},
    link::{LinkCommand, LinkMessage},
    session::{self, Violation},
};
use crate::{
    Path,
    frame::Batch,
    planted::{self, Fault},
};

impl Peer {
    /// Opens the relay for the session. Under `DirectOnly` it only carries answers to the partner.
    pub(super) fn allow_relay(&mut self, now: Instant) {
        let input = match self.config.policy {
            PathPolicy::DirectOnly => session::Input::Held(Path::Relay),
            PathPolicy::PreferDirect | PathPolicy::RelayOnly => session::Input::Opened(Path::Relay),
        };
        self.session(input, now);
    }

    /// Opens the relay anew, so that the window is sent again, if both peers know the pairing by the
    /// name that the server has.
    /// Lets the relay carry, unless one of the two has no connection to the server: it is opened again when that
    /// is back.
    pub(super) fn open_relay(&mut self, now: Instant) {
        if self.is_known() && self.is_connected && !self.is_partner_away {
            self.close_relay(now);
            self.allow_relay(now);
            self.direct(direct::Input::Relay(true), now);
        }
    }

    pub(super) fn close_relay(&mut self, now: Instant) {
        self.outbox.clear_relay();
        self.session(session::Input::Closed(Path::Relay), now);
        self.direct(direct::Input::Relay(false), now);
    }

    pub(super) fn direct(&mut self, input: direct::Input, now: Instant) {
        if let Some(direct) = &mut self.direct {
            direct.handle(input, now);
            self.carry_out_direct(now);
            self.watch_standing(now);
        }
    }

    pub(super) fn carry_out_direct(&mut self, now: Instant) {
        while let Some(output) = self.direct.as_mut().and_then(Direct::poll_output) {
            self.direct_output(output);
        }
        self.update_session(now);
    }

    fn direct_output(&mut self, output: direct::Output) {
        match output {
            direct::Output::Signal(signal) => {
                if self.is_connected {
                    self.outputs.push_back(Output::Signal(signal));
                }
            }
            direct::Output::Link(link, command) => {
                self.flush_direct();
                self.outputs.push_back(Output::Link(link, command));
            }
            direct::Output::Heartbeat(link, heartbeat) => {
                let message = LinkMessage::Text(heartbeat.to_text());
                self.outputs.push_back(Output::Link(link, LinkCommand::Send(message)));
            }
            // The session learns it below, also of a path that is there and not taken.
            direct::Output::Taken { .. } | direct::Output::Left(_) => {}
        }
    }

    /// Opens, holds or closes the direct path for the session.
    fn update_session(&mut self, now: Instant) {
        let Some(direct) = &self.direct else { return };
        let carried = self.session.path() == Some(Path::Direct);
        let was_there = self.session.has(Path::Direct);
        let input = match (direct.carries(), direct.is_alive()) {
            (true, _) if !carried => session::Input::Opened(Path::Direct),
            (false, true) if carried || !was_there => session::Input::Held(Path::Direct),
            (false, false) if was_there && !planted::is(Fault::ForgetClosedPath) => {
                session::Input::Closed(Path::Direct)
            }
            _ => return,
        };
        self.session(input, now);
    }

    /// Handles an event of the present link.
    pub(super) fn link(&mut self, link: LinkId, event: LinkEvent, now: Instant) {
        if self.direct.as_ref().and_then(Direct::link) != Some(link) {
            return;
        }
        let LinkEvent::Received(message) = event else {
            return self.direct(direct::Input::Link(link, event), now);
        };
        let read = match message {
            LinkMessage::Text(text) => DirectMessage::from_text(&text),
            LinkMessage::Binary(bytes) => DirectMessage::from_binary(bytes),
        };
        match read {
            Ok(DirectMessage::Heartbeat(heartbeat)) => {
                self.direct(direct::Input::Heartbeat(link, heartbeat), now);
                self.partner_names(&heartbeat, now);
            }
            Ok(DirectMessage::Frames(Batch { frames, unread })) => {
                self.direct(direct::Input::Link(link, LinkEvent::Heard), now);
                for frame in frames {
                    self.session(session::Input::Received(Path::Direct, frame), now);
                }
                if unread.is_some() {
                    self.outputs.push_back(Output::Complain(Complaint::Partner(Violation::Frame)));
                }
            }
            // A sign of life, and nothing else.
            Ok(DirectMessage::Other(_)) => {
                self.outputs.push_back(Output::Complain(Complaint::Partner(Violation::Unknown)));
                self.direct(direct::Input::Link(link, LinkEvent::Heard), now);
            }
            Err(error) => {
                // Its frames are sent again on the other path.
                self.outputs.push_back(Output::Complain(Complaint::Direct(error.to_string())));
                self.direct(direct::Input::Link(link, LinkEvent::Closed), now);
            }
        }
    }

    /// Closes the link and ends all attempts.
    pub(super) fn end_direct(&mut self, now: Instant) {
        let Some(mut direct) = self.direct.take() else { return };
        direct.handle(direct::Input::Ended, now);
        while let Some(output) = direct.poll_output() {
            if let direct::Output::Link(..) = output {
                self.direct_output(output);
            }
        }
    }

    /// Reports the path that emits take, if it has changed.
    pub(super) fn report_path(&mut self) {
        let path = self.session.path();
        if std::mem::replace(&mut self.reported, path) == path {
            return;
        }
        let Some(direct) = &self.direct else { return };
        let rtt = match path {
            Some(Path::Direct) => direct.rtt(),
            Some(Path::Relay) => direct.relay_rtt(),
            None => None,
        };
        self.outputs.push_back(Output::Path { path, rtt });
    }
}
