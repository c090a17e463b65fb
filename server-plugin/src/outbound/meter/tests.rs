use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::*;
use crate::outbound::{
    gate::{Gate, Intake},
    oversize::Longest,
};

#[tokio::test]
async fn nothing_is_written_to_a_stream_that_is_cut() {
    let (_client, server) = duplex(64);
    let mut server = MeteredStream::new(server);
    server.handle.cut();

    let written = server.write_all(b"too late").await;

    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn what_is_written_is_counted() {
    let (mut client, server) = duplex(16);
    let mut server = MeteredStream::new(server);
    let meter = server.handle.meter.clone();

    let writing = server.write_all(&[0; 100]);
    let mut read = [0; 100];
    let (written, _) = tokio::join!(writing, client.read_exact(&mut read));

    written.unwrap();
    assert_eq!(meter.total(), 100);
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_also_while_somebody_reads() {
    let (_client, server) = tokio::io::duplex(64);
    let mut server = MeteredStream::new(server);
    let handle = server.handle.clone();
    let reading = async { tokio::io::AsyncReadExt::read(&mut server, &mut [0; 8]).await };
    let cutting = async { handle.cut() };

    let (read, ()) = tokio::join!(reading, cutting);

    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn a_websocket_of_a_session_that_polled_leaves_out_what_is_too_long_from_its_first_message() {
    let longest = Longest { bytes: 7, namespace: "/".into() };
    let session = Session::with_id("upgraded");
    session.leave_out_messages(longest.clone());
    let (mut client, server) = duplex(1024);
    let mut server = MeteredStream::new(server);
    let request = "GET /?transport=websocket&sid=upgraded HTTP/1.1\r\nsec-websocket-key: x\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();

    server.read_exact(&mut vec![0; request.len()]).await.unwrap();

    assert_eq!(server.handle.longest.get(), Some(&longest));
}

/// The message is held until it is whole, and the reader takes few bytes at a time.
#[tokio::test]
async fn what_was_received_is_handed_over_before_a_websocket_waits() {
    let (mut client, server) = duplex(1024);
    let mut server = MeteredStream::new(server);
    let request = "GET /?transport=websocket HTTP/1.1\r\nsec-websocket-key: held\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    server.read_exact(&mut vec![0; request.len()]).await.unwrap();
    server.handle.leave_out_messages(Longest { bytes: 1000, namespace: "/".into() });
    let gate = Gate::new();
    let _attached = gate.attach(server.handle.intake(|| Arc::new(Intake::new())));
    let whole = b"\x81\x850000later";
    client.write_all(whole).await.unwrap();
    server.read_exact(&mut [0; 11]).await.unwrap();
    let part = |first: u8| [&[first, 0x80 | 100, 0, 0, 0, 0][..], &[b'x'; 100]].concat();
    client.write_all(&[part(0x01), part(0x80)].concat()).await.unwrap();

    // Meanwhile it is a gap for the reader, which hears a pong.
    server.read_exact(&mut [0; 7]).await.unwrap();
    let mut read = vec![0; 64];
    server.read_exact(&mut read).await.unwrap();
    gate.set_closed(true);
    let mut rest = [0; 208 - 64];
    server.read_exact(&mut rest).await.unwrap();

    read.extend_from_slice(&rest);
    assert_eq!(read, [&[0x81, 0x80 | 126, 0, 200, 0, 0, 0, 0][..], &[b'x'; 200]].concat());
}
