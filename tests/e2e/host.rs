//! The plugin as a guest: beside an application's own handlers on the same namespace.

use std::sync::Arc;

use rust_socketio::{
    Payload,
    asynchronous::{Client, ClientBuilder},
};
use serde_json::json;
use socketio_p2p_server::P2pServer;
use socketioxide::{
    extract::{AckSender, Data, SocketRef},
    handler::ConnectHandler as _,
};
use tokio::sync::mpsc;

use crate::support::{
    clients::{assert_echoes, connect, pair_up},
    server::TestServer,
    soon,
    wire::Wire,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_applications_own_events_and_acknowledgements_keep_working() {
    let (server, mut members) = application().await;
    let (heard, mut is_heard) = mpsc::channel(8);
    let a = rust_client(&server, "A", heard.clone()).await;
    let b = connect(&server, "B").await;
    pair_up(&a, &b).await;
    let mut wire = Wire::v1(&server, "C").await;
    // Handlers of an application are there as soon as it says so, not as soon as one is connected.
    for _ in 0..3 {
        assert_eq!(soon(members.recv()).await, Some("joined"));
    }

    // Its own events, by rust_socketio's own client, and by a v1 client with an acknowledgement.
    a.socket().emit("shout", json!("hello")).await.unwrap();
    assert_eq!(soon(is_heard.recv()).await.unwrap(), json!("hello"));
    wire.send(r#"425["shout","hi"]"#).await;
    assert_eq!(wire.text().await, r#"42["heard","hello"]"#);
    assert_eq!(wire.text().await, r#"42["heard","hi"]"#);
    assert_eq!(wire.text().await, r#"435["ok"]"#);

    assert_eq!(soon(is_heard.recv()).await.unwrap(), json!("hi"));
    assert_echoes(&a).await;
    assert_echoes(&b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_applications_own_disconnect_handler_runs() {
    let (server, mut members) = application().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    pair_up(&a, &b).await;
    let stranger = Wire::open(&server, "EIO=3").await;
    for _ in 0..3 {
        assert_eq!(soon(members.recv()).await, Some("joined"));
    }

    soon(a.close()).await;
    server.p2p.kick(b.id());
    drop(stranger);

    for _ in 0..3 {
        assert_eq!(soon(members.recv()).await, Some("left"));
    }
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_a_client_id_is_left_alone() {
    let (server, mut members) = application().await;
    let mut wire = Wire::open(&server, "EIO=4").await;
    wire.send("40").await;
    assert!(wire.text().await.starts_with("40{"));
    assert_eq!(soon(members.recv()).await, Some("joined"));

    assert!(server.p2p.clients().is_empty());
    wire.send(r#"42["P2P_NONSENSE"]"#).await;
    wire.send(r#"427["shout","hi"]"#).await;
    assert_eq!(wire.text().await, r#"42["heard","hi"]"#);
    assert_eq!(wire.text().await, r#"437["ok"]"#);
    // It stays when the plugin goes.
    soon(server.p2p.close()).await;
    wire.send(r#"428["shout","ho"]"#).await;
    assert_eq!(wire.text().await, r#"42["heard","ho"]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_applications_own_middleware_runs_first_and_may_refuse() {
    let (server, _members) = application().await;

    let mut wire = Wire::open(&server, "EIO=4&clientId=A&banned=1").await;
    wire.send("40").await;
    assert_eq!(wire.text().await, r#"44{"message":"banned"}"#);

    // The name is not taken by somebody who was not let in.
    connect(&server, "A").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_may_listen_to_everything_else_and_keep_its_sockets() {
    let keeper = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = keeper.clone();
    let server = TestServer::with(move |io| {
        let p2p = P2pServer::builder().build();
        let connected = async move |socket: SocketRef| {
            keeper.lock().unwrap().push(socket.clone());
            socket.on_fallback(async |socket: SocketRef, Data::<serde_json::Value>(data)| {
                socket.emit("unknown", &data).ok();
            });
            socket.emit("ready", &Vec::<u8>::new()).ok();
        };
        io.ns("/", p2p.wrap(connected));
        p2p
    })
    .await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    pair_up(&a, &b).await;
    let mut wire = Wire::v2(&server, "C").await;
    assert_eq!(wire.text().await, r#"42["ready",[]]"#);

    wire.send(r#"42["P2P_NONSENSE",1]"#).await;
    assert_eq!(wire.text().await, r#"42["unknown",1]"#);

    drop(wire);
    soon(a.close()).await;
    drop(b);
    // Although the application holds on to them.
    server.is_empty_soon().await;
    assert_eq!(kept.lock().unwrap().len(), 3);
}

/// An application that lets its members shout, and says when one joins or leaves.
async fn application() -> (TestServer, mpsc::Receiver<&'static str>) {
    let (joins_and_leaves, members) = mpsc::channel(16);
    let server = TestServer::with(|io| {
        let p2p = P2pServer::builder().build();
        let connected = async move |socket: SocketRef| {
            socket.join("everybody");
            socket.on("shout", async |socket: SocketRef, Data::<String>(text), ack: AckSender| {
                socket.within("everybody").emit("heard", &text).await.ok();
                ack.send("ok").ok();
            });
            let leaves = joins_and_leaves.clone();
            socket.on_disconnect(async move || leaves.send("left").await.unwrap());
            joins_and_leaves.send("joined").await.unwrap();
        };
        let unless_banned = async |socket: SocketRef| match socket.req_parts().uri.query() {
            Some(query) if query.contains("banned") => Err("banned"),
            _ => Ok(()),
        };
        io.ns("/", p2p.wrap(connected.with(unless_banned)));
        p2p
    })
    .await;
    (server, members)
}

/// A client that also listens to the application's own event, as rust_socketio does.
async fn rust_client(
    server: &TestServer,
    id: &str,
    heard: mpsc::Sender<serde_json::Value>,
) -> socketio_p2p_client::P2pClient {
    use socketio_p2p_client::P2pBuilderExt as _;

    let listen = move |payload: Payload, _: Client| {
        if let Payload::Text(values) = payload {
            heard.try_send(values[0].clone()).unwrap();
        }
        Box::pin(std::future::ready(())) as futures_util::future::BoxFuture<'static, ()>
    };
    let builder = ClientBuilder::new(&server.url).on("heard", listen).p2p(id);
    let echo = async |incoming: socketio_p2p_client::Incoming| Ok(json!(incoming.values()));
    soon(builder.on2("echo", echo).connect()).await.unwrap()
}
