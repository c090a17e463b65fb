//! A simulator: clients, a server and the network between them in virtual time.
//!
//! Everything that happens is drawn from one seed, so a seed repeats a run exactly. The clients and
//! the server are the [`Client`](crate::Client), the [`Broker`](crate::Broker), the
//! [relay](crate::relay) and the [v1 peers](crate::peer::v1) of this crate. In a third of the seeds
//! clients also have direct paths, over links that are cut, slow, closed and left behind by changed
//! addresses, and a pairing may outlive the server. After each step the [`Oracle`] checks the
//! guarantees of the specification. A second simulation has two sessions with two paths between them: a
//! [`SessionPair`], to which others may bring paths of their own.
//!
//! A run that breaks a rule or panics returns a [`Failure`] with the rule, the step, the last events and the
//! way to repeat the run.
//!
//! # Test an application
//!
//! An application whose logic does no IO can be tested in the same way: implement [`Application`] and
//! run it with [`run_application`] under as many seeds as you like. Connections break, freeze and are
//! silent; the server refuses, restarts and forgets; direct paths come and go. `examples/application.rs` tests a
//! transfer of coins under a thousand seeds, in seconds.
//!
//! ```
//! use std::time::Duration;
//!
//! use serde_json::{Value, json};
//! use socketio_p2p_protocol::{
//!     Outcome, Refusal,
//!     sim::{self, Application, CallNo, Calls, Trace},
//! };
//!
//! /// Client 0 counts at client 1.
//! #[derive(Default)]
//! struct Counter {
//!     confirmed: u64,
//!     counted: u64,
//! }
//!
//! impl Application for Counter {
//!     fn tick(&mut self, at: usize, calls: &mut Calls) {
//!         if at == 0 && !calls.winds_down() {
//!             calls.call("count", vec![], Duration::from_secs(5));
//!         }
//!     }
//!
//!     fn handle(&mut self, _: usize, _: &str, _: &[Value]) -> Result<Value, Refusal> {
//!         self.counted += 1;
//!         Ok(json!(self.counted))
//!     }
//!
//!     fn resolved(&mut self, _: usize, _: CallNo, outcome: &Outcome) {
//!         self.confirmed += u64::from(matches!(outcome, Outcome::Replied(..)));
//!     }
//!
//!     fn check(&self, _settled: bool) -> Result<(), String> {
//!         let right = self.confirmed <= self.counted;
//!         if right { Ok(()) } else { Err("what was confirmed was not counted".to_owned()) }
//!     }
//! }
//!
//! for seed in 1..=3 {
//!     let (_, result) = sim::run_application(seed, Box::new(Counter::default()), Trace::default());
//!     result.map_err(|failure| failure.to_string())?;
//! }
//! # Ok::<(), String>(())
//! ```
//!
//! # Test one history
//!
//! A [`Testbed`] is the same simulator without random faults: a test connects clients, pairs them, cuts
//! and stops what it likes, and reads what each client reported.
//!
//! # Test a client in another language
//!
//! [`record`] and [`record_peer`] write transcripts of a client and of a peer, and [`replay`] compares one:
//! see `TRANSCRIPTS.md`.

mod application;
mod application_host;
mod client;
mod connection;
mod direct;
mod event;
mod flow;
mod handlers;
mod history;
mod hostile;
mod legacy;
mod network;
mod node;
mod observed;
mod oracle;
mod parties;
mod paths;
mod peers;
mod plan;
mod report;
mod rooms;
mod script;
mod scripted;
mod server;
mod session_end;
mod session_pair;
mod testbed;
mod transcript;
mod under_test;
mod watch;
mod watches;
mod weather;
mod world;

pub use client::Returns;
pub use oracle::{Breach, CallNo, ClientNo, Manner, Oracle, Report, Rule, Summary, Verdict};
pub use plan::{PaceOf, Plan};
pub use report::{Counts, Failure, LINES, Lived, Totals, Trace, run_many};
pub use script::{Delivered, Handling, Passing};
pub use session_end::SessionEnd;
pub use session_pair::SessionPair;
pub use testbed::{Noticed, Testbed};
pub use transcript::{ReplayError, ReplayErrorKind, replay};
pub use under_test::{Application, Calls};

/// Runs clients and a server from this seed to the end of the run.
pub fn run(seed: u64, trace: Trace) -> Lived {
    run_plan(Plan::new(seed), trace)
}

/// Runs clients and a server as this plan describes.
pub fn run_plan(plan: Plan, trace: Trace) -> Lived {
    history::live_through(plan, trace)
}

/// Runs two sessions with two paths between them from this seed.
pub fn run_two_paths(seed: u64, trace: Trace) -> Lived {
    paths::live_through(seed, trace)
}

/// Runs a room of ten clients, with direct links between them, from this seed: they join, leave, speak to one and to
/// all, under faults of every kind.
pub fn run_rooms(seed: u64, trace: Trace) -> Lived {
    rooms::live_through(seed, trace)
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

/// Runs the two peers of one pairing, with a direct link between them that is made, fails in each way
/// and is made again, and returns the transcript of one: 0 is the initiator, 1 its partner.
/// Returns `None` for any other number.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::sim;
///
/// let transcript = sim::record_peer(7, 0).expect("there is a peer 0");
///
/// assert_eq!(sim::replay(&transcript), Ok(transcript.lines().count()));
/// ```
pub fn record_peer(seed: u64, end: usize) -> Option<String> {
    peers::record(seed, end)
}

/// Runs two peers as [`record_peer`] does, and returns the transcripts of both peers. Their applications, their servers
/// and their partners do all that they can do, what breaks the rules included: so two implementations are
/// compared.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::sim;
///
/// for transcript in sim::record_rough_peers(7) {
///     assert_eq!(sim::replay(&transcript), Ok(transcript.lines().count()));
/// }
/// ```
pub fn record_rough_peers(seed: u64) -> Vec<String> {
    peers::record_roughly(seed)
}

/// Runs an application at two clients, with a server and faults between them. A broken invariant of the
/// application is a [`Failure`], and so are a panic of it and a broken rule of the protocol.
pub fn run_application(seed: u64, application: Box<dyn Application>, trace: Trace) -> Lived {
    history::live_application(seed, application, trace)
}
