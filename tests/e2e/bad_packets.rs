//! Packets that are none: of Socket.IO, of Engine.IO, or in the wrong place.

use serde_json::json;

use crate::support::{
    bystanders::Bystanders,
    clients::connect,
    server::TestServer,
    wire::{Packet, Wire, errors},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_packet_closes_the_connection_or_is_ignored() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    for packet in [
        "42",
        "42[",
        "42[]",
        "42{}",
        "42null",
        "42[1]",
        "42[null]",
        r#"42["P2P_REGISTER""#,
        r#"42["P2P_REGISTER",]"#,
        r#"42["P2P_REGISTER","B",{"req":1}]]"#,
        r#"42["P2P_REGISTER","B",{"req":1}"#,
        r#"42["P2P_FRAME","1-1",{]"#,
        r#"42["P2P_FRAME","1-1",{"s":1}}]"#,
        r#"42["P2P\u005fREGISTER","B"]"#,
        r#"42["\ud800"]"#,
        r#"4299999999999999999999["P2P_LIST",{"req":1}]"#,
        r#"42-1["P2P_LIST",{"req":1}]"#,
        r#"42/nowhere,["P2P_LIST",{"req":1}]"#,
        "43",
        "43[]",
        "431",
        "431{}",
        "4399999999999999999999[]",
        "44",
        r#"44{"message":"you"}"#,
        "45",
        "45-",
        r#"451-"#,
        r#"45-["P2P_FRAME"]"#,
        r#"459-["P2P_FRAME",{"_placeholder":true,"num":0}]"#,
        r#"459999999999999999999-["P2P_FRAME"]"#,
        r#"451-["P2P_FRAME",{"_placeholder":true,"num":99999999999}]"#,
        "46",
        "461-1[]",
        "47",
        "4x",
        "4",
        "5",
        "6",
        "7",
        "9",
        "x",
        "",
        "\u{0}",
        "40/",
        "40{",
        "40[",
        "41/nowhere,",
    ] {
        let mut wire = Wire::v2(&server, "A").await;
        wire.send(packet).await;
        // Whatever it says, or whether it closes: the next one is served.
        wire.rest_or_end().await;
        drop(wire);
        server.becomes(2, 0, 1).await;
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_nobody_announced_close_the_connection_or_are_ignored() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    let mut wire = Wire::v2_binary(&server, "A").await;
    wire.send_binary(b"").await;
    wire.send_binary(&[0xff; 100]).await;
    wire.rest_or_end().await;
    drop(wire);
    server.becomes(2, 0, 1).await;

    // One announced, and text sent in its place.
    let mut wire = Wire::v2_binary(&server, "A").await;
    wire.send(r#"451-["P2P_FRAME",{"_placeholder":true,"num":0}]"#).await;
    wire.send(r#"42["P2P_LIST",{"req":1}]"#).await;
    wire.rest_or_end().await;
    drop(wire);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connect_changes_nothing() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    let pairing = wire.register("B").await;
    let clients = server.p2p.clients();

    for auth in [
        json!({ "clientId": "A", "p2p": 2 }),
        json!({ "clientId": "another", "p2p": 2 }),
        json!({ "clientId": "bystander-a" }),
        json!({ "clientId": "\n" }),
        json!({}),
    ] {
        assert_eq!(wire.answers(&format!("40{auth}")).await, [], "{auth}");
        assert_eq!(server.p2p.clients(), clients, "{auth}");
    }

    let frame = r#"{"s":1,"k":0,"t":"emit","e":"echo","r":true,"a":[7]}"#;
    wire.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    assert_eq!(wire.event().await.1[1]["a"], json!([[7]]));
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_namespace_is_refused_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let mut wire = Wire::v2(&server, "A").await;

    let answers = wire.answers(r#"40/nowhere,{"clientId":"B","p2p":2}"#).await;
    assert_eq!(errors(&answers), [r#"44/nowhere,{"message":"Invalid namespace"}"#]);

    let answers = wire.answers(r#"42["P2P_REGISTER","nobody",{"req":1}]"#).await;
    assert_eq!(errors(&answers), ["P2P_REGISTER_FAILED offline"]);
    drop(wire);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_before_the_connect() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    for packet in [
        r#"421["P2P_REGISTER","bystander-a"]"#,
        r#"42["P2P_EMIT",{"targetClientId":"bystander-a","event":"echo","args":[]}]"#,
        "431[true]",
        "41",
    ] {
        let mut wire = Wire::open(&server, "EIO=4&clientId=A").await;
        wire.send(packet).await;
        wire.send("40").await;
        // Closed, or connected as if nothing had been said.
        match wire.packet().await {
            None => {}
            Some(Packet::Text(text)) => {
                assert!(text == "1" || text.starts_with("40{"), "{packet}: {text}");
            }
            Some(other) => panic!("{packet}: {other:?}"),
        }
        drop(wire);
        server.becomes(2, 0, 1).await;
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_goodbye_is_gone_although_its_connection_stands() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let mut wire = Wire::v2(&server, "A").await;

    wire.send("41").await;
    server.becomes(2, 0, 1).await;
    // It may come back on the same connection.
    wire.send(r#"40{"clientId":"A","p2p":2}"#).await;
    assert!(wire.text().await.starts_with("40{"));
    assert_eq!(wire.event().await.0, "P2P_WELCOME");

    drop(wire);
    bystanders.noticed_nothing(&server).await;
}
