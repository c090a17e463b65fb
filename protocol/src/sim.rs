//! A simulator: clients, a server and the network between them in virtual time.
//!
//! Everything that happens is drawn from one seed, so a seed repeats a run exactly. The clients and
//! the server are the [`Client`](crate::Client), the [`Broker`](crate::Broker), the
//! [relay](crate::relay) and the [v1 ends](crate::peer::v1) of this crate, and after each step the [`Oracle`] checks the guarantees of the specification. A second
//! simulation has two sessions with two paths between them.
//!
//! A run that breaks a rule returns a [`Failure`] with the rule, the step and the last events.
//!
//! # Examples
//!
//! ```
//! use socketio_p2p_protocol::sim::{self, Trace};
//!
//! let (counts, result) = sim::run(7, Trace::default());
//!
//! let summary = result.map_err(|failure| failure.to_string())?;
//! assert!(summary.calls > 0 && counts.faults > 0);
//! # Ok::<(), String>(())
//! ```

mod application;
mod client;
mod handlers;
mod history;
mod hostile;
mod legacy;
mod link;
mod network;
mod node;
mod oracle;
mod paths;
mod plan;
mod report;
mod server;
mod transcript;
mod watch;
mod weather;
mod world;

pub use oracle::{CallNo, ClientNo, Manner, Oracle, Report, Rule, Summary, Verdict, Violation};
pub use plan::{PaceOf, Plan};
pub use report::{Counts, Failure, LINES, Lived, Totals, Trace, run_many};
pub use transcript::{ReplayError, ReplayErrorKind, replay};

/// Runs clients and a server from this seed to the end of the run.
pub fn run(seed: u64, trace: Trace) -> Lived {
    run_plan(Plan::new(seed), trace)
}

/// Runs clients and a server as this plan describes.
pub fn run_plan(plan: Plan, trace: Trace) -> Lived {
    report::observe(plan.seed, "replay", || history::live_through(plan, trace))
}

/// Runs two sessions with two paths between them from this seed.
pub fn run_two_paths(seed: u64, trace: Trace) -> Lived {
    report::observe(seed, "replay_paths", || paths::live_through(seed, trace))
}

/// Runs the plan and returns the transcript of one client: at least `lines` lines, unless the client
/// closes before. Returns `None` if there is no such client.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::sim::{self, Plan};
///
/// let transcript = sim::record(Plan::new(7), 0, 100).expect("there is a client 0");
///
/// assert_eq!(sim::replay(&transcript), Ok(transcript.lines().count()));
/// ```
pub fn record(plan: Plan, client: usize, lines: usize) -> Option<String> {
    history::record(plan, client, lines)
}
