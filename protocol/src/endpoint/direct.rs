//! An endpoint's direct path: what its negotiation says, and what goes over it.

use std::time::Instant;

use serde_json::Value;

use super::{Complaint, Endpoint, EndpointEvent, Output, Paired, connection::State};
use crate::{
    Code, Frame, LinkId, Negotiation, PairingId, Path, PathPolicy, Refusal, ReqId, Signal,
    negotiation::{self, DirectMessage, Input, LinkCommand, LinkEvent},
    session,
};

impl Endpoint {
    /// Begins to look for a direct path, if both ends and the server allow one.
    pub(super) fn try_direct(&mut self, now: Instant) {
        let config = self.config.direct;
        let Some(paired) = &mut self.paired else { return };
        if !paired.info.direct || !config.policy.allows_direct() {
            return;
        }
        let negotiation = Negotiation::new(config, paired.info.id, paired.info.initiator, now);
        paired.direct = Some(negotiation);
        match self.server_rtt {
            Some(time) => self.negotiation(Input::ServerAnswered(time), now),
            None => self.ask_for_life(now),
        }
        self.carry_out_direct(now);
    }

    pub(super) fn negotiation(&mut self, input: Input, now: Instant) {
        if let Some(direct) = self.paired.as_mut().and_then(|paired| paired.direct.as_mut()) {
            direct.handle(input, now);
            self.carry_out_direct(now);
            self.watch_standing(now);
        }
    }

    fn carry_out_direct(&mut self, now: Instant) {
        while let Some(paired) = &mut self.paired
            && let Some(direct) = &mut paired.direct
            && let Some(output) = direct.poll_output()
        {
            match output {
                negotiation::Output::Signal(signal) => {
                    let pairing = paired.info.id;
                    if self.state == State::Ready {
                        self.outputs.push_back(Output::Signal(pairing, signal));
                    }
                }
                negotiation::Output::Link(link, command) => {
                    self.outputs.push_back(Output::Link(link, command));
                }
                // The session is told below, also of a path that is there and not taken.
                negotiation::Output::Taken { .. } | negotiation::Output::Left(_) => {}
            }
        }
        self.open_direct(now);
    }

    /// Tells the session what the direct path can be used for.
    fn open_direct(&mut self, now: Instant) {
        let Some(Paired { session, direct: Some(direct), .. }) = &self.paired else { return };
        let carried = session.path() == Some(Path::Direct);
        let was_there = session.has(Path::Direct);
        let input = match (direct.carries(), direct.is_alive()) {
            (true, _) if !carried => session::Input::Opened(Path::Direct),
            (false, true) if carried || !was_there => session::Input::Held(Path::Direct),
            (false, false) if was_there => session::Input::Closed(Path::Direct),
            _ => return,
        };
        self.session(input, now);
    }

    /// Tells which path carries by now, if it is another than it was.
    pub(super) fn tell_path(&mut self) {
        let Some(paired) = &mut self.paired else { return };
        let path = paired.session.path();
        if std::mem::replace(&mut paired.told, path) == path {
            return;
        }
        let Some(direct) = &paired.direct else { return };
        let rtt = match path {
            Some(Path::Direct) => direct.rtt(),
            Some(Path::Relay) => direct.relay_rtt(),
            None => None,
        };
        self.event(EndpointEvent::Path { path, rtt });
    }

    /// The pairing is over: whatever is left of its direct path goes with it.
    pub(super) fn end_direct(&mut self, now: Instant) {
        let Some(mut direct) = self.paired.as_mut().and_then(|paired| paired.direct.take()) else {
            return;
        };
        direct.handle(Input::Ended, now);
        while let Some(output) = direct.poll_output() {
            if let negotiation::Output::Link(link, command) = output {
                self.outputs.push_back(Output::Link(link, command));
            }
        }
    }

    pub(super) fn signalled(&mut self, pairing: PairingId, signal: &Value, now: Instant) {
        if self.pairing().is_none_or(|info| info.id != pairing) {
            return; // Of a pairing that is over.
        }
        match Signal::from_value(signal) {
            Ok(signal) => self.negotiation(Input::Signalled(signal), now),
            Err(error) => {
                self.outputs.push_back(Output::Complain(Complaint::Signal(error)));
            }
        }
    }

    /// A signal was lost. The attempt that needs it fails, and is tried again.
    pub(super) fn signal_refused(&mut self, refusal: Refusal) {
        // One that was under way when the pairing ended is missed by nobody.
        if !matches!(refusal.code, Code::StalePairing | Code::NotPaired) {
            self.outputs.push_back(Output::Complain(Complaint::Server(refusal)));
        }
    }

    /// Something came in on a connection to the partner.
    pub(super) fn heard_directly(&mut self, link: LinkId, message: DirectMessage, now: Instant) {
        let direct = self.paired.as_ref().and_then(|paired| paired.direct.as_ref());
        if direct.and_then(Negotiation::link) != Some(link) {
            return;
        }
        match message {
            DirectMessage::Beat(beat) => {
                self.negotiation(Input::Link(link, LinkEvent::Beat(beat)), now);
                self.partner_names(&beat, now);
            }
            DirectMessage::Frames(frames) => {
                self.negotiation(Input::Link(link, LinkEvent::Heard), now);
                for frame in frames {
                    self.session(session::Input::Received(Path::Direct, frame), now);
                }
            }
        }
    }

    pub(super) fn send_directly(&mut self, frame: Frame) {
        let direct = self.paired.as_ref().and_then(|paired| paired.direct.as_ref());
        if let Some(link) = direct.and_then(Negotiation::link) {
            self.outputs.push_back(Output::Link(link, LinkCommand::Send(frame)));
        }
    }

    /// Whether there is a direct path on which heartbeats return.
    pub(super) fn is_connected(&self) -> bool {
        let direct = self.paired.as_ref().and_then(|paired| paired.direct.as_ref());
        direct.is_some_and(Negotiation::is_alive)
    }

    /// Whether there is a direct path, though it may be silent now.
    pub(super) fn stands(&self) -> bool {
        let direct = self.paired.as_ref().and_then(|paired| paired.direct.as_ref());
        direct.is_some_and(Negotiation::stands)
    }

    /// Whether an emit can ever go the way that it is meant to go.
    pub(super) fn has_way(&self, paired: &Paired, via: Option<Path>) -> bool {
        if self.config.direct.policy == PathPolicy::DirectOnly
            && (paired.direct.is_none() || via == Some(Path::Relay))
        {
            return false; // The relay only answers.
        }
        via.is_none_or(|path| paired.session.has(path))
    }

    /// The server has answered.
    pub(super) fn measured(&mut self, req: ReqId, now: Instant) {
        if let Some((_, asked)) = self.asked.take_if(|(asked, _)| *asked == req) {
            let time = now.saturating_duration_since(asked);
            self.server_rtt = Some(time);
            self.negotiation(Input::ServerAnswered(time), now);
        }
    }
}
