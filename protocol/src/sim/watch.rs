//! The visible state of the server, and the rules that hold for it at any moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{
    BrokerEvent, BrokerStats, ClientId, ClientMessage, ConnId, Dialect, EndReason, PairingId,
    broker,
};

use crate::sim::oracle::{ClientNo, Oracle, Rule};

/// The time for which a pairing outlives a connection here.
pub(crate) const GRACE: Duration = Duration::from_secs(15);

/// The owner of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) number: ClientNo,
    pub(crate) id: ClientId,
    pub(crate) dialect: Dialect,
    /// True if it allows direct paths.
    pub(crate) direct: bool,
}

/// The knowledge of the server from outside.
#[derive(Debug, Default)]
pub(crate) struct ServerObserver {
    /// All clients that were ever admitted.
    people: BTreeMap<ConnId, Who>,
    /// The connection on which each was admitted last, until it is lost.
    present: BTreeMap<ClientId, ConnId>,
    /// The connections of each pairing, since it began.
    members: BTreeMap<PairingId, BTreeSet<ConnId>>,
    known: BTreeSet<ClientId>,
    granting: BTreeSet<PairingId>,
    paired: BTreeSet<PairingId>,
    /// The times since which clients are away.
    away: BTreeMap<ClientId, Instant>,
    /// The connections that were told of the end of a pairing.
    told: BTreeSet<(ConnId, PairingId)>,
    /// The reason for which a pairing may end in this step, and its client; any pairing if no client is
    /// named.
    cause: Option<(EndReason, Option<ClientId>)>,
}

impl ServerObserver {
    pub(crate) fn who(&self, conn: ConnId) -> Option<&Who> {
        self.people.get(&conn)
    }

    pub(crate) fn admitted(&mut self, conn: ConnId, who: Who) {
        self.present.insert(who.id.clone(), conn);
        self.people.insert(conn, who);
    }

    /// Notes what a step may bring about.
    pub(crate) fn begin(&mut self, input: &broker::Input, now: Instant) {
        if let broker::Input::Disconnected(conn) = input
            && let Some(Who { id, .. }) = self.people.get(conn)
            && self.present.get(id) == Some(conn)
        {
            self.present.remove(id);
            // A return that fails halfway was one: the grace begins anew.
            if let Some(since) = self.away.get_mut(id) {
                *since = now;
            }
        }
        let id = |conn| self.people.get(conn).map(|who| who.id.clone());
        self.cause = match input {
            broker::Input::Received(conn, ClientMessage::Unregister { .. }) => {
                Some((EndReason::Unregistered, id(conn)))
            }
            broker::Input::Received(conn, ClientMessage::Leave) => {
                Some((EndReason::Disconnected, id(conn)))
            }
            // A v1 client has no session to which it could come back.
            broker::Input::Disconnected(conn)
                if self.people.get(conn).is_some_and(|who| who.dialect == Dialect::V1) =>
            {
                Some((EndReason::Disconnected, id(conn)))
            }
            broker::Input::Unpair(id) | broker::Input::Kick(id) => {
                Some((EndReason::Kicked, Some(id.clone())))
            }
            broker::Input::Expel(conn) => Some((EndReason::Kicked, id(conn))),
            broker::Input::ShutDown => Some((EndReason::ShuttingDown, None)),
            _ => None,
        };
    }

    /// Notes that a name is taken over, so that the pairing of its former owner ends.
    pub(crate) fn begin_take_over(&mut self, id: ClientId) {
        self.cause = Some((EndReason::Replaced, Some(id)));
    }

    pub(crate) fn end(&mut self) {
        self.cause = None;
    }

    pub(crate) fn routed(&mut self, conn: ConnId, pairing: PairingId, to: ConnId) {
        self.members.entry(pairing).or_default().extend([conn, to]);
    }

    pub(crate) fn is_member(&self, conn: ConnId, pairing: PairingId) -> bool {
        self.members.get(&pairing).is_some_and(|members| members.contains(&conn))
    }

    pub(crate) fn grant_asked(&mut self, pairing: PairingId) {
        self.granting.insert(pairing);
    }

    pub(crate) fn grant_answered(&mut self, pairing: PairingId) {
        self.granting.remove(&pairing);
    }

    pub(crate) fn told_end(&mut self, conn: ConnId, pairing: PairingId, oracle: &mut Oracle) {
        if !self.told.insert((conn, pairing)) {
            oracle.violate(Rule::ToldOnce, format!("{conn} hears twice of {pairing}"));
        }
    }

    pub(crate) fn happened(&mut self, event: BrokerEvent, now: Instant, oracle: &mut Oracle) {
        let right = match event {
            BrokerEvent::Connected(id) => self.known.insert(id),
            BrokerEvent::Disconnected(id) => {
                self.away.remove(&id);
                self.known.remove(&id)
            }
            BrokerEvent::Away(id) => self.away.insert(id, now).is_none(),
            BrokerEvent::Back(id) => self.away.remove(&id).is_some(),
            BrokerEvent::Paired { pairing, .. } => {
                self.granting.remove(&pairing);
                self.paired.insert(pairing)
            }
            BrokerEvent::Unpaired { pairing, source, target, reason } => {
                if !self.may_end([&source, &target], reason, now) {
                    let what = format!("{pairing} of {source} and {target} ends: {reason}");
                    oracle.violate(Rule::Lasting, what);
                }
                oracle.ended(pairing, reason);
                self.paired.remove(&pairing)
            }
            _ => true,
        };
        if !right {
            oracle.violate(Rule::Counters, "an event that undoes or repeats another");
        }
    }

    fn may_end(&self, ends: [&ClientId; 2], reason: EndReason, now: Instant) -> bool {
        if let Some((cause, whose)) = &self.cause
            && *cause == reason
            && whose.as_ref().is_none_or(|whose| ends.contains(&whose))
        {
            return true;
        }
        let away_too_long = |end| self.away.get(end).is_some_and(|since| *since + GRACE <= now);
        reason == EndReason::Disconnected && ends.into_iter().any(away_too_long)
    }

    /// The rules that can be seen at any moment.
    pub(crate) fn check(&self, stats: BrokerStats, now: Instant, oracle: &mut Oracle) {
        // Who is on its way back when its grace is over has a moment more.
        const ON_ITS_WAY: Duration = Duration::from_secs(1);
        for (id, since) in &self.away {
            if now > *since + GRACE + ON_ITS_WAY {
                oracle.violate(Rule::ToldOnce, format!("the place of {id} is kept too long"));
            }
        }
        let pairings = self.paired.len()..=self.paired.len() + self.granting.len();
        if !pairings.contains(&stats.pairings) {
            oracle.violate(Rule::Counters, format!("{stats:?}, {pairings:?} are paired"));
        }
        // Those that are still arriving are not known yet.
        if stats.clients < self.known.len() || stats.away > self.away.len() {
            let (known, away) = (self.known.len(), self.away.len());
            let what = format!("{stats:?}, {known} are known, {away} away");
            oracle.violate(Rule::Counters, what);
        }
    }

    /// Ends all pairings with the server, which informs no client.
    pub(crate) fn forget_all(&mut self, oracle: &mut Oracle) {
        for pairing in &self.paired {
            oracle.ended(*pairing, EndReason::Disconnected);
        }
    }
}
