//! Receives a file from `sendfile`, and ends when it is complete and its checksum is right. A part of an
//! earlier run, `NAME.part`, is completed; a file of that name is not overwritten.
//!
//! ```text
//! cargo run --example recvfile -- --url http://127.0.0.1:9000 --id B
//! ```

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use clap::Parser;
use indicatif::ProgressBar;
use sha2::{Digest as _, Sha256};
use socketio_p2p_client::{
    HandlerError, Incoming, P2pBuilderExt, P2pClientExt,
    direct::{ChannelMessage, DirectChannel},
};
use socketio_p2p_examples::{WARNINGS, exit_status, log_to_stderr};
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Mutex, mpsc},
    time::timeout,
};

/// Receives one file.
#[derive(Parser)]
struct Options {
    /// The URL of the server.
    #[arg(long, default_value = "http://127.0.0.1:9000")]
    url: String,
    /// The name of this client.
    #[arg(long)]
    id: String,
    /// The folder that the file is put into.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

/// The time that the sender may take to leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// The file that is being received. It is locked while a channel is read, so that an answer to `has`
/// includes what is on its way.
type Receiving = Arc<Mutex<Option<Part>>>;

struct Part {
    file: File,
    path: PathBuf,
    has: u64,
    size: u64,
    bar: ProgressBar,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr(WARNINGS);
    exit_status(run(options).await)
}

async fn run(Options { url, id, dir }: Options) -> Result<(), Box<dyn Error>> {
    let receiving = Receiving::default();
    let (done, mut is_done) = mpsc::channel(1);

    let [at_file, at_piece, at_has, at_done, at_channel] =
        std::array::from_fn(|_| receiving.clone());
    let client = url
        .p2p(id)
        .on2("file", move |msg: Incoming| {
            let (receiving, dir) = (at_file.clone(), dir.clone());
            async move {
                let (name, size): (String, u64) = msg.args()?;
                let part = Part::begin(&dir, &name, size).await?;
                let has = part.has;
                *receiving.lock().await = Some(part);
                Ok(has)
            }
        })
        .on2("piece", move |msg: Incoming| {
            let receiving = at_piece.clone();
            async move {
                let (at, bytes): (u64, Bytes) = msg.args()?;
                let mut part = receiving.lock().await;
                let part = part.as_mut().ok_or(HandlerError::new("no file"))?;
                if at == part.has {
                    part.take(&bytes).await?;
                }
                Ok(part.has)
            }
        })
        .on2("has", move |_: Incoming| {
            let receiving = at_has.clone();
            async move { Ok(receiving.lock().await.as_ref().map_or(0, |part| part.has)) }
        })
        .on2("done", move |msg: Incoming| {
            let (receiving, done) = (at_done.clone(), done.clone());
            async move {
                let checksum: String = msg.args()?;
                let part = receiving.lock().await.take().ok_or(HandlerError::new("no file"))?;
                let path = part.finish(&checksum).await?;
                done.send(path).await.ok();
                Ok(())
            }
        })
        .on_channel(move |channel: DirectChannel| {
            let receiving = at_channel.clone();
            async move {
                let mut part = receiving.lock().await;
                let Some(part) = part.as_mut() else { return };
                // The first message is the offset. It is outdated if an earlier channel has brought more.
                match channel.recv().await {
                    Some(ChannelMessage::Text(at)) if at.parse() == Ok(part.has) => {}
                    _ => return,
                }
                while let Some(message) = channel.recv().await {
                    if let Err(error) = part.take(&message.into_bytes()).await {
                        eprintln!("{error}");
                        return;
                    }
                }
            }
        })
        .connect()
        .await?;
    let mut events = client.events();
    println!("waiting as {}", client.id());

    let path = is_done.recv().await.ok_or("no file")?;
    println!("received {}", path.display());
    // The sender leaves when it has the answer to `done`.
    let gone = async {
        // An event may belong to an earlier sender that was lost, so the pairing itself is looked at.
        while client.pairing().is_some() && events.recv().await.is_ok() {}
    };
    timeout(FAREWELL, gone).await.ok();
    client.close().await;
    Ok(())
}

impl Part {
    async fn begin(dir: &Path, name: &str, size: u64) -> std::io::Result<Self> {
        // Only the name: the sender does not choose the folder.
        let name = Path::new(name).file_name().ok_or(std::io::ErrorKind::InvalidFilename)?;
        let path = dir.join(name);
        if fs::try_exists(&path).await? {
            return Err(std::io::Error::other("there is a file of that name"));
        }
        let file = OpenOptions::new().create(true).append(true).open(part_of(&path)).await?;
        let has = file.metadata().await?.len();
        if has > size {
            return Err(std::io::Error::other("an earlier part is longer than the file"));
        }
        let bar = ProgressBar::new(size);
        bar.set_position(has);
        Ok(Self { file, path, has, size, bar })
    }

    async fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.has + bytes.len() as u64 > self.size {
            return Err(std::io::Error::other("more comes than the file has"));
        }
        self.file.write_all(bytes).await?;
        self.has += bytes.len() as u64;
        self.bar.set_position(self.has);
        Ok(())
    }

    /// Compares the checksum, and renames the part to the file.
    async fn finish(mut self, checksum: &str) -> std::io::Result<PathBuf> {
        self.file.flush().await?;
        let part = part_of(&self.path);
        let mut file = File::open(&part).await?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            match file.read(&mut piece).await? {
                0 => break,
                length => hash.update(&piece[..length]),
            }
        }
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found != checksum {
            fs::remove_file(&part).await?;
            return Err(std::io::Error::other("the checksum is wrong; the part is thrown away"));
        }
        fs::rename(&part, &self.path).await?;
        self.bar.finish();
        Ok(self.path)
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
