//! The plugin in a small axum app.
//!
//! ```text
//! cargo run --example server -- --port 9000
//! ```

use std::{
    error::Error,
    io::{self, Write as _},
    net::SocketAddr,
    process::ExitCode,
};

use clap::Parser;
use socketio_p2p_examples::{RunningServer, WARNINGS, exit_status, log_to_stderr};
use tokio::signal::unix::{SignalKind, signal};

/// Pairs Socket.IO clients and relays their messages to each other.
///
/// Prints `listening on http://HOST:PORT` on stdout once it is ready, and logs its events to stderr; RUST_LOG
/// filters them, `off` silences them. Ends cleanly on Ctrl-C and SIGTERM.
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
    log_to_stderr(&format!("{WARNINGS},socketio_p2p_server=info,server=info"));
    exit_status(run(options).await)
}

async fn run(Options { port, host }: Options) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    // There is nothing to read again, and a terminal that closes need not end a server.
    let _hangup = signal(SignalKind::hangup())?;

    let server = RunningServer::start(SocketAddr::new(host, port)).await?;
    // Whoever started it may have stopped reading.
    writeln!(io::stdout(), "listening on {}", server.url).ok();

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let (counters, stats) = (server.p2p.counters(), server.p2p.stats());
    tracing::info!(?counters, ?stats, "closing");
    server.stop().await?;
    Ok(())
}
