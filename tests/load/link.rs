//! One websocket of the driver: bare tungstenite, small buffers, Engine.IO pings answered.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::wire::{self, Dialect};

/// The longest time that an answer of a server may take before the benchmark fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The pairing id of bare ends, so that their packets are as long as those of v2.
pub(crate) const BARE_PAIRING: &str = "0123456789abcdef-1";

/// Read buffer of one socket, in bytes. Small, because there are 10,000 of them in the driver.
const READ_BUFFER: usize = 4 * 1024;

/// One end's websocket.
#[derive(Debug)]
pub(crate) struct Link {
    websocket: WebSocketStream<TcpStream>,
}

impl Link {
    /// Connects `client` and waits until it may speak.
    pub(crate) async fn connect(
        dialect: Dialect,
        server: SocketAddr,
        client: &str,
        pair: &str,
    ) -> Result<Self> {
        let connecting = async {
            let tcp = TcpStream::connect(server).await?;
            tcp.set_nodelay(true)?;
            let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
            let url = dialect.url(server, client, pair);
            let (websocket, _) = client_async_with_config(url, tcp, Some(config)).await?;
            let mut link = Self { websocket };
            if let Some(connect) = dialect.connect(client) {
                link.send(connect.into()).await?;
            }
            if let Some(connected) = dialect.connected() {
                link.wait_for(|text| text.starts_with(connected)).await?;
            }
            anyhow::Ok(link)
        };
        timeout(PATIENCE, connecting)
            .await
            .context("the server did not answer in time")?
            .with_context(|| format!("{client} could not connect"))
    }

    /// Sends `text` in a write of its own, as a client does that emits once in a while.
    pub(crate) async fn send(&mut self, text: Utf8Bytes) -> Result<()> {
        Ok(self.websocket.send(Message::Text(text)).await?)
    }

    /// Queues `text`; it is written before [`Self::receive`] waits.
    pub(crate) async fn feed(&mut self, text: Utf8Bytes) -> Result<()> {
        Ok(self.websocket.feed(Message::Text(text)).await?)
    }

    /// The next text that is not a ping; whatever was fed is written before this waits.
    pub(crate) async fn receive(&mut self) -> Result<Utf8Bytes> {
        loop {
            let next = match self.websocket.next().now_or_never() {
                Some(next) => next,
                None => {
                    self.websocket.flush().await?;
                    self.websocket.next().await
                }
            };
            match next.unwrap_or(Err(Error::ConnectionClosed))? {
                Message::Text(ping) if ping.as_str() == "2" => {
                    self.send(Utf8Bytes::from_static("3")).await?;
                }
                Message::Text(text) => return Ok(text),
                Message::Close(frame) => bail!("the server closed the connection: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Reads on until `wanted`; a refusal of the server is an error.
    pub(crate) async fn wait_for(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Utf8Bytes> {
        let waiting = async {
            loop {
                let text = self.receive().await?;
                if wanted(&text) {
                    return Ok(text);
                }
                refuse_errors(&text)?;
            }
        };
        timeout(PATIENCE, waiting).await.context("the server did not answer in time")?
    }
}

/// Pairs two connected ends and gives the id of their pairing (empty where there is none).
pub(crate) async fn register(
    dialect: Dialect,
    source: &mut Link,
    target: &mut Link,
    target_id: &str,
    req: u64,
) -> Result<String> {
    match dialect {
        Dialect::Bare => return Ok(BARE_PAIRING.to_owned()),
        Dialect::SocketIo => bail!("a server without the plugin pairs nobody"),
        Dialect::V1 | Dialect::V2 => {}
    }
    source.send(dialect.register(target_id, req).into()).await?;
    let asked = target.wait_for(|text| text.contains(r#"["P2P_REGISTER","#)).await?;
    let consent = dialect.accept(&asked).context("a registration without a number")?;
    target.send(consent.into()).await?;
    let paired = source.wait_for(|text| dialect.is_paired(text)).await?;
    if dialect == Dialect::V1 {
        return Ok(String::new());
    }
    target.wait_for(|text| dialect.is_paired(text)).await?;
    Ok(wire::pairing_id(&paired).context("a pairing without an id")?.to_owned())
}

/// Ends the pairing and waits until both ends are told.
pub(crate) async fn unregister(
    dialect: Dialect,
    source: &mut Link,
    target: &mut Link,
    req: u64,
) -> Result<()> {
    source.send(dialect.unregister(req).into()).await?;
    if dialect == Dialect::V1 {
        let asked = target.wait_for(|text| text.contains(r#"["P2P_UNREGISTER"]"#)).await?;
        if let Some(released) = wire::released(&asked) {
            target.send(released.into()).await?;
        }
        let answer = format!("43{req}[");
        source.wait_for(|text| text.starts_with(&answer)).await?;
    } else {
        let ended = |text: &str| text.starts_with(r#"42["P2P_DISCONNECT""#);
        source.wait_for(ended).await?;
        target.wait_for(ended).await?;
    }
    Ok(())
}

/// Fails if the server refused something: the benchmark never asks for what it may not.
fn refuse_errors(text: &str) -> Result<()> {
    let refused = ["P2P_ERROR", "P2P_REGISTER_FAILED", "SERVER_ERROR"];
    if text.starts_with("44") || refused.iter().any(|name| text.contains(name)) {
        bail!("the server refused: {text}");
    }
    Ok(())
}
