//! Client ids that are none, and connections that say who they are in a strange way.

use serde_json::{Value, json};

use crate::support::{bystanders::Bystanders, server::TestServer, wire::Wire};

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_id_in_the_query_is_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let long = format!("clientId={}", "a".repeat(129));
    let long_in_bytes = format!("clientId={}", "%C3%BC".repeat(65));

    for query in [
        "clientId=",
        "clientId=%00",
        "clientId=a%0Ab",
        "clientId=a%7Fb",
        "clientId=%C2%85",
        "clientId[]=A",
        "clientId%5B%5D=A",
        "clientId[0]=A",
        "clientId[]=A&clientId[]=B",
        "clientId=A&clientId=B",
        "clientId=A&clientId=A",
        "clientId=A&clientId[]=A",
        "p2p=2",
        &long,
        &long_in_bytes,
    ] {
        let mut wire = Wire::open(&server, &format!("EIO=4&{query}")).await;
        wire.send("40").await;
        assert_eq!(wire.text().await, r#"44{"message":"bad-client-id"}"#, "{query}");

        let mut wire = Wire::open(&server, &format!("EIO=3&{query}")).await;
        assert!(wire.text().await.starts_with("44"), "{query}");
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_auth_is_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let deep = format!(r#"{{"clientId":"A","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));

    for (auth, code) in [
        (json!({ "clientId": "" }).to_string(), "bad-client-id"),
        (json!({ "clientId": ["A"] }).to_string(), "bad-client-id"),
        (json!({ "clientId": { "a": 1 } }).to_string(), "bad-client-id"),
        (json!({ "clientId": null }).to_string(), "bad-client-id"),
        (json!({ "clientId": true }).to_string(), "bad-client-id"),
        (json!({ "clientId": "a\u{1}b" }).to_string(), "bad-client-id"),
        (json!({ "clientId": "a".repeat(129) }).to_string(), "bad-client-id"),
        (r#"{"clientId":"\ud800"}"#.to_owned(), "bad-args"),
        (json!({ "p2p": 2 }).to_string(), "bad-client-id"),
        (json!({ "clientId": "A", "p2p": [2] }).to_string(), "bad-args"),
        (json!({ "clientId": "A", "p2p": "two" }).to_string(), "bad-args"),
        (json!({ "clientId": "A", "p2p": -2 }).to_string(), "bad-args"),
        (json!({ "clientId": "A", "p2p": 1e9 }).to_string(), "bad-args"),
        (json!({ "clientId": "A", "p2p": 3, "p2pMin": 3 }).to_string(), "unsupported-protocol"),
        (deep, "too-large"),
    ] {
        let mut wire = Wire::open(&server, "EIO=4").await;
        wire.send(&format!("40{auth}")).await;
        let refusal = wire.text().await;
        let auth: String = auth.chars().take(60).collect();
        assert_eq!(refusal, format!(r#"44{{"message":"{code}"}}"#), "{auth}");
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auth_that_is_no_object_is_no_clients() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    for auth in [json!([]), json!(["A"]), json!({}), json!({ "token": "t" })] {
        let mut wire = Wire::open(&server, "EIO=4").await;
        wire.send(&format!("40{auth}")).await;
        assert!(wire.text().await.starts_with(r#"40{"sid":"#), "{auth}");
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn awkward_ids_are_ids_all_the_same() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let longest = "a".repeat(128);

    for (query, id) in [
        ("clientId=%22%5D%7B", "\"]{"),
        ("clientId=%F0%9F%A6%80+%C3%BC", "🦀 ü"),
        ("clientId=__proto__", "__proto__"),
        ("clientId=P2P_EMIT", "P2P_EMIT"),
        ("clientId=0", "0"),
        (&format!("clientId={longest}"), &longest),
    ] {
        let mut wire = Wire::open(&server, &format!("EIO=4&{query}")).await;
        wire.send("40").await;
        assert!(wire.text().await.starts_with("40{"), "{query}");
        assert_eq!(wire.text().await, r#"42["P2P_DISCONNECT"]"#, "the server is new");
        wire.send(r#"427["LIST_CLIENTS"]"#).await;
        let answer = wire.text().await;
        let ids: Vec<Vec<String>> = serde_json::from_str(&answer[3..]).unwrap();
        assert!(ids[0].iter().any(|listed| listed == id), "{query}: {answer}");
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_taken_once_in_whatever_dialect() {
    const DUPLICATE: &str = r#"44{"message":"duplicate-id"}"#;
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let mut first = Wire::v1(&server, "A").await;

    for auth in [Value::Null, json!({ "clientId": "A" }), json!({ "clientId": "A", "p2p": 2 })] {
        let mut wire = Wire::open(&server, "EIO=4&clientId=A").await;
        wire.send(&format!("40{auth}").replace("null", "")).await;
        assert_eq!(first.hears_nothing_until(wire.text()).await, DUPLICATE, "{auth}");
    }
    let mut wire = Wire::open(&server, "EIO=3&clientId=A").await;
    let refused = first.hears_nothing_until(wire.text()).await;
    assert!(refused.starts_with("44"), "{refused}");
    drop(wire);

    // The first one noticed nothing, and its end frees the name.
    let answers = first.answers(r#"427["P2P_UNREGISTER"]"#).await;
    assert_eq!(crate::support::wire::errors(&answers), ["437[]"]);
    drop(first);
    server.becomes(2, 0, 1).await;
    drop(Wire::v2(&server, "A").await);
    bystanders.noticed_nothing(&server).await;
}
