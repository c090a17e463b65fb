//! Malformed, missing and wrongly typed arguments in every event of both dialects.
//!
//! Each row is a packet, and everything that the server says to it.

use crate::support::{
    bystanders::Bystanders,
    server::TestServer,
    wire::{Packet, Wire, errors, event},
};

const V2: &[(&str, &[&str])] = &[
    (r#"42["P2P_REGISTER"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER",null]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",null]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",{}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",[]]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",7]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",{"req":"7"}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",{"req":-1}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",{"req":1.5}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","B",{"req":1e99}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER",7,{"req":7}]"#, &["P2P_REGISTER_FAILED offline"]),
    (r#"42["P2P_REGISTER",{"req":7},"B"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER",["B"],{"req":7}]"#, &["P2P_REGISTER_FAILED bad-args"]),
    (r#"42["P2P_REGISTER","",{"req":7}]"#, &["P2P_REGISTER_FAILED bad-args"]),
    (r#"42["P2P_REGISTER","a\u0000b",{"req":7}]"#, &["P2P_REGISTER_FAILED bad-args"]),
    (r#"42["P2P_REGISTER","\ud800",{"req":7}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER","nobody",{"req":7}]"#, &["P2P_REGISTER_FAILED offline"]),
    (r#"42["P2P_REGISTER","A",{"req":7}]"#, &["P2P_REGISTER_FAILED self"]),
    (r#"421["P2P_REGISTER"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER_SUCCESS"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER_SUCCESS",7]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER_SUCCESS",{"req":[]}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER_SUCCESS",{"req":12345}]"#, &["P2P_ERROR timeout"]),
    (r#"42["P2P_REGISTER_FAILED"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_REGISTER_FAILED",{"req":7,"reason":7}]"#, &[]),
    (r#"42["P2P_REGISTER_FAILED",{"req":12345}]"#, &[]),
    (r#"42["P2P_UNREGISTER"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_UNREGISTER","B"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_UNREGISTER",{"req":7}]"#, &["P2P_ERROR not-paired"]),
    (r#"42["P2P_UNREGISTER",{"req":7},"more"]"#, &["P2P_ERROR not-paired"]),
    (r#"42["P2P_LIST"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_LIST",{"req":null}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_LIST",{"req":7}]"#, &["P2P_ERROR forbidden"]),
    (r#"42["P2P_PING"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_PING",{"req":{}}]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_SIGNAL"]"#, &["P2P_ERROR bad-args"]),
    (r#"42["P2P_SIGNAL","1-1",{"type":"offer","sdp":7}]"#, &["P2P_ERROR not-paired"]),
    // Events of the server, of the other dialect, and of nobody.
    (r#"42["P2P_WELCOME",{}]"#, &["P2P_ERROR bad-event"]),
    (r#"42["P2P_DISCONNECT",{}]"#, &["P2P_ERROR bad-event"]),
    (r#"42["P2P_EMIT",{}]"#, &["P2P_ERROR bad-event"]),
    (r#"42["P2P_NONSENSE"]"#, &["P2P_ERROR bad-event"]),
    (r#"42["P2P_"]"#, &["P2P_ERROR bad-event"]),
    (r#"421["P2P_NONSENSE",1,2,3]"#, &["P2P_ERROR bad-event"]),
    // What is not the plugin's is the application's, which does not listen.
    (r#"42["LIST_CLIENTS"]"#, &[]),
    (r#"42["p2p_register"]"#, &[]),
    (r#"42["message","P2P_REGISTER"]"#, &[]),
    // Answers to what nobody asked.
    (r#"437[true]"#, &[]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_v2_client_is_told_what_is_wrong_with_its_arguments() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let mut wire = Wire::v2(&server, "A").await;

    for (packet, expected) in V2 {
        assert_eq!(errors(&wire.answers(packet).await), *expected, "{packet}");
    }

    drop(wire);
    bystanders.noticed_nothing(&server).await;
}

/// The acknowledgement of an emit that was refused.
const BAD_EMIT: &str = r#"437[{"error":{"code":"bad-args"#;

const V1: &[(&str, &[&str])] = &[
    (r#"427["P2P_REGISTER"]"#, &["SERVER_ERROR bad-args", "437[false]"]),
    (r#"42["P2P_REGISTER"]"#, &["SERVER_ERROR bad-args"]),
    (r#"427["P2P_REGISTER",null]"#, &["SERVER_ERROR bad-args", "437[false]"]),
    (r#"427["P2P_REGISTER",7]"#, &["SERVER_ERROR offline", "437[false]"]),
    (r#"427["P2P_REGISTER",["B"]]"#, &["SERVER_ERROR bad-args", "437[false]"]),
    (r#"427["P2P_REGISTER",{"id":"B"}]"#, &["SERVER_ERROR bad-args", "437[false]"]),
    (r#"427["P2P_REGISTER",""]"#, &["SERVER_ERROR bad-args", "437[false]"]),
    (r#"427["P2P_REGISTER","a\nb"]"#, &["SERVER_ERROR bad-args", "437[false]"]),
    (r#"427["P2P_REGISTER","\udfff"]"#, &["SERVER_ERROR bad-args", "437[false]"]),
    (r#"427["P2P_REGISTER","nobody","more"]"#, &["SERVER_ERROR offline", "437[false]"]),
    (r#"42["P2P_REGISTER","nobody"]"#, &["SERVER_ERROR offline"]),
    (r#"427["P2P_REGISTER","A"]"#, &["SERVER_ERROR self", "437[false]"]),
    (r#"427["P2P_UNREGISTER"]"#, &["437[]"]),
    (r#"427["P2P_UNREGISTER",{"a":[]}]"#, &["437[]"]),
    (r#"42["P2P_UNREGISTER"]"#, &[]),
    // Yes to nothing: it believes itself paired now, and is told that it is not.
    (r#"42["P2P_REGISTER_SUCCESS"]"#, &[r#"42["P2P_DISCONNECT"]"#]),
    (r#"427["P2P_REGISTER_SUCCESS"]"#, &["437[]", r#"42["P2P_DISCONNECT"]"#]),
    (r#"428["P2P_REGISTER_FAILED"]"#, &["438[]"]),
    (r#"42["P2P_REGISTER_SUCCESS",7]"#, &[r#"42["P2P_DISCONNECT"]"#]),
    (r#"42["P2P_REGISTER_FAILED"]"#, &[]),
    (r#"42["P2P_REGISTER_FAILED",7]"#, &[]),
    (r#"42["P2P_EMIT"]"#, &["SERVER_ERROR bad-args"]),
    (r#"427["P2P_EMIT"]"#, &["SERVER_ERROR bad-args", BAD_EMIT]),
    (r#"42["P2P_EMIT_ACKNOWLEDGE"]"#, &["SERVER_ERROR bad-args"]),
    (r#"427["P2P_EMIT_ACKNOWLEDGE"]"#, &["SERVER_ERROR bad-args", BAD_EMIT]),
    (r#"427["P2P_EMIT_ACKNOWLEDGE",null]"#, &["SERVER_ERROR bad-args", BAD_EMIT]),
    (r#"427["P2P_EMIT_ACKNOWLEDGE","B","e",[]]"#, &["SERVER_ERROR bad-args", BAD_EMIT]),
    (r#"427["P2P_EMIT_ACKNOWLEDGE",{}]"#, &["SERVER_ERROR bad-args", BAD_EMIT]),
    (
        r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"e"}]"#,
        &["SERVER_ERROR bad-args", BAD_EMIT],
    ),
    (
        r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","args":[]}]"#,
        &["SERVER_ERROR bad-args", BAD_EMIT],
    ),
    (
        r#"427["P2P_EMIT_ACKNOWLEDGE",{"event":"e","args":[]}]"#,
        &["SERVER_ERROR bad-args", BAD_EMIT],
    ),
    (
        r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":7,"event":"e","args":[]}]"#,
        &["SERVER_ERROR not-paired", r#"437[{"error":{"code":"not-paired""#],
    ),
    (
        r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":[],"args":[]}]"#,
        &["SERVER_ERROR bad-args", BAD_EMIT],
    ),
    (
        r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"e","args":{"0":1}}]"#,
        &["SERVER_ERROR bad-args", BAD_EMIT],
    ),
    (
        r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"e","args":"[]"}]"#,
        &["SERVER_ERROR bad-args", BAD_EMIT],
    ),
    (r#"42["P2P_FRAME","1-1",{}]"#, &["SERVER_ERROR bad-event"]),
    (r#"42["P2P_WELCOME"]"#, &["SERVER_ERROR bad-event"]),
    (r#"42["P2P_NONSENSE"]"#, &["SERVER_ERROR bad-event"]),
    (r#"42["SERVER_ERROR","no"]"#, &[]),
    (r#"437[true]"#, &[]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_client_is_told_what_is_wrong_with_its_arguments() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    let mut wire = Wire::v1(&server, "A").await;
    expect_v1(&mut wire).await;
    drop(wire);
    server.becomes(2, 0, 1).await;
    let mut wire = Wire::v1_eio3(&server, "A").await;
    // Its last yes came too late: its next connection is told once more that it has no pairing.
    assert_eq!(wire.text().await, r#"42["P2P_DISCONNECT"]"#);
    expect_v1(&mut wire).await;

    drop(wire);
    bystanders.noticed_nothing(&server).await;
}

async fn expect_v1(wire: &mut Wire) {
    for (packet, expected) in V1 {
        let answers = errors(&wire.answers(packet).await);
        // The message of an error says which field, in serde's words.
        let as_expected = answers.len() == expected.len()
            && answers.iter().zip(*expected).all(|(answer, start)| answer.starts_with(start));
        assert!(as_expected, "{packet}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_client_id_is_told_so_when_it_asks_the_plugin() {
    let server = TestServer::start().await;
    for query in ["EIO=4", "EIO=4&clientid=A"] {
        let mut wire = Wire::open(&server, query).await;
        wire.send("40").await;
        assert!(wire.text().await.starts_with("40{"));

        for (packet, answer) in [
            (r#"427["P2P_REGISTER","B"]"#, "437[false]"),
            (r#"428["P2P_UNREGISTER"]"#, "438["),
            (r#"429["P2P_EMIT_ACKNOWLEDGE",{}]"#, r#"439[{"error":{"code":"bad-client-id""#),
            (r#"421["LIST_CLIENTS"]"#, "431[[]]"),
        ] {
            wire.send(r#"42["their-own"]"#).await;
            wire.send(packet).await;
            let told = wire.text().await;
            assert!(told.starts_with(r#"42["SERVER_ERROR","#), "{packet}: {told}");
            assert!(told.ends_with(r#"(bad-client-id)"]"#), "{packet}: {told}");
            let answered = wire.text().await;
            assert!(answered.starts_with(answer), "{packet}: {answered}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_version_of_the_plugin_learns_that_it_is_not_served() {
    let server = TestServer::start().await;
    let mut wire = Wire::v1(&server, "A").await;

    for (packet, answer) in [
        (r#"427["P2P_REGISTER_STREAM","B"]"#, "437[false]"),
        (r#"428["ADD_TARGET","B"]"#, r#"438["Error: "#),
        (r#"429["GET_CLIENT_CONNECTED_STATUS","B"]"#, "439[null]"),
    ] {
        let answers = errors(&wire.answers(packet).await);
        assert_eq!(answers[0], "SERVER_ERROR bad-event", "{packet}");
        assert!(answers[1].starts_with(answer), "{packet}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_client_learns_which_of_its_emits_was_refused_and_why() {
    let server = TestServer::start().await;
    let (mut a, mut b) = (Wire::v1(&server, "A").await, Wire::v1(&server, "B").await);
    a.ask_for("B").await;
    b.accept().await;
    a.is_paired().await;
    let shape = "an emit takes one object with targetClientId, event and args (bad-args)";
    let half = "a string holds half of a surrogate pair, which is no character (bad-args)";
    let chat = |args: &str| format!(r#"{{"targetClientId":"B","event":"chat","args":{args}}}"#);
    let blobs: Vec<_> =
        (0..11).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
    let [large, larger] =
        [300_000, 600_000].map(|size| chat(&format!(r#"["{}"]"#, "x".repeat(size))));
    let too_large = format!(
        r#""chat" to "B": the event has {} bytes or more, and at most 262144 are relayed (too-large)"#,
        large.len() + r#"["P2P_EMIT",]"#.len(),
    );
    let unread = format!(
        r#""chat" to "B": "P2P_EMIT" has {} bytes or more, and a message may not have so many (too-large)"#,
        larger.len() + r#"42["P2P_EMIT",]"#.len(),
    );

    for (emit, told) in [
        (
            r#"{"targetClientId":"C","event":"chat","args":[]}"#,
            r#""chat" to "C": not paired with that client (not-paired)"#,
        ),
        (
            r#"{"targetClientId":null,"event":"chat","args":[]}"#,
            r#""chat": not paired with that client (not-paired)"#,
        ),
        (
            r#"{"event":"chat","args":[]}"#,
            r#""chat": targetClientId is missing or is not a string (bad-args)"#,
        ),
        (
            r#"{"targetClientId":"B","args":[]}"#,
            r#"an event to "B": event is missing or is not a string (bad-args)"#,
        ),
        (
            r#"{"targetClientId":"B","event":"disconnect","args":[]}"#,
            r#""disconnect" to "B": that event is not allowed (bad-event)"#,
        ),
        (&chat("7"), r#""chat" to "B": args is missing or is not an array (bad-args)"#),
        (r#""B","chat",[]"#, shape),
        (
            r#"{"targetClientId":"B","event":"\ud800","args":[]}"#,
            &format!(r#"an event to "B": {half}"#),
        ),
        (&large, &too_large),
        (&larger, &unread),
    ] {
        let answers = a.answers(&format!(r#"42["P2P_EMIT",{emit}]"#)).await;
        assert_eq!(refused(&answers), [told], "{emit:.100}");
    }

    a.send(&format!(r#"4511-["P2P_EMIT",{}]"#, chat(&format!("[{}]", blobs.join(","))))).await;
    for _ in &blobs {
        a.send_binary(b"blob").await;
    }
    let told = r#""chat" to "B": a v1 client takes at most 10 attachments (bad-args)"#;
    assert_eq!(refused(&a.rest().await), [told]);

    for (event, told) in [
        ("P2P_NONSENSE", r#""P2P_NONSENSE" is no event that a client may send (bad-event)"#),
        (
            "CREATE_STREAM",
            r#""CREATE_STREAM" is of a later version of the plugin, which is not served (bad-event)"#,
        ),
    ] {
        assert_eq!(refused(&a.answers(&format!(r#"42["{event}","B"]"#)).await), [told]);
    }
}

/// The texts of these refusals of a v1 client's messages.
fn refused(packets: &[Packet]) -> Vec<String> {
    let text = |packet: &Packet| match packet {
        Packet::Text(text) => match event(text) {
            (name, args) if name == "SERVER_ERROR" => {
                args[0].as_str().and_then(|text| text.strip_prefix("Error: ")).unwrap().to_owned()
            }
            other => panic!("no refusal: {other:?}"),
        },
        Packet::Binary(_) => panic!("an attachment"),
    };
    packets.iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_an_acknowledgement_of_an_unknown_event_is_not_kept_waiting() {
    let server = TestServer::start().await;
    let mut wire = Wire::v1(&server, "A").await;

    let answers = wire.answers(r#"427["P2P_NONSENSE"]"#).await;

    let failed = r#"437[{"error":{"code":"bad-event","message":"\"P2P_NONSENSE\" is no event that a client may send"}}]"#;
    assert_eq!(errors(&answers), ["SERVER_ERROR bad-event", failed]);
}
