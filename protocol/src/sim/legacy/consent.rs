//! The registrations of a v1 client, and its answers to those of others: late, repeated, or missing.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Legacy,
    event::{LegacyEvent, LegacyQuestion},
};
use crate::{ClientMessage, ConnId, ReqId};

use crate::sim::{
    client::SimClient,
    connection::Up,
    event::Event,
    oracle::{ClientNo, Rule},
    world::World,
};

/// The time after which an answer by event is sent again: no acknowledgement takes longer on a connection
/// that stands.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// The share of slow consents beyond which v1 clients are slow as well. The plan of a seed has less.
const SLOWER: f64 = 0.85;

/// A registration that was sent once or more.
#[derive(Debug)]
pub(crate) struct Asking {
    target: ClientNo,
    /// The ids of the acknowledgements that it still expects.
    reqs: BTreeSet<u64>,
    /// True after the page has taken it back.
    is_given_up: bool,
}

impl Legacy {
    pub(super) fn asks_for(&self, target: ClientNo) -> bool {
        let asking = self.asking.as_ref().filter(|asking| !asking.is_given_up);
        asking.is_some_and(|asking| asking.target == target)
    }

    pub(super) fn give_up(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.is_given_up = true;
        }
    }

    /// Returns true if it has asked for this partner, or has said yes to it.
    pub(super) fn wants(&mut self, partner: ClientNo) -> bool {
        // What was taken back may have been granted before the server knew.
        self.asking.as_ref().is_some_and(|asking| asking.target == partner)
            || self.consents.remove(&partner)
    }
}

impl World {
    pub(super) fn legacy_registers(&mut self, legacy: usize, conn: ConnId, target: ClientNo) {
        let asking = Asking { target, reqs: BTreeSet::new(), is_given_up: false };
        self.legacies[legacy].asking = Some(asking);
        self.legacy_repeats(legacy, conn, target);
        // Some have a timeout of their own, and take it back then.
        if self.chance(0.2) {
            let after = self.millis(100..11_000);
            self.after(after, Event::Legacy(legacy, LegacyEvent::TakeBack(conn, target)));
        }
    }

    pub(super) fn legacy_repeats(&mut self, legacy: usize, conn: ConnId, target: ClientNo) {
        if !self.legacies[legacy].asks_for(target) {
            return;
        }
        let req = self.legacies[legacy].next_req();
        if let Some(asking) = &mut self.legacies[legacy].asking {
            asking.reqs.insert(req);
        }
        let target_id = SimClient::new(target).name.parse().expect("a name is an id");
        let message = ClientMessage::Register {
            req: Some(req),
            target: target_id,
            payload: None,
            consent_time: None,
            wait: None,
        };
        self.send_up(conn, Up::Message(message));
        if self.stormy && self.chance(0.3) {
            let after = self.millis(200..3_000);
            self.after(after, Event::Legacy(legacy, LegacyEvent::Repeat(conn, target)));
        }
    }

    /// A packet of a registration is answered, once.
    pub(super) fn legacy_answered(&mut self, legacy: usize, req: Option<ReqId>, yes: bool) {
        let Some(req) = req else { return };
        let mut asking = self.legacies[legacy].asking.as_mut();
        let Some(asking) = asking.take_if(|asking| asking.reqs.remove(&req)) else {
            let what = format!("v1 client {legacy} gets another answer to {req}");
            return self.oracle.violate(Rule::ReportedOnce, what);
        };
        let (target, is_given_up) = (asking.target, asking.is_given_up);
        if asking.reqs.is_empty() {
            self.legacies[legacy].asking = None;
        }
        if yes && !is_given_up {
            self.legacies[legacy].believes = Some(target);
        }
    }

    /// Some decide late, and some never; of a plan in which most decide slowly, half do it when the time for it is
    /// about to be over.
    pub(super) fn legacy_asked(&mut self, legacy: usize, conn: ConnId, question: LegacyQuestion) {
        let after = match self.rng.u32(..100) {
            _ if !self.stormy => Duration::ZERO,
            0..50 if self.plan.slow_consents > SLOWER => self.millis(9_500..13_000),
            0..4 => return,
            4..30 => self.millis(0..12_500),
            _ => Duration::ZERO,
        };
        self.after(after, Event::Legacy(legacy, LegacyEvent::Decide(conn, question)));
    }

    /// A page that says yes takes the source for its partner at once.
    pub(super) fn legacy_decides(&mut self, legacy: usize, conn: ConnId, asked: LegacyQuestion) {
        let LegacyQuestion { req, source } = asked;
        let yes = self.legacies[legacy].believes.is_none() && self.chance(0.9);
        if yes {
            self.legacies[legacy].believes = Some(source);
            self.legacies[legacy].consents.insert(source);
        }
        if self.legacies[legacy].by_event {
            return self.legacy_answers_by_event(legacy, conn, yes);
        }
        let req = Some(req);
        let answer = match yes {
            true => ClientMessage::Accept { req },
            false => ClientMessage::Decline { req, reason: None },
        };
        self.send_up(conn, Up::Message(answer));
    }

    /// Half of those that answer by events have `retries`: they send it again until it is acknowledged.
    pub(super) fn legacy_answers_by_event(&mut self, legacy: usize, conn: ConnId, yes: bool) {
        let has_retries = legacy % 4 == 1;
        let ack = has_retries.then(|| self.legacies[legacy].next_req());
        self.legacies[legacy].unheard = ack;
        self.send_up(conn, Up::Answer { yes, ack });
        if let Some(ack) = ack {
            let resend = LegacyEvent::Resend(conn, yes, ack);
            self.after(ACK_TIMEOUT, Event::Legacy(legacy, resend));
        }
    }
}
