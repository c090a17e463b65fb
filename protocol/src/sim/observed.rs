//! The outputs of a client as they are observed: frames on both paths, and pairings that it asserts
//! anew by itself.

use crate::{
    ClientMessage, EndReason, Frame, LinkId, PairingId, Path, Presence, ServerMessage,
    client::Input,
    frame::Batch,
    peer::{DirectMessage, LinkCommand, LinkMessage},
};

use crate::sim::{oracle::Rule, world::World};

impl World {
    /// Notes that a client that is paired registers or accepts a client: its application does not.
    pub(crate) fn note_reassertion(&mut self, client: usize, message: &ClientMessage) {
        if let ClientMessage::Register { .. } | ClientMessage::Accept { .. } = message
            && let Some((_, partner)) = self.oracle.partner_of(client)
        {
            self.clients[client].reasserted.insert(partner);
            let registers = matches!(message, ClientMessage::Register { .. });
            let is_forgotten = self.clients[client]
                .endpoint
                .as_ref()
                .is_some_and(|endpoint| endpoint.forgotten_peer().is_some());
            if registers && is_forgotten && !self.plan.allows(client, partner) {
                let what =
                    format!("{client} reasserts its pairing with {partner} the wrong way round");
                self.oracle.violate(Rule::Lasting, what);
            }
        }
    }

    /// Notes what the server tells a client: of the end of a pairing, or of a partner that is away.
    pub(crate) fn note_source(&mut self, client: usize, input: &Input) {
        match input {
            Input::Received(ServerMessage::Partner { pairing, state })
                if self.is_paired_as(client, *pairing) =>
            {
                self.clients[client].is_partner_away = *state == Presence::Away;
            }
            Input::Received(ServerMessage::Welcome(_) | ServerMessage::Registered { .. }) => {
                self.clients[client].is_partner_away = false;
            }
            _ => {}
        }
        self.clients[client].told_by = match input {
            Input::Received(ServerMessage::Welcome(welcome)) if welcome.resumed => {
                Some((self.last_node, None))
            }
            Input::Received(ServerMessage::Disconnect { pairing, .. }) => {
                Some((pairing.node(), Some(*pairing)))
            }
            _ => None,
        };
    }

    /// Notes that a client was informed of the end of its pairing.
    pub(crate) fn heard_the_end(&mut self, client: usize, pairing: PairingId, reason: EndReason) {
        self.name_pairing(client, pairing);
        let told_by = self.clients[client].told_by;
        // What the server granted anew has ended, before the partner had its name.
        let is_another = told_by.and_then(|(_, of)| of).is_some_and(|of| of != pairing);
        let reason = if is_another { EndReason::Disconnected } else { reason };
        self.oracle.unpaired(client, pairing, reason);
        if !is_another && told_by.is_some_and(|(node, _)| node == pairing.node()) {
            self.oracle.told_why(client, pairing);
        }
    }

    /// Notes the path that a client's emits take from now on.
    pub(crate) fn path_changed(&mut self, client: usize, path: Option<Path>) {
        if std::mem::replace(&mut self.clients[client].path, path) == path {
            let what = format!("{client} reports {path:?} again");
            self.oracle.violate(Rule::Direct, what);
        }
    }

    /// Notes frames that a client sends to its partner.
    pub(crate) fn note_frames(&mut self, client: usize, pairing: PairingId, frames: &[Frame]) {
        let Some((_, partner)) = self.oracle.partner_of(client) else { return };
        // The server acknowledges what a v1 client has.
        if partner < self.clients.len() && self.is_paired_as(client, pairing) {
            self.flows.sent([client, partner], pairing, frames, &mut self.oracle);
        }
    }

    /// Notes the frames among the messages on a link.
    pub(crate) fn note_direct_frames(
        &mut self,
        client: usize,
        link: LinkId,
        command: &LinkCommand,
    ) {
        let LinkCommand::Send(message) = command else { return };
        if let Some(records) = self.records(client) {
            records.messages.push(message.clone());
        }
        let read = match message {
            LinkMessage::Text(text) => DirectMessage::from_text(text),
            LinkMessage::Binary(bytes) => DirectMessage::from_binary(bytes.clone()),
        };
        if let Ok(DirectMessage::Frames(Batch { frames, .. })) = read {
            self.counts.direct += frames.len();
            self.note_frames(client, link.pairing, &frames);
        }
    }
}
