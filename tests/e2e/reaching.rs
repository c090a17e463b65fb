//! Getting to the server: names with several addresses, proxies, and what is in the way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use socketio_p2p_client::{ConnectError, P2pClientExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{
    clients::{assert_echoes, client, client_at, connect},
    server::TestServer,
    soon,
};

/// Reads the head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// An HTTP proxy that carries connections, or answers all with this head. The number of its connections is
/// counted.
struct Proxy {
    url: String,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Proxy {
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut carried = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                carried.spawn(carry(near, refusal));
            }
        });
        Self { url, connections, _serving: serving }
    }
}

async fn carry(mut near: TcpStream, refusal: Option<&'static str>) {
    let head = head(&mut near).await;
    if let Some(refusal) = refusal {
        near.write_all(refusal.as_bytes()).await.unwrap();
        return;
    }
    let to = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
    let mut far = TcpStream::connect(to).await.unwrap();
    near.write_all(b"HTTP/1.1 200 Established\r\n\r\n").await.unwrap();
    copy_bidirectional(&mut near, &mut far).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_connects_by_a_proxy_and_talks() {
    let server = TestServer::start().await;
    let proxy = Proxy::start(None).await;
    let _b = connect(&server, "B").await;

    let a = soon(client(&server, "A").proxy(&proxy.url).connect()).await.unwrap();
    soon(a.register_target("B")).await.unwrap();

    assert_echoes(&a).await;
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 1);
    soon(a.close()).await;
    server.becomes(1, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_named_with_its_answer() {
    let server = TestServer::start().await;
    let proxy = Proxy::start(Some("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")).await;

    let failed = soon(client(&server, "A").proxy(&proxy.url).connect()).await.unwrap_err();

    let ConnectError::Unreachable(tried) = &failed else { panic!("{failed:?}") };
    assert!(tried.contains("407") && tried.contains(&proxy.url["http://".len()..]), "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_in_a_url_go_to_the_server_and_into_no_text() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://us%40er:p%3Ass@{}", listener.local_addr().unwrap());
    let asked = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        head
    };

    let (failed, head) = soon(async { tokio::join!(client_at(&url, "A").connect(), asked) }).await;

    let lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
    assert!(lines.contains(&"authorization: basic dxnazxi6cdpzcw==".to_owned()), "{head}");
    let text = format!("{0} {0:?}", failed.unwrap_err());
    assert!(text.contains("401") && !text.contains("p%3Ass") && !text.contains("p:ss"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_several_addresses_leads_to_the_one_that_answers() {
    let server = TestServer::start().await;
    // Often `::1` comes before, where nobody listens.
    let url = format!("http://localhost:{}", server.address.port());
    let _b = connect(&server, "B").await;

    let a = soon(client_at(&url, "A").connect()).await.unwrap();
    soon(a.register_target("B")).await.unwrap();

    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_websocket_is_an_error_that_says_so_once() {
    let blocker = Proxy::start(Some("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")).await;

    let failed = soon(client_at(&blocker.url, "A").connect()).await.unwrap_err();

    let text = failed.to_string();
    assert!(matches!(failed, ConnectError::Transport(_)), "{failed:?}");
    assert_eq!([text.matches("403").count(), text.matches("block websockets").count()], [1, 1]);
}
