//! The servers under test. Each runs in a process of its own: this binary, started again.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::serve::{Listener, ListenerExt as _};
use clap::ValueEnum;
use socketio_p2p_server::{P2pServer, QuickAckListener, Rate, ServerLimits};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::{by_hand, floor};

/// A server that this binary can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    /// Bare websockets, joined in pairs.
    Floor,
    /// Socket.IO without the plugin.
    SocketIo,
    /// Socket.IO with a relay written by hand.
    ByHand,
    /// Socket.IO with the plugin.
    P2p,
}

/// Serves on a free port, tells its address in the first line of stdout, and ends with stdin.
pub(crate) async fn serve(kind: Kind) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    announce(&listener.local_addr()?)?;
    match kind {
        Kind::Floor => on(no_delay(listener), floor::app()).await,
        Kind::SocketIo => on(no_delay(listener), by_hand::without_handlers()).await,
        Kind::ByHand => on(no_delay(listener), by_hand::app()).await,
        Kind::P2p => {
            let (layer, io) = P2pServer::socket_io().build_layer();
            // The load is one that a user may not make: each message is counted, none refused.
            let enough = Rate::new(u32::MAX, Duration::from_secs(1));
            let limits = ServerLimits::default()
                .messages(enough)
                .bytes(enough)
                .registrations(enough)
                .lists(enough)
                .strikes(enough);
            let _p2p = P2pServer::builder().limits(limits).attach(&io);
            on(QuickAckListener::from(listener), Router::new().layer(layer)).await
        }
    }
}

fn no_delay(listener: TcpListener) -> impl Listener<Addr = SocketAddr> {
    listener.tap_io(|tcp| tcp.set_nodelay(true).unwrap_or_default())
}

async fn on(listener: impl Listener<Addr = SocketAddr>, app: Router) -> Result<()> {
    tokio::select! {
        served = async { axum::serve(listener, app).await } => Ok(served?),
        () = end_of_stdin() => Ok(()),
    }
}

/// Says a line that the parent waits for.
pub(crate) fn announce(what: &impl ToString) -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", what.to_string())?;
    Ok(stdout.flush()?)
}

/// Resolves when the parent closes the pipe, or is gone.
pub(crate) async fn end_of_stdin() {
    let mut discarded = Vec::new();
    tokio::io::stdin().read_to_end(&mut discarded).await.ok();
}
