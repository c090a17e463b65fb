//! A client: its endpoint, and an application that calls, answers, waits and changes its mind.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use crate::{
    Client, ClientConfig, ClientId, ConnId, PairingId, Path, ResumeToken, TargetState,
    client::{Command, QuestionId},
};

use crate::sim::{
    oracle::{CallNo, ClientNo},
    parties::HOSTILE,
    transcript::Recorded,
};

/// Numbers of requests are above this, those of calls below.
pub(crate) const REQUESTS: u64 = 1 << 40;

pub(crate) struct SimClient {
    pub(crate) name: String,
    /// `None` before its first connection, and after the last.
    pub(crate) endpoint: Option<Recorded<Client>>,
    /// The present connection.
    pub(crate) conn: Option<ConnId>,
    /// `true` while the next connection is being made.
    pub(crate) connecting: bool,
    /// The token that the next connection presents.
    pub(crate) resume: Option<ResumeToken>,
    /// Calls that wait for room in the window.
    pub(crate) waiting: VecDeque<WaitingCall>,
    /// Calls that were made and may still be taken back.
    pub(crate) open: Vec<CallNo>,
    pub(crate) last_request: u64,
    /// Requests without an answer.
    pub(crate) asked: usize,
    /// The number of client objects that the application has made.
    pub(crate) lives: u32,
    /// Questions that wait for a decision, and the client that asks.
    pub(crate) questions: BTreeMap<QuestionId, Option<ClientNo>>,
    /// Clients to which it has consented.
    pub(crate) consents: BTreeSet<Option<ClientNo>>,
    /// Clients that it has asked for itself, by the number of the request.
    pub(crate) wanted: BTreeMap<u64, ClientNo>,
    /// The watches of its application, by the number of the request.
    pub(crate) watches: BTreeMap<u64, Watching>,
    /// Handlers that wait for a call of their own.
    pub(crate) nested: BTreeMap<CallNo, Handled>,
    /// The numbers of handlers that run for its present partner: those without a reply, and those whose
    /// results are awaited.
    pub(crate) running: [BTreeSet<u64>; 2],
    /// Calls that its endpoint has, and that wait for a reply.
    pub(crate) pending: BTreeSet<CallNo>,
    /// `true` once it was welcomed.
    pub(crate) welcomed: bool,
    /// `true` once the server refused its return.
    pub(crate) dismissed: bool,
    /// The server whose message it handles that tells why a pairing ended, and the pairing if the
    /// message names one.
    pub(crate) told_by: Option<(u64, Option<PairingId>)>,
    /// `true` if it allows direct paths.
    pub(crate) direct: bool,
    pub(crate) config: ClientConfig,
    /// `true` if the server said that its partner is away.
    pub(crate) is_partner_away: bool,
    /// The path that it reported last.
    pub(crate) path: Option<Path>,
    /// Partners whose pairing it asserts anew by itself.
    pub(crate) reasserted: BTreeSet<ClientNo>,
    /// `true` once its endpoint has closed.
    pub(crate) closed: bool,
    /// The time for which its timer is set.
    pub(crate) alarm: Option<Instant>,
}

/// The fate of an emit when its handler is done.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Handled {
    pub(crate) pairing: PairingId,
    pub(crate) seq: u64,
    pub(crate) call: CallNo,
    pub(crate) returns: Returns,
}

/// The result of a handler.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Returns {
    /// A value of about that many bytes.
    Value(usize),
    /// A failure.
    Failure,
    /// Nothing, as there is no handler.
    Nothing,
}

pub(crate) struct WaitingCall {
    pub(crate) call: CallNo,
    pub(crate) command: Command,
    pub(crate) deadline: Instant,
    pub(crate) acknowledged: bool,
}

/// A watch that an application holds.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) target: ClientId,
    /// The state that was told last.
    pub(crate) told: Option<TargetState>,
}

/// A question to an application.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Asked {
    /// The client object that asked.
    pub(crate) life: u32,
    pub(crate) question: QuestionId,
    pub(crate) source: Option<ClientNo>,
}

impl SimClient {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            name: format!("client-{number}"),
            endpoint: None,
            conn: None,
            connecting: false,
            resume: None,
            waiting: VecDeque::new(),
            open: Vec::new(),
            last_request: REQUESTS,
            asked: 0,
            lives: 0,
            questions: BTreeMap::new(),
            consents: BTreeSet::new(),
            wanted: BTreeMap::new(),
            watches: BTreeMap::new(),
            nested: BTreeMap::new(),
            running: <_>::default(),
            pending: BTreeSet::new(),
            welcomed: false,
            dismissed: false,
            told_by: None,
            direct: false,
            config: ClientConfig::default(),
            is_partner_away: false,
            path: None,
            reasserted: BTreeSet::new(),
            closed: false,
            alarm: None,
        }
    }

    pub(crate) fn number_of(name: &str) -> Option<usize> {
        match name.split_once('-')? {
            ("client", number) => number.parse().ok(),
            ("hostile", number) => Some(HOSTILE + number.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// Its first connection is there.
    pub(crate) fn begin(&mut self, now: Instant, recorded: bool) {
        self.welcomed = false;
        self.dismissed = false;
        self.lives += 1;
        self.endpoint = Some(Recorded::new(self.config, now, recorded));
    }

    pub(crate) fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.asked += 1;
        self.last_request
    }
}
