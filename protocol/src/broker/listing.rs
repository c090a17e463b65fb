//! The list of clients, as it can be handed out while the broker goes on: taking it copies no client.
//!
//! The clients are kept in parts that the broker shares with each list. A part is copied when a client
//! in it changes while a list still holds it.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Deref,
    sync::Arc,
};

use super::{ClientRecord, Slot, record::Attendance};
use crate::{ClientEntry, ClientId, ClientState, ReqId, ServerMessage};

/// The parts of a list: with 100,000 clients some 400 ids are copied with a part. A client's part is a
/// `u8`.
const PARTS: usize = 1 << u8::BITS;

/// The clients of one part, by their ids.
type ListPart = Arc<BTreeMap<ClientId, ClientState>>;

/// The list of clients at one moment.
///
/// Cloning it is cheap, and so is making it. [`Self::entries`] and [`Self::message`] take time in
/// proportion to the clients: call them where the broker is not locked.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing(Vec<ListPart>);

impl Listing {
    /// Returns the clients, in the order of their ids.
    #[must_use]
    pub fn entries(&self) -> Vec<ClientEntry> {
        let clients = self.0.iter().flat_map(|part| part.iter());
        let mut entries: Vec<_> =
            clients.map(|(id, state)| ClientEntry { id: id.clone(), state: *state }).collect();
        entries.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        entries
    }

    /// Returns the answer to the request with this number.
    #[must_use]
    pub fn message(&self, req: Option<ReqId>) -> ServerMessage {
        ServerMessage::Clients { req, clients: self.entries() }
    }

    /// Notes the state of a client, or that the list does not show it.
    fn note(&mut self, id: &ClientId, part: u8, state: Option<ClientState>) {
        let Some(part) = self.0.get_mut(usize::from(part)) else { return };
        let present = part.get(id).copied();
        if present == state {
            return;
        }
        let part = Arc::make_mut(part);
        match (state, part.get_mut(id)) {
            (Some(state), Some(present)) => *present = state,
            (Some(state), None) => drop(part.insert(id.clone(), state)),
            (None, _) => drop(part.remove(id)),
        }
    }
}

/// A client that may have changed. It need not exist any longer.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) id: ClientId,
    /// `true` if others wait in line for it.
    pub(super) has_line: bool,
    /// Its own registration, if one waits.
    pub(super) asking: Option<ReqId>,
}

/// The clients of a broker, and the list of them.
#[derive(Debug)]
pub(super) struct Clients {
    /// Looked up by each step several times, and never walked through while the broker runs.
    records: HashMap<ClientId, ClientRecord>,
    /// The clients that may have changed since the list was brought up to date. A record that stands
    /// here says so itself, so that it is noted once however often it is looked up.
    touched: Vec<ClientId>,
    listing: Listing,
    /// The part of the next client.
    next_part: u8,
}

impl Clients {
    pub(super) fn new() -> Self {
        let listing = Listing(vec![ListPart::default(); PARTS]);
        Self { records: HashMap::new(), touched: Vec::new(), listing, next_part: 0 }
    }

    pub(super) fn get_mut(&mut self, id: &ClientId) -> Option<&mut ClientRecord> {
        let record = self.records.get_mut(id)?;
        if !std::mem::replace(&mut record.touched, true) {
            self.touched.push(id.clone());
        }
        Some(record)
    }

    /// Notes that something that concerns a client has changed.
    pub(super) fn touch(&mut self, id: &ClientId) {
        self.get_mut(id);
    }

    pub(super) fn insert(&mut self, id: ClientId, mut record: ClientRecord) {
        self.remove(&id);
        record.part = self.next_part;
        self.next_part = self.next_part.wrapping_add(1);
        record.touched = true;
        self.touched.push(id.clone());
        self.records.insert(id, record);
    }

    pub(super) fn remove(&mut self, id: &ClientId) {
        if let Some(ClientRecord { part, .. }) = self.records.remove(id) {
            self.listing.note(id, part, None);
            self.touched.push(id.clone());
        }
    }

    /// Removes all clients, and returns them in the order of their ids.
    pub(super) fn take(&mut self) -> BTreeMap<ClientId, ClientRecord> {
        std::mem::replace(self, Self::new()).records.into_iter().collect()
    }

    /// Brings the list up to date. Returns the clients that may have changed.
    pub(super) fn settle(&mut self) -> Vec<Touched> {
        let mut touched = Vec::with_capacity(self.touched.len());
        for id in self.touched.drain(..) {
            let (mut has_line, mut asking) = (false, None);
            if let Some(record) = self.records.get_mut(&id) {
                record.touched = false;
                self.listing.note(&id, record.part, listed(record));
                (has_line, asking) = (!record.line.is_empty(), record.asking);
            }
            touched.push(Touched { id, has_line, asking });
        }
        touched
    }

    /// Returns the list of clients.
    pub(super) fn listing(&self) -> Listing {
        self.listing.clone()
    }
}

/// Returns the state in which the list shows a client, or `None` if no other client sees it.
const fn listed(record: &ClientRecord) -> Option<ClientState> {
    Some(match (record.attendance, record.slot) {
        (Attendance::Arriving, _) => return None,
        (Attendance::Away { .. } | Attendance::Returning, _) => ClientState::Away,
        (Attendance::Present, Slot::Free | Slot::Granting(_)) => ClientState::Free,
        (Attendance::Present, Slot::Paired(_)) => ClientState::Paired,
    })
}

/// Reading. Each change goes through [`Clients`] itself, so that the list follows.
impl Deref for Clients {
    type Target = HashMap<ClientId, ClientRecord>;

    fn deref(&self) -> &Self::Target {
        &self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnId, Dialect, Hello, ResumeToken};

    fn clients(count: u64) -> Clients {
        let mut clients = Clients::new();
        for number in 0..count {
            let id: ClientId = number.to_string().parse().unwrap();
            let hello = Hello::new(id.clone(), Dialect::V2, ResumeToken::new([0; 16]));
            let mut record = ClientRecord::new(ConnId(number), &hello);
            record.attendance = Attendance::Present;
            clients.insert(id, record);
        }
        clients.settle();
        clients
    }

    #[test]
    fn taking_a_list_copies_no_client() {
        let clients = clients(1_000);

        let [one, other] = [clients.listing(), clients.listing()];

        assert!(one.0.iter().zip(&other.0).all(|(one, other)| Arc::ptr_eq(one, other)));
        assert_eq!(one.entries().len(), 1_000);
    }

    #[test]
    fn a_change_copies_one_part_of_a_list_that_is_held() {
        let mut clients = clients(1_000);
        let held = clients.listing();
        let id = "7".parse().unwrap();

        clients.remove(&id);

        let present = clients.listing();
        let copied = held.0.iter().zip(&present.0).filter(|(one, other)| !Arc::ptr_eq(one, other));
        assert_eq!(copied.count(), 1);
        assert_eq!((held.entries().len(), present.entries().len()), (1_000, 999));
    }
}
