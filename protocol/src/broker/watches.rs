//! Watches: clients that are sent the state of a target, and each change of it.
//!
//! A watch belongs to the connection on which it was asked for. It is sent the present state at once, and
//! then each change. Within [`WATCH_INTERVAL`] of the last message it is sent nothing: what changes
//! meanwhile is sent when that time is over, if the newest state is another than the last sent. So a
//! target that changes without end costs a bounded number of messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{Broker, ClientRecord, Slot, record::Attendance};
use crate::{
    ClientId, Code, Refusal, ReqId, ServerMessage, TargetState,
    limits::{WATCH_INTERVAL, WATCHERS, WATCHES},
    planted::{self, Fault},
};

/// All watches.
#[derive(Debug, Default)]
pub(super) struct WatchedTargets {
    targets: BTreeMap<ClientId, Watched>,
    /// The targets of each watcher, by the number of the watch.
    watchers: BTreeMap<ClientId, BTreeMap<ReqId, ClientId>>,
    /// The times at which a change is sent that came too soon: the target and the watcher.
    due: BTreeSet<(Instant, ClientId, ClientId)>,
}

/// A target that is watched.
#[derive(Debug)]
struct Watched {
    state: TargetState,
    watchers: BTreeMap<ClientId, Watcher>,
}

/// A watch of one target by one client.
#[derive(Debug)]
struct Watcher {
    req: ReqId,
    told: TargetState,
    /// The time before which nothing more is sent.
    not_before: Instant,
    /// `true` while that time is noted among those that are due.
    is_due: bool,
}

impl WatchedTargets {
    /// Returns the number of watches.
    pub(super) fn len(&self) -> usize {
        self.watchers.values().map(BTreeMap::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _, _)| *at)
    }

    /// Adds a watch, in the place of one of the same client and target.
    fn add(
        &mut self,
        watcher: &ClientId,
        (req, target): (ReqId, &ClientId),
        state: TargetState,
        now: Instant,
    ) -> Result<(), Refusal> {
        let own = self.watchers.get(watcher);
        if own.and_then(|own| own.get(&req)).is_some_and(|other| other != target) {
            return Err(Refusal::new(Code::BadArgs, "the number of the request is in use"));
        }
        let others = self.targets.get(target).map(|watched| &watched.watchers);
        let former = others.and_then(|others| others.get(watcher)).map(|watch| watch.req);
        if former.is_none()
            && (own.is_some_and(|own| own.len() >= WATCHES)
                || others.is_some_and(|others| others.len() >= WATCHERS))
        {
            return Err(Code::Quota.into());
        }
        if let Some(former) = former {
            self.remove(watcher, former);
        }
        self.watchers.entry(watcher.clone()).or_default().insert(req, target.clone());
        let watch = Watcher { req, told: state, not_before: now + WATCH_INTERVAL, is_due: false };
        let watched = self.targets.entry(target.clone());
        let watched = watched.or_insert_with(|| Watched { state, watchers: BTreeMap::new() });
        watched.watchers.insert(watcher.clone(), watch);
        Ok(())
    }

    /// Ends the watch with this number.
    pub(super) fn remove(&mut self, watcher: &ClientId, req: ReqId) {
        let Some(own) = self.watchers.get_mut(watcher) else { return };
        let Some(target) = own.remove(&req) else { return };
        if own.is_empty() {
            self.watchers.remove(watcher);
        }
        let Some(watched) = self.targets.get_mut(&target) else { return };
        if let Some(Watcher { not_before, is_due: true, .. }) = watched.watchers.remove(watcher) {
            self.due.remove(&(not_before, target.clone(), watcher.clone()));
        }
        if watched.watchers.is_empty() {
            self.targets.remove(&target);
        }
    }

    /// Ends all watches of a client, whose connection is gone.
    pub(super) fn forget(&mut self, watcher: &ClientId) {
        let numbers = self.watchers.get(watcher).into_iter().flat_map(BTreeMap::keys);
        for req in numbers.copied().collect::<Vec<_>>() {
            self.remove(watcher, req);
        }
    }

    /// Notes the state of a target. Returns the watchers that are informed now, and the numbers of their watches.
    fn note(
        &mut self,
        target: &ClientId,
        state: TargetState,
        now: Instant,
    ) -> Vec<(ClientId, ReqId)> {
        let Some(watched) = self.targets.get_mut(target) else { return Vec::new() };
        if std::mem::replace(&mut watched.state, state) == state {
            return Vec::new();
        }
        let mut told = Vec::new();
        for (watcher, watch) in &mut watched.watchers {
            if now >= watch.not_before {
                told.extend(watch.tell(watcher, state, now));
            } else if !watch.is_due {
                watch.is_due = true;
                self.due.insert((watch.not_before, target.clone(), watcher.clone()));
            }
        }
        told
    }

    /// Takes the next watch whose time is over. Returns `None` if there is none, and whom to inform, if the
    /// state is another than the last sent.
    fn take_due(&mut self, now: Instant) -> Option<Option<(ClientId, ReqId, TargetState)>> {
        self.due.first().filter(|(at, _, _)| *at <= now)?;
        let (_, target, watcher) = self.due.pop_first()?;
        let Some(watched) = self.targets.get_mut(&target) else { return Some(None) };
        let state = watched.state;
        let Some(watch) = watched.watchers.get_mut(&watcher) else { return Some(None) };
        watch.is_due = false;
        if planted::is(Fault::ForgetCoalesced) {
            return Some(None);
        }
        Some(watch.tell(&watcher, state, now).map(|(watcher, req)| (watcher, req, state)))
    }
}

impl Watcher {
    /// Notes that a watcher is sent this state, unless it was sent the same last.
    fn tell(
        &mut self,
        watcher: &ClientId,
        state: TargetState,
        now: Instant,
    ) -> Option<(ClientId, ReqId)> {
        if std::mem::replace(&mut self.told, state) == state {
            return None;
        }
        self.not_before = now + WATCH_INTERVAL;
        Some((watcher.clone(), self.req))
    }
}

impl Broker {
    /// Returns the state of a target: what a request that does not wait in line would find.
    #[must_use]
    pub fn target_state(&self, target: &ClientId) -> TargetState {
        match self.state_of(target) {
            TargetState::Free if self.has_line(target) => TargetState::Busy,
            state => state,
        }
    }

    /// Returns the state of a target, the same for every watcher. The one place that decides whether it can be
    /// asked.
    pub(super) fn state_of(&self, target: &ClientId) -> TargetState {
        let Some(&ClientRecord { slot, attendance, .. }) = self.clients.get(target) else {
            return TargetState::Absent;
        };
        match (attendance, slot) {
            (Attendance::Arriving, _)
            | (Attendance::Away { .. } | Attendance::Returning, Slot::Free) => TargetState::Absent,
            (Attendance::Present, Slot::Free) => TargetState::Free,
            // A paired client that is away is busy.
            (_, Slot::Granting(_) | Slot::Paired(_)) => TargetState::Busy,
        }
    }

    pub(super) fn watch(
        &mut self,
        watcher: &ClientId,
        req: ReqId,
        target: &ClientId,
        now: Instant,
    ) {
        let state = self.target_state(target);
        let added = self.watches.add(watcher, (req, target), state, now);
        let Some(conn) = self.client_mut(watcher).map(|watcher| watcher.conn) else { return };
        self.send(
            conn,
            match added {
                Ok(()) => ServerMessage::Target { req, state },
                Err(refusal) => ServerMessage::Error { refusal, req: Some(req), pairing: None },
            },
        );
    }

    /// Tells the watchers of a client that may have changed.
    pub(super) fn note_target(&mut self, target: &ClientId, now: Instant) {
        let state = self.target_state(target);
        for (watcher, req) in self.watches.note(target, state, now) {
            self.tell_watcher(&watcher, req, state);
        }
    }

    /// Tells the changes that came too soon after others.
    pub(super) fn tell_due_watchers(&mut self, now: Instant) {
        while let Some(due) = self.watches.take_due(now) {
            if let Some((watcher, req, state)) = due {
                self.tell_watcher(&watcher, req, state);
            }
        }
    }

    fn tell_watcher(&mut self, watcher: &ClientId, req: ReqId, state: TargetState) {
        if let Some(conn) = self.clients.get(watcher).map(|watcher| watcher.conn) {
            self.send(conn, ServerMessage::Target { req, state });
        }
    }
}
