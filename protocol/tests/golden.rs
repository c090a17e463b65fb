//! The packets of `golden/`, exactly as they stand on the wire: read and written.
//!
//! Files of v2 hold one packet. Files of v1 hold an exchange, a packet a line: `>` from the client,
//! `<` from the server, `binary` an attachment in hexadecimal digits. What of v1 is spelled by the
//! server's adapter is checked there; here, what [`wire`] has for it.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde_json::{Value, json, value::RawValue};
use socketio_p2p_protocol::{
    Args, Body, ClientEntry, ClientId, ClientMessage, ClientState, Code, EndReason, EndedPairing,
    Frame, PairingId, PairingInfo, Presence, Refusal, RoomName, RoomState, ServerMessage, Signal,
    Step, TargetState, Welcome, WhyAnew, frame,
    limits::Limits,
    peer::{DirectMessage, Heartbeat, HeartbeatKind},
    relay, signal, wire,
};

use crate::directs::{candidate, sdp};

pub(crate) fn golden(prefix: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.strip_prefix(prefix)?.to_owned();
            Some((name, fs::read_to_string(&path).unwrap().trim_end().to_owned()))
        })
        .collect()
}

/// The event and the arguments of a packet without an acknowledgement's id.
pub(crate) fn read(packet: &str) -> (String, Vec<Value>) {
    let mut args: Vec<Value> = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
    let event = args.remove(0).as_str().unwrap().to_owned();
    (event, args)
}

fn write(event: &str, args: Vec<Value>) -> String {
    let mut packet = vec![json!(event)];
    packet.extend(args);
    format!("42{}", json!(packet))
}

fn id(text: &str) -> ClientId {
    text.parse().unwrap()
}

fn pairing() -> PairingId {
    PairingId::new(0xabc, 1)
}

fn room() -> RoomName {
    "lobby".parse().unwrap()
}

fn info(partner: &str, initiator: bool, partner_protocol: u8) -> PairingInfo {
    PairingInfo { id: pairing(), partner: id(partner), initiator, partner_protocol, direct: false }
}

/// Every golden file has its message, and every message its golden file.
fn check<M: std::fmt::Debug + PartialEq>(
    prefix: &str,
    messages: Vec<(&str, M)>,
    decode: impl Fn(&str) -> M,
    encode: impl Fn(&M) -> String,
) {
    let files = golden(prefix);
    let names: Vec<_> = messages.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut sorted = names;
    sorted.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), sorted);
    for (name, message) in messages {
        let packet = &files[name];
        assert_eq!(decode(packet), message, "{name}");
        assert_eq!(encode(&message), *packet, "{name}");
    }
}

#[test]
fn what_a_v2_client_sends() {
    let target = id("b");
    let payload = Some(json!({"token": 7}));
    let messages = vec![
        (
            "register",
            ClientMessage::Register {
                req: Some(1),
                target: target.clone(),
                payload: None,
                consent_time: None,
                wait: None,
            },
        ),
        (
            "register_payload",
            ClientMessage::Register {
                req: Some(1),
                target: target.clone(),
                payload,
                consent_time: None,
                wait: None,
            },
        ),
        (
            "register_time",
            ClientMessage::Register {
                req: Some(1),
                target: target.clone(),
                payload: None,
                consent_time: Some(Duration::from_secs(60)),
                wait: None,
            },
        ),
        (
            "register_wait",
            ClientMessage::Register {
                req: Some(1),
                target: target.clone(),
                payload: None,
                consent_time: None,
                wait: Some(Duration::from_secs(120)),
            },
        ),
        ("accept", ClientMessage::Accept { req: Some(41) }),
        ("decline", ClientMessage::Decline { req: Some(41), reason: None }),
        (
            "decline_reason",
            ClientMessage::Decline { req: Some(41), reason: Some("not today".to_owned()) },
        ),
        ("reserve", ClientMessage::Reserve { req: 41, partner: id("c") }),
        ("unregister", ClientMessage::Unregister { req: Some(2) }),
        ("list", ClientMessage::List { req: Some(3) }),
        ("watch", ClientMessage::Watch { req: 5, target }),
        ("cancel", ClientMessage::Cancel { req: 5 }),
        ("ping", ClientMessage::Ping { req: 4 }),
        ("leave", ClientMessage::Leave),
    ];

    let decode = |packet: &str| {
        let (event, args) = read(packet);
        wire::client_message(&event, args).unwrap()
    };
    check("v2_client_", messages, decode, |message| {
        let (event, args) = message.to_event().unwrap();
        write(event, args)
    });
}

#[test]
fn what_a_v2_client_hears() {
    let register = |payload, seconds| ServerMessage::Register {
        req: 41,
        source: id("a"),
        payload,
        consent_time: Duration::from_secs(seconds),
    };
    let disconnect = |reason, req| ServerMessage::Disconnect { pairing: pairing(), reason, req };
    let error =
        |code: Code, req, pairing| ServerMessage::Error { refusal: code.into(), req, pairing };
    let entry = |name, state| ClientEntry { id: id(name), state };
    let messages = vec![
        (
            "welcome",
            ServerMessage::Welcome(Welcome {
                protocol: 2,
                client_id: id("a"),
                resume: None,
                grace_ms: 0,
                resumed: false,
                limits: Limits::default(),
                pairing: None,
                ended: None,
                rooms: Vec::new(),
            }),
        ),
        (
            "welcome_resumed",
            ServerMessage::Welcome(Welcome {
                protocol: 2,
                client_id: id("a"),
                resume: Some("000102030405060708090a0b0c0d0eff".parse().unwrap()),
                grace_ms: 15_000,
                resumed: true,
                limits: Limits::default().with_rates((2000, 4000), (8_388_608, 16_777_216)),
                pairing: Some(info("b", true, 2)),
                ended: None,
                rooms: Vec::new(),
            }),
        ),
        (
            "welcome_ended",
            ServerMessage::Welcome(Welcome {
                protocol: 2,
                client_id: id("a"),
                resume: Some("000102030405060708090a0b0c0d0eff".parse().unwrap()),
                grace_ms: 15_000,
                resumed: true,
                limits: Limits::default(),
                pairing: None,
                ended: Some(EndedPairing { pairing: pairing(), reason: EndReason::Unregistered }),
                rooms: Vec::new(),
            }),
        ),
        ("register", register(None, 10)),
        ("register_payload", register(Some(json!({"token": 7})), 120)),
        (
            "registered_source",
            ServerMessage::Registered { req: Some(1), pairing: info("b", true, 2) },
        ),
        (
            "registered_target",
            ServerMessage::Registered { req: None, pairing: info("a", false, 1) },
        ),
        (
            "register_failed",
            ServerMessage::RegisterFailed {
                req: Some(1),
                target: None,
                refusal: Code::TargetBusy.into(),
            },
        ),
        ("too_late", ServerMessage::Withdrawn { req: Some(41), code: Code::Timeout }),
        ("disconnect", disconnect(EndReason::Disconnected, None)),
        ("disconnect_answer", disconnect(EndReason::Unregistered, Some(2))),
        ("partner", ServerMessage::Partner { pairing: pairing(), state: Presence::Away }),
        (
            "clients",
            ServerMessage::Clients {
                req: Some(3),
                clients: vec![entry("a", ClientState::Free), entry("b", ClientState::Paired)],
            },
        ),
        ("line", ServerMessage::Line { req: 1, place: 3 }),
        ("target", ServerMessage::Target { req: 5, state: TargetState::Busy }),
        ("pong", ServerMessage::Pong { req: 4 }),
        ("farewell", ServerMessage::Farewell { refusal: Code::Forbidden.into() }),
        (
            "signal_refused",
            ServerMessage::SignalRefused {
                refusal: Code::RateLimited.into(),
                pairing: Some(pairing()),
            },
        ),
        ("error", error(Code::Congested, None, Some(pairing()))),
        ("error_answer", error(Code::NotPaired, Some(2), None)),
    ];

    let decode = |packet: &str| {
        let (event, args) = read(packet);
        wire::server_message(&event, args).unwrap()
    };
    check("v2_server_", messages, decode, |message| {
        let (event, args) = message.to_event().unwrap();
        write(event, args)
    });
}

#[test]
fn what_a_client_says_and_hears_of_rooms() {
    let sent = vec![
        ("join", ClientMessage::Join { req: 6, room: room(), most: None }),
        ("join_most", ClientMessage::Join { req: 6, room: room(), most: Some(10) }),
        ("exit", ClientMessage::Exit { req: 7, room: room() }),
    ];
    let decode = |packet: &str| {
        let (event, args) = read(packet);
        wire::client_message(&event, args).unwrap()
    };
    check("room_client_", sent, decode, |message| {
        let (event, args) = message.to_event().unwrap();
        write(event, args)
    });

    let exited = |reason, req| ServerMessage::Exited { req, room: room(), reason };
    let heard = vec![
        (
            "welcome",
            ServerMessage::Welcome(Welcome {
                protocol: 2,
                client_id: id("a"),
                resume: Some("000102030405060708090a0b0c0d0eff".parse().unwrap()),
                grace_ms: 15_000,
                resumed: true,
                limits: Limits::default(),
                pairing: None,
                ended: None,
                rooms: vec![RoomState { room: room(), members: vec![info("b", true, 2)] }],
            }),
        ),
        (
            "joined",
            ServerMessage::Joined {
                req: 6,
                state: RoomState { room: room(), members: vec![info("b", true, 2)] },
            },
        ),
        ("member", ServerMessage::Member { room: room(), pairing: info("b", false, 2) }),
        ("exited", exited(EndReason::Kicked, None)),
        ("exited_answer", exited(EndReason::Unregistered, Some(7))),
    ];
    let decode = |packet: &str| {
        let (event, args) = read(packet);
        wire::server_message(&event, args).unwrap()
    };
    check("room_server_", heard, decode, |message| {
        let (event, args) = message.to_event().unwrap();
        write(event, args)
    });
}

fn emit(seq: u64, ack: u64, event: &str, args: Args, reply: bool) -> Frame {
    let event = event.to_owned();
    crate::sessions::frame(seq, ack, Body::Emit { event, args, wants_reply: reply })
}

fn part(seq: u64, text: &str, last: bool) -> Frame {
    crate::sessions::frame(seq, 6, Body::Part { text: text.to_owned(), last })
}

fn with_ttl(frame: Frame) -> Frame {
    Frame { ttl: Some(Duration::from_millis(1500)), ..frame }
}

#[test]
fn frames() {
    let reply = |seq, to, result| crate::sessions::frame(seq, 6, Body::Reply { to, result });
    let placeholder = |num| json!({"_placeholder": true, "num": num});
    let text = json!([placeholder(0), placeholder(1)]).to_string();
    let blobs = vec![vec![0, 255, 30].into(), Vec::new().into()];
    let blobs = Args::from_text(text, blobs).unwrap();
    let mut got = crate::sessions::frame(0, 64, Body::Ack);
    got.got = 70;
    let messages = vec![
        (
            "emit",
            vec![emit(1, 0, "chat", vec![json!("hi"), json!({"n": 1}), json!(null)].into(), false)],
        ),
        ("emit_reply", vec![emit(2, 5, "ask", Args::default(), true)]),
        ("emit_blobs", vec![emit(3, 5, "file", blobs, false)]),
        ("reply", vec![reply(4, 2, Ok(vec![json!("yes"), json!(2)].into()))]),
        ("reply_error", vec![reply(5, 3, Err(Code::Unhandled.into()))]),
        ("emit_ttl", vec![with_ttl(emit(6, 6, "quote", vec![json!("ACME")].into(), false))]),
        ("part", vec![part(7, r#"{"t":"emit","e":"é","a":["la"#, false)]),
        ("part_last", vec![part(8, r#"rge"]}"#, true)]),
        ("part_last_ttl", vec![with_ttl(part(8, r#"rge"]}"#, true))]),
        ("drop", vec![crate::sessions::frame(9, 6, Body::Drop)]),
        ("cancel", vec![crate::sessions::frame(10, 6, Body::Cancel { to: 3 })]),
        ("ack", vec![crate::sessions::frame(0, 64, Body::Ack)]),
        ("ack_got", vec![got]),
        (
            "batch",
            vec![
                emit(1, 0, "a", vec![json!(1)].into(), false),
                emit(2, 0, "b", vec![json!(2)].into(), false),
            ],
        ),
    ];

    let decode = |packet: &str| {
        let args: Vec<&RawValue> =
            serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        let [event, id, frames] = args[..] else {
            panic!("{packet}");
        };
        assert_eq!(event.get(), "\"P2P_FRAME\"");
        assert_eq!(serde_json::from_str::<PairingId>(id.get()).unwrap(), pairing());
        let text = frame::batch_from_text(frames.get()).unwrap().all().unwrap();
        let value = serde_json::from_str(frames.get()).unwrap();
        assert_eq!(frame::batch_from_value(value).unwrap().all().unwrap(), text);
        text
    };
    check("v2_frame_", messages, decode, |frames: &Vec<Frame>| {
        let texts: Vec<_> = frames.iter().map(Frame::to_text).collect();
        let frames = match &texts[..] {
            [one] => one.clone(),
            more => format!("[{}]", more.join(",")),
        };
        format!("42[\"P2P_FRAME\",\"{}\",{frames}]", pairing())
    });
}

#[test]
fn what_ends_signal_to_each_other() {
    let description = sdp(11, "abcd");
    let address = candidate(5000, Some("abcd"));
    let ours = |step| Signal::new(1, step);
    let stock = |step| Signal { attempt: None, step };
    let messages = vec![
        ("offer", ours(Step::Offer(description.clone()))),
        ("offer_stock", stock(Step::Offer(description.clone()))),
        ("answer", ours(Step::Answer(description))),
        ("candidate", ours(Step::Candidate(address.clone()))),
        ("candidate_stock", stock(Step::Candidate(address))),
        ("end", ours(Step::End)),
        ("renegotiate", ours(Step::Renegotiate(Some(WhyAnew::Silent)))),
        ("renegotiate_stock", stock(Step::Renegotiate(None))),
    ];

    let decode = |packet: &str| {
        let (event, args) = read(packet);
        assert_eq!(event, wire::SIGNAL);
        let (id, signal) = signal::from_args(args).unwrap();
        assert_eq!(id, pairing());
        Signal::from_value(&signal).unwrap()
    };
    check("v2_signal_", messages, decode, |signal| {
        let (event, args) = signal.to_event(pairing());
        write(event, args)
    });
}

#[test]
fn the_heartbeat_of_a_direct_path() {
    let beat = |kind, ok, server| Heartbeat { kind, n: 7, pairing: pairing(), ok, server };
    let messages = vec![
        ("ping", beat(HeartbeatKind::Ping, true, Some(350))),
        ("pong", beat(HeartbeatKind::Pong, false, None)),
    ];

    let decode = |text: &str| match DirectMessage::from_text(text) {
        Ok(DirectMessage::Heartbeat(beat)) => beat,
        other => panic!("{other:?}"),
    };
    check("direct_", messages, decode, Heartbeat::to_text);
}

/// The arguments of the packet in this line of a v1 exchange.
fn v1_args(name: &str, line: usize) -> Vec<Value> {
    let file = &golden("v1_")[name];
    let line = file.lines().nth(line).unwrap();
    let start = line.find('[').unwrap();
    serde_json::from_str(&line[start..]).unwrap()
}

#[test]
fn a_v1_client_answers_by_acknowledgement() {
    let yes = v1_args("asked_answers_by_acknowledgement", 1);
    assert_eq!(wire::v1_answer(&yes, Some(7)), ClientMessage::Accept { req: Some(7) });

    let no = ClientMessage::Decline { req: Some(7), reason: None };
    let declined = v1_args("asked_declines_by_acknowledgement", 1);
    for args in [declined, vec![], vec![json!("true")], vec![json!(1)], vec![json!(null)]] {
        assert_eq!(wire::v1_answer(&args, Some(7)), no, "{args:?}");
    }
}

#[test]
fn a_v1_error_says_what_and_why() {
    let expected = v1_args("register_refused", 1);
    let text = wire::v1_error(&Refusal::from(Code::TargetBusy));
    assert_eq!(vec![json!(wire::SERVER_ERROR), text], expected);
}

#[test]
fn a_v1_error_of_an_emit_names_it() {
    for (file, code) in
        [("emit_refused", Code::BadEvent), ("emit_acknowledge_refused", Code::NotPaired)]
    {
        let (packet, expected) = (json!(v1_args(file, 0)).to_string(), v1_args(file, 1));
        let text = relay::v1_emit_error(&packet, &Refusal::from(code));
        assert_eq!(vec![json!(wire::SERVER_ERROR), text], expected);
    }
}

#[test]
fn a_v1_emit_that_failed_is_acknowledged_with_the_error() {
    let expected = v1_args("emit_acknowledge_refused", 2);

    let code = Code::NotPaired;
    let failed = wire::v1_failed(code.as_str(), code.message());

    assert_eq!(vec![failed], expected);
}

#[test]
fn the_v1_exchanges_are_packets_and_use_the_names_of_wire() {
    let known = [
        wire::REGISTER,
        wire::REGISTER_SUCCESS,
        wire::REGISTER_FAILED,
        wire::UNREGISTER,
        wire::DISCONNECT,
        wire::EMIT,
        wire::EMIT_ACKNOWLEDGE,
        wire::LIST_CLIENTS,
        wire::SERVER_ERROR,
    ];
    let mut seen = Vec::new();
    for (name, file) in golden("v1_") {
        for line in file.lines() {
            let (side, packet) = line.split_once(' ').unwrap();
            assert!(["<", ">"].contains(&side), "{name}");
            let Some(start) = packet.find('[') else {
                assert!(packet.starts_with("binary "), "{name}");
                continue;
            };
            let args: Vec<Value> = serde_json::from_str(&packet[start..]).unwrap();
            if packet.starts_with("42") || packet.starts_with("45") {
                let event = args[0].as_str().unwrap().to_owned();
                let relayed = wire::check_event(&event).is_ok() && name.starts_with("emitted");
                assert!(relayed || known.contains(&&event[..]), "{name}: {event}");
                seen.push(event);
            }
        }
    }
    for event in known {
        assert!(seen.iter().any(|other| other == event), "no {event}");
    }
}
