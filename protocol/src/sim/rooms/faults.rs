//! The faults of a room.

use super::{
    RoomWorld,
    event::{CLIENTS, RoomEvent},
};

impl RoomWorld {
    pub(super) fn fault(&mut self) {
        if !self.stormy {
            return;
        }
        self.counts.faults += 1;
        let client = self.rng.usize(..CLIENTS);
        match self.rng.u8(..40) {
            0 => {
                let says_goodbye = self.rng.bool();
                self.note(|| format!("the server is restarted, and says so: {says_goodbye}"));
                self.restart_server(says_goodbye);
            }
            1 if self.is_a_member(client) => {
                self.note(|| format!("{client} is removed from the room"));
                self.remove_from_room(client);
            }
            2..14 => {
                if let Some(pairing) = self.any_link() {
                    self.note(|| format!("the link of {pairing} is cut"));
                    self.cut_link(pairing);
                }
            }
            14..22 => {
                if let Some(pairing) = self.any_link() {
                    self.note(|| format!("the link of {pairing} is silent"));
                    let millis = self.rng.u64(200..8_000);
                    let until = self.now + std::time::Duration::from_millis(millis);
                    self.links.silent.insert(pairing, until);
                }
            }
            22..24 => {
                for client in 0..CLIENTS {
                    self.cut(client);
                }
            }
            _ => self.cut(client),
        }
        self.after(100..2_500, RoomEvent::Fault);
    }

    fn any_link(&mut self) -> Option<crate::PairingId> {
        let open = self.links.open();
        (!open.is_empty()).then(|| open[self.rng.usize(..open.len())])
    }

    /// Cuts the connection of a client: what is under way is lost, and each side notices that in its time.
    fn cut(&mut self, client: usize) {
        let Some(conn) = self.nodes[client].conn else { return };
        self.note(|| format!("{client} loses {conn}"));
        self.agenda.retain(|_, event| match event {
            RoomEvent::Up(of, _) | RoomEvent::Down(of, _) => *of != conn,
            _ => true,
        });
        self.server.dead.insert(conn);
        self.after(1..2_000, RoomEvent::Lost(conn));
        self.after(1..8_000, RoomEvent::Gone(conn));
    }
}
