//! Watches of targets: applications begin and end them, and learn the true state.

use std::time::Duration;

use crate::{
    ClientId, TargetState,
    client::{Answer, Command},
};

use crate::sim::{
    client::{SimClient, Watching},
    oracle::Rule,
    world::World,
};

/// The watches that one application has at once.
const AT_ONCE: usize = 4;

impl World {
    /// An application begins a watch, or ends one.
    pub(crate) fn change_watches(&mut self, client: usize) {
        let held = &self.clients[client].watches;
        let told: Vec<_> = held.iter().filter(|(_, watch)| watch.told.is_some()).collect();
        if held.len() >= AT_ONCE && !told.is_empty() {
            let call = *told[self.rng.usize(..told.len())].0;
            self.clients[client].watches.remove(&call);
            return self.command(client, Command::Cancel(call));
        }
        if held.len() >= AT_ONCE {
            return;
        }
        // One of them is nobody.
        let other = self.rng.usize(..=self.clients.len() + self.legacies.len());
        let target: ClientId = SimClient::new(other).name.parse().expect("a name is an id");
        let call = self.clients[client].next_request();
        let watching = Watching { target: target.clone(), told: None };
        self.clients[client].watches.insert(call, watching);
        let deadline = self.now + Duration::from_secs(12);
        self.command(client, Command::Watch { call, target, deadline });
    }

    /// A watch was answered.
    pub(crate) fn watch_answered(&mut self, client: usize, call: u64, answer: &Answer) {
        match answer {
            Answer::Watching(state) => self.told_target(client, call, *state),
            _ => drop(self.clients[client].watches.remove(&call)),
        }
    }

    pub(crate) fn told_target(&mut self, client: usize, call: u64, state: TargetState) {
        self.counts.watched += 1;
        match self.clients[client].watches.get_mut(&call) {
            Some(watch) => watch.told = Some(state),
            None => {
                let what = format!("{client} is told {state} of what it does not watch");
                self.oracle.violate(Rule::Watched, what);
            }
        }
    }

    /// Checks that each watch was told the true state last.
    pub(crate) fn check_watches(&mut self) {
        for client in 0..self.clients.len() {
            for watch in self.clients[client].watches.values() {
                let state = self.server.broker.target_state(&watch.target);
                if watch.told != Some(state) {
                    let what = format!("{client} believes in {watch:?}, which is {state}");
                    self.oracle.violate(Rule::Watched, what);
                }
            }
        }
    }
}
