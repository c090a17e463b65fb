//! The main job, in one command: a server, and two clients in two further processes.
//!
//! ```text
//! cargo run --example pair
//! ```

use std::{
    error::Error,
    net::Ipv4Addr,
    process::{ExitCode, Stdio},
    time::Duration,
};

use clap::{Parser, ValueEnum};
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::{Value, json};
use socketio_p2p_client::{
    Code, EmitError, Event, Events, Incoming, P2pBuilderExt, P2pClientExt, Path,
};
use socketio_p2p_examples::{RunningServer, WARNINGS, exit_status, log_to_stderr};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// Shows two clients that are paired through a server and talk to each other.
///
/// Starts a server on a free port and the two clients, alice and bob, as processes of their own,
/// and ends by itself. The exit status is 0 if every step went as it should.
#[derive(Parser)]
struct Options {
    /// The role of this process. Leave it out.
    #[arg(long, hide = true, requires = "url")]
    role: Option<Role>,
    /// The URL of the server.
    #[arg(long, hide = true)]
    url: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Alice,
    Bob,
}

/// The limit for the whole show, which takes a few seconds.
const TIME_LIMIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let Options { role, url } = Options::parse();
    log_to_stderr(WARNINGS);
    let url = url.unwrap_or_default();
    let result = match role {
        Some(Role::Alice) => alice(url).await,
        Some(Role::Bob) => bob(url).await,
        None => {
            tokio::time::timeout(TIME_LIMIT, play()).await.unwrap_or_else(|late| Err(late.into()))
        }
    };
    exit_status(result)
}

/// Runs the server, and both clients to the end. This is the process that the user started.
async fn play() -> Result {
    let server = RunningServer::start((Ipv4Addr::LOCALHOST, 0).into()).await?;
    println!("server| listening on {}", server.url);

    let mut bob = start("bob", &server.url)?;
    let mut bob_says = BufReader::new(bob.stdout.take().ok_or("no stdout")?).lines();
    // Bob must be there before alice asks for him.
    let first = bob_says.next_line().await?.ok_or("bob ended early")?;
    println!("{first}");
    let mut alice = start("alice", &server.url)?;
    let mut alice_says = BufReader::new(alice.stdout.take().ok_or("no stdout")?).lines();
    let (mut bob_talks, mut alice_talks) = (true, true);
    while bob_talks || alice_talks {
        tokio::select! {
            line = bob_says.next_line(), if bob_talks => match line? {
                Some(line) => println!("{line}"),
                None => bob_talks = false,
            },
            line = alice_says.next_line(), if alice_talks => match line? {
                Some(line) => println!("{line}"),
                None => alice_talks = false,
            },
        }
    }
    let (alice, bob) = (alice.wait().await?, bob.wait().await?);

    server.stop().await?;
    println!("server| closed");
    if !alice.success() || !bob.success() {
        return Err(format!("alice: {alice}, bob: {bob}").into());
    }
    println!("all went well");
    Ok(())
}

fn start(role: &str, url: &str) -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(["--role", role, "--url", url]);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?)
}

/// Plays alice, who asks.
async fn alice(url: String) -> Result {
    let client = ClientBuilder::new(url.as_str())
        .p2p("alice")
        .on2("greet", async |msg: Incoming| {
            println!("alice | {} greets me, I answer", msg.from());
            Ok(json!("hello bob"))
        })
        .on2("note", async |msg: Incoming| {
            println!("alice | a note from {}: {}", msg.from(), msg.args::<Value>()?);
            Ok(())
        })
        .connect()
        .await?;

    let pairing = client.register_target("bob").await?;
    println!("alice | paired with {} ({})", pairing.partner, pairing.id);

    let reply = client.emit2("greet", ("alice", json!({ "at": "noon" }))).with_reply().await?;
    println!("alice | bob replied {} by {}", reply.args::<Value>()?, reply.path());
    client.emit2("note", "no reply wanted").without_ack().await?;
    client.emit2("your-turn", ()).await?;

    match client.emit2("unheard-of", ()).await {
        Err(error @ EmitError::NotExecuted { .. }) => println!("alice | {error}"),
        Ok(reply) => return Err(format!("an event without a handler was answered: {reply}").into()),
        Err(error) => return Err(error.into()),
    }

    // A data channel between the two opens by itself, and carries their events.
    let mut events = client.events();
    path(&mut events, Path::Direct).await?;
    let reply = client.emit2("greet", ("alice", "directly")).via(Path::Direct).with_reply().await?;
    println!("alice | bob replied {} by {}", reply.args::<Value>()?, reply.path());
    // When it is cut, the relay carries at once, and nothing is lost.
    client.network_changed();
    path(&mut events, Path::Relay).await?;
    let reply = client.emit2("greet", ("alice", "without the channel")).with_reply().await?;
    println!("alice | bob replied {} by {}", reply.args::<Value>()?, reply.path());
    path(&mut events, Path::Direct).await?;

    // A pairing is exclusive: a third client is refused, and the two notice nothing.
    let carol = ClientBuilder::new(url).p2p("carol").connect().await?;
    match carol.register_target("bob").await {
        Err(error) if error.code() == Code::TargetBusy.as_str() => println!("carol | {error}"),
        Ok(_) => return Err("a third client was paired".into()),
        Err(error) => return Err(error.into()),
    }
    carol.close().await;

    client.unregister_target().await?;
    let partner = client.pairing().map_or("none".to_owned(), |pairing| pairing.partner.to_string());
    println!("alice | unregistered, partner now: {partner}");
    client.close().await;
    Ok(())
}

/// Waits until emits take this path.
async fn path(events: &mut Events, wanted: Path) -> Result {
    loop {
        let Event::Path { path, rtt } = events.recv().await? else { continue };
        let name = path.map_or("none".to_owned(), |path| path.to_string());
        match rtt {
            Some(rtt) => println!("alice | path: {name}, {:.1} ms", rtt.as_secs_f64() * 1_000.0),
            None => println!("alice | path: {name}"),
        }
        if path == Some(wanted) {
            return Ok(());
        }
    }
}

/// Plays bob, who is asked.
async fn bob(url: String) -> Result {
    let client = ClientBuilder::new(url)
        .p2p("bob")
        .on_register(async |request: socketio_p2p_client::PairingRequest| {
            println!("bob   | {} wants to be paired, I accept", request.source);
            true
        })
        .on2("greet", async |msg: Incoming| {
            let (name, when): (String, Value) = msg.args()?;
            println!("bob   | {name} greets me: {when}");
            Ok(json!(format!("hello {name}")))
        })
        .on2("note", async |msg: Incoming| {
            println!("bob   | a note from {}: {}", msg.from(), msg.args::<Value>()?);
            Ok(())
        })
        .on2("your-turn", async |msg: Incoming| {
            // A handler can emit, register and unregister.
            let answer = msg.client().emit2("greet", "bob").await?;
            println!("bob   | alice replied {answer}");
            msg.client().emit2("note", "none wanted here either").without_ack().await?;
            Ok(())
        })
        .connect()
        .await?;
    let mut events = client.events();
    println!("bob   | connected");

    loop {
        if let Event::Unpaired { pairing, reason } = events.recv().await? {
            println!("bob   | {} is gone: {reason}", pairing.partner);
            break;
        }
    }
    client.close().await;
    Ok(())
}
