//! Sends a file to `recvfile`: over a raw channel while there is a direct path, in acknowledged
//! pieces by the relay otherwise. What has arrived is not sent again.
//!
//! ```text
//! cargo run --example server -- --port 9000
//! cargo run --example recvfile -- --url http://127.0.0.1:9000 --id B
//! cargo run --example sendfile -- --url http://127.0.0.1:9000 --id A --to B FILE
//! ```

use std::{error::Error, io::SeekFrom, path::PathBuf, time::Duration};

use bytes::Bytes;
use clap::Parser;
use indicatif::ProgressBar;
use sha2::{Digest as _, Sha256};
use socketio_p2p_client::{
    Event, Events, P2pBuilderExt, P2pClient, P2pClientExt, Path, direct::ChannelOptions,
};
use socketio_p2p_examples::log_to_stderr;
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

/// Every partner takes messages of that length.
const PIECE: usize = 16 * 1024;

/// The time to wait for a direct path before the relay is used.
const PATIENCE: Duration = Duration::from_secs(3);

/// The time that the receiver may take to confirm what it has: it writes to a disk.
const DISK: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result {
    let options = Options::parse();
    log_to_stderr();
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
            // No direct path, or the receiver got nowhere by it: by the relay it says why.
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

/// Sends all that is left over a channel, or what it takes until it fails; none if there is no
/// direct path. What the receiver has then.
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
    // An error of the file comes again where it is returned.
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

/// Sends one piece, and waits until it is there.
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
