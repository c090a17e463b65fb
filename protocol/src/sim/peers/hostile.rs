//! What no lawful partner and no lawful server sends, in rough runs: frames out of order and beyond the window,
//! acknowledgements and replies of what was never sent, values that are none, signals of any attempt.

use std::time::Duration;

use bytes::Bytes;

use super::{PeerEvent, PeerPair, draws};
use crate::{
    Args, Body, Candidate, EndReason, Frame, Presence, Refusal, Signal, Step, WhyAnew,
    peer::{Input, LinkEvent, LinkMessage, ServerEvent},
    wire::{Heartbeat, HeartbeatKind},
};

/// Texts for the first channel of a link.
const TEXTS: [&str; 12] = [
    r#"{"t":"future"}"#,
    r#"{"t":"future","k":0}"#,
    r#"{"s":"7","k":0,"t":"future"}"#,
    r#"{"t":"ping","n":18446744073709551615,"pairing":"1-1","ok":true,"server":"soon"}"#,
    r#"{"t":"pong","n":3,"k":0,"pairing":"1-1","ok":false}"#,
    r#"{"t":"ping","n":-1,"pairing":"1-1","ok":true}"#,
    r#"[{"k":0,"t":"ack"},{"t":"ack"},{"s":1,"k":0,"t":"emit","e":"e","a":{}}]"#,
    r#"{"k":0,"t":"ack","s":"of no use","d":[]}"#,
    r#"{"k":0.5,"t":"ack"}"#,
    "[]",
    "not a frame",
    r#"{"s":1,"k":0,"t":"reply","to":1,"err":{"code":7}}"#,
];

impl PeerPair {
    pub(super) fn be_hostile(&mut self, end: usize) {
        if self.ends[end].has_ended {
            return;
        }
        // In a run of long peace nothing disturbs it.
        self.after(300..self.peace, PeerEvent::Hostile(end));
        match self.rng.u8(..18) {
            0..=4 => {
                let frames = (0..self.rng.usize(1..5)).map(|_| self.frame()).collect();
                self.feed(end, Input::Relayed(frames));
            }
            5 => {
                let frame = self.frame();
                self.say_to(end, LinkMessage::Text(frame.to_text()));
            }
            6 => {
                let frame = self.frame();
                let pairing = self.ends[end].peer.pairing().id;
                let mut bytes = frame.to_binary(pairing).to_vec();
                if self.rng.bool() {
                    bytes.truncate(self.rng.usize(..=bytes.len()));
                }
                self.say_to(end, LinkMessage::Binary(Bytes::from(bytes)));
            }
            7..=8 => {
                let text = TEXTS[self.rng.usize(..TEXTS.len())];
                self.say_to(end, LinkMessage::Text(text.to_owned()));
            }
            9 => {
                for _ in 0..self.rng.usize(1..4) {
                    let heartbeat = self.heartbeat(end);
                    self.say_to(end, LinkMessage::Text(heartbeat.to_text()));
                }
            }
            10..=12 => self.signal_anything(end),
            13 => {
                let event = match self.rng.u8(..5) {
                    0 => ServerEvent::Partner(Presence::Away),
                    1 => ServerEvent::Partner("elsewhere".into()),
                    2 => ServerEvent::Answered(Duration::from_micros(self.rng.u64(..400_000))),
                    3 => ServerEvent::NotGranted(draws::code(&mut self.rng)),
                    _ => ServerEvent::Partner(Presence::Back),
                };
                self.feed(end, Input::Server(event));
            }
            14 => self.feed(end, Input::RelayRefused),
            15 => {
                let limits = draws::limits(&mut self.rng);
                self.feed(end, Input::Server(ServerEvent::Welcomed(limits)));
            }
            16 => {
                let event = if self.rng.bool() { LinkEvent::Heard } else { LinkEvent::Sent };
                if let Some(link) = self.ends[end].driver.as_ref().map(|driver| driver.link) {
                    self.feed(end, Input::Link(link, event));
                }
            }
            _ => self.end_somehow(end),
        }
    }

    /// Rarely a frame on its way says something else, in its turn.
    pub(super) fn garble(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            if self.is_rough && frame.seq > 0 && self.rng.u8(..80) == 0 {
                let body = self.body();
                if !matches!(body, Body::Ack) {
                    *frame = Frame { ttl: None, body: body.into(), ..frame.clone() };
                }
            }
        }
    }

    /// The peer receives a message on the first channel of its link.
    fn say_to(&mut self, end: usize, message: LinkMessage) {
        if let Some(link) = self.ends[end].driver.as_ref().map(|driver| driver.link) {
            self.feed(end, Input::Link(link, LinkEvent::Received(message)));
        }
    }

    fn heartbeat(&mut self, end: usize) -> Heartbeat {
        Heartbeat {
            kind: if self.rng.bool() { HeartbeatKind::Ping } else { HeartbeatKind::Pong },
            n: self.rng.u64(..200),
            pairing: self.ends[end].peer.pairing().id,
            ok: self.rng.bool(),
            server: (self.rng.u8(..4) == 0).then(|| self.rng.u64(..400_000)),
        }
    }

    /// Rarely the pairing ends before its time, or the application takes no more emits.
    fn end_somehow(&mut self, end: usize) {
        let input = match self.rng.u8(..12) {
            0 => Input::Undeliverable,
            1 => Input::Parted(EndReason::Unregistered),
            2 => Input::Ended(EndReason::Kicked),
            3 => Input::Server(ServerEvent::Ended(EndReason::NodeLost)),
            4 => Input::Paused,
            _ => Input::Timeout,
        };
        self.feed(end, input);
    }

    /// Draws a number of a frame: mostly a small one.
    fn number(&mut self) -> u64 {
        match self.rng.u8(..12) {
            0 => u64::MAX,
            1 => self.rng.u64(..1_000),
            _ => self.rng.u64(..20),
        }
    }

    fn frame(&mut self) -> Frame {
        let ack = if self.rng.bool() { 0 } else { self.number() };
        let got = if self.rng.u8(..3) > 0 { ack } else { ack.max(self.number()) };
        let body = self.body();
        let seq = match body {
            Body::Ack => 0,
            Body::Other(_) => self.number(),
            _ => self.number().max(1),
        };
        let may_expire = matches!(body, Body::Emit { .. } | Body::Part { last: true, .. });
        let ttl =
            (may_expire && self.rng.bool()).then(|| Duration::from_millis(self.rng.u64(..100)));
        Frame { seq, ack, got, ttl, body: body.into() }
    }

    fn body(&mut self) -> Body {
        let result = match self.rng.u8(..4) {
            0 => Ok(Args::default()),
            1 => Err(Refusal::new(draws::code(&mut self.rng), "")),
            _ => Err(draws::code(&mut self.rng).into()),
        };
        let to = self.number();
        match self.rng.u8(..9) {
            0 => Body::Ack,
            1 => Body::Drop,
            2 => Body::Cancel { to },
            3 => Body::Reply { to, result },
            4..=5 => {
                let texts =
                    [r#"{"t":"emit","e":"event","a":["#, "]}", "{", r#"1e999,"\ud800""#, ""];
                let text = match self.rng.usize(..=texts.len()) {
                    at if at < texts.len() => texts[at].to_owned(),
                    _ => "x".repeat(self.rng.usize(..1_300_000)),
                };
                Body::Part { text, last: self.rng.bool() }
            }
            6 => Frame::from_text(r#"{"s":1,"k":0,"t":"kind of another version, and a long one"}"#)
                .map_or(Body::Drop, |frame| (*frame.body).clone()),
            _ => {
                let event = match self.rng.u8(..4) {
                    0 => "P2P_FRAME".to_owned(),
                    _ => draws::event(&mut self.rng),
                };
                Body::Emit { event, args: Args::default(), wants_reply: self.rng.bool() }
            }
        }
    }

    /// The peer receives a signal of any attempt, or many candidates.
    fn signal_anything(&mut self, end: usize) {
        let session = self.rng.u64(..6);
        let ufrag = format!("u{session}n1");
        let sdp = super::links::sdp(session, &ufrag).parse();
        let sdp = sdp.expect("it is a description");
        let candidate = match self.rng.bool() {
            true => super::links::candidate(session, &ufrag),
            false => {
                let kind = ["host", "srflx", "relay"][self.rng.usize(..3)];
                let text = format!("candidate:1 1 udp 5 10.0.0.1 5 typ {kind}");
                Candidate::new(&text, None, None).expect("it is a candidate")
            }
        };
        let step = match self.rng.u8(..9) {
            0..=1 => Step::Offer(sdp),
            2 => Step::Answer(sdp),
            3 => Step::Renegotiate(Some(WhyAnew::Silent)),
            4 => Step::Renegotiate(Some(WhyAnew::Closed)),
            5 => Step::Renegotiate(Some(WhyAnew::Changed)),
            6 => Step::Renegotiate(Some("another reason".into())),
            7 => Step::End,
            _ => Step::Candidate(candidate),
        };
        let is_candidate = matches!(step, Step::Candidate(_));
        let attempt = match self.rng.u8(..8) {
            0 => None,
            1..=4 if is_candidate => None,
            1 => Some((1 << 53) - 1 - self.rng.u64(..2)),
            _ => Some(self.rng.u64(..12)),
        };
        let many = if is_candidate { self.rng.usize(1..80) } else { 1 };
        for _ in 0..many {
            let signal = Signal { attempt, step: step.clone() };
            self.feed(end, Input::Signalled(signal));
        }
    }
}
