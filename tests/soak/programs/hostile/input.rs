//! Hostile inputs for a websocket, drawn from a seed.

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::json::{deep, mutated, value};

/// A hostile client's knowledge of the others.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Knowledge {
    /// Their names.
    pub(super) names: Vec<String>,
    /// The ids of their pairings.
    pub(super) pairings: Vec<String>,
}

/// Events that clients send, and that only the server sends.
const EVENTS: [&str; 20] = [
    "P2P_REGISTER",
    "P2P_REGISTER_SUCCESS",
    "P2P_REGISTER_FAILED",
    "P2P_UNREGISTER",
    "P2P_FRAME",
    "P2P_SIGNAL",
    "P2P_LIST",
    "P2P_PING",
    "P2P_EMIT",
    "P2P_EMIT_ACKNOWLEDGE",
    "LIST_CLIENTS",
    "P2P_WELCOME",
    "P2P_DISCONNECT",
    "P2P_PARTNER",
    "P2P_CLIENTS",
    "P2P_PONG",
    "P2P_ERROR",
    "SERVER_ERROR",
    "P2P_",
    "call",
];

/// Packets of Engine.IO and Socket.IO that are none, or out of place.
const PACKETS: [&str; 24] = [
    "",
    "0",
    "1",
    "2probe",
    "3probe",
    "4",
    "5",
    "6",
    "7",
    "9",
    "40",
    "41",
    "42",
    "42[",
    "42[]",
    "42{}",
    "43",
    "43[]",
    "44",
    "45",
    "4-1",
    "42/other,[\"P2P_LIST\",{}]",
    "430[true]",
    "451-[\"P2P_FRAME\",{\"_placeholder\":true,\"num\":0}]",
];

/// Bytes of a large input that may still be taken, and of one that may not.
const LARGE: std::ops::Range<usize> = 64 * 1024..400 * 1024;
const TOO_LARGE: usize = 1024 * 1024 + 1;

/// Packets of one flood.
const FLOOD: usize = 50;

/// The next input: mostly one message, sometimes a flood of them. A `careful` client avoids what
/// ends its connection at once, so that it gets further.
pub(super) fn next(
    random: &mut Rng,
    known: &Knowledge,
    own_pairing: Option<&str>,
    careful: bool,
) -> Vec<Message> {
    let text = match random.u32(if careful { 20..100 } else { 0..100 }) {
        0..5 => pick(random, &PACKETS).to_owned(),
        5..10 => connect(random, known),
        10..15 => return binary(random, known),
        15..20 => {
            let packet = addressed(random, known, own_pairing);
            mutated(random, &packet)
        }
        20..45 => wrong_types(random),
        45..50 => {
            let (event, deep) = (pick(random, &EVENTS), deep(random, careful));
            format!(r#"42["{event}",{deep}]"#)
        }
        50..75 => addressed(random, known, own_pairing),
        75..85 => forged(random, known),
        85..87 => large(random, known, own_pairing, careful),
        87..93 => return attachment(random, known),
        _ => return flood(random, known),
    };
    vec![Message::text(text)]
}

/// A CONNECT packet: somebody else's name, a token that is not the right one, or nonsense.
pub(super) fn connect(random: &mut Rng, known: &Knowledge) -> String {
    let name = name(random, known);
    let token: String = (0..32).map(|_| random.digit(16)).collect();
    let auth = match random.u32(..6) {
        0 => json!({ "clientId": name, "p2p": 2, "resume": token.to_lowercase() }),
        1 => json!({ "clientId": name, "p2p": 2, "resume": value(random, 2) }),
        2 => json!({ "clientId": name }),
        3 => json!({ "clientId": value(random, 2), "p2p": value(random, 1) }),
        4 => value(random, 3),
        _ => return format!("40{}", deep(random, false)),
    };
    format!("40{auth}")
}

fn wrong_types(random: &mut Rng) -> String {
    let mut arguments = vec![json!(pick(random, &EVENTS))];
    for _ in 0..random.usize(..4) {
        arguments.push(value(random, 3));
    }
    let id = if random.bool() { random.u32(..1_000).to_string() } else { String::new() };
    format!("42{id}{}", json!(arguments))
}

/// Returns a well-formed message that concerns others, or a partner of its own.
fn addressed(random: &mut Rng, known: &Knowledge, own_pairing: Option<&str>) -> String {
    let name = name(random, known);
    let pairing = match own_pairing {
        Some(own) if random.bool() => own.to_owned(),
        _ if known.pairings.is_empty() => "1-1".to_owned(),
        _ => known.pairings[random.usize(..known.pairings.len())].clone(),
    };
    let number = random.u64(..4);
    let frame = match random.u32(..5) {
        0 => json!({ "s": number, "k": 0, "t": "emit", "e": "call", "r": true, "a": [{}] }),
        1 => json!({ "s": number, "k": 0, "t": "reply", "to": number, "a": [value(random, 2)] }),
        2 => json!({ "k": random.u64(..), "g": random.u64(..), "t": "ack" }),
        3 => json!({ "s": random.u64(..), "k": 0, "t": "part", "d": "[", "z": true }),
        _ => value(random, 3),
    };
    let packet = match random.u32(..10) {
        0..4 => json!(["P2P_FRAME", pairing, frame]),
        4 => json!(["P2P_FRAME", pairing, [frame, frame]]),
        5 => json!(["P2P_REGISTER", name, { "req": number, "payload": value(random, 2) }]),
        6 => json!(["P2P_REGISTER_SUCCESS", { "req": number }]),
        7 => json!(["P2P_UNREGISTER", { "req": number, "pairing": pairing }]),
        8 => json!(["P2P_EMIT", { "targetClientId": name, "event": "call", "args": [{}] }]),
        _ => json!(["P2P_SIGNAL", pairing, { "type": "offer", "sdp": "v=0" }]),
    };
    format!("42{packet}")
}

/// Returns a message that only a server sends.
fn forged(random: &mut Rng, known: &Knowledge) -> String {
    let (name, number) = (name(random, known), random.u64(..4));
    let pairing = known.pairings.first().cloned().unwrap_or_default();
    let info = json!({ "id": pairing, "partner": name, "initiator": true, "partnerProtocol": 2 });
    let packet = match random.u32(..6) {
        0 => json!(["P2P_WELCOME", { "protocol": 2, "clientId": name, "pairing": info }]),
        1 => json!(["P2P_REGISTER_SUCCESS", { "req": number, "pairing": info }]),
        2 => json!(["P2P_DISCONNECT", { "pairing": pairing, "reason": "kicked" }]),
        3 => json!(["P2P_PARTNER", { "pairing": pairing, "state": "away" }]),
        4 => json!(["P2P_ERROR", { "code": "kicked", "message": "", "final": true }]),
        _ => json!(["P2P_CLIENTS", { "req": number, "clients": [] }]),
    };
    format!("42{packet}")
}

fn large(random: &mut Rng, known: &Knowledge, own_pairing: Option<&str>, careful: bool) -> String {
    if !careful && random.u32(..8) == 0 {
        return format!(r#"42["P2P_FRAME","{}"]"#, "x".repeat(TOO_LARGE));
    }
    let length = random.usize(LARGE);
    let pairing = own_pairing.or(known.pairings.first().map(String::as_str)).unwrap_or("1-1");
    let padding = if random.bool() { "x".repeat(length) } else { r"\u0000".repeat(length / 6) };
    format!(r#"42["P2P_FRAME","{pairing}",{{"s":1,"k":0,"t":"emit","e":"x","a":["{padding}"]}}]"#)
}

/// An attachment, after the packet that it belongs to.
fn attachment(random: &mut Rng, known: &Knowledge) -> Vec<Message> {
    let mut garbage = bytes(random);
    if random.bool()
        && let Some(pairing) = known.pairings.first()
    {
        let mut addressed = vec![pairing.len() as u8];
        addressed.extend(pairing.bytes());
        addressed.append(&mut garbage);
        garbage = addressed;
    }
    let event = pick(random, &EVENTS);
    let packet = format!(r#"451-["{event}",{{"_placeholder":true,"num":0}}]"#);
    vec![Message::text(packet), Message::binary(garbage)]
}

/// Attachments that belong to nothing, or are too many.
fn binary(random: &mut Rng, known: &Knowledge) -> Vec<Message> {
    let garbage = Message::binary(bytes(random));
    match random.u32(..3) {
        0 => vec![garbage],
        1 => vec![Message::text(r#"4599999999-["P2P_FRAME",{}]"#), garbage],
        _ => [attachment(random, known), vec![garbage]].concat(),
    }
}

fn bytes(random: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; random.usize(..200)];
    random.fill(&mut bytes);
    bytes
}

fn flood(random: &mut Rng, known: &Knowledge) -> Vec<Message> {
    let name = name(random, known);
    let packet = match random.u32(..4) {
        0 => r#"42["P2P_PING",{"req":1}]"#.to_owned(),
        1 => r#"42["P2P_LIST",{"req":1}]"#.to_owned(),
        2 => r#"427["LIST_CLIENTS"]"#.to_owned(),
        _ => format!(r#"42["P2P_REGISTER","{name}",{{"req":1}}]"#),
    };
    vec![Message::text(packet); FLOOD]
}

fn name(random: &mut Rng, known: &Knowledge) -> String {
    match known.names.len() {
        0 => "nobody".to_owned(),
        names => known.names[random.usize(..names)].clone(),
    }
}

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}
