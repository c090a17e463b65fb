//! python-socketio, unchanged, as a v1 client: with asyncio over every transport, and with threads.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use socketio_p2p_harness::{HeldPort, Peer, PeerBuilder, Program, Server};

use crate::interop::stock::{self, ALL};
use crate::interop::{Failed, Story};

/// A client of python-socketio, and the transports that it may use.
type Python = (&'static str, &'static str);

const KINDS: [Python; 5] = [
    ("async", "websocket"),
    ("async", "polling"),
    ("async", "upgrade"),
    ("threaded", "websocket"),
    ("threaded", "polling"),
];

#[tokio::test]
async fn a_python_client_registers_a_rust_peer_and_both_call_each_other() -> Story {
    for kind in KINDS {
        let server = Server::start().await?;
        let mut rust = Peer::start(&server, "R").await?;
        let mut python = peer(kind, server.url(), "P").start().await?;

        python.register("R").await?;
        assert_eq!(rust.wait_for("paired").await?["partner"], "P");

        call_each_other(&mut python, &mut rust, json!(["grüße", {"n": [1, null]}, 2.5])).await?;
        rust.unregister().await?;
        assert_eq!(python.wait_for("unpaired").await?["reason"], "unregistered");
    }
    Ok(())
}

#[tokio::test]
async fn a_javascript_client_registers_a_python_client_and_bytes_pass_both_ways() -> Story {
    let kinds = KINDS.into_iter().zip(ALL.into_iter().cycle());
    for (kind, javascript) in kinds {
        let server = Server::start().await?;
        let mut python = peer(kind, server.url(), "P").start().await?;
        let mut stock = javascript.peer(&server, "S").start().await?;

        stock.register("P").await?;
        python.wait_for("paired").await?;

        call_each_other(&mut stock, &mut python, json!(["text", []])).await?;
        if !javascript.is_engine_io_3_over_polling() {
            let bytes = json!([{"$bin": "AAEC/w=="}, {"deep": [{"$bin": ""}]}, null]);
            call_each_other(&mut stock, &mut python, bytes).await?;
        }
        assert_eq!(python.unregister().await?["reason"], "unregistered");
        stock.wait_for("unpaired").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_python_client_is_back_by_itself_after_a_planned_restart() -> Story {
    let port = HeldPort::take()?;
    let server = Server::builder().port(port.number()).start().await?;
    let mut rust = Peer::start(&server, "R").await?;
    let mut clients = Vec::new();
    for (number, kind) in KINDS.into_iter().enumerate() {
        clients.push(peer(kind, server.url(), &format!("P{number}")).start().await?);
    }
    clients[0].register("R").await?;
    rust.wait_for("paired").await?;
    let [first, second] = [clients[1].id().to_owned(), clients[2].id().to_owned()];
    clients[3].register(&first).await?;
    clients[4].register(&second).await?;

    server.stop().await?;
    for python in &mut clients {
        python.wait_for("disconnected").await?;
    }
    let _server = Server::builder().port(port.number()).start().await?;
    rust.wait_for("unpaired").await?;
    for python in &mut clients {
        python.wait_for("connected").await?;
    }

    for python in &mut clients {
        rust.register(python.id()).await?;
        let echo = python.emit2("chat", json!([1])).await?.value;
        assert_eq!(echo, json!({"echo": [1]}), "{}", python.id());
        rust.unregister().await?;
    }
    Ok(())
}

/// Lets a client with asyncio connect, disconnect and connect again with the same id, many times, and returns
/// the refusals by their text.
///
/// # Errors
///
/// Fails if the program does not run, or prints no JSON.
pub(crate) async fn comes_and_goes(
    transport: &str,
    server: &Server,
    rounds: u32,
) -> Result<Value, Failed> {
    let mut program = Command::new(Program::python().path());
    program.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/strict-mode.py"));
    let id = format!("python-{transport}");
    stock::comes_and_goes(program, server, &id, transport, rounds).await
}

fn peer((client, transport): Python, url: &str, id: &str) -> PeerBuilder {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/python-peer.py");
    // Shown with a failing story, since each goes through several kinds.
    eprintln!("{id}: python-socketio, {client}, over {transport}");
    Peer::builder(url, id).program(Program::python().arg(script)).args([
        "--client",
        client,
        "--transport",
        transport,
    ])
}

/// Lets both call each other, with the same arguments.
async fn call_each_other(a: &mut Peer, b: &mut Peer, args: Value) -> Result<(), Failed> {
    let echo = json!({"echo": args});
    assert_eq!(a.emit2("chat", args.clone()).await?.value, echo);
    assert_eq!(b.emit2("chat", args.clone()).await?.value, echo);
    a.notify2("note", args.clone()).await?;
    b.notify2("note", args.clone()).await?;
    for peer in [a, b] {
        for name in ["chat", "note"] {
            let heard = peer.wait_for("incoming").await?;
            assert_eq!((&heard["name"], &heard["args"]), (&json!(name), &args));
        }
    }
    Ok(())
}
