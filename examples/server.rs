//! The plugin in a small axum app.
//!
//! ```text
//! cargo run --example server -- --port 9000
//! ```

use std::{error::Error, net::SocketAddr, process::ExitCode};

use clap::Parser;
use socketio_p2p_examples::{RunningServer, exit_status, log_to_stderr};
use socketio_p2p_server::Event;
use tokio::signal::unix::{SignalKind, signal};

/// Pairs Socket.IO clients and relays their messages to each other.
///
/// Prints `listening on http://HOST:PORT` on stdout once it is ready, and its events on stderr.
/// Ends cleanly on Ctrl-C and SIGTERM.
#[derive(Parser)]
struct Options {
    /// The port to listen on. 0 stands for any free port.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr();
    exit_status(run(options).await)
}

async fn run(Options { port, host }: Options) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let server = RunningServer::start(SocketAddr::new(host, port)).await?;
    let mut events = server.p2p.events();
    println!("listening on {}", server.url);

    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => eprintln!("{}", describe(&event)),
                Err(missed) => eprintln!("{missed}"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    eprintln!("closing");
    server.stop().await?;
    Ok(())
}

/// Returns a line for people.
fn describe(event: &Event) -> String {
    match event {
        Event::Connected(client) => format!("{client} connected"),
        Event::Registered { source, target } => format!("{source} asks for {target}"),
        Event::Paired { pairing, source, target } => {
            format!("{source} and {target} are paired ({pairing})")
        }
        Event::Refused { source, target, code } => {
            format!("{source} asked for {target}: {code}")
        }
        Event::Unpaired { source, target, reason, .. } => {
            format!("{source} and {target} are no longer paired: {reason}")
        }
        Event::Away(client) => format!("{client} lost its connection"),
        Event::Back(client) => format!("{client} is back"),
        Event::Disconnected(client) => format!("{client} disconnected"),
        other => format!("{other:?}"),
    }
}
