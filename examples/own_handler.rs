//! The plugin beside an application's own connect handler, middleware and events, on the same
//! namespace.
//!
//! ```text
//! cargo run --example own_handler -- --port 9000
//! ```

use std::{
    error::Error,
    future::{Ready, ready},
    net::SocketAddr,
    process::ExitCode,
};

use clap::Parser;
use serde::Deserialize;
use socketio_p2p_examples::{WARNINGS, exit_status, log_to_stderr};
use socketio_p2p_server::{ClientId, Code, Handshake, P2pServer, QuickAckListener};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, MaybeExtension, SocketRef, TryData},
    handler::ConnectHandler as _,
    socket::DisconnectReason,
};
use tokio::sync::oneshot;

/// A chat server whose members may also be paired.
///
/// A client connects with the auth {"token": "secret-of-NAME"}, which the application checks; its
/// client id is then NAME, whatever it claims. Every socket, P2P client or not, can send "shout".
/// Ends on Ctrl-C.
#[derive(Parser)]
struct Options {
    /// The port to listen on. 0 stands for any free port.
    #[arg(long, default_value_t = 9000)]
    port: u16,
}

/// The application's own data about a member, not the plugin's.
#[derive(Clone, Debug)]
struct Member(String);

#[derive(Deserialize)]
struct Auth {
    token: Option<String>,
}

/// Authenticates a member. This middleware of the application runs before the plugin's hook.
async fn authenticate(socket: SocketRef, TryData(auth): TryData<Auth>) -> Result<(), String> {
    let Some(token) = auth.ok().and_then(|auth| auth.token) else {
        return Ok(()); // A guest.
    };
    let name = token.strip_prefix("secret-of-").ok_or("wrong token")?;
    socket.extensions.insert(Member(name.to_owned()));
    Ok(())
}

/// Identifies a client, for the plugin: a member is a P2P client under its own name, a guest is none.
fn identify(handshake: &Handshake<'_>) -> Result<Option<ClientId>, Code> {
    let member = handshake.extensions.get::<Member>();
    member.map(|Member(name)| name.parse().map_err(|_| Code::BadClientId)).transpose()
}

/// Handles a new connection: the application's own connect handler. It registers its handlers before it returns its
/// future, so that none is missing when the client's first event arrives.
fn connected(socket: SocketRef) -> Ready<()> {
    socket.join("everybody");
    socket.on("shout", async |socket: SocketRef, Data::<String>(text), ack: AckSender| {
        socket.within("everybody").emit("heard", &text).await.ok();
        ack.send("ok").ok();
    });
    socket.on("whoami", async |MaybeExtension(member): MaybeExtension<Member>, ack: AckSender| {
        let name = member.map_or_else(|| "a guest".to_owned(), |Member(name)| name);
        ack.send(&name).ok();
    });
    socket.on_disconnect(async |socket: SocketRef, reason: DisconnectReason| {
        eprintln!("{} left: {reason}", socket.id);
    });
    ready(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr(WARNINGS);
    exit_status(run(options).await)
}

async fn run(Options { port }: Options) -> Result<(), Box<dyn Error>> {
    let (layer, io): (_, SocketIo) = P2pServer::socket_io().build_layer();
    let p2p = P2pServer::builder()
        .identify(identify)
        .authorize(|_source, target| target.as_str() != "admin")
        .build();
    io.ns("/", p2p.wrap(connected.with(authenticate)));

    let listener = QuickAckListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = axum::Router::new().layer(layer);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async {
        stopped.await.ok();
    });
    let closing = async move {
        tokio::signal::ctrl_c().await.ok();
        // In this order: nobody else is let in, last words, the end of all connections.
        stop.send(()).ok();
        p2p.close().await;
        io.close().await;
    };
    let (served, ()) = tokio::join!(serving.into_future(), closing);
    Ok(served?)
}
