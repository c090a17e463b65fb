//! One peer with a direct path, whose partner, driver and server the test plays.

use std::time::{Duration, Instant};

use socketio_p2p_protocol::{
    Frame, PairingInfo, Path, PathConfig, PathPolicy, Signal, Step,
    limits::Limits,
    peer::{
        DirectMessage, Heartbeat, HeartbeatKind, Input, LinkCommand, LinkEvent, LinkId,
        LinkMessage, Output, Peer,
    },
};

use crate::{clients::info, directs::sdp};

/// One peer, whose partner the test plays. Nothing takes what it collects for the relay, as if the
/// server's rates allowed no more.
pub(crate) struct LinkedPeer {
    pub(crate) peer: Peer,
    pub(crate) now: Instant,
    link: Option<LinkId>,
    /// The pings that it has sent and that were not answered.
    pings: Vec<u64>,
    pub(crate) delivered: Vec<u64>,
    pub(crate) paths: Vec<Option<Path>>,
    /// Bytes that it has sent on the direct path.
    pub(crate) direct_bytes: usize,
    /// All other outputs.
    pub(crate) outputs: Vec<Output>,
}

impl LinkedPeer {
    /// A peer whose direct path carries.
    pub(crate) fn new(policy: PathPolicy) -> Self {
        let mut config = PathConfig::default();
        config.policy = policy;
        let info = PairingInfo { direct: true, ..info(1) };
        let now = Instant::now();
        let peer = Peer::new(config, info, Limits::default(), None, now);
        let mut linked = Self {
            peer,
            now,
            link: None,
            pings: Vec::new(),
            delivered: Vec::new(),
            paths: Vec::new(),
            direct_bytes: 0,
            outputs: Vec::new(),
        };
        linked.poll();
        linked.report(LinkEvent::Described(1, sdp(11, "mine")));
        let answer = Step::Answer(sdp(21, "theirs"));
        linked.handle(Input::Signalled(Signal::new(1, answer)));
        linked.report(LinkEvent::Opened);
        linked.say(true);
        assert!(linked.peer.is_alive());
        linked.outputs.clear();
        linked
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.peer.handle(input, self.now);
        self.poll();
    }

    pub(crate) fn report(&mut self, event: LinkEvent) {
        let link = self.link.expect("there is a link");
        self.handle(Input::Link(link, event));
    }

    fn poll(&mut self) {
        loop {
            while let Some(output) = self.peer.poll_output() {
                match output {
                    Output::Link(link, LinkCommand::Offer(_)) => self.link = Some(link),
                    Output::Link(_, LinkCommand::Send(message)) => self.sent(message),
                    Output::Deliver(delivery) => self.delivered.push(delivery.seq),
                    Output::Path { path, .. } => self.paths.push(path),
                    output => self.outputs.push(output),
                }
            }
            let Some((_, message)) = self.peer.poll_direct() else { break };
            self.sent(message);
        }
    }

    fn sent(&mut self, message: LinkMessage) {
        let LinkMessage::Text(text) = message else { return };
        match DirectMessage::from_text(&text).unwrap() {
            DirectMessage::Heartbeat(beat) if beat.kind == HeartbeatKind::Ping => {
                self.pings.push(beat.n);
            }
            _ => self.direct_bytes += text.len(),
        }
    }

    /// The partner answers every ping, and says whether its own return.
    pub(crate) fn say(&mut self, ok: bool) {
        let pairing = info(1).id;
        let beat = |kind, n| Heartbeat { kind, n, pairing, ok, server: None };
        let mut beats = vec![beat(HeartbeatKind::Ping, 1)];
        beats.extend(self.pings.drain(..).map(|n| beat(HeartbeatKind::Pong, n)));
        for beat in beats {
            self.report(LinkEvent::Received(LinkMessage::Text(beat.to_text())));
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.handle(Input::Timeout);
    }

    /// Returns the bytes that wait for the relay.
    pub(crate) fn waiting_bytes(&mut self) -> usize {
        let batches = std::iter::from_fn(|| self.peer.poll_relay());
        batches.flatten().map(|frame: Frame| frame.body.size()).sum()
    }
}
