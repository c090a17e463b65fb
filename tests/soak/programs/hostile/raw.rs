//! Hostile inputs below the websocket: bytes, HTTP, polling.

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The time for which an answer is awaited; there need not be one.
const PATIENCE: Duration = Duration::from_millis(200);

/// Headers that ask for a websocket.
const UPGRADE: &str = "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// One connection that says one thing, and perhaps hears the answer.
pub(super) async fn one(server: SocketAddr, random: &mut Rng) {
    let Ok(mut socket) = TcpStream::connect(server).await else { return };
    let (request, then) = draw(random);
    if socket.write_all(&request).await.is_err() {
        return;
    }
    let mut answer = [0; 1024];
    let answered = timeout(PATIENCE, socket.read(&mut answer)).await;
    if !then.is_empty() && matches!(answered, Ok(Ok(1..))) {
        socket.write_all(&then).await.ok();
        timeout(PATIENCE, socket.read(&mut answer)).await.ok();
    }
}

/// A request, and what follows the answer.
fn draw(random: &mut Rng) -> (Vec<u8>, Vec<u8>) {
    let mut garbage = vec![0; random.usize(1..300)];
    random.fill(&mut garbage);
    let path = "/socket.io/?EIO=4&transport=";
    let post = |length: usize, body: &[u8]| {
        let head = format!(
            "POST {path}polling&sid=AAAAAAAAAAAAAAAA HTTP/1.1\r\nhost: x\r\n\
            content-type: text/plain\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    };
    match random.u32(..9) {
        0 => (garbage, Vec::new()),
        1 => (format!("GET {path}polling HTTP/1.1\r\nhost").into(), Vec::new()),
        2 => (format!("DELETE {path}websocket HTTP/9\r\n\r\n").into(), Vec::new()),
        3 => {
            let many = "x: y\r\n".repeat(300);
            (format!("GET {path}polling HTTP/1.1\r\n{many}\r\n").into(), Vec::new())
        }
        4 => (post(garbage.len(), &garbage), Vec::new()),
        5 => (post(usize::MAX, &garbage), Vec::new()),
        6 => (
            format!("GET {path}polling&clientId=%00%ff HTTP/1.1\r\nhost: x\r\n\r\n").into(),
            Vec::new(),
        ),
        7 => (format!("GET {path}websocket&sid=x HTTP/1.1\r\n{UPGRADE}").into(), garbage),
        _ => (format!("GET {path}websocket HTTP/1.1\r\n{UPGRADE}").into(), frame(random, garbage)),
    }
}

/// Bytes that are almost a frame of a websocket.
fn frame(random: &mut Rng, garbage: Vec<u8>) -> Vec<u8> {
    let head: &[u8] = match random.u32(..6) {
        0 => &[0x81, 0x05],                                                 // Not masked.
        1 => &[0x83, 0x85],                                                 // A reserved opcode.
        2 => &[0xf1, 0x85],                                                 // Reserved bits.
        3 => &[0x09, 0x85],                                                 // A ping in fragments.
        4 => &[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // 2^63 bytes.
        _ => &[0x80, 0x85],                                                 // The rest of nothing.
    };
    [head, &garbage].concat()
}
