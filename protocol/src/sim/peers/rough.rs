//! Applications and a server that do all that they can do: values of all sizes, small windows of time, handlers
//! that are slow, fail or never return, limits that change. For comparing two implementations: a client in
//! another language must do the same.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{PeerConfig, PeerEvent, PeerPair};
use crate::{
    Args, Code, Path, PathPolicy, Refusal,
    limits::{Limits, WINDOW_FRAMES},
    peer::Input,
    session::{Delivery, EmitOptions},
};

/// Returns the transcripts of both ends of a rough run.
pub(crate) fn record_roughly(seed: u64) -> Vec<String> {
    let mut pair = PeerPair::new(seed, &[0, 1], true);
    pair.be_rough();
    for end in 0..2 {
        pair.after(200..2_000, PeerEvent::Hostile(end));
    }
    pair.live();
    pair.ends.into_iter().filter_map(|end| end.peer.into_transcript()).collect()
}

/// Draws the settings of an end.
pub(super) fn configure(config: &mut PeerConfig, rng: &mut Rng) {
    config.limits = limits(rng);
    config.paths.policy = match rng.u8(..10) {
        0 => PathPolicy::RelayOnly,
        1 => PathPolicy::DirectOnly,
        _ => PathPolicy::PreferDirect,
    };
    let mut draw =
        |millis: std::ops::Range<u64>| Duration::from_micros(rng.u64(millis) * 1_000 + 1);
    config.paths.heartbeat_interval = draw(100..600);
    config.paths.heartbeat_idle = draw(50..5_000);
    config.paths.heartbeat_timeout = draw(300..1_500);
    config.paths.retry_max = draw(1_000..5_000);
    config.paths.hold = draw(1..3_000);
    config.server_rtt = rng.bool().then(|| Duration::from_micros(rng.u64(..40_000)));
    match rng.u8(..10) {
        0 => config.pairing.partner_protocol = 1,
        1 => config.pairing.direct = false,
        _ => {}
    }
    config.pairing.direct &= config.pairing.partner_protocol > 1;
}

/// Draws the limits of a server: usually the default ones.
pub(super) fn limits(rng: &mut Rng) -> Limits {
    let mut limits = Limits::default();
    match rng.u8(..6) {
        0 => limits.frame_bytes = rng.usize(..40_000),
        1 => limits.json_depth = rng.usize(..16),
        _ => {}
    }
    limits
}

/// Draws a text of about so many characters, among them some that are spelled longer.
fn text(rng: &mut Rng, length: usize) -> String {
    const RARE: [char; 9] = ['"', '\\', '\n', '\u{1}', '\u{8}', 'é', '—', '\u{1f600}', '\u{2028}'];
    let is_plain = rng.bool();
    let one = |rng: &mut Rng| if is_plain || rng.u8(..9) > 0 { 'x' } else { RARE[rng.usize(..9)] };
    (0..length).map(|_| one(rng)).collect()
}

/// Draws arguments: mostly short, some of several parts, some too large or nested too deeply.
fn args(rng: &mut Rng, number: u64) -> Args {
    let length = match rng.u8(..250) {
        0 => rng.usize(..1_200_000),
        1..=4 => rng.usize(..120_000),
        5..=12 => rng.usize(..20_000),
        _ => rng.usize(..30),
    };
    let mut value = json!({ "text": text(rng, length), "n": number, "half": 0.5, "none": null });
    for _ in 0..if rng.u8(..10) == 0 { rng.usize(..70) } else { 0 } {
        value = json!([value]);
    }
    let blobs: Vec<Vec<u8>> = match rng.u8(..8) {
        0 => {
            let longest = if rng.u8(..8) == 0 { 12_000 } else { 100 };
            (0..rng.usize(1..4)).map(|_| vec![rng.u8(..); rng.usize(..longest)]).collect()
        }
        _ => Vec::new(),
    };
    let placeholders = (0..blobs.len()).map(|num| json!({ "_placeholder": true, "num": num }));
    let values: Vec<Value> = std::iter::once(value).chain(placeholders).collect();
    let blobs = blobs.into_iter().map(Into::into).collect();
    Args::from_text(json!(values).to_string(), blobs).unwrap_or_default()
}

/// Draws arguments of which the window holds two or three.
fn large(rng: &mut Rng) -> Args {
    Args::from(vec!["x".repeat(rng.usize(200_000..600_000)).into()])
}

/// Draws the name of an event: rarely one that may not be emitted.
pub(super) fn event(rng: &mut Rng) -> String {
    match rng.u8(..60) {
        0 => "P2P_EMIT".to_owned(),
        1 => "disconnect".to_owned(),
        2 => "n".repeat(rng.usize(120..140)),
        3 => "é\"".to_owned(),
        _ => "event".to_owned(),
    }
}

/// Draws a code: rarely one of another version, also one that is cut.
pub(super) fn code(rng: &mut Rng) -> Code {
    match rng.usize(..Code::ALL.len() + 2) {
        0 => "of another version".into(),
        1 => "é".repeat(16).as_str().into(),
        at => Code::ALL[at - 2],
    }
}

impl PeerPair {
    /// Draws what this run has of its own.
    pub(super) fn be_rough(&mut self) {
        self.is_rough = true;
        self.has_large_values = self.rng.u8(..12) == 0;
        self.peace = if self.rng.u8(..12) == 0 { 50_000 } else { 9_000 };
        if self.has_large_values {
            self.delays = [50_000..150_000, 30_000..90_000];
        } else if self.rng.u8(..4) == 0 {
            self.delays[1] = 20_000..self.rng.u64(30_000..80_000);
        }
    }

    /// The application emits, now and then as much as the window takes.
    pub(super) fn act_roughly(&mut self, end: usize) {
        if self.ends[end].has_ended {
            return;
        }
        let latest = if self.has_large_values { 300 } else { 2_500 };
        self.after(20..latest, PeerEvent::Act(end));
        let count = match self.rng.u8(..200) {
            0 => 2 * WINDOW_FRAMES,
            // Their replies are more than a window holds.
            1..=20 if self.has_large_values => 30,
            _ => self.rng.usize(1..5),
        };
        for _ in 0..count {
            // An emit that does not fit is refused; rarely is it made nevertheless.
            if !self.ends[end].peer.takes_emits() && self.rng.u8(..4) > 0 {
                return;
            }
            self.last_call += 1;
            let call = self.last_call;
            let args = match self.rng.u8(..4) {
                _ if count > 6 => Args::default(),
                0 if self.has_large_values => large(&mut self.rng),
                _ => args(&mut self.rng, call),
            };
            let via = match self.rng.u8(..12) {
                0 => Some(Path::Relay),
                1 => Some(Path::Direct),
                _ => None,
            };
            let now = self.now;
            let mut soon = |one_in, millis| {
                let is_drawn = self.rng.u8(..one_in) == 0;
                is_drawn.then(|| now + Duration::from_millis(self.rng.u64(..millis)))
            };
            let reply_by = soon(8, 300).or_else(|| soon(2, 30_000));
            let options = EmitOptions { reply_by, expires: soon(10, 300), via };
            let event = event(&mut self.rng);
            self.feed(end, Input::Emit { call, event, args, options });
            if self.rng.u8(..12) == 0 {
                self.after(0..200, PeerEvent::Told(end, Input::Cancelled(call)));
            }
        }
    }

    /// A handler returns something, soon, late or never.
    pub(super) fn run_roughly(&mut self, end: usize, delivery: Delivery) {
        let result = match self.rng.u8(..8) {
            0 => Err(code(&mut self.rng).into()),
            1 => Err(Refusal::new(code(&mut self.rng), "for a \"reason\"")),
            2 => Ok(args(&mut self.rng, delivery.seq)),
            3..=5 if self.has_large_values => Ok(large(&mut self.rng)),
            _ => Ok(delivery.args),
        };
        let finished = PeerEvent::Told(end, Input::Finished(delivery.seq, result));
        match self.rng.u8(..30) {
            0 => {}
            1 => self.after(1_000..20_000, finished),
            _ => self.after(0..100, finished),
        }
    }
}
