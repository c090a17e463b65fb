//! Watches of targets. Each stands until its last holder ends it, on each connection anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{Answer, Client, Output, connection::ConnectionState};
use crate::{
    ClientId, ClientMessage, Refusal, ReqId, TargetState,
    planted::{self, Fault},
    session::CallId,
};

/// The watches, by target. All holders of one target share its watch.
#[derive(Debug, Default)]
pub(super) struct Watches(BTreeMap<ClientId, Watch>);

#[derive(Debug, Default)]
struct Watch {
    /// Its number on the present connection.
    req: Option<ReqId>,
    /// The state that the server sent last on the present connection.
    state: Option<TargetState>,
    /// The calls that were answered, and to which each state is reported.
    holders: BTreeSet<CallId>,
    /// The calls that wait for the first state, with their deadlines.
    waiting: BTreeMap<CallId, Instant>,
}

impl Watch {
    fn is_held(&self) -> bool {
        !self.holders.is_empty() || !self.waiting.is_empty()
    }
}

impl Watches {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().flat_map(|watch| watch.waiting.values()).min().copied()
    }

    /// Notes that the connection is gone, and with it what the server sent on it.
    pub(super) fn lost(&mut self) {
        for watch in self.0.values_mut() {
            (watch.req, watch.state) = (None, None);
        }
    }

    fn named(&self, req: ReqId) -> Option<ClientId> {
        let named = self.0.iter().find(|(_, watch)| watch.req == Some(req));
        named.map(|(target, _)| target.clone())
    }
}

impl Client {
    pub(super) fn watch(&mut self, call: CallId, target: ClientId, deadline: Instant) {
        if !self.welcomed {
            return self.answer(call, Answer::Closed);
        }
        let watch = self.watches.0.entry(target.clone()).or_default();
        if let Some(state) = watch.state {
            watch.holders.insert(call);
            return self.answer(call, Answer::Watching(state));
        }
        watch.waiting.insert(call, deadline);
        if watch.req.is_none() {
            self.ask_to_watch(target);
        }
    }

    /// Asks the server, if there is a connection. Otherwise the next welcome does.
    fn ask_to_watch(&mut self, target: ClientId) {
        if self.state != ConnectionState::Ready {
            return;
        }
        let req = self.next_req();
        if let Some(watch) = self.watches.0.get_mut(&target) {
            watch.req = Some(req);
            self.send(ClientMessage::Watch { req, target });
        }
    }

    /// Asks for all watches on another connection.
    pub(super) fn watch_again(&mut self) {
        if planted::is(Fault::ForgetWatch) {
            return;
        }
        for target in self.watches.0.keys().cloned().collect::<Vec<_>>() {
            self.ask_to_watch(target);
        }
    }

    /// Passes a state on. One of a watch that has ended meanwhile is ignored.
    pub(super) fn told_target(&mut self, req: ReqId, state: TargetState) {
        let Some(target) = self.watches.named(req) else { return };
        let Some(watch) = self.watches.0.get_mut(&target) else { return };
        watch.state = Some(state);
        let holders: Vec<_> = watch.holders.iter().copied().collect();
        let waiting = std::mem::take(&mut watch.waiting);
        watch.holders.extend(waiting.keys());
        for call in holders {
            self.outputs.push_back(Output::Target(call, state));
        }
        for call in waiting.into_keys() {
            self.answer(call, Answer::Watching(state));
        }
    }

    /// Ends a watch that the server refuses. Returns false if the number is that of no watch.
    pub(super) fn watch_refused(&mut self, req: Option<ReqId>, refusal: &Refusal) -> bool {
        let Some(target) = req.and_then(|req| self.watches.named(req)) else { return false };
        let Some(Watch { holders, waiting, .. }) = self.watches.0.remove(&target) else {
            return false;
        };
        for call in holders {
            self.outputs.push_back(Output::Unwatched(call, refusal.clone()));
        }
        for call in waiting.into_keys() {
            self.answer(call, Answer::Refused(refusal.clone()));
        }
        true
    }

    /// Forgets a holder. Its last one ends the watch.
    pub(super) fn cancel_watch(&mut self, call: CallId) {
        for watch in self.watches.0.values_mut() {
            watch.holders.remove(&call);
            watch.waiting.remove(&call);
        }
        self.end_unheld_watches();
    }

    pub(super) fn expire_watches(&mut self, now: Instant) {
        let mut due = Vec::new();
        for watch in self.watches.0.values_mut() {
            due.extend(watch.waiting.extract_if(.., |_, deadline| *deadline <= now));
        }
        for (call, _) in due {
            self.answer(call, Answer::TimedOut);
        }
        self.end_unheld_watches();
    }

    fn end_unheld_watches(&mut self) {
        let unheld: Vec<_> = self.watches.0.extract_if(.., |_, watch| !watch.is_held()).collect();
        for req in unheld.into_iter().filter_map(|(_, watch)| watch.req) {
            self.send(ClientMessage::Cancel { req });
        }
    }

    pub(super) fn close_watches(&mut self) {
        let watches = std::mem::take(&mut self.watches).0.into_values();
        for call in watches.flat_map(|watch| watch.waiting.into_keys()) {
            self.answer(call, Answer::Closed);
        }
    }
}
