//! Too large, too deep, too many, and never read.

use serde_json::json;
use socketio_p2p_client::{Event, Incoming, P2pClientExt};
use socketio_p2p_server::{P2pServer, ServerLimits};
use socketioxide::SocketIo;

use crate::support::{
    bystanders::Bystanders,
    clients::{assert_echoes, connect},
    server::TestServer,
    soon,
    wire::{Packet, Wire, errors},
};

const MEGABYTE: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_fifteen_megabytes_is_refused_and_the_connection_stays() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let large = "x".repeat(15 * MEGABYTE);

    let mut wire = Wire::v2(&server, "A").await;
    for packet in large_packets(&large) {
        let answers = errors(&wire.answers(&packet).await);
        // They count with all their bytes, which are more than the server takes in a second.
        assert!(["P2P_ERROR too-large", "P2P_ERROR rate-limited"].contains(&&*answers[0]));
        assert_eq!(answers.len(), 1, "{answers:?}");
    }

    drop(wire);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_more_than_sixteen_megabytes_closes_the_connection() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let mut wire = Wire::v2(&server, "A").await;

    wire.send_or_give_up(&large_packets(&"x".repeat(17 * MEGABYTE))[0]).await;

    wire.is_closed().await;
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_event_that_is_too_large_is_refused_by_its_number_as_text_and_as_bytes() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let b = connect(&server, "B").await;
    let mut a = Wire::v1(&server, "A").await;
    a.register("B").await;

    for size in [300_000, MEGABYTE] {
        let emit = json!({ "targetClientId": "B", "event": "e", "args": ["é".repeat(size / 2)] });
        a.send(&format!(r#"427["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
        refused(&a.rest().await);

        let emit = r#"{"targetClientId":"B","event":"e","args":[{"_placeholder":true,"num":0}]}"#;
        a.send(&format!(r#"451-7["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
        a.send_binary(&vec![7; size]).await;
        refused(&a.rest().await);
    }

    // The pairing is what it was.
    let emit = json!({ "targetClientId": "B", "event": "echo", "args": ["still here"] });
    let answers = a.answers(&format!(r#"427["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
    assert!(format!("{answers:?}").contains("still here"), "{answers:?}");
    drop((a, b));
    bystanders.noticed_nothing(&server).await;

    fn refused(answers: &[Packet]) {
        let answers = errors(answers);
        assert_eq!(answers[0], "SERVER_ERROR too-large");
        assert!(answers[1].starts_with(r#"437[{"error":{"code":"too-large""#), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_of_a_mebibyte_counts_in_bytes_as_their_sender_counts_them() {
    let server = TestServer::start().await;
    let b = connect(&server, "B").await;
    b.on2("size", async |incoming: Incoming| Ok(incoming.blobs()[0].len()));
    let mut a = Wire::v1(&server, "A").await;
    a.register("B").await;

    let emit = r#"{"targetClientId":"B","event":"size","args":[{"_placeholder":true,"num":0}]}"#;
    a.send(&format!(r#"451-7["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
    a.send_binary(&vec![7; 250_000]).await;

    assert_eq!(a.text().await, "437[250000]");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_is_too_large_fails_its_call_and_nothing_else() {
    let server = TestServer::start().await;
    let b = connect(&server, "B").await;
    let mut events = b.events();
    let mut a = Wire::v1(&server, "A").await;
    a.register("B").await;
    while !matches!(soon(events.recv()).await, Ok(Event::Paired(_))) {}

    let answering = async {
        let event = a.text().await;
        let id = &event[2..event.find('[').unwrap()];
        a.send(&format!(r#"43{id}["{}"]"#, "x".repeat(MEGABYTE))).await;
        let event = a.text().await;
        let id = &event[2..event.find('[').unwrap()];
        a.send(&format!(r#"43{id}["short"]"#)).await;
    };
    let calling = async {
        let error = b.emit2("long", "please").await.unwrap_err();
        assert_eq!((error.code(), error.executed()), ("too-large", Some(true)));
        b.emit2("short", "please").await.unwrap()
    };
    let (short, ()) = soon(futures_util::future::join(calling, answering)).await;

    assert_eq!(short, json!("short"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_socketioxides_own_limits_it_is_refused() {
    let limits = ServerLimits::unlimited_rates();
    let attach = |io: &SocketIo| P2pServer::builder().limits(limits).attach(io);
    let server = TestServer::on(SocketIo::new_layer(), attach).await;
    let bystanders = Bystanders::on(&server).await;
    let large = "x".repeat(15 * MEGABYTE);

    let mut wire = Wire::v2(&server, "A").await;
    for packet in large_packets(&large) {
        let answers = errors(&wire.answers(&packet).await);
        let refused = ["P2P_ERROR too-large", "P2P_ERROR bad-event"];
        assert!(answers.len() == 1 && refused.contains(&&*answers[0]), "{answers:?}");
    }
    wire.send(r#"451-["P2P_FRAME",{"_placeholder":true,"num":0}]"#).await;
    wire.send_binary(&large.as_bytes()[..MEGABYTE]).await;
    assert_eq!(errors(&wire.rest().await), ["P2P_ERROR too-large"]);

    let mut v1 = Wire::v1(&server, "B").await;
    let emit = json!({ "targetClientId": "A", "event": "e", "args": [&large] });
    let answers = errors(&v1.answers(&format!(r#"427["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await);
    assert_eq!(answers[0], "SERVER_ERROR too-large");
    assert!(answers[1].starts_with(r#"437[{"error":{"code":"too-large""#));

    // An attachment of that size is too much even for socketioxide itself.
    wire.send(r#"451-["P2P_FRAME",{"_placeholder":true,"num":0}]"#).await;
    wire.send_binary(large.as_bytes()).await;
    wire.is_closed().await;
    drop((wire, v1));
    bystanders.noticed_nothing(&server).await;
}

fn large_packets(large: &str) -> [String; 5] {
    [
        format!(r#"42["P2P_REGISTER","{large}",{{"req":1}}]"#),
        format!(r#"42["P2P_REGISTER","B",{{"req":1,"payload":"{large}"}}]"#),
        format!(r#"42["P2P_FRAME","1-1",{{"a":"{large}"}}]"#),
        format!(r#"42["P2P_PING",{{"req":1}},"{large}"]"#),
        format!(r#"42["P2P_NONSENSE","{large}"]"#),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_ten_thousand_deep_is_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut v2, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    let pairing = v2.register("B").await;
    let mut v1 = Wire::v1(&server, "C").await;

    for deep in [
        format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000)),
    ] {
        for (packet, refused) in [
            (format!(r#"42["P2P_REGISTER","B",{deep}]"#), "P2P_ERROR too-large"),
            (format!(r#"42["P2P_REGISTER",{deep},{{"req":7}}]"#), "P2P_ERROR too-large"),
            (format!(r#"42["P2P_UNREGISTER",{deep}]"#), "P2P_ERROR too-large"),
            (format!(r#"42["P2P_PING",{deep}]"#), "P2P_ERROR too-large"),
            (format!(r#"42["P2P_FRAME",{deep},{{}}]"#), "P2P_ERROR too-large"),
            (format!(r#"42["P2P_FRAME","{pairing}",{deep}]"#), "P2P_ERROR too-large"),
            (format!(r#"42["P2P_NONSENSE",{deep}]"#), "P2P_ERROR bad-event"),
        ] {
            let answers = errors(&v2.answers(&packet).await);
            assert_eq!(answers, [refused], "{packet:.40}");
        }
        for (packet, refused) in [
            (format!(r#"42["P2P_REGISTER",{deep}]"#), "SERVER_ERROR too-large"),
            (format!(r#"42["P2P_UNREGISTER",{deep}]"#), "SERVER_ERROR too-large"),
            (format!(r#"42["P2P_EMIT",{deep}]"#), "SERVER_ERROR too-large"),
            (format!(r#"42["P2P_NONSENSE",{deep}]"#), "SERVER_ERROR bad-event"),
        ] {
            let answers = errors(&v1.answers(&packet).await);
            assert_eq!(answers, [refused], "{packet:.40}");
        }
    }

    // Just within the limit, it reaches the partner: the server does not parse it.
    let args = format!("{}{}", "[".repeat(62), "]".repeat(62));
    let frame = format!(r#"{{"s":1,"k":0,"t":"emit","e":"echo","r":true,"a":{args}}}"#);
    v2.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    assert_eq!(v2.event().await.1[1]["t"], "reply");
    drop((v1, v2, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_harms_nobody_and_is_not_waited_for() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut silent, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    let mut events = b.events();
    silent.register("B").await;
    while !matches!(soon(events.recv()).await, Ok(Event::Paired(_))) {}
    let text = "x".repeat(200_000);

    // B sends until nothing goes any more: its calls are answered all the same.
    let patience = std::time::Duration::from_secs(1);
    let calls = (0..200).map(|_| b.emit2("note", &text).timeout(patience).into_future());
    for result in soon(futures_util::future::join_all(calls)).await {
        // What fitted into the window was sent; what did not, was not. Neither is guessed.
        let error = result.unwrap_err();
        assert_eq!(error.code(), "timeout");
        assert_ne!(error.executed(), Some(true));
    }

    // It asks and asks, and reads no answer.
    for number in 0..5000 {
        silent.send_or_give_up(&format!(r#"42["P2P_PING",{{"req":{number}}}]"#)).await;
    }
    soon(b.unregister_target()).await.unwrap();
    let c = connect(&server, "C").await;
    soon(c.register_target("B")).await.unwrap();
    assert_echoes(&c).await;
    drop((silent, b, c));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_can_be_kicked() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let mut silent = Wire::v1(&server, "A").await;
    let id = "A".parse().unwrap();

    for number in 0..5000 {
        silent.send_or_give_up(&format!(r#"42{number}["LIST_CLIENTS"]"#)).await;
    }
    server.p2p.kick(&id);

    server.becomes(2, 0, 1).await;
    // Once it reads, it finds that it was disconnected.
    let disconnected = Some(Packet::Text("41".to_owned()));
    while silent.packet().await != disconnected {}
    drop(silent);
    bystanders.noticed_nothing(&server).await;
}
