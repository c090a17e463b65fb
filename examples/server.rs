//! The plugin in a small axum app.
//!
//! ```text
//! cargo run --example server -- --port 9000
//! ```

use std::{io, net::SocketAddr};

use clap::Parser;
use socketio_p2p_examples::{RunningServer, log_to_stderr};
use tokio::signal::unix::{SignalKind, signal};

/// Pairs Socket.IO clients and relays what they say to each other.
///
/// Prints `listening on http://HOST:PORT` on stdout once it is ready, and what happens on stderr.
/// Ends cleanly on Ctrl-C and SIGTERM.
#[derive(Parser)]
struct Options {
    /// The port to listen on; 0 is any free one.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let Options { port, host } = Options::parse();
    log_to_stderr();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let server = RunningServer::start(SocketAddr::new(host, port)).await?;
    let mut events = server.p2p.events();
    println!("listening on {}", server.url);

    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => eprintln!("{event:?}"),
                Err(missed) => eprintln!("{missed}"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    eprintln!("closing");
    server.stop().await
}
