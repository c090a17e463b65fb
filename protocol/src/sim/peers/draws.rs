//! What a rough run draws: settings, limits, arguments, names and codes.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::PeerConfig;
use crate::{Args, Code, PathPolicy, limits::Limits};

/// Draws the settings of a peer.
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
pub(super) fn args(rng: &mut Rng, number: u64) -> Args {
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
pub(super) fn large(rng: &mut Rng) -> Args {
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
