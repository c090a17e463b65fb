//! The links of clients that keep no rule: they are made as those of any other client, so that they open,
//! and carry whatever comes to their owner's mind.

use serde_json::{Value, json};

use super::network::LinkKey;
use crate::{
    LinkId, PairingId, Signal, Step,
    peer::{LinkEvent, LinkMessage},
    sim::{connection::Up, hostile::wild_frame, parties::HOSTILE, world::World},
    wire::{Heartbeat, HeartbeatKind},
};

impl World {
    fn hostile_link(&self, hostile: usize) -> Option<LinkKey> {
        self.hostiles[hostile].link.map(|link| (HOSTILE + hostile, link))
    }

    /// Begins a link in the place of any other, and returns its key.
    fn hostile_begins(&mut self, hostile: usize, pairing: PairingId) -> LinkKey {
        self.hostile_closes(hostile);
        let state = &mut self.hostiles[hostile];
        state.links += 1;
        let link = LinkId::new(pairing, state.links);
        state.link = Some(link);
        (HOSTILE + hostile, link)
    }

    fn hostile_closes(&mut self, hostile: usize) {
        if let Some(key) = self.hostile_link(hostile) {
            self.hostiles[hostile].link = None;
            self.close_link(key);
        }
    }

    fn hostile_signals(&mut self, hostile: usize, pairing: PairingId, signal: &Signal) {
        if let Some(conn) = self.hostiles[hostile].conn {
            self.send_up(conn, Up::Signal(pairing, signal.to_value()));
        }
    }

    /// Offers a link to the partner, as an initiator does.
    pub(crate) fn hostile_offers(&mut self, hostile: usize, pairing: PairingId) {
        let key = self.hostile_begins(hostile, pairing);
        let offer = self.direct.describe(key, self.now);
        self.hostile_signals(hostile, pairing, &Signal::new(1, Step::Offer(offer)));
    }

    /// Answers a signal of the partner, most of the time.
    pub(crate) fn hostile_answers(&mut self, hostile: usize, pairing: PairingId, signal: &Value) {
        let Ok(Signal { attempt, step }) = Signal::from_value(signal) else { return };
        match step {
            Step::Offer(offer) if self.rng.u8(..8) > 0 => {
                let present = self.hostile_link(hostile);
                let session = present
                    .and_then(|key| self.direct.host_link(key, self.now).theirs.as_ref())
                    .map(|theirs| theirs.session() == offer.session());
                let key = match (present, session) {
                    (Some(key), Some(true)) => key,
                    _ => self.hostile_begins(hostile, pairing),
                };
                let answer = self.direct.describe(key, self.now);
                self.direct.host_link(key, self.now).theirs = Some(offer);
                let signal = Signal { attempt, step: Step::Answer(answer) };
                self.hostile_signals(hostile, pairing, &signal);
            }
            Step::Answer(answer) => {
                if let Some(key) = self.hostile_link(hostile) {
                    self.direct.host_link(key, self.now).theirs = Some(answer);
                }
            }
            _ => return,
        }
        self.join_links();
    }

    /// An event of its link reaches a client that keeps no rule: it answers most pings, so that the path
    /// is alive.
    pub(super) fn hostile_link_reports(&mut self, hostile: usize, link: LinkId, event: LinkEvent) {
        let key = (HOSTILE + hostile, link);
        match event {
            LinkEvent::Received(LinkMessage::Text(text)) if self.stormy => {
                let ping = Heartbeat::from_text(&text);
                if let Some(ping) = ping.filter(|ping| ping.kind == HeartbeatKind::Ping)
                    && self.rng.u8(..50) > 0
                {
                    let pong = Heartbeat { kind: HeartbeatKind::Pong, ok: true, ..ping };
                    self.send_direct_if_open(key, LinkMessage::Text(pong.to_text()));
                }
            }
            LinkEvent::Closed => {
                self.direct.close(key);
                let state = &mut self.hostiles[hostile];
                state.link = state.link.filter(|present| *present != link);
            }
            _ => {}
        }
    }

    /// A client that keeps no rule sends something on its link, or closes it.
    pub(crate) fn hostile_sends_direct(&mut self, hostile: usize) {
        let Some(key) = self.hostile_link(hostile) else { return };
        let pairing = self.hostiles[hostile].pairing.unwrap_or(PairingId::new(0, 0));
        let frame = |world: &mut Self| wild_frame(&mut world.rng, &mut world.hostiles[hostile]);
        let message = match self.rng.u8(..40) {
            0 => return self.hostile_closes(hostile),
            1 => LinkMessage::Text("x".repeat(1_000)),
            2 => LinkMessage::Text(json!({ "t": "novel", "n": -1 }).to_string()),
            3 => LinkMessage::Binary(vec![0; 9].into()),
            4..10 => {
                let beat = json!({
                    "t": if self.rng.bool() { "ping" } else { "pong" },
                    "n": if self.rng.bool() { self.rng.u64(..40) } else { u64::MAX },
                    "pairing": pairing,
                    "ok": self.rng.bool(),
                    "server": self.rng.u64(..),
                });
                LinkMessage::Text(beat.to_string())
            }
            10..25 => {
                let frames = [(); 5].map(|()| frame(self).to_text());
                LinkMessage::Text(format!("[{}]", frames.join(",")))
            }
            _ => LinkMessage::Text(frame(self).to_text()),
        };
        self.send_direct_if_open(key, message);
    }

    fn send_direct_if_open(&mut self, key: LinkKey, message: LinkMessage) {
        if self.direct.links.get(&key).is_some_and(|link| link.is_open) {
            self.send_direct(key, message);
        }
    }
}
