//! One end of a direct path against a scripted partner and a scripted host.

use std::time::{Duration, Instant};

use socketio_p2p_protocol::{
    Candidate, LinkId, PairingId, PathConfig, Sdp, Signal, Step, WhyAnew,
    peer::{
        Heartbeat, HeartbeatKind, LinkCommand, LinkEvent, WhyLeft,
        direct::{Direct, Input, Output},
    },
};

pub(crate) const PAIRING: PairingId = PairingId::new(1, 1);

/// A description of a data channel. `session` tells connections apart, `ufrag` attempts.
pub(crate) fn sdp_text(session: u64, ufrag: &str) -> String {
    [
        "v=0",
        &format!("o=- {session} 2 IN IP4 127.0.0.1"),
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        &format!("a=ice-ufrag:{ufrag}"),
        "a=ice-pwd:asd88fgpdd777uzjYhagZg",
        "a=fingerprint:sha-256 19:E2:1C:3B",
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "",
    ]
    .join("\r\n")
}

pub(crate) fn sdp(session: u64, ufrag: &str) -> Sdp {
    sdp_text(session, ufrag).parse().unwrap()
}

pub(crate) fn candidate(port: u16, ufrag: Option<&str>) -> Candidate {
    let rest = ufrag.map(|ufrag| format!(" generation 0 ufrag {ufrag}")).unwrap_or_default();
    let text = format!("candidate:1 1 udp 2122260223 127.0.0.1 {port} typ host{rest}");
    Candidate::new(&text, Some("0"), Some(0)).unwrap()
}

pub(crate) struct End {
    pub(crate) direct: Direct,
    pub(crate) now: Instant,
    outputs: Vec<Output>,
    /// Set if frames of the session come and go all the time.
    pub(crate) is_in_use: bool,
    /// Set if a partner whose heartbeats return answers it.
    pub(crate) partner: bool,
    /// The time until an answer.
    pub(crate) delay: Duration,
    /// The round-trip time of the partner to its server.
    pub(crate) partner_server: Option<u64>,
    answers: Vec<(Instant, Heartbeat)>,
    pub(crate) pings: Vec<u64>,
    /// The number of pings that it answered.
    pub(crate) pongs: usize,
    /// How often something happened while time passed.
    pub(crate) turns: usize,
}

impl End {
    pub(crate) fn initiator() -> Self {
        Self::new(true, PathConfig::default())
    }

    pub(crate) fn partner() -> Self {
        Self::new(false, PathConfig::default())
    }

    pub(crate) fn new(initiator: bool, config: PathConfig) -> Self {
        let now = Instant::now();
        let mut end = Self {
            direct: Direct::new(config, PAIRING, initiator, now),
            now,
            outputs: Vec::new(),
            is_in_use: true,
            partner: false,
            delay: Duration::from_millis(1),
            partner_server: None,
            answers: Vec::new(),
            pings: Vec::new(),
            pongs: 0,
            turns: 0,
        };
        end.poll();
        end
    }

    /// Its path is open and carries.
    pub(crate) fn open(initiator: bool) -> Self {
        Self::open_with(initiator, PathConfig::default())
    }

    pub(crate) fn open_with(initiator: bool, config: PathConfig) -> Self {
        let mut end = Self::new(initiator, config);
        end.connect();
        end.pass(20);
        assert!(end.direct.carries());
        end.outputs();
        end
    }

    /// Goes through an attempt that succeeds.
    pub(crate) fn connect(&mut self) {
        if self.commands().iter().any(|command| matches!(command, LinkCommand::Offer(_))) {
            self.describe(11, "mine");
            let attempt = self.attempt();
            self.hear(Some(attempt), Step::Answer(sdp(21, "theirs")));
        } else {
            self.hear(Some(1), Step::Offer(sdp(21, "theirs")));
            self.describe(11, "mine");
        }
        self.partner = true;
        self.report(LinkEvent::Opened);
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.direct.handle(input, self.now);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(output) = self.direct.poll_output() {
            if let Output::Heartbeat(_, beat) = &output {
                if beat.kind == HeartbeatKind::Ping {
                    self.pings.push(beat.n);
                    let (kind, ok, server) = (HeartbeatKind::Pong, true, self.partner_server);
                    let pong = Heartbeat { kind, n: beat.n, pairing: PAIRING, ok, server };
                    self.answers.push((self.now + self.delay, pong));
                } else {
                    self.pongs += 1;
                }
                continue;
            }
            self.outputs.push(output);
        }
    }

    pub(crate) fn hear(&mut self, attempt: Option<u64>, step: Step) {
        self.handle(Input::Signalled(Signal { attempt, step }));
    }

    pub(crate) fn report(&mut self, event: LinkEvent) {
        let link = self.link();
        self.handle(Input::Link(link, event));
    }

    fn received(&mut self, heartbeat: Heartbeat) {
        let link = self.link();
        self.handle(Input::Heartbeat(link, heartbeat));
    }

    pub(crate) fn link(&self) -> LinkId {
        self.direct.link().expect("there is a connection")
    }

    pub(crate) fn beat(&mut self, kind: HeartbeatKind, n: u64, ok: bool) {
        let beat = Heartbeat { kind, n, pairing: PAIRING, ok, server: None };
        self.received(beat);
    }

    /// The host has made the description that was wanted last.
    pub(crate) fn describe(&mut self, session: u64, ufrag: &str) {
        let attempt = self.attempt();
        self.report(LinkEvent::Described(attempt, sdp(session, ufrag)));
    }

    /// The number of the attempt that the host was told last.
    pub(crate) fn attempt(&self) -> u64 {
        let commands = self.outputs.iter().rev().filter_map(|output| match output {
            Output::Link(_, LinkCommand::Offer(attempt) | LinkCommand::Restart(attempt)) => {
                Some(*attempt)
            }
            Output::Link(_, LinkCommand::Answer(attempt, _)) => Some(*attempt),
            _ => None,
        });
        commands.into_iter().next().expect("a description is wanted")
    }

    /// Lets time pass; answers of the partner arrive.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        let mut turns = 0;
        loop {
            turns += 1;
            self.turns += 1;
            assert!(turns < 1_000_000, "it is busy without end");
            if self.is_in_use {
                self.direct.used(self.now);
            }
            let answer = self.answers.first().map(|(at, _)| *at);
            let due = self.direct.poll_timeout();
            let Some(next) = [answer, due].into_iter().flatten().min().filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(next);
            if answer == Some(next) {
                let (_, beat) = self.answers.remove(0);
                if self.partner && self.direct.link().is_some() {
                    self.received(beat);
                }
            } else {
                self.handle(Input::Timeout);
            }
        }
        self.now = until;
    }

    /// Takes the outputs since the last call, without heartbeats.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub(crate) fn commands(&self) -> Vec<LinkCommand> {
        let outputs = self.outputs.iter();
        outputs
            .filter_map(|output| match output {
                Output::Link(_, command) => Some(command.clone()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn signals(&self) -> Vec<Step> {
        let outputs = self.outputs.iter();
        outputs
            .filter_map(|output| match output {
                Output::Signal(signal) => Some(signal.step.clone()),
                _ => None,
            })
            .collect()
    }

    /// Returns the reasons for which the path was left, in order.
    pub(crate) fn left(&self) -> Vec<WhyLeft> {
        let outputs = self.outputs.iter();
        outputs
            .filter_map(|output| match output {
                Output::Left(why) => Some(*why),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn was_taken(&self) -> bool {
        self.outputs.iter().any(|output| matches!(output, Output::Taken { .. }))
    }

    pub(crate) fn offers(&self) -> usize {
        let commands = self.commands();
        commands.iter().filter(|command| matches!(command, LinkCommand::Offer(_))).count()
    }
}

pub(crate) fn anew(why: WhyAnew) -> Step {
    Step::Renegotiate(Some(why))
}

impl End {
    /// The partner has offered, and the host has described the answer.
    pub(crate) fn report_offer(&mut self) {
        self.hear(Some(1), Step::Offer(sdp(21, "theirs")));
        self.describe(11, "mine");
    }
}
