//! The record of one client.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use super::{hello::Hello, tokens::Tokens};
use crate::{ClientId, ConnId, Dialect, EndedPairing, PairingId, ReqId, RoomName};

#[derive(Debug)]
pub(super) struct ClientRecord {
    /// Its present connection, or the last one.
    pub(super) conn: ConnId,
    pub(super) dialect: Dialect,
    /// The version that it speaks.
    pub(super) protocol: u8,
    /// `true` if the client allows a direct path.
    pub(super) direct: bool,
    pub(super) attendance: Attendance,
    pub(super) tokens: Tokens,
    pub(super) slot: Slot,
    /// The rooms of which it is a member.
    pub(super) rooms: BTreeSet<RoomName>,
    /// Its last pairing that ended. A client that was away learns of it in its welcome.
    pub(super) ended: Option<EndedPairing>,
    /// `true` if it may believe itself paired, rightly or not. Only a v1 client can be in doubt: what it
    /// is sent may be lost with its connection, and on its next one it hears nothing of its pairing.
    pub(super) in_doubt: bool,
    /// The time until which it may have missed the message, sent on its arrival, that it has no pairing.
    pub(super) told_until: Option<Instant>,
    /// Its own registration, if one waits.
    pub(super) asking: Option<ReqId>,
    /// Registrations of others that wait for it, in order.
    pub(super) inbox: VecDeque<ReqId>,
    /// Registrations of others that wait until it can be asked, in order.
    pub(super) line: VecDeque<ReqId>,
    /// The partner of a pairing that it asserts and this server does not know, and the time until which those
    /// in line wait for its registration.
    pub(super) reserved: Option<(ClientId, Instant)>,
    /// The requests that it was asked and has not answered, in order. Each keeps its place in the
    /// inbox even if the request is gone, or a source could ask and take back without end.
    pub(super) questions: Vec<ReqId>,
    /// Whether it has named a registration that it answered. From then on an answer that names none
    /// is a second answer, and must not count for the next registration.
    pub(super) names_requests: bool,
    /// The release in which it is the initiator or the partner. There is at most one: a client that
    /// is paired anew has done with the last.
    pub(super) release: Option<u64>,
    /// The part of the list in which it stands.
    pub(super) part: u8,
    /// `true` while it stands among the clients that may have changed.
    pub(super) touched: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Attendance {
    /// It holds its name, but no other client sees it: its connection is being made.
    Arriving,
    /// Its connection stands.
    Present,
    /// It lost its connection, and its place is kept until this time.
    Away { until: Instant },
    /// It is away, and the connection on which it comes back is being made.
    Returning,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Slot {
    Free,
    Granting(PairingId),
    Paired(PairingId),
}

impl ClientRecord {
    pub(super) const fn new(conn: ConnId, hello: &Hello) -> Self {
        let Hello { dialect, protocol, direct, fresh, .. } = *hello;
        Self {
            conn,
            dialect,
            protocol,
            direct,
            attendance: Attendance::Arriving,
            tokens: Tokens::new(fresh),
            slot: Slot::Free,
            rooms: BTreeSet::new(),
            ended: None,
            in_doubt: false,
            told_until: None,
            asking: None,
            inbox: VecDeque::new(),
            line: VecDeque::new(),
            reserved: None,
            questions: Vec::new(),
            names_requests: false,
            release: None,
            part: 0,
            touched: false,
        }
    }

    pub(super) fn is_present(&self) -> bool {
        self.attendance == Attendance::Present
    }

    /// Returns the places of its inbox that are taken by requests, and by questions whose request is
    /// gone.
    pub(super) fn places_taken(&self) -> usize {
        let gone = self.questions.iter().filter(|number| !self.inbox.contains(number));
        self.inbox.len() + gone.count()
    }
}
