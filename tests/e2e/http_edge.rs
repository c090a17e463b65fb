//! Requests at the edge of what the listener follows: each gets an answer of HTTP.

use axum::http::{HeaderValue, Method};
use socketio_p2p_server::{P2pServer, QuickAckListener};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use tower_http::cors::CorsLayer;

use crate::support::{server::TestServer, soon, wire::Wire};

/// Sends a request, and returns the first line of the response and the connection.
async fn asked(server: &TestServer, path: &str, headers: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n{headers}\r\n");
    let mut answer = Vec::new();
    let answering = async {
        // The server may refuse before it has read everything.
        stream.write_all(request.as_bytes()).await.ok();
        while !answer.contains(&b'\n') {
            match stream.read_buf(&mut answer).await {
                Ok(1..) => {}
                _ => break,
            }
        }
    };
    soon(answering).await;
    let text = String::from_utf8_lossy(&answer);
    (text.lines().next().unwrap_or_default().to_owned(), stream)
}

const POLLING: &str = "/socket.io/?EIO=4&transport=polling&clientId=A";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_many_cookies_is_answered() {
    let server = TestServer::start().await;

    for bytes in [100, 15_000, 17_000, 60_000] {
        let cookie = format!("cookie: {}\r\n", "c".repeat(bytes));
        let (status, _) = asked(&server, POLLING, &cookie).await;
        assert_eq!(status, "HTTP/1.1 200 OK", "{bytes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused_with_431() {
    let server = TestServer::start().await;

    let (status, _) = asked(&server, POLLING, &"a: b\r\n".repeat(200)).await;

    assert_eq!(status, "HTTP/1.1 431 Request Header Fields Too Large");
}

/// The key that every device of a kind sends.
const CONSTANT: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

#[tokio::test(flavor = "multi_thread")]
async fn clients_with_one_websocket_key_are_all_let_in_with_their_ids_in_the_auth() {
    let server = TestServer::start().await;

    let mut devices = Vec::new();
    for id in ["A", "B", "C"] {
        let mut device = Wire::open_with_key(&server, "EIO=4", CONSTANT).await;
        device.send(&format!(r#"40{{"clientId":"{id}"}}"#)).await;
        assert!(device.text().await.starts_with("40{"), "connected");
        devices.push(device.known_to(&server, id).await);
    }

    let [a, b, _] = &mut devices[..] else { unreachable!() };
    a.ask_for("B").await;
    b.accept().await;
    a.is_paired().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_network_died_gets_its_id_back_with_the_same_websocket_key() {
    for version in ["3", "4"] {
        let server = TestServer::start().await;
        let query = format!("EIO={version}&clientId=A");
        // It reads nothing more, and so answers no ping.
        let _dead = connected(&server, &query).await.unwrap();

        let again = connected(&server, &query).await;

        assert!(again.is_ok(), "EIO={version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_there_keeps_its_id_against_one_with_the_same_websocket_key() {
    for version in ["3", "4"] {
        let server = TestServer::start().await;
        let query = format!("EIO={version}&clientId=A");
        let mut holder = connected(&server, &query).await.unwrap();

        let refused = holder.hears_nothing_until(connected(&server, &query)).await.err();

        assert!(refused.as_ref().is_some_and(|text| text.starts_with("44")), "{refused:?}");
        assert!(refused.is_some_and(|text| text.contains("duplicate-id")), "EIO={version}");
    }
}

/// Connects with the constant key.
///
/// # Errors
///
/// What the server said instead.
async fn connected(server: &TestServer, query: &str) -> Result<Wire, String> {
    let mut device = Wire::open_with_key(server, query, CONSTANT).await;
    if query.contains("EIO=4") {
        device.send("40").await;
    }
    match device.text().await {
        text if text.starts_with("40") => Ok(device.known_to(server, "A").await),
        text => Err(text),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_let_in_by_a_cors_layer_outside_of_the_plugins() {
    const PAGE: &str = "http://page.example";
    for (outside, allowed) in [(true, Some(PAGE)), (false, None)] {
        let (layer, io) = P2pServer::socket_io().build_layer();
        let _p2p = P2pServer::builder().attach(&io);
        let cors = CorsLayer::new()
            .allow_origin(HeaderValue::from_static(PAGE))
            .allow_methods([Method::GET, Method::POST]);
        let app = match outside {
            true => axum::Router::new().layer(layer).layer(cors),
            false => axum::Router::new().layer(cors).layer(layer),
        };
        let listener = QuickAckListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(axum::serve(listener, app).into_future());

        let preflight = format!("origin: {PAGE}\r\naccess-control-request-method: POST\r\n");
        for (method, headers) in [("GET", format!("origin: {PAGE}\r\n")), ("OPTIONS", preflight)] {
            let request = format!(
                "{method} {POLLING} HTTP/1.1\r\nhost: here\r\n{headers}connection: close\r\n\r\n"
            );
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut answer = String::new();
            stream.write_all(request.as_bytes()).await.unwrap();
            soon(stream.read_to_string(&mut answer)).await.unwrap();

            let header =
                answer.lines().find_map(|line| line.strip_prefix("access-control-allow-origin: "));
            assert_eq!(header, allowed, "{method}, outside: {outside}: {answer}");
            assert!(!outside || answer.starts_with("HTTP/1.1 200"), "{method}: {answer}");
        }
    }
}
