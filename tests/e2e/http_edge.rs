//! Requests at the edge of what the listener follows: each gets an answer of HTTP.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn websockets_of_two_clients_with_one_key_are_both_let_in() {
    let server = TestServer::start().await;
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let path = "/socket.io/?EIO=4&transport=websocket&clientId=";

    let (first, _one) = asked(&server, &format!("{path}C"), upgrade).await;
    let (second, _other) = asked(&server, &format!("{path}D"), upgrade).await;

    assert_eq!(first, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(second, first);
    // And others are as well off as before.
    Wire::v1(&server, "B").await;
}
