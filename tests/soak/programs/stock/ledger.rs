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
    /// What is under way: the epoch, the calls made in it, and those that wait for an answer.
    Rest(ClientNo, Epoch, u64, u64),
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

/// All that happened.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    clients: usize,
    pairings: BTreeMap<(ClientNo, Epoch), Pairing>,
    /// The last epoch of each caller of which something ran.
    last: BTreeMap<ClientNo, Epoch>,
    over: BTreeSet<(ClientNo, Connection)>,
    unwell: BTreeSet<ClientNo>,
    /// The clients that have a connection, and those whose connection has a pairing.
    up: BTreeSet<ClientNo>,
    paired: BTreeSet<ClientNo>,
    reasons: BTreeMap<ClientNo, String>,
    rest: BTreeMap<ClientNo, (Epoch, u64, u64)>,
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
    /// Of so many clients.
    pub(super) fn of(clients: usize) -> Self {
        Self { clients, unwell: (0..clients).collect(), ..Self::default() }
    }

    pub(super) fn record(&mut self, record: Record) {
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
            Record::Rest(who, epoch, made, open) => _ = self.rest.insert(who, (epoch, made, open)),
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
        self.unwell = (0..self.clients).collect();
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
        let all = || 0..self.clients;
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
    pub(super) fn open(&self) -> u64 {
        self.rest.values().map(|(_, _, open)| open).sum()
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
        let open = self.rest.iter().filter(|(_, (_, _, open))| *open > 0);
        let open: Vec<_> = open.map(|(who, (_, _, open))| format!("{open} of {who}")).collect();
        let mut lost = self.lost.clone();
        for (who, (epoch, made, _)) in &self.rest {
            let ran = self.pairings.get(&(*who, *epoch)).map_or(0, |pairing| pairing.ran);
            if ran < *made && !self.is_excused(*who, *epoch) {
                lost.push(format!("{who} made {made} calls in {epoch}, {ran} ran"));
            }
        }

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
mod tests {
    use super::*;

    /// A pairing of clients 0 and 1, in which 0 made three calls that ran.
    fn paired() -> Ledger {
        let mut ledger = Ledger::of(2);
        for record in [
            Record::Up(0),
            Record::Up(1),
            Record::Paired(1, 1, 1),
            Record::Paired(0, 1, 1),
            Record::Ran(1, 1, 1, 0, 2),
            Record::Right(3),
        ] {
            ledger.record(record);
        }
        ledger
    }

    fn is_met(ledger: &Ledger) -> bool {
        let mut report = Report::new("stock", String::new());
        ledger.judge(&mut report);
        report.met()
    }

    #[test]
    fn calls_that_ran_once_and_in_order_are_well() {
        let mut ledger = paired();
        ledger.record(Record::Ran(1, 1, 1, 3, 3));
        ledger.record(Record::Rest(0, 1, 4, 0));

        assert!(is_met(&ledger));
    }

    #[test]
    fn what_ran_twice_or_not_or_too_late_is_wrong() {
        for (first, last) in [(2, 3), (0, 2), (4, 4)] {
            let mut ledger = paired();
            ledger.record(Record::Ran(1, 1, 1, first, last));
            assert!(!is_met(&ledger), "{first} to {last}");
        }
        let mut ledger = paired();
        ledger.record(Record::Ran(1, 1, 2, 0, 0));
        ledger.record(Record::Ran(1, 1, 1, 3, 3));
        assert!(!is_met(&ledger));
    }

    #[test]
    fn the_last_call_is_missed_too() {
        let mut ledger = paired();
        ledger.record(Record::Rest(0, 1, 4, 0));

        assert!(!is_met(&ledger));
    }

    #[test]
    fn an_open_acknowledgement_is_wrong() {
        let mut ledger = paired();
        ledger.record(Record::Rest(0, 1, 3, 1));

        assert!(!is_met(&ledger));
    }

    #[test]
    fn a_failure_is_excused_by_the_end_of_either_connection_only() {
        for (over, expected) in
            [(None, false), (Some((0, 1)), true), (Some((1, 1)), true), (Some((1, 2)), false)]
        {
            let mut ledger = paired();
            ledger.record(Record::Failed(0, 1, 3, "offline".to_owned()));
            ledger.record(Record::Unpaired(0, 1));
            if let Some((who, connection)) = over {
                ledger.record(Record::Down(who, connection, "ping timeout".to_owned()));
            }
            assert_eq!(is_met(&ledger), expected, "{over:?}");
        }
    }

    #[test]
    fn a_client_that_is_told_to_stay_away_is_wrong_and_one_that_its_library_leaves_is_not() {
        let mut ledger = paired();
        ledger.record(serde_json::from_str(r#"{"helped":[1,"server disconnect"]}"#).unwrap());
        assert!(is_met(&ledger));

        ledger.record(serde_json::from_str(r#"{"sent_away":[0,1]}"#).unwrap());

        assert!(!is_met(&ledger));
    }

    #[test]
    fn nobody_is_well_before_an_answer_since_the_mark() {
        let mut ledger = paired();
        ledger.record(Record::Well(0));
        ledger.record(Record::Well(1));
        assert_eq!(ledger.unwell(), [""; 0]);

        ledger.mark();
        ledger.record(Record::Well(1));

        assert_eq!(ledger.unwell(), ["0: paired"]);
    }
}
