//! The faults of a recorded run: each kind once or twice, in an order of the seed's.

use std::time::Duration;

use super::{PeerEvent, PeerPair, draws, fault::PeerFault};
use crate::{
    EndReason, Path, Presence,
    limits::Limits,
    peer::{Input, LinkEvent, LinkMessage, ServerEvent},
};

impl PeerPair {
    /// The next fault, once the direct path has recovered from the last; or the end.
    pub(super) fn fault(&mut self) {
        const PATIENCE: u32 = 60;
        let has_recovered = self.ends.iter().all(|end| {
            let is_direct = end.peer.is_alive() && end.path == Some(Path::Direct);
            end.is_connected && end.is_known && is_direct
        });
        self.waited += 1;
        if !has_recovered && self.waited < PATIENCE {
            return self.after(200..300, PeerEvent::Fault);
        }
        self.waited = 0;
        match self.faults.pop() {
            Some(fault) => {
                self.begin(fault);
                // A silence is noticed by then.
                self.after(1_000..self.peace, PeerEvent::Fault);
            }
            None => {
                for end in 0..2 {
                    let input = Input::Server(ServerEvent::Ended(EndReason::Unregistered));
                    self.after(4..12, PeerEvent::Told(end, input));
                }
            }
        }
    }

    fn begin(&mut self, fault: PeerFault) {
        match fault {
            // Longer than a heartbeat may be missing, and shorter than the wait for a restart.
            PeerFault::Silent => self.silent_until = self.now + Duration::from_millis(1_500),
            PeerFault::Moved => self.has_moved = true,
            PeerFault::Failed => {
                let links = [0, 1].map(|end| self.joined(1 - end));
                for (end, link) in links.into_iter().enumerate() {
                    if let Some(link) = link {
                        self.after(1..50, PeerEvent::Reported(end, link, LinkEvent::Closed));
                    }
                }
            }
            PeerFault::Lost(end) => {
                self.lose(end);
                let partner = |state| Input::Server(ServerEvent::Partner(state));
                self.after(4..12, PeerEvent::Told(1 - end, partner(Presence::Away)));
                self.after(500..1_500, PeerEvent::Told(1 - end, partner(Presence::Back)));
                self.resume(end, ServerEvent::Known);
            }
            PeerFault::Forgotten => {
                self.asked = 0;
                for end in 0..2 {
                    self.lose(end);
                    self.ends[end].is_known = false;
                    self.resume(end, ServerEvent::Forgotten(EndReason::Disconnected));
                }
            }
            PeerFault::NetworkChanged(end) => self.feed(end, Input::NetworkChanged),
            PeerFault::AddressesChanged(end) => self.feed(end, Input::AddressesChanged),
            PeerFault::Future(end) => self.say(end, r#"{"t":"future"}"#),
            PeerFault::Unreadable(end) => self.say(end, "not a frame"),
        }
    }

    fn lose(&mut self, end: usize) {
        self.losses += 1;
        self.ends[end].is_connected = false;
        self.after(0..20, PeerEvent::Told(end, Input::Server(ServerEvent::Lost)));
    }

    /// Makes another connection to the server, which says what it knows of the pairing.
    fn resume(&mut self, end: usize, known: ServerEvent) {
        let after = self.rng.u64(100..400);
        let limits = if self.is_rough { draws::limits(&mut self.rng) } else { Limits::default() };
        for event in [ServerEvent::Welcomed(limits), known] {
            self.after(after..after + 1, PeerEvent::Told(end, Input::Server(event)));
        }
    }

    /// The partner receives a message that this peer did not send.
    fn say(&mut self, end: usize, text: &str) {
        if let Some(link) = self.joined(end) {
            let message = LinkMessage::Text(text.to_owned());
            let event = PeerEvent::Reported(1 - end, link, LinkEvent::Received(message));
            self.send(1 - end, Path::Direct, event);
        }
    }
}
