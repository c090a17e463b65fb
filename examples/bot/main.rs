//! A bot that serves one visitor at a time, and its page: questions, an answer word by word, files both ways.
//! Visitors who come meanwhile wait in line.
//!
//! ```text
//! cargo run --example bot
//! ```

mod answers;
mod picture;
mod upload;

use std::{
    error::Error,
    future::{IntoFuture as _, ready},
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use clap::Parser;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use socketio_p2p_client::{
    EmitError, Event, Events, EventsError, HandlerError, Incoming, P2pBuilderExt, P2pClientExt,
    Path, Reply,
};
use socketio_p2p_examples::{RunningServer, WARNINGS, exit_status, log_to_stderr, site::Site};
use tokio::{signal::unix::SignalKind, sync::Mutex};

use crate::upload::Upload;

/// Serves a page on which one talks to a bot.
///
/// Prints the page's URL. Open it in a browser, in a second tab too: that one waits in line. Ends on Ctrl-C.
#[derive(Parser)]
struct Options {
    /// The port to listen on. 0 stands for any free port.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The address to listen on; 0.0.0.0 lets phones of the same network in.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
}

const PAGE: Site = Site { html: include_str!("page.html"), script: include_str!("page.js") };

/// The length of a piece of a file, in bytes.
const PIECE: usize = 16 * 1024;

/// The pieces that are under way at a time.
const UNDER_WAY: usize = 8;

/// The time between two words: that of a quick reader.
const WORD_TIME: Duration = Duration::from_millis(50);

/// The time that a page may take for an answer: it may be in the background.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr(WARNINGS);
    exit_status(run(options).await)
}

async fn run(Options { port, host }: Options) -> Result<(), Box<dyn Error>> {
    let mut terminate = tokio::signal::unix::signal(SignalKind::terminate())?;
    let server = RunningServer::start_with(SocketAddr::new(host, port), PAGE.routes()?).await?;

    let uploading = Arc::<Mutex<Option<Upload>>>::default();
    let [at_file, at_piece, at_done] = std::array::from_fn(|_| uploading.clone());
    let bot = server
        .url
        .as_str()
        .p2p("bot")
        .on2("ask", async |msg: Incoming| Ok(answers::answer(&msg.args::<String>()?)))
        .on2("explain", explain)
        .on2("picture", send_picture)
        .on2("file", move |msg: Incoming| {
            let uploading = at_file.clone();
            async move {
                let (name, size) = msg.args()?;
                *uploading.lock().await = Some(Upload::begin(name, size)?);
                Ok(())
            }
        })
        .on2("piece", move |msg: Incoming| {
            let uploading = at_piece.clone();
            async move {
                let (at, bytes): (u64, Bytes) = msg.args()?;
                uploading.lock().await.as_mut().ok_or(NO_FILE)?.take(at, &bytes)?;
                Ok(())
            }
        })
        .on2("done", move |_: Incoming| {
            let uploading = at_done.clone();
            async move { Ok(uploading.lock().await.take().ok_or(NO_FILE)?.finish()?) }
        })
        .connect()
        .await?;
    println!("listening on {}", server.url);

    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        ended = greet(bot.events(), &uploading) => ended?,
    }
    bot.close().await;
    server.stop().await?;
    Ok(())
}

const NO_FILE: &str = "no file was announced";

/// Tells who comes and goes. What a visitor has not sent to the end is dropped with them.
async fn greet(mut events: Events, uploading: &Mutex<Option<Upload>>) -> Result<(), EventsError> {
    loop {
        match events.recv().await {
            Ok(Event::Paired(pairing)) => println!("{} is here", pairing.partner),
            Ok(Event::Path { path: Some(path), .. }) => println!("  path: {path}"),
            Ok(Event::Unpaired { pairing, reason }) => {
                println!("{} is gone: {reason}", pairing.partner);
                *uploading.lock().await = None;
            }
            Ok(_) | Err(EventsError::Lagged(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Answers word by word. Each word is an event of its own, and the page's reply to it says whether it wants more.
async fn explain(msg: Incoming) -> Result<Value, HandlerError> {
    let mut taken = Taken::default();
    let text = answers::explanation(msg.from());
    for word in text.split_inclusive(' ') {
        let reply = msg.emit2("word", word).timeout(PATIENCE).with_reply().await?;
        taken.add(&reply);
        if !reply.args::<bool>()? {
            break;
        }
        tokio::time::sleep(WORD_TIME).await;
    }
    Ok(taken.into())
}

/// Paints a picture and sends it in pieces, several of which are under way at a time.
async fn send_picture(msg: Incoming) -> Result<Value, HandlerError> {
    // It takes a while to compute.
    let picture = Bytes::from(tokio::task::spawn_blocking(picture::paint).await?);
    let about = json!({ "name": "julia.bmp", "type": "image/bmp", "size": picture.len() });
    msg.emit2("file", about).timeout(PATIENCE).await?;

    let pieces = (0..picture.len()).step_by(PIECE);
    let mut taken = Taken::default();
    stream::iter(pieces)
        .map(|at| {
            let piece = picture.slice(at..picture.len().min(at + PIECE));
            msg.emit2("piece", (at, piece)).timeout(PATIENCE).with_reply().into_future()
        })
        .buffered(UNDER_WAY)
        .try_for_each(|reply| {
            taken.add(&reply);
            ready(Ok::<_, EmitError>(()))
        })
        .await?;
    Ok(taken.into())
}

/// Counts the paths by which replies came.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    direct: u32,
    relay: u32,
}

impl Taken {
    fn add(&mut self, reply: &Reply) {
        match reply.path() {
            Path::Direct => self.direct += 1,
            Path::Relay => self.relay += 1,
        }
    }
}

impl From<Taken> for Value {
    fn from(Taken { direct, relay }: Taken) -> Self {
        json!({ "direct": direct, "relay": relay })
    }
}
