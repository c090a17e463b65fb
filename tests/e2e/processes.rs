//! Two processes and a server, each on its own: what a user has in hand when the path changes.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use socketio_p2p_harness::{Companion, Event, Peer, Program, Server};

use crate::support::{server::TestServer, wire::Wire};

type Story = Result<(), Box<dyn Error>>;

async fn peer(server: &Server, id: &str, path: &str) -> Result<Peer, Box<dyn Error>> {
    Ok(Peer::builder(server, id).args(["--path", path]).start().await?)
}

fn takes(path: &str) -> impl Fn(&Event) -> bool {
    move |event| event.name() == "path" && event["path"] == path
}

#[tokio::test]
async fn two_processes_take_the_direct_path_and_leave_it_when_one_of_them_is_killed() -> Story {
    let server = Server::start().await?;
    let mut a = peer(&server, "A", "prefer-direct").await?;
    let mut b = peer(&server, "B", "prefer-direct").await?;

    a.register("B").await?;
    let taken = a.expect("the direct path", takes("direct")).await?;
    b.expect("the direct path", takes("direct")).await?;
    assert!(taken["rttMs"].as_f64().is_some_and(|rtt| rtt > 0.0), "{taken:?}");
    for end in [&mut a, &mut b] {
        // A busy machine may leave the path for a moment.
        loop {
            let reply = end.emit2("chat", json!(["hello"])).await?;
            assert_eq!(reply.value, json!({ "echo": ["hello"] }));
            if reply.path == "direct" {
                break;
            }
        }
    }

    b.kill().await;
    // The server has lost it as well: no path is left.
    a.expect("no path", |event| event.name() == "path" && event["path"].is_null()).await?;
    a.quit().await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn where_one_of_them_wants_the_relay_only_both_keep_to_it() -> Story {
    let server = Server::start().await?;
    let mut a = peer(&server, "A", "relay-only").await?;
    let mut b = peer(&server, "B", "prefer-direct").await?;

    a.register("B").await?;
    b.wait_for("paired").await?;
    for _ in 0..20 {
        assert_eq!(b.emit2("chat", json!([1])).await?.path, "relay");
        assert_eq!(a.emit2("chat", json!([2])).await?.path, "relay");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    for end in [a, b] {
        let events = end.quit().await?;
        assert!(events.iter().all(|event| event.name() != "path"), "{events:?}");
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_wants_the_direct_path_only_waits_for_it() -> Story {
    let server = Server::start().await?;
    let mut a = peer(&server, "A", "direct-only").await?;
    let mut b = peer(&server, "B", "direct-only").await?;

    a.register("B").await?;
    b.wait_for("paired").await?;

    assert_eq!(a.emit2("chat", json!([1])).await?.path, "direct");
    assert_eq!(b.emit2("chat", json!([2])).await?.path, "direct");
    a.quit().await?;
    b.quit().await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_ice_server_that_cannot_be_used_is_named_without_its_password() -> Story {
    let server = Server::start().await?;
    let ice =
        ["--ice", "turn:alice:sesame@127.0.0.1:9?transport=quic", "--ice", "stun:127.0.0.1:9"];
    let mut a =
        Peer::builder(&server, "A").args(["--path", "direct-only"]).args(ice).start().await?;
    let mut b = peer(&server, "B", "direct-only").await?;

    let warning = a.wait_for("ice-warning").await?;
    assert_eq!(warning["server"], "turn:127.0.0.1:9?transport=quic");
    assert_eq!(warning["code"], "bad-address");

    a.register("B").await?;
    b.wait_for("paired").await?;
    assert_eq!(a.emit2("chat", json!([1])).await?.path, "direct");
    let events = a.quit().await?;
    assert!(events.iter().all(|event| event.name() != "ice-warning"), "{events:?}");
    b.quit().await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_example_pair_ends_well() -> Story {
    let no_arguments: [&str; 0] = [];
    let mut pair =
        Companion::start("pair", &Program::example("pair", "SOCKETIO_P2P_PAIR")?, no_arguments)?;

    while pair.line().await? != "all went well" {}

    pair.end().await?;
    Ok(())
}

#[tokio::test]
async fn a_file_goes_over_a_channel_and_what_was_there_before_is_not_sent_again() -> Story {
    let folder = tempfile::tempdir()?;
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    std::fs::create_dir_all(&into)?;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|place| (place * 7 / 5) as u8).collect();
    std::fs::write(&from, &bytes)?;
    std::fs::write(into.join("from.part"), &bytes[..1_000_000])?;
    let server = Server::start().await?;

    let (mut receiver, mut sender) = send(&server, &from, &into).await?;
    let sent = sender.line().await?;
    assert!(sent.starts_with("sent from, 3000000 bytes"), "{sent}");
    let received = receiver.line().await?;
    assert!(received.starts_with("received"), "{received}");
    assert!(std::fs::read(into.join("from"))? == bytes);

    // A second one of that name is refused, and the first left alone.
    std::fs::write(&from, "other")?;
    let (_receiver, mut sender) = send(&server, &from, &into).await?;
    assert!(sender.line().await.is_err());
    assert!(std::fs::read(into.join("from"))? == bytes);
    server.stop().await?;
    Ok(())
}

/// Starts `recvfile`, and `sendfile` when it is there.
async fn send(
    server: &Server,
    file: &Path,
    into: &Path,
) -> Result<(Companion, Companion), Box<dyn Error>> {
    let url = server.url();
    let example = |name, variable| Program::example(name, variable);
    let receiver = example("recvfile", "SOCKETIO_P2P_RECVFILE")?;
    let into = into.to_str().ok_or("no text")?;
    let options = ["--url", url, "--id", "receiver", "--dir", into];
    let mut receiver = Companion::start("recvfile", &receiver, options)?;
    assert_eq!(receiver.line().await?, "waiting as receiver");
    let sender = example("sendfile", "SOCKETIO_P2P_SENDFILE")?;
    let file = file.to_str().ok_or("no text")?;
    let options = ["--url", url, "--id", "sender", "--to", "receiver", file];
    Ok((receiver, Companion::start("sendfile", &sender, options)?))
}

#[tokio::test]
async fn connections_that_say_nothing_make_room_when_the_server_has_no_descriptor_left() -> Story {
    let example = Program::example("server", "SOCKETIO_P2P_SERVER")?;
    let script = format!("ulimit -n 64 && exec '{}' \"$@\"", example.path().display());
    let program = Program::new("sh").arg("-c").arg(script).arg("server");
    let server = Server::builder().program(program).start().await?;
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut a = peer(&server, "A", "relay-only").await?;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(tokio::net::TcpStream::connect(&address).await?);
    }

    let mut b = peer(&server, "B", "relay-only").await?;
    a.register("B").await?;
    b.wait_for("paired").await?;
    assert_eq!(b.emit2("chat", json!([1])).await?.value, json!({ "echo": [1] }));

    assert!(a.unread()?.iter().all(|event| event.name() != "away"), "clients stay");
    drop(silent);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_prints_that_it_is_paired_before_what_its_partner_emits_at_once() -> Story {
    const ROUNDS: usize = 30;
    let server = TestServer::start().await;
    let mut a = Wire::v1(&server, "A").await;
    let mut b = Peer::builder(&server.url, "B").args(["--path", "relay-only"]).start().await?;
    let emit = r#"42["P2P_EMIT",{"targetClientId":"B","event":"chat","args":[1]}]"#;

    for round in 0..ROUNDS {
        b.send(json!({ "cmd": "register", "target": "A" })).await?;
        a.accept_and(&[emit]).await;

        let is_next = |event: &Event| ["paired", "incoming"].contains(&event.name());
        assert_eq!(b.expect("the next line", is_next).await?.name(), "paired", "{round}");
        b.wait_for("incoming").await?;
        b.unregister().await?;
        assert!(a.text().await.contains("P2P_UNREGISTER"));
    }
    b.quit().await?;
    Ok(())
}
