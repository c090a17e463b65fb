//! Lines: registrations that wait for a busy target, each with a place.
//!
//! ```text
//!            its target can be asked, and it is the first
//!   in line ─────────────────────────────────────────────► in the inbox: the target is asked
//!      ▲ ▲                                                   │
//!      │ └── the target is paired with another, or its ──────┤
//!      │     source is lost: back to its place               │
//!      │                                                     ▼
//!   registered, with a time to wait                       answered, as any request
//! ```
//!
//! The line is served in the order of arrival, one request at a time. A source that lost its connection keeps
//! its place for the grace period: its request has no number meanwhile, is passed over, and is claimed by
//! the next registration of the same target.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    Broker, BrokerEvent, Slot,
    requests::Registering,
    waiting::{InLine, Request},
};
use crate::{
    ClientId, Code, Dialect, Refusal, ReqId, ServerMessage,
    limits::{INBOX_REQUESTS, LINE_INTERVAL, LINE_LENGTH, RESERVED_TIME, setting},
};

/// The times at which lines are looked after.
#[derive(Debug, Default)]
pub(super) struct LineNews {
    /// The requests whose places are sent later, because another was sent a moment ago.
    places: BTreeSet<(Instant, ReqId)>,
    /// The targets that are reserved for their partners.
    reserved: BTreeSet<(Instant, ClientId)>,
}

impl LineNews {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let place = self.places.first().map(|(at, _)| *at);
        let reserved = self.reserved.first().map(|(at, _)| *at);
        place.into_iter().chain(reserved).min()
    }
}

impl Broker {
    /// Returns whether others wait for a target, so that a request that does not wait comes too late.
    pub(super) fn has_line(&self, target: &ClientId) -> bool {
        let line = self.clients.get(target).into_iter().flat_map(|target| &target.line);
        line.into_iter().any(|number| self.is_claimed(*number))
    }

    /// Returns whether the source of a request has a connection that knows of it.
    pub(super) fn is_claimed(&self, number: ReqId) -> bool {
        self.waiting.request(number).is_some_and(|request| !request.reqs.is_empty())
    }

    /// Returns whether a client has a place in a line, or is asked for after it had one.
    pub(super) fn waits_in_line(&self, source: &ClientId) -> bool {
        self.line_request_of(source).is_some()
    }

    fn line_request_of(&self, source: &ClientId) -> Option<ReqId> {
        let number = self.clients.get(source)?.asking?;
        let request = self.waiting.request(number)?;
        request.line.is_some().then_some(number)
    }

    /// Gives a registration the last place in the line of its target.
    pub(super) fn enter_line(
        &mut self,
        source: &ClientId,
        registering: Registering,
        wait: Duration,
        now: Instant,
    ) {
        let Registering { req, target, payload, consent_time, .. } = registering;
        let length = self.clients.get(&target).map_or(0, |target| target.line.len());
        if length >= LINE_LENGTH {
            return self.answer_no(source, req, target, Code::QueueFull.into());
        }
        let until = now + setting(wait).min(self.config.limits.line_time());
        let number = self.next_number();
        let line = InLine { ticket: number, until, told: None, not_before: now };
        let request = Request {
            source: source.clone(),
            reqs: vec![req],
            target: target.clone(),
            payload,
            asked: false,
            consent_time: self.consent_time(consent_time),
            deadline: until,
            line: Some(line),
        };
        self.waiting.insert(number, request);
        if let Some(client) = self.clients.get_mut(source) {
            client.asking = Some(number);
        }
        if let Some(client) = self.clients.get_mut(&target) {
            client.line.push_back(number);
        }
        self.event(BrokerEvent::Registered { source: source.clone(), target });
    }

    /// Lets a registration claim the place that was kept for it while its source was away. A registration
    /// of another kind gives that place up. Returns whether it was claimed.
    pub(super) fn claim_place(
        &mut self,
        source: &ClientId,
        registering: &Registering,
        now: Instant,
    ) -> bool {
        let Some(number) = self.line_request_of(source) else { return false };
        if self.is_claimed(number) {
            return false;
        }
        let Registering { req, target, payload, wait, .. } = registering;
        let Some(wait) = wait else {
            self.take_back(source, Code::Cancelled);
            return false;
        };
        let Some(request) = self.waiting.request_mut(number) else { return false };
        if request.target != *target {
            self.take_back(source, Code::Cancelled);
            return false;
        }
        request.reqs = vec![*req];
        request.payload.clone_from(payload);
        let until = request.line.as_mut().map(|line| {
            (line.told, line.not_before) = (None, now);
            line.until = line.until.min(now + setting(*wait));
            line.until
        });
        if let Some(until) = until {
            self.waiting.set_deadline(number, until);
        }
        self.clients.touch(target);
        true
    }

    /// Asks a target for the first in its line, if it can be asked, and sends places that have changed.
    pub(super) fn serve_line(&mut self, target: &ClientId, now: Instant) {
        if self.is_open(target)
            && let Some(number) = self.next_in_line(target)
        {
            self.ask_for_next(target, number, now);
        }
        let line = self.clients.get(target).map(|target| target.line.clone());
        for (number, place) in line.into_iter().flatten().zip(1..) {
            self.tell_place(number, place, now);
        }
    }

    /// Returns whether a target can be asked for the next in its line.
    fn is_open(&self, target: &ClientId) -> bool {
        self.clients.get(target).is_some_and(|target| {
            let is_free = target.is_present() && target.slot == Slot::Free;
            let has_room = target.dialect == Dialect::V2 || target.questions.is_empty();
            let is_idle = target.inbox.is_empty() && target.places_taken() < INBOX_REQUESTS;
            let is_waited_for = !target.line.is_empty() && target.reserved.is_none();
            is_waited_for && is_free && has_room && is_idle
        })
    }

    /// Returns the first in line whose source can be paired now. Those that are away keep their places.
    fn next_in_line(&self, target: &ClientId) -> Option<ReqId> {
        let can_be_paired = |number: &&ReqId| {
            let request = self.waiting.request(**number);
            let source = request.and_then(|request| self.clients.get(&request.source));
            self.is_claimed(**number)
                && source.is_some_and(|source| source.is_present() && source.slot == Slot::Free)
        };
        let line = &self.clients.get(target)?.line;
        line.iter().find(can_be_paired).copied()
    }

    fn ask_for_next(&mut self, target: &ClientId, number: ReqId, now: Instant) {
        let Some(client) = self.clients.get_mut(target) else { return };
        client.line.retain(|other| *other != number);
        client.inbox.push_back(number);
        let Some(request) = self.waiting.request(number) else { return };
        let deadline = now + request.consent_time;
        // One that was sent a place is informed that its turn has come.
        if request.line.is_some_and(|line| line.told.is_some()) {
            self.tell_place(number, 0, now);
        }
        self.waiting.set_deadline(number, deadline);
        self.ask(target);
    }

    /// Sends a source its place, unless it knows it. That its turn has come is sent at once, a place
    /// after [`LINE_INTERVAL`].
    fn tell_place(&mut self, number: ReqId, place: usize, now: Instant) {
        let Some(request) = self.waiting.request_mut(number) else { return };
        let (source, req) = (request.source.clone(), request.reqs.first().copied().flatten());
        let (Some(line), Some(req)) = (request.line.as_mut(), req) else { return };
        if line.told == Some(place) {
            return;
        }
        if place > 0 && now < line.not_before {
            self.line_news.places.insert((line.not_before, number));
            return;
        }
        line.told = Some(place);
        line.not_before = now + LINE_INTERVAL;
        if let Some(conn) = self.clients.get(&source).map(|source| source.conn) {
            self.send(conn, ServerMessage::Line { req, place });
        }
    }

    /// Sends the places that came too soon after others, and ends reservations.
    pub(super) fn tell_due_places(&mut self, now: Instant) {
        while self.line_news.places.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, number)) = self.line_news.places.pop_first()
        {
            if let Some(request) = self.waiting.request(number) {
                let target = request.target.clone();
                self.clients.touch(&target);
            }
        }
        while self.line_news.reserved.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, target)) = self.line_news.reserved.pop_first()
        {
            if let Some(target) = self.clients.get_mut(&target) {
                target.reserved.take_if(|(_, until)| *until <= now);
            }
        }
    }

    /// Reserves a target for its partner, whose pairing this server does not know yet. Others in line wait
    /// meanwhile; a request that cannot wait is declined.
    pub(super) fn reserve(
        &mut self,
        target: &ClientId,
        req: ReqId,
        partner: ClientId,
        now: Instant,
    ) {
        let Some(number) = self.answered(target, Some(req)) else {
            return self.ask(target);
        };
        let until = now + RESERVED_TIME;
        if let Some(target) = self.clients.get_mut(target) {
            target.reserved = Some((partner, until));
        }
        self.line_news.reserved.insert((until, target.clone()));
        match self.waiting.request(number).is_some_and(|request| request.line.is_some()) {
            true => self.return_to_line(number),
            false => self.refuse(number, Refusal::new(Code::Declined, "paired")),
        }
    }

    pub(super) fn is_reserved_for(&self, target: &ClientId, source: &ClientId) -> bool {
        let reserved = self.clients.get(target).and_then(|target| target.reserved.as_ref());
        reserved.is_some_and(|(partner, _)| partner == source)
    }

    /// Gives a request that waits in an inbox its place in the line again, under another number: the target
    /// may still answer the question that it was asked.
    fn return_to_line(&mut self, number: ReqId) {
        let Some(mut request) = self.take_request(number) else { return };
        let Some(line) = request.line else { return };
        (request.asked, request.deadline) = (false, line.until);
        let (source, target) = (request.source.clone(), request.target.clone());
        let number = self.next_number();
        self.waiting.insert(number, request);
        if let Some(source) = self.clients.get_mut(&source) {
            source.asking = Some(number);
        }
        let came_before = |other: &&ReqId| {
            let other = self.waiting.request(**other).and_then(|request| request.line);
            other.is_some_and(|other| other.ticket < line.ticket)
        };
        let others = self.clients.get(&target).into_iter().flat_map(|target| &target.line);
        let place = others.take_while(came_before).count();
        if let Some(target) = self.clients.get_mut(&target) {
            target.line.insert(place, number);
        }
    }

    /// Gives the requests in an inbox their places in the line again, as far as they have the right: the
    /// target was paired with another, or lost its connection and may come back.
    pub(super) fn return_inbox_to_line(&mut self, target: &ClientId) {
        let inbox = self.clients.get(target).into_iter().flat_map(|target| &target.inbox);
        let has_place = |number: &&ReqId| {
            self.waiting.request(**number).is_some_and(|request| request.line.is_some())
        };
        let waiting: Vec<_> = inbox.filter(has_place).copied().collect();
        for number in waiting.into_iter().rev() {
            self.return_to_line(number);
        }
    }

    /// Keeps the place of a source that lost its connection, for the grace period.
    pub(super) fn keep_place(&mut self, source: &ClientId, now: Instant) {
        let Some(number) = self.line_request_of(source) else { return };
        let target = self.waiting.request(number).map(|request| request.target.clone());
        let target = target.and_then(|target| self.clients.get(&target));
        if target.is_some_and(|target| target.inbox.contains(&number)) {
            self.return_to_line(number);
        }
        let Some(number) = self.line_request_of(source) else { return };
        let Some(request) = self.waiting.request_mut(number) else { return };
        request.reqs.clear();
        let target = request.target.clone();
        let deadline = request.deadline.min(now + self.config.grace);
        self.waiting.set_deadline(number, deadline);
        // No other may wait for it.
        self.clients.touch(&target);
    }

    /// Refuses all who wait for a client that is gone.
    pub(super) fn refuse_line_of(&mut self, target: &ClientId, code: Code) {
        let line = self.client_mut(target).map(|target| std::mem::take(&mut target.line));
        for number in line.into_iter().flatten() {
            self.refuse_without_asking_on(number, code.into());
        }
    }

    /// Takes back the request with this number, as its source asks.
    pub(super) fn cancel_request(&mut self, source: &ClientId, req: ReqId) {
        let number = self.clients.get(source).and_then(|source| source.asking);
        let request = number.and_then(|number| self.waiting.request(number));
        if request.is_some_and(|request| request.reqs.contains(&Some(req))) {
            self.take_back(source, Code::Cancelled);
        }
    }

    /// Returns the code with which a request is refused whose time is over.
    pub(super) fn code_of_late(&self, number: ReqId) -> Code {
        let request = self.waiting.request(number);
        let waited = request.is_some_and(|request| request.line.is_some() && !request.asked);
        if waited { Code::TargetBusy } else { Code::Timeout }
    }

    /// Returns the target in whose line a request waits.
    pub(super) fn awaited_by(&self, number: ReqId) -> Option<ClientId> {
        let request = self.waiting.request(number).filter(|request| request.line.is_some())?;
        Some(request.target.clone())
    }
}
