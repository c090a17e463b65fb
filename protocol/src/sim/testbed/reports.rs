//! The reports of the clients in a testbed.

use std::time::Duration;

use super::Testbed;
use crate::{
    Client, ClientEvent, LinkId, PairingId, Path,
    client::Answer,
    peer::{Complaint, LinkMessage},
    session::CallId,
    sim::{
        oracle::ClientNo,
        script::{Delivered, Records},
    },
};

impl Testbed {
    /// Returns a client, unless it has closed.
    #[must_use]
    pub fn client(&self, client: ClientNo) -> Option<&Client> {
        self.world.clients[client].endpoint.as_deref()
    }

    /// Returns the name of the pairing of a client.
    #[must_use]
    pub fn pairing(&self, client: ClientNo) -> Option<PairingId> {
        self.client(client)?.pairing().map(|info| info.id)
    }

    /// Returns the links of a client, oldest first.
    #[must_use]
    pub fn links(&self, client: ClientNo) -> Vec<LinkId> {
        let links = self.world.direct.links.keys().filter(|(owner, _)| *owner == client);
        links.map(|(_, link)| *link).collect()
    }

    /// Returns the events of a client.
    #[must_use]
    pub fn events(&self, client: ClientNo) -> &[ClientEvent] {
        &self.records(client).events
    }

    /// Returns the paths that a client reported, with their round-trip times.
    #[must_use]
    pub fn paths(&self, client: ClientNo) -> Vec<(Option<Path>, Option<Duration>)> {
        let paths = self.events(client).iter().filter_map(|event| match event {
            ClientEvent::Path { path, rtt } => Some((*path, *rtt)),
            _ => None,
        });
        paths.collect()
    }

    /// Returns the answer to a command.
    #[must_use]
    pub fn answer(&self, client: ClientNo, call: CallId) -> Option<&Answer> {
        self.records(client).answers.get(&call)?.first()
    }

    /// Returns the answers to all commands of a client. There is one each, in the end.
    pub fn answers(&self, client: ClientNo) -> impl Iterator<Item = (CallId, &[Answer])> {
        self.records(client).answers.iter().map(|(call, answers)| (*call, &answers[..]))
    }

    /// Returns the events that a client's handlers got.
    #[must_use]
    pub fn deliveries(&self, client: ClientNo) -> &[Delivered] {
        &self.records(client).deliveries
    }

    /// Returns the messages that a client sent on links.
    #[must_use]
    pub fn link_messages(&self, client: ClientNo) -> &[LinkMessage] {
        &self.records(client).messages
    }

    /// Returns the complaints of a client.
    #[must_use]
    pub fn complaints(&self, client: ClientNo) -> &[Complaint] {
        &self.records(client).complaints
    }

    /// Returns how often a client asked for another connection.
    #[must_use]
    pub fn reconnects(&self, client: ClientNo) -> usize {
        self.records(client).reconnects
    }

    fn records(&self, client: ClientNo) -> &Records {
        &self.world.script.as_ref().expect("a testbed has a script").records[client]
    }
}
