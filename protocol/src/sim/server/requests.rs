//! The requests of clients to the server.

use std::time::Instant;

use super::{Server, acts::Act};
use crate::{
    ClientId, ClientMessage, ConnId, Dialect, RoomName,
    relay::{HeldRequests, RequestPolicy, admit_request},
    sim::{client::SimClient, oracle::Oracle},
};

impl Server {
    /// Handles a request: that of a v1 client once its partner has what the client emitted before it.
    pub(crate) fn request(
        &mut self,
        from: ConnId,
        request: ClientMessage,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        if self.dialect(from) == Some(Dialect::V1) && !HeldRequests::passes(&request) {
            self.held.entry(from).or_default().push(request);
        } else {
            self.carry_out_request(from, request, now, oracle);
        }
        self.release(now, oracle);
    }

    /// Hands a request to the broker, unless it is refused.
    pub(super) fn carry_out_request(
        &mut self,
        from: ConnId,
        request: ClientMessage,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        match admit_request(from, request, &Policy { server: self, from }) {
            Ok(input) => self.handle_unheld(input, now, oracle),
            Err(refused) => {
                self.strike(from, refused.refusal.code, oracle);
                let dialect = self.dialect(from).unwrap_or(Dialect::V2);
                self.acts.push_back(Act::Tell(from, refused.message(dialect)));
            }
        }
    }
}

/// The policy of the plan for one connection, without quotas.
struct Policy<'a> {
    server: &'a Server,
    from: ConnId,
}

impl RequestPolicy for Policy<'_> {
    fn admits_registration(&self) -> bool {
        true
    }

    fn admits_list(&self) -> bool {
        true
    }

    fn admits_join(&self) -> bool {
        true
    }

    fn waits_for(&self, target: &ClientId) -> bool {
        let source = self.server.watch.who(self.from);
        source.is_some_and(|source| self.server.broker.waits_for(&source.id, target))
    }

    fn may_register(&self, target: &ClientId) -> bool {
        let source = self.server.watch.who(self.from).map(|who| who.number);
        let ends = source.zip(SimClient::number_of(target.as_str()));
        ends.is_none_or(|(source, target)| self.server.plan.allows(source, target))
    }

    fn may_watch(&self, _: &ClientId) -> bool {
        true
    }

    fn may_join(&self, _: &RoomName) -> bool {
        true
    }
}
