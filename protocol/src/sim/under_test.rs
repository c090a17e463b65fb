//! The application of a user: two clients run it, and the simulator asks it to check itself.

use std::time::Duration;

use serde_json::Value;

use crate::{Outcome, Refusal, sim::oracle::CallNo};

/// An application that runs at two clients, 0 and 1, which are paired whenever possible.
///
/// See [`run_application`](super::run_application).
pub trait Application {
    /// Does what the application does by itself at client `at`. Called about twenty times a second
    /// while the client is paired.
    fn tick(&mut self, at: usize, calls: &mut Calls);

    /// Handles an event of the partner, at client `at`. The reply is sent 0 to 20 ms later.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if the handler fails. The partner is informed of it.
    fn handle(&mut self, at: usize, event: &str, args: &[Value]) -> Result<Value, Refusal>;

    /// Takes the outcome of a call that client `at` made. Called once for each call.
    fn resolved(&mut self, at: usize, call: CallNo, outcome: &Outcome);

    /// Checks the invariants of the application. `settled` is true at the end of a run, when the last
    /// fault is a minute ago.
    ///
    /// # Errors
    ///
    /// A description of the broken invariant. It ends the run.
    fn check(&self, settled: bool) -> Result<(), String>;
}

/// The calls that an application makes in a tick.
#[derive(Debug)]
pub struct Calls {
    pub(crate) first: CallNo,
    pub(crate) made: Vec<Made>,
    pub(crate) winds_down: bool,
}

#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) event: String,
    pub(crate) args: Vec<Value>,
    pub(crate) patience: Duration,
}

impl Calls {
    /// Calls the partner's handler of this event, and returns the number of the call. `patience` is
    /// the time until its deadline.
    pub fn call(
        &mut self,
        event: impl Into<String>,
        args: Vec<Value>,
        patience: Duration,
    ) -> CallNo {
        self.made.push(Made { event: event.into(), args, patience });
        self.first + self.made.len() - 1
    }

    /// Returns true when the faults have ended: the application completes what it has begun, and
    /// begins nothing more.
    #[must_use]
    pub const fn winds_down(&self) -> bool {
        self.winds_down
    }
}
