//! Coming in: the first words, crowds, and connections that are refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::{join_all, try_join_all};
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::json;
use socketio_p2p_client::{
    Cause, ClientIdError, Code, ConnectError, EmitError, Event, P2pBuilderExt, P2pClientExt,
};
use socketio_p2p_server::P2pServer;
use socketioxide::{extract::SocketRef, handler::ConnectHandler as _};
use tokio::net::TcpListener;

use crate::support::{
    PATIENCE,
    clients::{assert_echoes, client, client_at, connect},
    server::TestServer,
    soon,
    wire::Wire,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_before_any_pairing_is_not_executed() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;

    let acked = soon(a.emit2("echo", 1)).await.unwrap_err();
    let unacked = soon(a.emit2("echo", 1).without_ack()).await.unwrap_err();

    for error in [acked, unacked] {
        let cause = Cause::Code(Code::NotPaired);
        assert!(
            matches!(error, EmitError::NotExecuted { cause: c, .. } if c == cause),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_clients_connect_pair_and_talk_at_once() {
    let server = TestServer::start().await;
    // Targets first, so that nobody is offline for the one that asks for it.
    let targets = (0..50).map(|pair| client(&server, &format!("target-{pair}")).connect());
    let targets = soon(try_join_all(targets)).await.unwrap();

    let sources = (0..50).map(async |pair| {
        let source = connect(&server, &format!("source-{pair}")).await;
        // Right after connecting, and right after pairing.
        soon(source.register_target(format!("target-{pair}"))).await.unwrap();
        assert_echoes(&source).await;
        source
    });
    let sources = join_all(sources).await;

    server.becomes(100, 0, 50).await;
    join_all(targets.iter().map(assert_echoes)).await;
    drop((sources, targets));
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_is_the_welcome() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;

    let Event::Connected(welcome) = soon(a.events().recv()).await.unwrap() else {
        panic!("another event came first");
    };

    assert_eq!((welcome.protocol, welcome.client_id.as_str()), (2, "A"));
    assert_eq!(welcome.pairing, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_later_version_that_speaks_ours_is_welcomed_in_it() {
    let server = TestServer::start().await;

    for auth in [
        json!({ "clientId": "A", "p2p": 3, "p2pMin": 2 }),
        json!({ "clientId": "B", "p2p": 7, "p2pMin": 1, "later": {} }),
    ] {
        let welcome = Wire::welcome_with(&server, auth.clone()).await;

        assert_eq!(welcome["protocol"], 2, "{auth}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_no_version_of_the_client_is_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = asked.clone();
    let server = TestServer::with(move |io| {
        let p2p = P2pServer::builder().build();
        let later = move |_: SocketRef| {
            counting.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Err::<(), _>("unsupported-protocol"))
        };
        let connected = async || {};
        io.ns("/", p2p.wrap(connected.with(later)));
        p2p
    })
    .await;

    // It would try again for as long after any refusal that is not final.
    let builder = client(&server, "A").backoff(Duration::ZERO, Duration::ZERO);
    let error = soon(builder.retry_connect(PATIENCE).connect()).await.unwrap_err();

    assert!(matches!(error, ConnectError::Refused(Code::UnsupportedProtocol)), "{error:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_in_use_is_refused_and_its_owner_notices_nothing() {
    let server = TestServer::start().await;
    let first = connect(&server, "A").await;
    let _b = connect(&server, "B").await;
    soon(first.register_target("B")).await.unwrap();

    let second = soon(client(&server, "A").connect()).await;

    assert!(matches!(second, Err(ConnectError::Refused(Code::DuplicateId))), "{second:?}");
    assert_echoes(&first).await;
    soon(first.close()).await;
    server.becomes(1, 0, 0).await;
    connect(&server, "A").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_id_or_auth_is_refused_before_anything_is_sent() {
    let server = TestServer::start().await;

    for (id, why) in [
        (String::new(), ClientIdError::Empty),
        ("x".repeat(129), ClientIdError::TooLong),
        ("a\nb".to_owned(), ClientIdError::ControlCharacter),
    ] {
        let result = soon(client(&server, &id).connect()).await;
        assert!(matches!(result, Err(ConnectError::Id(error)) if error == why), "{id:?}");
    }
    let result = soon(client(&server, "A").auth(json!("token")).connect()).await;
    assert!(matches!(result, Err(ConnectError::Auth)));
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_not_there_is_an_error_that_says_so() {
    let server = TestServer::start().await;

    let builder = ClientBuilder::new(&server.url).namespace("/elsewhere").p2p("A");
    let result = soon(builder.connect()).await;

    assert!(
        matches!(&result, Err(ConnectError::Rejected(why)) if why.contains("namespace")),
        "{result:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_without_the_plugin_says_no_welcome() {
    let server = TestServer::start().await;
    server.io.ns("/bare", async || {});

    let patience = Duration::from_millis(300);
    let builder = ClientBuilder::new(&server.url).namespace("/bare").p2p("A");
    let result = soon(builder.connect_timeout(patience).connect()).await;

    assert!(
        matches!(result, Err(ConnectError::Timeout(waited)) if waited == patience),
        "{result:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_no_attempt_can_use_is_tried_once() {
    for url in ["htp://127.0.0.1:1", "127.0.0.1", "http://"] {
        let error = soon(url.p2p("A").retry_connect(PATIENCE * 2).connect()).await.unwrap_err();

        assert!(matches!(error, ConnectError::Transport(_)), "{url}: {error:?}");
        assert!(!error.is_retryable(), "{url}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_an_error_of_the_transport() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);

    let result = soon(client_at(&url, "A").connect()).await;

    assert!(matches!(result, Err(ConnectError::Transport(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());

    let patience = Duration::from_millis(300);
    let result = soon(client_at(&url, "A").connect_timeout(patience).connect()).await;

    assert!(matches!(result, Err(ConnectError::Timeout(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_applications_own_middleware_says_reaches_the_client() {
    let server = TestServer::with(|io| {
        let p2p = P2pServer::builder().build();
        let connected = async || {};
        let closed = async |_: SocketRef| Err::<(), _>("closed on Sundays");
        io.ns("/", p2p.wrap(connected.with(closed)));
        p2p
    })
    .await;

    let result = soon(client(&server, "A").connect()).await;

    assert!(
        matches!(&result, Err(ConnectError::Rejected(why)) if why == "closed on Sundays"),
        "{result:?}"
    );
    server.is_empty_soon().await;
}
