//! Sends a file to `recvfile`: over a raw channel while there is a direct path, otherwise in acknowledged
//! pieces through the relay. Nothing that has arrived is sent again.
//!
//! ```text
//! cargo run --example server -- --port 9000
//! cargo run --example recvfile -- --url http://127.0.0.1:9000 --id B
//! cargo run --example sendfile -- --url http://127.0.0.1:9000 --id A --to B FILE
//! ```

use std::{error::Error, io::SeekFrom, path::PathBuf, process::ExitCode, time::Duration};

use bytes::Bytes;
use clap::Parser;
use indicatif::ProgressBar;
use sha2::{Digest as _, Sha256};
use socketio_p2p_client::{
    Event, Events, P2pBuilderExt, P2pClient, P2pClientExt, Path, direct::ChannelOptions,
};
use socketio_p2p_examples::{WARNINGS, exit_status, log_to_stderr};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    time::timeout,
};

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// Sends a file to a client that runs `recvfile`.
#[derive(Parser)]
struct Options {
    /// The URL of the server.
    #[arg(long, default_value = "http://127.0.0.1:9000")]
    url: String,
    /// The name of this client.
    #[arg(long)]
    id: String,
    /// The name of the client that receives it.
    #[arg(long)]
    to: String,
    /// The file.
    file: PathBuf,
}

/// The length of a message, in bytes. Every partner takes messages of this length.
const PIECE: usize = 16 * 1024;

/// The time to wait for a direct path before the relay is used.
const PATIENCE: Duration = Duration::from_secs(3);

/// The time that the receiver may take to confirm what it has: it writes to a disk.
const DISK: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr(WARNINGS);
    exit_status(run(options).await)
}

async fn run(options: Options) -> Result {
    let mut file = File::open(&options.file).await?;
    let size = file.metadata().await?.len();
    let name = options.file.file_name().ok_or("not a file")?.to_string_lossy().into_owned();

    let client = options.url.p2p(&options.id).connect().await?;
    let mut events = client.events();
    client.register_target(&options.to).await?;
    let has = client.emit2("file", (&name, size)).timeout(DISK).await?;
    let mut has = has.as_u64().ok_or("no number")?;

    let bar = ProgressBar::new(size);
    bar.set_position(has);
    timeout(PATIENCE, is_direct(&mut events)).await.ok();
    while has < size {
        has = match directly(&client, &mut file, has, &bar).await.transpose()? {
            Some(sent) if sent > has => sent,
            // There is no direct path, or the receiver could not use it: its reply through the relay
            // tells why.
            _ => by_relay(&client, &mut file, has).await?,
        };
        bar.set_position(has);
    }

    let checksum = checksum(&mut file).await?;
    client.emit2("done", &checksum).timeout(DISK).await?;
    bar.finish();
    println!("sent {name}, {size} bytes, SHA-256 {checksum}");
    client.close().await;
    Ok(())
}

/// Waits until there is a direct path.
async fn is_direct(events: &mut Events) {
    while let Ok(event) = events.recv().await {
        if matches!(event, Event::Path { path: Some(Path::Direct), .. }) {
            return;
        }
    }
}

/// Sends the rest of the file over a channel, until the channel fails. Returns how much the receiver has
/// then, or `None` if there is no direct path.
async fn directly(
    client: &P2pClient,
    file: &mut File,
    at: u64,
    bar: &ProgressBar,
) -> Option<Result<u64>> {
    file.seek(SeekFrom::Start(at)).await.ok()?;
    let channel = client.channel("file", ChannelOptions::default()).await.ok()?;
    channel.send(at.to_string()).await.ok()?;
    let mut piece = vec![0; PIECE];
    // An error of the file occurs again in `by_relay`, which returns it.
    while let Ok(length @ 1..) = file.read(&mut piece).await {
        if channel.send(Bytes::copy_from_slice(&piece[..length])).await.is_err() {
            break;
        }
        bar.inc(length as u64);
    }
    channel.close().await;
    let has = client.emit2("has", ()).timeout(DISK).await;
    Some(has.map_err(Into::into).and_then(|has| Ok(has.as_u64().ok_or("no number")?)))
}

/// Sends one piece through the relay, and waits until it has arrived.
async fn by_relay(client: &P2pClient, file: &mut File, at: u64) -> Result<u64> {
    file.seek(SeekFrom::Start(at)).await?;
    let mut piece = vec![0; PIECE];
    let length = file.read(&mut piece).await?;
    if length == 0 {
        return Err("the file has become shorter".into());
    }
    piece.truncate(length);
    let has = client.emit2("piece", (at, Bytes::from(piece))).timeout(DISK).await?;
    Ok(has.as_u64().ok_or("no number")?)
}

async fn checksum(file: &mut File) -> Result<String> {
    file.rewind().await?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).await? {
            0 => break,
            length => hash.update(&piece[..length]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
