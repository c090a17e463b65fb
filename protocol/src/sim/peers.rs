//! The two peers of one pairing, recorded: with a server that relays between them, and drivers that
//! make direct links. Delays, and the order in which things fail, are drawn from a seed.

mod draws;
pub(crate) mod driver;
mod fault;
mod faults;
mod hostile;
pub(crate) mod links;
mod rough;

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use fastrand::Rng;
use serde_json::json;

pub(crate) use self::rough::record_roughly;
use self::{driver::Driver, fault::PeerFault};
use crate::{
    Args, Code, PairingId, PairingInfo, Path, PathConfig, PathPolicy, Peer, Refusal,
    limits::Limits,
    peer::{Input, LinkEvent, LinkId, Output, ServerEvent},
    session::EmitOptions,
};

use crate::sim::{
    connection::through_the_codec,
    transcript::{
        Recorded,
        peer::{PeerConfig, PeerOutput},
    },
};

/// The time that a peer's server takes to answer.
const SERVER_RTT: Duration = Duration::from_millis(12);

/// The longest run. The faults end long before.
const LONGEST: Duration = Duration::from_secs(600);

/// The longest rough run: two implementations differ in another run rather than late in one.
const LONGEST_ROUGH: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
enum PeerEvent {
    /// A peer receives some input, whatever happens meanwhile.
    Told(usize, Input),
    /// Something arrives over the relay, unless a connection was lost since it was sent: the number
    /// of losses then, and the pairing as its sender knows it.
    Relayed(usize, u32, PairingId, Input),
    /// A link reports something to its driver's peer.
    Reported(usize, LinkId, LinkEvent),
    Alarm(usize),
    /// The application does something.
    Act(usize),
    /// The server answers a ping.
    Answer(usize),
    Fault,
    /// A peer receives what no lawful partner sends.
    Hostile(usize),
}

struct PeerEnd {
    peer: Recorded<Peer>,
    /// True while it has a connection to the server.
    is_connected: bool,
    /// False from the time that the server forgets the pairing until it knows it again.
    is_known: bool,
    driver: Option<Driver>,
    /// The path that its emits take.
    path: Option<Path>,
    alarm: Option<Instant>,
    /// The last arrivals over the relay and over the direct link, which keep the order.
    last: [Instant; 2],
    has_ended: bool,
}

struct PeerPair {
    rng: Rng,
    start: Instant,
    now: Instant,
    ends: [PeerEnd; 2],
    agenda: BTreeMap<(Instant, u64), PeerEvent>,
    last_event: u64,
    last_call: u64,
    last_session: u64,
    /// The number of connections to the server that were lost.
    losses: u32,
    /// Registrations since the server forgot the pairing, and the number of its names so far.
    asked: u32,
    names: u64,
    /// The time until which nothing gets through on the direct link.
    silent_until: Instant,
    /// True from a change of addresses until a restart of the link.
    has_moved: bool,
    /// The faults to come, and the times that the next has waited for the direct path.
    faults: Vec<PeerFault>,
    waited: u32,
    /// True if the applications, the server and the partners do all that they can do.
    is_rough: bool,
    has_large_values: bool,
    /// The longest pause between two faults, in milliseconds.
    peace: u64,
    /// The delays of the relay and of the direct link, in microseconds.
    delays: [Range<u64>; 2],
}

/// Returns the transcript of one of the two peers: 0 is the initiator, 1 its partner.
pub(crate) fn record(seed: u64, end: usize) -> Option<String> {
    let mut pair = PeerPair::new(seed, &[end], false);
    pair.live();
    let end = pair.ends.into_iter().nth(end)?;
    end.peer.into_transcript()
}

impl PeerPair {
    fn new(seed: u64, recorded: &[usize], is_rough: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let start = Instant::now();
        let policy = match rng.u8(..4) {
            0 => PathPolicy::DirectOnly,
            _ => PathPolicy::PreferDirect,
        };
        // A slow heartbeat makes a short transcript.
        let paths = PathConfig {
            policy,
            heartbeat_interval: Duration::from_millis(400),
            hold: Duration::from_millis(100),
            ..PathConfig::default()
        };
        let ends = [0, 1].map(|end| {
            let pairing = info(PairingId::new(1, 1), end, 0);
            let (limits, server_rtt) = (Limits::default(), Some(SERVER_RTT));
            let mut config = PeerConfig { paths, pairing, limits, server_rtt };
            if is_rough {
                draws::configure(&mut config, &mut rng);
            }
            PeerEnd {
                peer: Recorded::new(config, start, recorded.contains(&end)),
                is_connected: true,
                is_known: true,
                driver: None,
                path: None,
                alarm: None,
                last: [start; 2],
                has_ended: false,
            }
        });
        let faults = PeerFault::all(&mut rng);
        Self {
            rng,
            start,
            now: start,
            ends,
            agenda: BTreeMap::new(),
            last_event: 0,
            last_call: 0,
            last_session: 0,
            losses: 0,
            asked: 0,
            names: 1,
            silent_until: start,
            has_moved: false,
            faults,
            waited: 0,
            is_rough: false,
            has_large_values: false,
            peace: 1_500,
            delays: [4_000..12_000, 500..3_000],
        }
    }

    /// Runs to the end.
    fn live(&mut self) {
        for end in 0..2 {
            self.carry_out_all(end);
            self.after(1..200, PeerEvent::Act(end));
            self.after(2_000..4_000, PeerEvent::Answer(end));
        }
        self.after(200..400, PeerEvent::Fault);
        let longest = match (self.is_rough, self.has_large_values) {
            (false, _) => LONGEST,
            (true, false) => LONGEST_ROUGH.max(Duration::from_millis(2 * self.peace)),
            (true, true) => LONGEST_ROUGH / 6,
        };
        while let Some(((at, _), event)) = self.agenda.pop_first()
            && at <= self.start + longest
        {
            self.now = at;
            self.happen(event);
        }
    }

    fn after(&mut self, millis: Range<u64>, event: PeerEvent) {
        let at = self.now + Duration::from_millis(self.rng.u64(millis));
        self.at(at, event);
    }

    fn at(&mut self, at: Instant, event: PeerEvent) {
        // Whole microseconds, as transcripts have them.
        let nanos = u64::from((at - self.start).subsec_nanos() % 1_000);
        let at = at.max(self.now) + Duration::from_nanos((1_000 - nanos) % 1_000);
        self.last_event += 1;
        self.agenda.insert((at, self.last_event), event);
    }

    /// Lets something arrive after everything before it on the same path.
    fn send(&mut self, to: usize, path: Path, event: PeerEvent) {
        let which = usize::from(path == Path::Direct);
        let micros = self.rng.u64(self.delays[which].clone());
        let last = &mut self.ends[to].last[which];
        *last = (*last).max(self.now + Duration::from_micros(micros));
        let at = *last;
        self.at(at, event);
    }

    fn happen(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Told(end, input) => {
                if let Input::Server(ServerEvent::Welcomed(_)) = &input {
                    self.ends[end].is_connected = true;
                }
                self.feed(end, input);
            }
            PeerEvent::Relayed(end, losses, pairing, input) => {
                let known = self.ends[end].peer.pairing().id == pairing;
                if losses == self.losses && known {
                    self.feed(end, input);
                }
            }
            PeerEvent::Reported(end, link, event) => self.feed(end, Input::Link(link, event)),
            PeerEvent::Alarm(end) => {
                if self.ends[end].alarm.take_if(|alarm| *alarm <= self.now).is_some() {
                    self.feed(end, Input::Timeout);
                }
            }
            PeerEvent::Act(end) if self.is_rough => self.act_roughly(end),
            PeerEvent::Act(end) => self.act(end),
            PeerEvent::Hostile(end) => self.be_hostile(end),
            PeerEvent::Answer(end) => {
                if !self.ends[end].has_ended {
                    self.feed(end, Input::Server(ServerEvent::Answered(SERVER_RTT)));
                    self.after(2_000..4_000, PeerEvent::Answer(end));
                }
            }
            PeerEvent::Fault => self.fault(),
        }
    }

    fn feed(&mut self, end: usize, input: Input) {
        if !self.ends[end].has_ended {
            let now = self.now;
            self.ends[end].peer.handle(input, now);
            self.carry_out_all(end);
        }
    }

    fn carry_out_all(&mut self, end: usize) {
        while let Some(output) = self.ends[end].peer.poll_output() {
            self.carry_out(end, output);
        }
        if let Some(next) = self.ends[end].peer.poll_timeout()
            && self.ends[end].alarm.is_none_or(|alarm| next < alarm)
        {
            self.ends[end].alarm = Some(next);
            self.at(next, PeerEvent::Alarm(end));
        }
    }

    fn carry_out(&mut self, end: usize, output: PeerOutput) {
        let output = match output {
            PeerOutput::Polled(output) => output,
            // Rarely, the receiver's queue is full.
            PeerOutput::Relay(_) if self.rng.u8(..40) == 0 => {
                return self.after(4..12, PeerEvent::Told(end, Input::RelayRefused));
            }
            PeerOutput::Relay(frames) => {
                let mut frames = through_the_codec(&frames).unwrap_or_default();
                self.garble(&mut frames);
                return self.relay(end, Input::Relayed(frames));
            }
        };
        match output {
            Output::Signal(signal) => self.relay(end, Input::Signalled(signal)),
            Output::Link(link, command) => self.command(end, link, command),
            Output::Deliver(delivery) if self.is_rough => self.run_roughly(end, delivery),
            Output::Deliver(delivery) => {
                let result = match self.rng.u8(..20) {
                    0 => Err(Refusal::new(Code::HandlerFailed, "on purpose")),
                    1 => Err(Code::Unhandled.into()),
                    _ => Ok(delivery.args),
                };
                self.after(0..40, PeerEvent::Told(end, Input::Finished(delivery.seq, result)));
            }
            Output::Path { path, .. } => self.ends[end].path = path,
            Output::Register => self.register(end),
            Output::Ended(reason) => {
                self.ends[end].has_ended = true;
                let input = Input::Server(ServerEvent::Ended(reason));
                self.after(4..12, PeerEvent::Told(1 - end, input));
            }
            Output::Reasserted(_) => self.ends[end].is_known = true,
            Output::Abandoned(_)
            | Output::Sent(_)
            | Output::Resolved(..)
            | Output::Partner(_)
            | Output::Unregister
            | Output::Complain(_) => {}
        }
    }

    fn relay(&mut self, from: usize, input: Input) {
        if self.ends.iter().all(|end| end.is_connected) {
            let pairing = self.ends[from].peer.pairing().id;
            let event = PeerEvent::Relayed(1 - from, self.losses, pairing, input);
            self.send(1 - from, Path::Relay, event);
        }
    }

    /// The server has forgotten the pairing. The first registration comes before the partner is
    /// back; it grants the next.
    fn register(&mut self, from: usize) {
        self.asked += 1;
        if self.is_rough && self.rng.u8(..4) == 0 {
            let code = draws::code(&mut self.rng);
            let input = Input::Server(ServerEvent::NotGranted(code));
            return self.after(4..12, PeerEvent::Told(from, input));
        }
        match self.asked {
            1 => {
                let input = Input::Server(ServerEvent::NotGranted(Code::Offline));
                self.after(4..12, PeerEvent::Told(from, input));
            }
            2 => {
                self.names += 1;
                let pairing = PairingId::new(self.names, 1);
                for end in 0..2 {
                    let input = Input::Server(ServerEvent::Granted(info(pairing, end, from)));
                    self.after(4..12, PeerEvent::Told(end, input));
                }
            }
            _ => {}
        }
    }

    /// The application emits, and sometimes no longer waits.
    fn act(&mut self, end: usize) {
        if self.ends[end].has_ended {
            return;
        }
        self.after(60..900, PeerEvent::Act(end));
        for _ in 0..self.rng.usize(1..4) {
            if !self.ends[end].peer.takes_emits() {
                return;
            }
            self.last_call += 1;
            let call = self.last_call;
            let args = match self.rng.u8(..12) {
                0 => {
                    let blob: Vec<u8> = (0..self.rng.u8(1..40)).collect();
                    let args = json!([call, { "_placeholder": true, "num": 0 }]).to_string();
                    Args::from_text(args, vec![blob.into()]).unwrap_or_default()
                }
                _ => Args::from(vec![json!(call), json!("text")]),
            };
            let via = match self.rng.u8(..10) {
                0 => Some(Path::Relay),
                1 => Some(Path::Direct),
                _ => None,
            };
            let reply_by = (self.rng.u8(..5) > 0).then(|| self.now + Duration::from_secs(30));
            let expires = (self.rng.u8(..15) == 0)
                .then(|| self.now + Duration::from_millis(self.rng.u64(1..400)));
            let options = EmitOptions { reply_by, expires, via };
            self.feed(end, Input::Emit { call, event: "event".to_owned(), args, options });
            if self.rng.u8(..30) == 0 {
                self.after(0..30, PeerEvent::Told(end, Input::Cancelled(call)));
            }
        }
    }
}

/// Returns the pairing as one peer sees it.
fn info(id: PairingId, end: usize, initiator: usize) -> PairingInfo {
    let partner = ["left", "right"][1 - end].parse();
    PairingInfo {
        id,
        partner: partner.expect("the name is an id"),
        initiator: end == initiator,
        partner_protocol: 2,
        direct: true,
    }
}
