//! The faults of links.

use super::network::{LONGEST_CUT, LinkKey};
use crate::{
    client::{Command, Input},
    peer::LinkEvent,
    sim::{event::Event, oracle::ClientNo, parties::HOSTILE, world::World},
};

impl World {
    /// Injects a fault into a link that stands, or into one of its sides.
    pub(crate) fn strike_link(&mut self) -> bool {
        let links = self.direct.links.iter();
        let standing: Vec<(LinkKey, LinkKey)> =
            links.filter_map(|(key, link)| Some((*key, link.partner?))).collect();
        if standing.is_empty() {
            return false;
        }
        let (key, partner) = standing[self.rng.usize(..standing.len())];
        match self.rng.u32(..100) {
            // Another cut would make the first one longer.
            0..35 if !self.direct.is_cut(key.0, partner.0) => {
                self.direct.cut(key.0, partner.0);
                let short = self.rng.bool();
                let longest = if short { 2_000 } else { LONGEST_CUT.as_millis() as u64 };
                let after = self.millis(50..longest);
                self.after(after, Event::Join(key.0, partner.0));
            }
            35..50 => self.report_link(key, 0..1, LinkEvent::Closed),
            50..60 => {
                for key in [key, partner] {
                    self.report_link(key, 0..500, LinkEvent::Closed);
                }
            }
            60..80 => self.roam(key.0),
            _ => {
                let until = self.now + self.millis(500..10_000);
                let by = self.millis(10..300);
                self.direct.slow_down(key.0, partner.0, until, by);
            }
        }
        true
    }

    /// Something passes again between two clients.
    pub(crate) fn join_clients(&mut self, a: ClientNo, b: ClientNo) {
        self.direct.uncut(a, b);
        self.join_links();
    }

    /// A client gets other addresses. Its host notices, its application knows, or neither.
    fn roam(&mut self, client: ClientNo) {
        self.direct.roam(client);
        if client >= HOSTILE {
            return;
        }
        match self.rng.u8(..3) {
            0 => self.feed(client, Input::AddressesChanged),
            1 => self.command(client, Command::NetworkChanged),
            _ => {}
        }
    }
}
