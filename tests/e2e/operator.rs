//! The example server as its operator sees it: its log, and what must not end it.

use std::{error::Error, path::PathBuf, process::Stdio};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use socketio_p2p_harness::{Peer, Program, Server};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::support::soon;

type Story = Result<(), Box<dyn Error>>;

fn server() -> Result<PathBuf, Box<dyn Error>> {
    Ok(Program::example("server", "P2P_SERVER")?.path().to_owned())
}

fn signal(signal: &str, process: u32) -> Result<(), Box<dyn Error>> {
    let status =
        std::process::Command::new("kill").arg(signal).arg(process.to_string()).status()?;
    assert!(status.success(), "kill {signal}");
    Ok(())
}

/// Starts the server with this filter, and returns it with its URL.
async fn started(filter: Option<&str>) -> Result<(Child, String), Box<dyn Error>> {
    let mut command = Command::new(server()?);
    command.args(["--port", "0"]).env_remove("RUST_LOG").kill_on_drop(true);
    command.envs(filter.map(|filter| ("RUST_LOG", filter)));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().ok_or("no stdout")?;
    let line = soon(BufReader::new(stdout).lines().next_line()).await?.ok_or("it ended")?;
    Ok((child, line.trim_start_matches("listening on ").to_owned()))
}

/// Lets two clients be paired, ends the server, and returns its log.
async fn log_of(filter: Option<&str>) -> Result<String, Box<dyn Error>> {
    let (child, url) = started(filter).await?;
    let mut a = Peer::builder(&*url, "A").start().await?;
    let b = Peer::builder(&*url, "B").start().await?;
    a.register("B").await?;
    b.quit().await?;
    a.wait_for("unpaired").await?;
    a.quit().await?;
    signal("-TERM", child.id().ok_or("it ended")?)?;
    let output = soon(child.wait_with_output()).await?;
    assert!(output.status.success(), "{:?}", output.status);
    Ok(String::from_utf8(output.stderr)?)
}

#[tokio::test]
async fn each_event_is_one_line_with_its_time_and_without_colours() -> Story {
    let log = log_of(None).await?;

    for event in ["A connected", "A asks for B", "A and B are paired", "B disconnected", "closing"]
    {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(event)).collect();
        let [line] = lines[..] else { panic!("{event}: {lines:?}") };
        assert!(line.starts_with("20") && line.contains("INFO"), "a time and a level: {line}");
    }
    assert!(!log.contains('\u{1b}'), "colours off a terminal: {log}");
    Ok(())
}

#[tokio::test]
async fn connections_registrations_and_refusals_name_the_address_of_the_client() -> Story {
    let (child, url) = started(None).await?;
    let mut a = Peer::builder(&*url, "A").start().await?;
    a.register("nobody").await.unwrap_err();
    let _b = Peer::builder(&*url, "B").start().await?;
    a.register("B").await?;
    Peer::builder(&*url, "A").start().await.unwrap_err();
    signal("-TERM", child.id().ok_or("it ended")?)?;
    let log = String::from_utf8(soon(child.wait_with_output()).await?.stderr)?;

    for event in [
        "A connected",
        "A asked for nobody and is refused: offline",
        "A asks for B",
        "connection refused code=duplicate-id",
    ] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(event)).collect();
        let [line] = lines[..] else { panic!("{event}: {log}") };
        let (_, address) = line.split_once("address=").ok_or(line)?;
        assert!(address.parse::<std::net::SocketAddr>()?.ip().is_loopback(), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_refused_or_ended_for_its_size_is_logged_with_the_address() -> Story {
    let (child, url) = started(None).await?;
    let authority = url.trim_start_matches("http://");
    let path = "/socket.io/?EIO=4&clientId=A&transport=";
    let ask = async |request: String| -> Result<String, Box<dyn Error>> {
        let mut stream = TcpStream::connect(authority).await?;
        // The server may refuse before it has read everything.
        stream.write_all(request.as_bytes()).await.ok();
        let mut answer = vec![0; 4096];
        let bytes = soon(stream.read(&mut answer)).await?;
        Ok(String::from_utf8_lossy(&answer[..bytes]).into_owned())
    };

    let heads = "a: b\r\n".repeat(200);
    let answer = ask(format!("GET {path}polling HTTP/1.1\r\nhost: here\r\n{heads}\r\n")).await?;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let open = ask(format!("GET {path}polling HTTP/1.1\r\nhost: here\r\n\r\n")).await?;
    let sid = open
        .split(r#""sid":""#)
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .ok_or("no session")?;
    let body = "x".repeat(600_000);
    let length = body.len();
    let post = format!(
        "POST {path}polling&sid={sid} HTTP/1.1\r\nhost: here\r\ncontent-length: {length}\r\n\r\n"
    );
    let answer = ask(post + &body).await?;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let (mut socket, _) = soon(connect_async(format!("ws://{authority}{path}websocket"))).await?;
    for (before, packet) in [("0{", "40"), ("40{", r#"45300-/other,["e",{}]"#)] {
        // engineioxide pings at once: before or after the answer to CONNECT.
        let heard = loop {
            let heard = soon(socket.next()).await.ok_or("closed")??;
            if heard.to_text()? != "2" {
                break heard;
            }
        };
        assert!(heard.to_text()?.starts_with(before), "{heard}");
        socket.send(Message::text(packet)).await?;
    }
    while soon(socket.next()).await.is_some_and(|message| message.is_ok()) {}

    signal("-TERM", child.id().ok_or("it ended")?)?;
    let log = String::from_utf8(soon(child.wait_with_output()).await?.stderr)?;
    // One line of a kind in a while.
    for event in
        ["a request is too large status=431", "more attachments than are taken attachments=300"]
    {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(event)).collect();
        let [line] = lines[..] else { panic!("{event}: {log}") };
        assert!(line.contains("INFO") && line.contains("address=127.0.0.1:"), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_silences_it_and_one_that_cannot_be_read_is_refused() -> Story {
    assert_eq!(log_of(Some("off")).await?, "");

    let mut command = Command::new(server()?);
    let run = command.args(["--port", "0"]).env("RUST_LOG", "info=loud=very").kill_on_drop(true);
    let output = soon(run.output()).await?;

    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr)?.contains("RUST_LOG"));
    Ok(())
}

#[tokio::test]
async fn a_log_that_cannot_be_written_and_a_hangup_do_not_end_it() -> Story {
    let program = Program::new("sh").arg("-c").arg(r#"exec "$0" "$@" 2>/dev/full"#).arg(server()?);
    let server = Server::builder().program(program).start().await?;
    let mut a = Peer::builder(&server, "A").start().await?;
    let _b = Peer::builder(&server, "B").start().await?;
    signal("-HUP", server.id().ok_or("it ended")?)?;

    a.register("B").await?;
    let reply = a.emit2("chat", json!(["hello"])).await?;

    assert_eq!(reply.value, json!({ "echo": ["hello"] }));
    server.stop().await?;
    Ok(())
}
