//! Frames that no session sends: of no pairing, of an old one, garbled, out of every order.

use serde_json::{Value, json};
use socketio_p2p_client::{Incoming, P2pClientExt};

use crate::support::{
    bystanders::Bystanders,
    clients::{assert_echoes, connect},
    server::TestServer,
    wire::{Packet, Wire, errors},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_without_a_pairing_is_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let mut wire = Wire::v2(&server, "A").await;

    for (packet, code) in [
        (r#"42["P2P_FRAME"]"#, "bad-args"),
        (r#"42["P2P_FRAME","1-1"]"#, "bad-args"),
        (r#"42["P2P_FRAME","1-1",{},{}]"#, "bad-args"),
        (r#"42["P2P_FRAME","1-1",{}]"#, "not-paired"),
        (r#"42["P2P_FRAME",null,null]"#, "not-paired"),
        (r#"42["P2P_FRAME",[],{"s":1}]"#, "not-paired"),
    ] {
        let answers = wire.answers(packet).await;
        assert_eq!(errors(&answers), [format!("P2P_ERROR {code}")], "{packet}");
        // Whoever reads that need not guess which frame it was.
        let named = packet.contains(r#""1-1""#);
        let says = answers.iter().any(
            |answer| matches!(answer, Packet::Text(text) if text.contains(r#""pairing":"1-1""#)),
        );
        assert_eq!(says, named, "{answers:?}");
    }

    drop(wire);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_an_old_pairing_is_refused_and_reaches_nobody() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    let old = wire.register("B").await;
    let ended = wire.answers(r#"42["P2P_UNREGISTER",{"req":2}]"#).await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    let present = wire.register("B").await;
    assert_ne!(old, present);
    b.on2("note", async |_: Incoming| -> Result<(), _> {
        Err(socketio_p2p_client::HandlerError::new("it came through"))
    });

    let frame = emit(1, "note", &json!([]));
    for pairing in [
        old.clone(),
        old.to_uppercase(),
        format!("0{present}"),
        format!("{present} "),
        present.replace('-', "-0"),
        String::new(),
        "1-1".to_owned(),
    ] {
        let packet = format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#);
        let answers = wire.answers(&packet).await;
        assert_eq!(errors(&answers), ["P2P_ERROR stale-pairing"], "{pairing}");
    }

    // The present one is as it should be, from its first frame on.
    wire.send(&format!(r#"42["P2P_FRAME","{present}",{}]"#, emit(1, "echo", &json!([7])))).await;
    assert_eq!(wire.event().await.1[1]["a"], json!([[7]]));
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_frame_that_is_malformed_is_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v2_binary(&server, "A").await, connect(&server, "B").await);
    let pairing = wire.register("B").await;
    let ok = binary(&pairing, &json!({ "s": 1, "k": 0, "t": "ack", "b": [] }), b"");

    for (attachment, code) in [
        (Vec::new(), "bad-args"),
        (vec![0], "bad-args"),
        (vec![255, 1, 2], "bad-args"),
        (ok[..ok.len() - 1].to_vec(), "bad-args"),
        ([&ok[..], b"x"].concat(), "bad-args"),
        (binary("nonsense", &json!({ "k": 0, "t": "ack" }), b""), "bad-args"),
        (binary("1-1", &json!({ "k": 0, "t": "ack" }), b""), "stale-pairing"),
        (binary(&pairing, &json!([]), b""), "bad-args"),
        (binary(&pairing, &json!({ "s": 1, "k": 0, "t": "emit" }), b""), "bad-args"),
        (
            binary(&pairing, &json!({ "s": 0, "k": 0, "t": "emit", "e": "x", "a": [] }), b""),
            "bad-args",
        ),
        (binary(&pairing, &with_blobs(json!([9])), b"blob"), "bad-args"),
        (binary(&pairing, &with_blobs(json!([u64::MAX, 1])), b"blob"), "bad-args"),
        (binary(&pairing, &with_blobs(json!([-1])), b"blob"), "bad-args"),
        (binary(&pairing, &with_blobs(json!(["YQ=="])), b"blob"), "bad-args"),
        ([&[7][..], &[0xff; 7], &[0xff; 4]].concat(), "bad-args"),
        ([&[3][..], b"1-1", &[0xff; 4], b"{}"].concat(), "bad-args"),
    ] {
        wire.send(r#"451-["P2P_FRAME",{"_placeholder":true,"num":0}]"#).await;
        wire.send_binary(&attachment).await;
        let answers = errors(&wire.rest().await);
        assert_eq!(answers, [format!("P2P_ERROR {code}")], "{attachment:?}");
    }
    wire.send(r#"452-["P2P_FRAME",{"_placeholder":true,"num":0},1]"#).await;
    wire.send_binary(b"one").await;
    wire.send_binary(b"two").await;
    assert_eq!(errors(&wire.rest().await), ["P2P_ERROR bad-args"]);

    // A good one is read.
    wire.send(r#"451-["P2P_FRAME",{"_placeholder":true,"num":0}]"#).await;
    wire.send_binary(&binary(&pairing, &with_blobs(json!([4])), b"blob")).await;
    assert_eq!(wire.event().await.1[1]["t"], "reply");
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_session_sends_does_not_disturb_the_partner() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    let pairing = wire.register("B").await;

    for frame in STRANGE {
        let answers = wire.answers(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
        let refused = if frame == "[]" { &["P2P_ERROR bad-args"][..] } else { &[] };
        assert_eq!(errors(&answers), refused, "{frame}");
    }

    for frame in [UNKNOWN_KIND.to_owned(), emit(2, "echo", &json!([7])).to_string()] {
        wire.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    }
    assert_eq!(reply(&mut wire).await["a"], json!([[7]]));
    drop(wire);
    assert_echoes_with_another(&server, &b).await;
    drop(b);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_session_sends_does_not_disturb_the_servers_own_session() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut v2, mut v1) = (Wire::v2(&server, "A").await, Wire::v1(&server, "B").await);
    v2.ask_for("B").await;
    v1.accept().await;
    let pairing = v2.is_paired().await;

    for frame in STRANGE {
        let answers = v2.answers(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
        // The server reads the frames itself: those that it cannot read, it refuses.
        assert!(
            errors(&answers).iter().all(|error| error == "P2P_ERROR bad-args"),
            "{frame}: {answers:?}"
        );
    }
    assert_eq!(v1.rest().await, []);

    for frame in [UNKNOWN_KIND.to_owned(), emit(2, "hello", &json!([7])).to_string()] {
        v2.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    }
    let question = v1.text().await;
    assert!(question.ends_with(r#"["hello",7]"#), "{question}");
    let id = question.trim_start_matches("42").split('[').next().unwrap().to_owned();
    v1.send(&format!(r#"43{id}["hi"]"#)).await;
    v1.send(&format!(r#"43{id}["twice"]"#)).await;
    assert_eq!(reply(&mut v2).await["a"], json!(["hi"]));
    drop((v2, v1));
    bystanders.noticed_nothing(&server).await;
}

/// The next frame that is no mere acknowledgement.
async fn reply(wire: &mut Wire) -> Value {
    loop {
        let (_, mut args) = wire.event().await;
        if args[1]["t"] != "ack" {
            return args[1].take();
        }
    }
}

/// The first frame of a session, of a kind that this version does not know: its number is taken.
const UNKNOWN_KIND: &str = r#"{"s":1,"k":0,"t":"nonsense"}"#;

/// Messages none of which is the next frame of a session that has not begun.
const STRANGE: [&str; 19] = [
    "null",
    "7",
    r#""frame""#,
    "[]",
    "[[]]",
    "{}",
    r#"{"s":1}"#,
    r#"{"s":1,"k":0,"t":"emit"}"#,
    r#"{"s":1,"k":0,"t":"emit","e":7,"a":[]}"#,
    r#"{"s":1,"k":0,"t":"emit","e":"echo","a":{}}"#,
    r#"{"s":1,"k":0,"t":"emit","e":"echo","a":[],"b":["not base64"]}"#,
    r#"{"s":-1,"k":0,"t":"ack"}"#,
    // Replies to calls that do not exist, and acknowledgements of what was never sent.
    r#"{"s":2,"k":99,"t":"reply","to":1,"a":[]}"#,
    r#"{"k":18446744073709551615,"t":"ack"}"#,
    r#"{"s":0,"k":0,"t":"reply","to":1,"a":[]}"#,
    // Far beyond any window.
    r#"{"s":100000,"k":0,"t":"emit","e":"echo","a":[]}"#,
    r#"{"s":18446744073709551615,"k":0,"t":"emit","e":"echo","a":[]}"#,
    r#"[{"k":0,"t":"ack"},7]"#,
    r#"{"k":0,"t":"ack","more":{"than":["asked","for"]}}"#,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_call_that_does_not_exist_is_dropped() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    let pairing = wire.register("B").await;

    for (seq, frame) in (1..).zip([
        json!({ "t": "reply", "to": 1, "a": [1] }),
        json!({ "t": "reply", "to": 0, "a": [1] }),
        json!({ "t": "reply", "to": u64::MAX, "err": { "code": "unhandled" } }),
    ]) {
        let mut frame = frame;
        (frame["s"], frame["k"]) = (json!(seq), json!(0));
        let answers = wire.answers(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
        // Taken, and acknowledged sooner or later.
        for answer in errors(&answers) {
            assert!(answer.ends_with(r#""t":"ack"}]"#), "{frame}: {answer}");
        }
    }

    // They had their places in the order, and the next is heard.
    wire.send(&format!(r#"42["P2P_FRAME","{pairing}",{}]"#, emit(4, "echo", &json!([7])))).await;
    loop {
        let (_, args) = wire.event().await;
        if args[1]["t"] == "reply" {
            assert_eq!(args[1]["a"], json!([[7]]));
            break;
        }
    }
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

async fn assert_echoes_with_another(server: &TestServer, b: &socketio_p2p_client::P2pClient) {
    server.becomes(3, 0, 1).await;
    let c = connect(server, "C").await;
    c.register_target("B").await.unwrap();
    assert_echoes(&c).await;
    assert!(!b.is_closed());
}

fn emit(seq: u64, event: &str, args: &Value) -> Value {
    json!({ "s": seq, "k": 0, "t": "emit", "e": event, "r": true, "a": args })
}

fn with_blobs(lengths: Value) -> Value {
    let args = json!([{ "_placeholder": true, "num": 0 }]);
    json!({ "s": 1, "k": 0, "t": "emit", "e": "echo", "r": true, "a": args, "b": lengths })
}

/// A frame in its binary spelling.
fn binary(pairing: &str, header: &Value, blobs: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    let mut binary = vec![pairing.len() as u8];
    binary.extend(pairing.as_bytes());
    binary.extend((header.len() as u32).to_be_bytes());
    binary.extend(header.as_bytes());
    binary.extend(blobs);
    binary
}
