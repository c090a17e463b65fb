//! Two ends of a direct path over signals that get lost and a network that comes, goes and changes: nothing
//! is said to a connection that is no more, nobody is busy without end, no storm of signals, and
//! when the trouble is over the direct path carries.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use socketio_p2p_protocol::{
    LinkId, PathConfig, Sdp, Signal,
    limits::{SIGNAL_WINDOW, SIGNALS},
    peer::{
        Heartbeat, LinkCommand, LinkEvent,
        direct::{Direct, Input, Output},
    },
};

use crate::directs::{PAIRING, candidate, sdp};

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    /// Signals get lost, unnoticed.
    LoseSignals(bool),
    /// Cuts the two off from each other, or ends that.
    Cut(bool),
    /// An end gets other addresses, and notices or not.
    Roam(usize, bool),
    /// The server can be reached by both, or not.
    Relay(bool),
    /// An end's connection fails by itself; the partner is told or not.
    Fail(usize, bool),
}

fn some_step() -> impl Strategy<Value = Step> {
    let end = 0..2_usize;
    prop_oneof![
        4 => prop_oneof![1..300_u64, 1_000..15_000_u64].prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::LoseSignals),
        1 => any::<bool>().prop_map(Step::Cut),
        1 => (end.clone(), any::<bool>()).prop_map(|(end, notices)| Step::Roam(end, notices)),
        1 => any::<bool>().prop_map(Step::Relay),
        1 => (end, any::<bool>()).prop_map(|(end, tells)| Step::Fail(end, tells)),
    ]
}

#[derive(Debug)]
enum Arrival {
    Signal(Signal),
    Event(LinkId, LinkEvent),
    /// On a channel, from the partner's connection of this name.
    Heartbeat(LinkId, Heartbeat),
}

/// A connection as its host has it.
#[derive(Debug)]
struct HostLink {
    session: u64,
    own: Option<Sdp>,
    theirs: Option<Sdp>,
    partner: Option<LinkId>,
    /// The addresses for which it was made.
    epoch: u32,
}

struct Model {
    now: Instant,
    ends: [Direct; 2],
    links: [BTreeMap<LinkId, HostLink>; 2],
    closed: [Vec<LinkId>; 2],
    carries: [bool; 2],
    signals: [Vec<Instant>; 2],
    under_way: BTreeMap<(Instant, u64), (usize, Arrival)>,
    /// The heartbeats that wait on channels that are cut.
    held: Vec<(usize, LinkId, LinkId, Heartbeat)>,
    serial: u64,
    loses: bool,
    is_cut: bool,
    relay: bool,
    epoch: u32,
}

impl Model {
    fn new() -> Self {
        let now = Instant::now();
        let end = |initiator| Direct::new(PathConfig::default(), PAIRING, initiator, now);
        let mut model = Self {
            now,
            ends: [end(true), end(false)],
            links: Default::default(),
            closed: Default::default(),
            carries: [false; 2],
            signals: Default::default(),
            under_way: BTreeMap::new(),
            held: Vec::new(),
            serial: 0,
            loses: false,
            is_cut: false,
            relay: true,
            epoch: 0,
        };
        model.carry_out(0);
        model
    }

    fn send(&mut self, millis: u64, to: usize, arrival: Arrival) {
        self.serial += 1;
        let at = self.now + Duration::from_millis(millis);
        self.under_way.insert((at, self.serial), (to, arrival));
    }

    fn handle(&mut self, end: usize, input: Input) {
        self.ends[end].handle(input, self.now);
        self.carry_out(end);
    }

    fn carry_out(&mut self, end: usize) {
        while let Some(output) = self.ends[end].poll_output() {
            match output {
                Output::Signal(signal) => {
                    assert!(self.relay, "signals do not get through");
                    self.signals[end].push(self.now);
                    if !self.loses {
                        self.send(5, 1 - end, Arrival::Signal(signal));
                    }
                }
                Output::Link(link, command) => self.command(end, link, command),
                Output::Heartbeat(link, heartbeat) => self.heartbeat(end, link, heartbeat),
                Output::Taken { .. } => {
                    assert!(!std::mem::replace(&mut self.carries[end], true));
                    let link = self.ends[end].link().expect("it is a connection that carries");
                    assert!(self.links[end][&link].partner.is_some(), "it was never open");
                }
                Output::Left(_) => assert!(std::mem::replace(&mut self.carries[end], false)),
            }
        }
        assert_eq!(self.carries[end], self.ends[end].carries());
    }

    fn command(&mut self, end: usize, link: LinkId, command: LinkCommand) {
        assert!(!self.closed[end].contains(&link), "{command:?} for a connection that is closed");
        match command {
            LinkCommand::Offer(attempt) | LinkCommand::Restart(attempt) => {
                self.describe(end, link, attempt);
            }
            LinkCommand::Answer(attempt, offer) => {
                self.describe(end, link, attempt);
                self.host_link(end, link).theirs = Some(offer);
            }
            LinkCommand::Accept(answer) => self.host_link(end, link).theirs = Some(answer),
            LinkCommand::Add(_) => {}
            LinkCommand::Send(_) => unreachable!("a peer sends that"),
            LinkCommand::Close => {
                self.links[end].remove(&link);
                self.closed[end].push(link);
                self.held.retain(|(from, of, ..)| (*from, *of) != (end, link));
            }
        }
    }

    fn heartbeat(&mut self, end: usize, link: LinkId, heartbeat: Heartbeat) {
        let closed = self.closed[end].contains(&link);
        assert!(!closed, "{heartbeat:?} for a connection that is closed");
        if let Some(partner) = self.host_link(end, link).partner {
            if self.flows(end, link) {
                self.send(2, 1 - end, Arrival::Heartbeat(partner, heartbeat));
            } else {
                self.held.push((end, link, partner, heartbeat));
            }
        }
    }

    fn host_link(&mut self, end: usize, link: LinkId) -> &mut HostLink {
        let session = self.links[0].len() as u64 + 10 * self.serial;
        self.links[end].entry(link).or_insert(HostLink {
            session,
            own: None,
            theirs: None,
            partner: None,
            epoch: self.epoch,
        })
    }

    fn describe(&mut self, end: usize, link: LinkId, attempt: u64) {
        let session = self.host_link(end, link).session;
        self.serial += 1;
        let own = sdp(session, &format!("u{end}x{}", self.serial));
        self.host_link(end, link).own = Some(own.clone());
        let gathered = LinkEvent::Gathered(candidate(1, Some(own.ufrag())));
        self.send(10, end, Arrival::Event(link, LinkEvent::Described(attempt, own)));
        self.send(12, end, Arrival::Event(link, gathered));
    }

    /// Returns whether what an end sends on a connection arrives.
    fn flows(&self, end: usize, link: LinkId) -> bool {
        let Some(host) = self.links[end].get(&link) else { return false };
        !self.is_cut && host.epoch == self.epoch
    }

    /// Connections whose descriptions fit are connected, and what waited on them arrives.
    fn connect(&mut self) {
        if self.is_cut {
            return;
        }
        let mut fitting = Vec::new();
        for (a, first) in &self.links[0] {
            for (b, second) in &self.links[1] {
                let fits = first.own.is_some()
                    && second.own.is_some()
                    && first.own == second.theirs
                    && second.own == first.theirs;
                // Encryption is agreed on once for each connection.
                let strangers = first.partner.is_some_and(|partner| partner != *b)
                    || second.partner.is_some_and(|partner| partner != *a);
                if fits && !strangers {
                    fitting.push((*a, *b));
                }
            }
        }
        for (a, b) in fitting {
            for (end, link, partner) in [(0, a, b), (1, b, a)] {
                let epoch = self.epoch;
                let host = self.host_link(end, link);
                let is_new = host.partner.replace(partner).is_none();
                host.epoch = epoch;
                if is_new {
                    self.send(20, end, Arrival::Event(link, LinkEvent::Opened));
                }
            }
        }
        let held = std::mem::take(&mut self.held);
        for (end, link, partner, beat) in held {
            if self.flows(end, link) {
                self.send(2, 1 - end, Arrival::Heartbeat(partner, beat));
            } else {
                self.held.push((end, link, partner, beat));
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.pass(millis),
            Step::LoseSignals(loses) => self.loses = loses,
            Step::Cut(is_cut) => self.is_cut = is_cut,
            Step::Roam(end, notices) => {
                self.epoch += 1;
                if notices {
                    self.handle(end, Input::NetworkChanged);
                }
            }
            Step::Relay(relay) => self.set_relay(relay),
            Step::Fail(end, tells) => {
                let Some(link) = self.ends[end].link() else { return };
                let partner = self.links[end].get(&link).and_then(|host| host.partner);
                self.handle(end, Input::Link(link, LinkEvent::Closed));
                if let Some(partner) = partner.filter(|_| tells) {
                    self.handle(1 - end, Input::Link(partner, LinkEvent::Closed));
                }
            }
        }
        self.connect();
    }

    fn set_relay(&mut self, relay: bool) {
        self.relay = relay;
        self.under_way.retain(|_, (_, arrival)| !matches!(arrival, Arrival::Signal(_)));
        for end in 0..2 {
            self.handle(end, Input::Relay(relay));
        }
    }

    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 100_000, "somebody is busy without end");
            let arrives = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let due = self.ends.iter().filter_map(Direct::poll_timeout).min();
            let next = [arrives, due].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if arrives == Some(next) {
                let Some((_, (end, arrival))) = self.under_way.pop_first() else { break };
                self.handle(
                    end,
                    match arrival {
                        Arrival::Signal(signal) => Input::Signalled(signal),
                        Arrival::Event(link, event) => Input::Link(link, event),
                        Arrival::Heartbeat(link, heartbeat) => Input::Heartbeat(link, heartbeat),
                    },
                );
            } else {
                for end in 0..2 {
                    self.handle(end, Input::Timeout);
                }
            }
            self.connect();
        }
        self.now = until;
    }

    fn check(&self) {
        for (end, signals) in self.signals.iter().enumerate() {
            let crowd = signals
                .windows(SIGNALS as usize)
                .find(|some| some[some.len() - 1] - some[0] <= SIGNAL_WINDOW);
            assert!(crowd.is_none(), "end {end} is refused by the server");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 5_000 }))]

    #[test]
    fn when_the_trouble_is_over_the_direct_path_carries(steps in prop::collection::vec(some_step(), 0..40)) {
        let mut model = Model::new();
        for step in steps {
            model.step(step);
        }

        model.step(Step::LoseSignals(false));
        model.step(Step::Cut(false));
        if !model.relay {
            model.step(Step::Relay(true));
        }
        model.step(Step::Pass(300_000));

        prop_assert_eq!(model.carries, [true, true]);
        model.check();
        prop_assert!(model.links.iter().all(|links| links.len() == 1));
    }
}

#[test]
fn without_trouble_it_carries_within_a_tenth_of_a_second() {
    let mut model = Model::new();

    model.step(Step::Pass(100));

    assert_eq!(model.carries, [true, true]);
}

#[test]
fn a_cut_is_noticed_in_time_and_survived_without_a_fresh_connection() {
    let mut model = Model::new();
    model.step(Step::Pass(1_000));
    let links = [0, 1].map(|end| model.ends[end].link());

    model.step(Step::Cut(true));
    model.step(Step::Pass(1_000));
    assert_eq!(model.carries, [false, false]);
    model.step(Step::Cut(false));
    model.step(Step::Pass(3_000));

    assert_eq!(model.carries, [true, true]);
    assert_eq!([0, 1].map(|end| model.ends[end].link()), links);
}

#[test]
fn an_end_that_roams_is_found_again_by_a_restart() {
    for end in 0..2 {
        let mut model = Model::new();
        model.step(Step::Pass(2_000));
        let links = [0, 1].map(|end| model.ends[end].link());

        model.step(Step::Roam(end, true));
        model.step(Step::Pass(500));

        assert_eq!(model.carries, [true, true], "it is not even left");
        assert_eq!([0, 1].map(|end| model.ends[end].link()), links);
    }
}
