//! Everything that stock clients report, and what of it must not be.
//!
//! A v1 pairing has no id. Each client counts its connections and its pairings, its *epochs*, and
//! numbers its calls from 0 in each epoch. What it calls in one epoch goes from one connection of
//! its own to one of its partner; all that fails is excused by the end of either.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::programs::Report;

type ClientNo = usize;

/// Of a client, from 1.
type Connection = u64;

/// Of a client, from 1.
type Epoch = u64;

/// Of a client's epoch, from 0.
type CallNo = u64;

/// One thing that happened to a client, as its process says it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// It has a connection.
    Up(ClientNo),
    /// It has lost it, for this reason.
    Down(ClientNo, Connection, String),
    /// The server ended this connection by a DISCONNECT of Socket.IO, after which no library comes back
    /// by itself; the application did.
    SentAway(ClientNo, Connection),
    /// The server refused to connect it.
    Refused(ClientNo, String),
    /// Its library never came back by itself after this, through a fault of its own; the application did.
    Helped(ClientNo, String),
    /// It is paired.
    Paired(ClientNo, Connection, Epoch),
    /// The server said that this pairing is over.
    Unpaired(ClientNo, Epoch),
    /// It ran these calls, from the first to the last, of this epoch of its partner.
    Ran(ClientNo, Connection, Epoch, CallNo, CallNo),
    /// So many calls were answered rightly.
    Right(u64),
    /// A call was answered with what is not its answer.
    Wrong(ClientNo, Epoch, CallNo, String),
    /// A call was answered with a failure.
    Failed(ClientNo, Epoch, CallNo, String),
    /// The server sent SERVER_ERROR in this epoch, not for a registration.
    Complained(ClientNo, Epoch, String),
    /// So many calls were open when the caller's connection ended.
    GivenUp(u64),
    /// It had its first right answer since the last mark.
    Well(ClientNo),
    /// Something came that nobody sends.
    Strange(ClientNo, String),
    /// What is under way: the connection, the epoch, the calls made in it, and those that wait for an answer.
    Rest(ClientNo, Connection, Epoch, u64, Vec<OpenCall>),
    /// A process has counted all that is under way.
    Counted,
}

/// A pairing, as its caller counts.
#[derive(Debug, Default)]
struct Pairing {
    /// The connection of the caller.
    own: Connection,
    /// That of its partner, as far as it is known.
    partner: Option<Connection>,
    /// The calls that ran: all up to this one.
    ran: u64,
}

/// What a client has under way when it is asked.
#[derive(Debug)]
struct Rest {
    connection: Connection,
    epoch: Epoch,
    made: u64,
    open: Vec<OpenCall>,
}

/// A call that waits for an answer: its epoch, its number, the connection on which it was made, and its age in
/// seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct OpenCall(Epoch, CallNo, Connection, f64);

/// All that happened.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What each client is, for those who read what is wrong.
    clients: Vec<String>,
    is_closed: bool,
    pairings: BTreeMap<(ClientNo, Epoch), Pairing>,
    /// The last epoch of each caller of which something ran.
    last: BTreeMap<ClientNo, Epoch>,
    over: BTreeSet<(ClientNo, Connection)>,
    unwell: BTreeSet<ClientNo>,
    /// The clients that have a connection, and those whose connection has a pairing.
    up: BTreeSet<ClientNo>,
    paired: BTreeSet<ClientNo>,
    reasons: BTreeMap<ClientNo, String>,
    rest: BTreeMap<ClientNo, Rest>,
    counted: usize,
    answered: u64,
    given_up: u64,
    /// Calls that were answered with a failure, and ends of pairings: wrong unless they are excused.
    failed: Vec<(ClientNo, Epoch, String)>,
    ended: Vec<(ClientNo, Epoch)>,
    twice: Vec<String>,
    disordered: Vec<String>,
    lost: Vec<String>,
    wrong: Vec<String>,
    strange: Vec<String>,
    refused: Vec<String>,
    sent_away: Vec<String>,
    helped: Vec<String>,
}

impl Ledger {
    /// Of these clients, each described.
    pub(super) fn of(clients: Vec<String>) -> Self {
        Self { unwell: (0..clients.len()).collect(), clients, ..Self::default() }
    }

    /// Ignores what happens from now on: the ends of connections at the end of a run excuse nothing.
    pub(super) const fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn record(&mut self, record: Record) {
        if self.is_closed {
            return;
        }
        match record {
            Record::Up(who) => {
                self.up.insert(who);
                self.reasons.insert(who, "connected".to_owned());
            }
            Record::Down(who, connection, reason) => {
                self.over.insert((who, connection));
                self.up.remove(&who);
                self.paired.remove(&who);
                self.reasons.insert(who, reason);
            }
            Record::SentAway(who, connection) => {
                self.sent_away.push(format!("{who}, on connection {connection}"));
            }
            Record::Refused(who, text) => self.refused.push(format!("{who}: {text}")),
            Record::Helped(who, reason) => self.helped.push(format!("{who} after {reason}")),
            Record::Paired(who, own, epoch) => {
                self.paired.insert(who);
                self.reasons.insert(who, "paired".to_owned());
                self.pairings.entry((who, epoch)).or_default().own = own;
            }
            Record::Unpaired(who, epoch) => {
                self.paired.remove(&who);
                self.ended.push((who, epoch));
            }
            Record::Ran(at, connection, epoch, first, last) => {
                self.ran(at, connection, epoch, first, last);
            }
            Record::Right(calls) => self.answered += calls,
            Record::Wrong(who, epoch, call, value) => {
                self.wrong.push(format!("{who}: {epoch}.{call} is answered with {value}"));
            }
            Record::Failed(who, epoch, call, code) => {
                self.failed.push((who, epoch, format!("{epoch}.{call}: {code}")));
            }
            Record::Complained(who, epoch, text) => self.failed.push((who, epoch, text)),
            Record::GivenUp(calls) => self.given_up += calls,
            Record::Well(who) => _ = self.unwell.remove(&who),
            Record::Strange(who, what) => self.strange.push(format!("{who}: {what}")),
            Record::Rest(who, connection, epoch, made, open) => {
                self.rest.insert(who, Rest { connection, epoch, made, open });
            }
            Record::Counted => self.counted += 1,
        }
    }

    fn ran(
        &mut self,
        at: ClientNo,
        connection: Connection,
        epoch: Epoch,
        first: CallNo,
        last: CallNo,
    ) {
        let caller = at ^ 1;
        let what = format!("{at} runs {epoch}.{first} to {epoch}.{last} of {caller}");
        let latest = self.last.entry(caller).or_insert(epoch);
        if *latest > epoch {
            self.disordered.push(format!("{what}, after epoch {latest}"));
        }
        *latest = (*latest).max(epoch);
        let pairing = self.pairings.entry((caller, epoch)).or_default();
        let partner = *pairing.partner.get_or_insert(connection);
        if partner != connection {
            self.disordered.push(format!("{what}, on connection {connection}, not {partner}"));
        }
        if first < pairing.ran {
            self.twice.push(format!("{what}, of {} that ran", pairing.ran));
        } else if first > pairing.ran {
            self.lost.push(format!("{what}, but not {epoch}.{}", pairing.ran));
        }
        pairing.ran = pairing.ran.max(last + 1);
    }

    /// All are to show again that they are well.
    pub(super) fn mark(&mut self) {
        self.unwell = (0..self.clients.len()).collect();
    }

    /// Returns the clients without a right answer since the last mark, and what is known of them.
    pub(super) fn unwell(&self) -> Vec<String> {
        let reason = |who| self.reasons.get(who).map_or("never connected", String::as_str);
        self.unwell.iter().map(|who| format!("{who}: {}", reason(who))).collect()
    }

    /// Returns the number of calls that were answered rightly.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    /// Returns the number of clients that are connected.
    pub(super) fn up(&self) -> usize {
        self.up.len()
    }

    /// Returns who is not connected, and who is not paired.
    pub(super) fn missing(&self) -> String {
        let all = || 0..self.clients.len();
        let down: Vec<_> = all().filter(|who| !self.up.contains(who)).collect();
        let alone: Vec<_> = all().filter(|who| !self.paired.contains(who)).collect();
        format!("not connected: {down:?}, not paired: {alone:?}")
    }

    /// Returns the number of clients that are paired.
    pub(super) fn paired(&self) -> usize {
        self.paired.len()
    }

    /// Forgets what was under way.
    pub(super) fn uncount(&mut self) {
        self.counted = 0;
        self.rest.clear();
    }

    /// Returns the number of processes that have counted what is under way.
    pub(super) const fn counted(&self) -> usize {
        self.counted
    }

    /// Returns the number of calls that wait for an answer on a connection that stands.
    pub(super) fn open(&self) -> usize {
        self.rest.values().map(|rest| rest.open.len()).sum()
    }

    /// Describes the calls that wait for an answer.
    fn describe_open(&self) -> Vec<String> {
        let describe = |(who, rest): (&ClientNo, &Rest)| {
            let Rest { connection, epoch, open, .. } = rest;
            let kind = self.clients.get(*who).cloned().unwrap_or_default();
            let of_call = move |OpenCall(in_epoch, number, on, age): &OpenCall| {
                format!(
                    "{in_epoch}.{number} of {who} ({kind}), {age:.1} s old, made on connection {on}; \
                     now it has connection {connection}, epoch {epoch}"
                )
            };
            open.iter().map(of_call).collect::<Vec<_>>()
        };
        self.rest.iter().flat_map(describe).collect()
    }

    /// Returns whether a connection of this pairing has ended.
    fn is_excused(&self, caller: ClientNo, epoch: Epoch) -> bool {
        let Some(pairing) = self.pairings.get(&(caller, epoch)) else { return false };
        let partner = caller ^ 1;
        let partners = match pairing.partner {
            Some(connection) => self.over.contains(&(partner, connection)),
            // Nothing ran in it, so any lost connection of the partner may have been the one.
            None => self.over.iter().any(|(who, _)| *who == partner),
        };
        partners || self.over.contains(&(caller, pairing.own))
    }

    /// Returns the calls that did not run although both connections stand.
    pub(super) fn missing_calls(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (who, Rest { epoch, made, .. }) in &self.rest {
            let ran = self.pairings.get(&(*who, *epoch)).map_or(0, |pairing| pairing.ran);
            if ran < *made && !self.is_excused(*who, *epoch) {
                missing.push(format!("{who} made {made} calls in {epoch}, {ran} ran"));
            }
        }
        missing
    }

    /// Judges what happened; everything must have come to rest by now.
    pub(super) fn judge(&self, report: &mut Report) {
        let mut failed = Vec::new();
        for (who, epoch, what) in &self.failed {
            if !self.is_excused(*who, *epoch) {
                failed.push(format!("{who}: {what}"));
            }
        }
        let ended = self.ended.iter().filter(|(who, epoch)| !self.is_excused(*who, *epoch));
        let ended: Vec<_> = ended.map(|(who, epoch)| format!("{epoch} of {who}")).collect();
        let open = self.describe_open();
        let mut lost = self.lost.clone();
        lost.extend(self.missing_calls());

        report.none("calls executed twice", &self.twice);
        report.none("calls lost while both connections stand", &lost);
        report.none("calls failed while both connections stand", &failed);
        report.none("calls executed out of order", &self.disordered);
        report.none("calls answered wrongly", &self.wrong);
        report.none("acknowledgements open at the end", &open);
        report.none("pairings ended while both stand", &ended);
        report.none("connections refused", &self.refused);
        report.none("what nobody sends", &self.strange);
        report.note(format!(
            "{} connections lost, {} pairings; {} calls open then, {} failed for it",
            self.over.len(),
            self.pairings.len(),
            self.given_up,
            self.failed.len() - failed.len(),
        ));
        self.judge_returns(report);
    }

    /// Judges what keeps clients from coming back by themselves.
    pub(super) fn judge_returns(&self, report: &mut Report) {
        report.none("clients told to stay away", &self.sent_away);
        for helped in &self.helped {
            report.note(format!("a library that had to be started again: client {helped}"));
        }
    }
}

#[cfg(test)]
mod tests;
