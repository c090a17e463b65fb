//! The terms of the oracle: the rules, the reports, and the totals.

/// The number of a client.
pub type ClientNo = usize;

/// The number of a call, in the order of calls.
pub type CallNo = usize;

/// The report that a caller got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Report {
    /// The value that the handler returned.
    Value,
    /// A value, but not that of this call.
    WrongValue,
    /// The handler ran and failed.
    Failed,
    /// No handler ran, and none will.
    NotExecuted,
    /// It is not known if a handler ran.
    Unknown,
}

/// The result of a handler.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It returned a value.
    Value,
    /// It failed.
    Failed,
}

/// A guarantee.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    /// A client is in at most one pairing.
    Exclusive,
    /// A client is paired only if it asked for the pairing or consented to it.
    Consent,
    /// A v1 client does not believe in a pairing that is over, once all deadlines are over, and it knows of the
    /// one in which it is.
    Belief,
    /// Both peers of a pairing agree.
    Mutual,
    /// A client gets nothing from a client that it is not paired with.
    NoStranger,
    /// An event comes from the client that it names as its source.
    TrueSource,
    /// Arguments arrive unchanged.
    Intact,
    /// A handler runs at most once for each emit.
    AtMostOnce,
    /// Every call is reported exactly once.
    ReportedOnce,
    /// Each report is true.
    Truthful,
    /// No message is lost while both peers recover within the grace period.
    NothingLost,
    /// Events run in the order of emits, for each pairing and direction.
    Order,
    /// An emit does not run after its time to live.
    InTime,
    /// A pairing lasts until it is ended, or a peer is away for longer than the grace period.
    Lasting,
    /// The end of a pairing is announced once, with its reason.
    ToldOnce,
    /// Counters match the objects that they count.
    Counters,
    /// All state stays within its limits.
    Bounded,
    /// A client that watches a target was told its true state last, once nothing changes any more.
    Watched,
    /// Links are used while they are open, and the direct path carries again after the last fault if
    /// both peers allow it.
    Direct,
    /// The clients make progress after the last fault.
    Progress,
    /// No state remains when all clients have left.
    NothingLeft,
    /// The invariants of the application under test hold.
    Application,
    /// No input causes a panic.
    NoPanic,
}

/// A broken rule.
#[derive(Clone, Debug)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// A description of what broke it.
    pub what: String,
}

/// The options of a call, as far as they matter to the rules.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// True if the caller waits for a reply.
    pub acknowledged: bool,
    /// True if the call may fail although both peers are well: it has a time to live or a short
    /// deadline, or the caller may cancel it.
    pub excused: bool,
}

/// Totals of a run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Emits, with and without a reply.
    pub calls: usize,
    /// Emits whose handler ran.
    pub executed: usize,
    /// Calls that returned a value.
    pub values: usize,
    /// Calls that were reported as not executed.
    pub not_executed: usize,
    /// Calls that were reported as unknown.
    pub unknown: usize,
    /// Pairings.
    pub pairings: usize,
}

impl Summary {
    pub(in crate::sim) fn add(&mut self, other: Self) {
        let Self { calls, executed, values, not_executed, unknown, pairings } = other;
        self.calls += calls;
        self.executed += executed;
        self.values += values;
        self.not_executed += not_executed;
        self.unknown += unknown;
        self.pairings += pairings;
    }
}
