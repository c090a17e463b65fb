//! The stock clients: their kinds, how one is started, and what a story asks of several.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use socketio_p2p_harness::{Event, Peer, PeerBuilder, Program, RegisterError, Server};

use crate::interop::Failed;

/// A stock socket.io-client: its major version, and the transport it is confined to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stock {
    client: &'static str,
    transport: &'static str,
}

pub(crate) const V2: Stock = Stock { client: "2", transport: "websocket" };
pub(crate) const V2_POLLING: Stock = Stock { client: "2", transport: "polling" };
pub(crate) const V4: Stock = Stock { client: "4", transport: "websocket" };
pub(crate) const V4_POLLING: Stock = Stock { client: "4", transport: "polling" };

/// Every client over every transport.
pub(crate) const ALL: [Stock; 4] = [V2, V2_POLLING, V4, V4_POLLING];

/// Both ages over the usual transport, for stories in which the transport plays no part.
pub(crate) const AGES: [Stock; 2] = [V2, V4];

/// Each age with its own and with the other, each transport with its own and with the other.
pub(crate) const PAIRS: [(Stock, Stock); 6] = [
    (V2, V2),
    (V4, V4),
    (V2, V4_POLLING),
    (V4, V2_POLLING),
    (V2_POLLING, V2_POLLING),
    (V4_POLLING, V4_POLLING),
];

/// Both ages as they come: they begin with polling and upgrade to websocket a moment later.
pub(crate) const UPGRADING: [Stock; 2] =
    [Stock { client: "2", transport: "upgrade" }, Stock { client: "4", transport: "upgrade" }];

/// Every major version over every transport, for what each of them does in its own way.
pub(crate) fn every_age() -> impl Iterator<Item = Stock> {
    ["1", "2", "3", "4"].into_iter().flat_map(|client| {
        ["websocket", "polling", "upgrade"].map(|transport| Stock { client, transport })
    })
}

impl Stock {
    /// Returns whether bytes reach it as base64 with the packet type of Engine.IO 3.
    pub(crate) fn is_engine_io_3_over_polling(self) -> bool {
        ["1", "2"].contains(&self.client) && self.transport == "polling"
    }

    /// Returns whether its end is detected at once; that of a polling client shows by its missing
    /// heartbeat.
    pub(crate) fn is_websocket(self) -> bool {
        self.transport == "websocket"
    }

    /// A client of this kind, not yet started.
    pub(crate) fn peer(self, server: &Server, id: &str) -> PeerBuilder {
        self.peer_at(server.url(), id)
    }

    /// The same, for a server that is not there yet.
    pub(crate) fn peer_at(self, url: &str, id: &str) -> PeerBuilder {
        let options = ["--client", self.client, "--transport", self.transport];
        // Shown with a failing story, since most of them go through several kinds.
        eprintln!("{id}: socket.io-client {} over {}", self.client, self.transport);
        Peer::builder(url, id)
            .program(Program::new("node").arg(script("v1-peer.mjs")))
            .args(options)
    }

    /// Lets a client connect, disconnect and connect again with the same id, many times, and returns the
    /// refusals by their text.
    ///
    /// # Errors
    ///
    /// Fails if the program does not run, or prints no JSON.
    pub(crate) async fn comes_and_goes(
        self,
        server: &Server,
        rounds: u32,
    ) -> Result<Value, Failed> {
        let mut program = Command::new("node");
        program.arg(script("strict-mode.mjs")).args(["--client", self.client]);
        comes_and_goes(
            program,
            server,
            &format!("{}-{}", self.client, self.transport),
            self.transport,
            rounds,
        )
        .await
    }
}

/// The same, for a program like `strict-mode.mjs` and a client with this id.
pub(crate) async fn comes_and_goes(
    program: Command,
    server: &Server,
    id: &str,
    transport: &str,
    rounds: u32,
) -> Result<Value, Failed> {
    let output = tokio::process::Command::from(program)
        .args(["--url", server.url(), "--id", id, "--transport", transport])
        .args(["--rounds", &rounds.to_string()])
        .kill_on_drop(true)
        .output()
        .await?;
    let mut seen: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{id}: {error}: {output:?}"))?;
    assert_eq!(seen["rounds"], rounds, "{id}");
    Ok(seen["refusals"].take())
}

/// Two clients, `A` and `B`, started and paired by `A`, with no event unread.
pub(crate) async fn paired(
    server: &Server,
    (a, b): (Stock, Stock),
) -> Result<(Peer, Peer), Box<dyn std::error::Error>> {
    paired_as(a.peer(server, "A"), b.peer(server, "B")).await
}

/// The same, for clients with options of their own.
pub(crate) async fn paired_as(
    a: PeerBuilder,
    b: PeerBuilder,
) -> Result<(Peer, Peer), Box<dyn std::error::Error>> {
    let (mut a, mut b) = (a.start().await?, b.start().await?);
    a.register(b.id()).await?;
    b.wait_for("paired").await?;
    let asked = b.wait_for("register-asked").await?;
    assert_eq!(asked["withAck"], true, "the target is asked with an acknowledgement id");
    Ok((a, b))
}

/// A Rust peer `R` and a stock client `S` that registered it.
pub(crate) async fn paired_with_rust(
    server: &Server,
    kind: Stock,
) -> Result<(Peer, Peer), Box<dyn std::error::Error>> {
    let mut rust = Peer::start(server, "R").await?;
    let mut stock = kind.peer(server, "S").start().await?;
    stock.register("R").await?;
    rust.wait_for("paired").await?;
    Ok((rust, stock))
}

/// Returns the reason for which a registration was refused: the code of the SERVER_ERROR before the
/// answer `false`.
pub(crate) async fn refusal(peer: &mut Peer, target: &str) -> String {
    match peer.register(target).await {
        Err(RegisterError::Refused { event, .. }) => refusal_of(&event),
        other => panic!("{} was not refused `{target}`: {other:?}", peer.id()),
    }
}

/// The same, of an event `refused`.
pub(crate) fn refusal_of(refused: &Event) -> String {
    assert_eq!(refused["answer"], false);
    let message = refused["message"].as_str().expect("no SERVER_ERROR before the answer");
    assert!(message.starts_with("Error: "), "{message}");
    refused["code"].as_str().unwrap_or_default().to_owned()
}

/// The names of what nobody asked for.
pub(crate) fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(Event::name).collect()
}

pub(crate) fn script(name: &str) -> PathBuf {
    static CHECKED: OnceLock<()> = OnceLock::new();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop");
    CHECKED.get_or_init(|| {
        let node = Command::new("node").arg("--version").output();
        let version = node.expect("`node` does not run: tests/run installs it, 18 or newer");
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let major = version.trim_start_matches('v').split('.').next().map(str::parse::<u32>);
        assert!(matches!(major, Some(Ok(18..))), "node is {version}, 18 or newer is needed");
        let clients = ["1", "2", "3", "4"].map(|client| format!("socket.io-client-{client}"));
        for name in clients.iter().map(String::as_str).chain(["socket.io"]) {
            let package = folder.join("node_modules").join(name).join("package.json");
            assert!(
                package.is_file(),
                "npm package {name} is missing: run `npm ci` in tests/interop"
            );
        }
    });
    folder.join(name)
}
