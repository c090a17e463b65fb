//! A client to be driven from outside, in any language: one JSON object a line, commands on
//! stdin, events on stdout.
//!
//! ```text
//! cargo run --example server -- --port 9000
//! cargo run --example peer -- --url http://127.0.0.1:9000 --id A
//! {"cmd":"register","target":"B"}
//! ```

mod peer_lines;

use std::{error::Error, process::ExitCode, time::Duration};

use clap::{ArgAction, Parser, ValueEnum};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use peer_lines::{Command, Line, say};
use serde::Serialize;
use socketio_p2p_client::{
    Args, EmitError, Event, EventsError, Incoming, Mesh, MeshOptions, P2pBuilderExt, P2pClient,
    P2pClientExt, PathPolicy,
    direct::{DirectChannel, DirectConfig, IceServer},
};
use socketio_p2p_examples::{WARNINGS, describe, log_to_stderr};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::{mpsc, oneshot},
};

/// A Socket.IO client that can be paired with another, driven by lines of JSON.
///
/// Commands on stdin: {"cmd":"register","target":"B"}, {"cmd":"emit2","id":1,"event":"chat",
/// "args":[…],"ack":true,"timeoutMs":1000}, {"cmd":"unregister"}, {"cmd":"list"}, {"cmd":"join","room":"lobby"},
/// {"cmd":"broadcast","id":2,"room":"lobby","event":"chat","args":[…]}, {"cmd":"quit"}.
/// Events on stdout: connected, paired, refused, joined, reply, failed, sent, incoming, unpaired, clients,
/// error; away, and then resumed or restarted, when this client's connection is lost and replaced;
/// partner when the partner's is; path when emits take another path; ice-warning when an ICE server is
/// left out. What the partner sends on a channel is sent back on it. Ends with status 0 after quit or
/// at the end of stdin, and with 1 when the connection is lost for good.
#[derive(Parser)]
struct Options {
    /// The URL of the server.
    #[arg(long, default_value = "http://127.0.0.1:9000")]
    url: String,
    /// The name of this client.
    #[arg(long)]
    id: String,
    /// The answer to an event of the partner: {"echo":[…args]}, or none.
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,
    /// Answer the partner's events without printing them, for measurements.
    #[arg(long)]
    quiet: bool,
    /// Accept pairings that others ask for.
    #[arg(long, action = ArgAction::Set, default_value_t = true)]
    accept: bool,
    /// Replace a lost connection and continue the session.
    #[arg(long, action = ArgAction::Set, default_value_t = true)]
    resume: bool,
    /// The paths that emits take.
    #[arg(long, value_enum, default_value_t = Path::PreferDirect)]
    path: Path,
    /// A STUN or TURN server for the direct path, also several: stun:host:port, turn:user:password@host:port.
    #[arg(long, value_name = "URL")]
    ice: Vec<IceServer>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Path {
    /// The relay at once, and the direct path as soon as there is one.
    PreferDirect,
    /// The relay; no address is shown to the partner.
    RelayOnly,
    /// The direct path; what is emitted waits for it.
    DirectOnly,
}

impl From<Path> for PathPolicy {
    fn from(path: Path) -> Self {
        match path {
            Path::PreferDirect => Self::PreferDirect,
            Path::RelayOnly => Self::RelayOnly,
            Path::DirectOnly => Self::DirectOnly,
        }
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Reply {
    Echo,
    None,
}

/// An event of the partner that waits to be printed, and its handler, which waits for that.
type Arrived = (Incoming, oneshot::Sender<()>);

/// Events of the partner that wait to be printed: more than handlers that run at once, of which each waits for its own.
const INCOMING: usize = 1_024;

/// Commands under way before the next line is read.
const COMMANDS: usize = 1024;

#[derive(Serialize)]
struct Echo {
    echo: Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr(WARNINGS);
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            say(&Line::Error { code: &code, message: &describe(&*error) });
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), (String, Box<dyn Error>)> {
    let Options { url, id, reply, quiet, accept, resume, path, ice } = options;
    let direct = ice.into_iter().fold(DirectConfig::default(), DirectConfig::ice_server);
    eprintln!("connecting to {url} as {id}");
    let (arrived, mut incoming) = mpsc::channel::<Arrived>(INCOMING);
    let client = url
        .p2p(id)
        .resumes(resume)
        .path_policy(path.into())
        .direct(direct)
        .on_register(move |_| std::future::ready(accept))
        .on2_fallback(move |msg: Incoming| {
            let arrived = arrived.clone();
            async move {
                // The loop below prints it, after the events that came before. It is handed over before the first
                // await: from there, handlers run in any order.
                if !quiet {
                    let (printed, is_printed) = oneshot::channel();
                    arrived.try_send((msg.clone(), printed))?;
                    is_printed.await?;
                }
                if reply == Reply::None {
                    std::future::pending::<()>().await;
                }
                Ok(Echo { echo: msg.into_raw() })
            }
        })
        .on_channel(|channel: DirectChannel| async move {
            while let Some(message) = channel.recv().await {
                if channel.send(message).await.is_err() {
                    return;
                }
            }
        })
        .connect()
        .await
        .map_err(|error| (error.code().to_owned(), error.into()))?;
    let mut events = client.events();
    say(&Line::Connected { client_id: client.id().as_str() });

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut running = FuturesUnordered::<BoxFuture<'_, ()>>::new();
    loop {
        // Events first, so that `paired` is printed before anything that uses the pairing. The others take turns.
        let next = async {
            tokio::select! {
                Some(msg) = incoming.recv() => Next::Incoming(msg),
                Some(()) = running.next() => Next::Done,
                line = lines.next_line(), if running.len() < COMMANDS => Next::Line(line),
            }
        };
        let next = tokio::select! {
            biased;
            event = events.recv() => {
                if matches!(event, Ok(Event::Disconnected)) {
                    print_incoming(&mut incoming);
                }
                print_event(event)?;
                continue;
            }
            next = next => next,
        };
        match next {
            Next::Incoming(arrived) => {
                // `Paired` is published before a handler of its pairing runs: it is there by now.
                while let Some(event) = events.recv().now_or_never() {
                    print_event(event)?;
                }
                print(arrived);
            }
            Next::Done => {}
            Next::Line(Ok(Some(line))) => match serde_json::from_str(&line) {
                Ok(Command::Quit) => break,
                Ok(command) => running.push(obey(&client, command).boxed()),
                Err(error) => say(&Line::Error { code: "bad-args", message: &error.to_string() }),
            },
            Next::Line(Ok(None)) => break,
            // Not UTF-8, for example: the line is lost, the next may be better.
            Next::Line(Err(error)) => {
                say(&Line::Error { code: "bad-args", message: &error.to_string() });
            }
        }
    }
    drop(running);
    print_incoming(&mut incoming);
    client.close().await;
    print_incoming(&mut incoming);
    Ok(())
}

/// The next thing to do.
enum Next {
    Incoming(Arrived),
    /// A command is done.
    Done,
    Line(std::io::Result<Option<String>>),
}

/// Prints what has arrived and was not printed yet.
fn print_incoming(incoming: &mut mpsc::Receiver<Arrived>) {
    while let Ok(arrived) = incoming.try_recv() {
        print(arrived);
    }
}

fn print((msg, printed): Arrived) {
    say(&Line::incoming(&msg));
    // A handler that is gone waits for nothing.
    printed.send(()).ok();
}

fn print_event(event: Result<Event, EventsError>) -> Result<(), (String, Box<dyn Error>)> {
    match event {
        Ok(Event::Disconnected) | Err(EventsError::Closed) => {
            return Err(("closed".to_owned(), "the connection is gone".into()));
        }
        Ok(event) => Line::of_event(&event).iter().for_each(say),
        Err(missed) => eprintln!("{missed}"),
    }
    Ok(())
}

async fn obey(client: &P2pClient, command: Command) {
    match command {
        Command::Register { target, payload } => {
            let mut register = client.register_target(&target);
            if let Some(payload) = payload {
                register = register.payload(payload);
            }
            // The event is printed as `paired`.
            if let Err(error) = register.await {
                eprintln!("{error}");
                say(&Line::Refused { target: &target, code: error.code() });
            }
        }
        Command::Emit2 { id, event, args, ack: true, timeout_ms } => {
            let mut emit = client.emit2(event, arguments(args));
            if let Some(timeout) = timeout_ms {
                emit = emit.timeout(Duration::from_millis(timeout));
            }
            match emit.with_reply().await {
                Ok(reply) => say(&Line::reply(&id, &reply)),
                Err(error) => failed(&id, &error),
            }
        }
        Command::Emit2 { id, event, args, ack: false, timeout_ms } => {
            let mut emit = client.emit2(event, arguments(args));
            if let Some(timeout) = timeout_ms {
                emit = emit.timeout(Duration::from_millis(timeout));
            }
            match emit.without_ack().await {
                Ok(()) => say(&Line::Sent { id: &id }),
                Err(error) => failed(&id, &error),
            }
        }
        Command::Unregister => {
            if let Err(error) = client.unregister_target().await {
                say(&Line::Error { code: error.code(), message: &error.to_string() });
            }
        }
        Command::Join { room } => {
            if let Some(mesh) = join(client, &room).await {
                let members = mesh.members();
                let members = members.iter().map(|member| member.pairing.partner.as_str());
                say(&Line::Joined { room: mesh.room(), members: members.collect() });
            }
        }
        Command::Broadcast { id, room, event, args } => {
            let Some(mesh) = join(client, &room).await else { return };
            for reply in mesh.broadcast2(event, arguments(args)).await {
                match reply.outcome {
                    Ok(reply) => say(&Line::reply(&id, &reply)),
                    Err(error) => failed(&id, &error),
                }
            }
        }
        Command::List => match client.clients().await {
            Ok(clients) => {
                let ids: Vec<_> = clients.iter().map(|client| client.id.as_str()).collect();
                say(&Line::Clients { clients: &ids });
            }
            Err(error) => {
                say(&Line::Error { code: error.code(), message: &error.to_string() });
            }
        },
        Command::Quit => {}
    }
}

/// Joins a room, or returns the mesh of one that was joined before.
async fn join(client: &P2pClient, room: &str) -> Option<Mesh> {
    match client.join_mesh(room, MeshOptions::default()).await {
        Ok(mesh) => Some(mesh),
        Err(error) => {
            eprintln!("{error}");
            say(&Line::Refused { target: room, code: error.code() });
            None
        }
    }
}

/// Returns a list of arguments whose number is known only at run time.
fn arguments(args: Vec<serde_json::Value>) -> Args {
    Args::from(args)
}

fn failed(id: &serde_json::Value, error: &EmitError) {
    eprintln!("emit2 {id}: {error}");
    let outcome = match error.executed() {
        Some(false) => "not-executed",
        None => "unknown",
        Some(true) => "executed",
    };
    say(&Line::Failed { id, outcome, code: error.code() });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_is_read_as_the_issue_spells_it() {
        let emit = json!({"cmd":"emit2","id":1,"event":"chat","args":[1],"ack":true,"timeoutMs":9});
        assert!(matches!(
            serde_json::from_value(emit).unwrap(),
            Command::Emit2 { ack: true, timeout_ms: Some(9), .. }
        ));
        assert!(serde_json::from_value::<Command>(json!({"cmd":"dance"})).is_err());
    }
}
